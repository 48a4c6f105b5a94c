// Holding the bytes of a file against its model.
#pragma once

#include <cstdint>
#include <span>

#include "tests/stress/worker.h"

namespace vimg::stress {

// Fails the worker at the first byte at which `found`, read at `offset` of `file`, is not
// `expected`.
void compare_bytes(const Worker& worker, const Node& file, std::uint64_t offset,
                   std::span<const std::byte> found, std::span<const std::byte> expected);

// Reads at most `length` bytes at `offset` through `fd`, as far as the file goes, and compares.
void compare_range(Worker& worker, const Node& file, int fd, std::uint64_t offset,
                   std::uint64_t length);

// All of the file, and that SEEK_DATA and SEEK_HOLE agree with it.
void compare_file(Worker& worker, const Node& file, int fd);

// SEEK_DATA and SEEK_HOLE walk through the file in order and hide nothing.
void compare_holes(Worker& worker, const Node& file, int fd);

}  // namespace vimg::stress

// File I/O: whole ranges of a host file read, written and punched, whatever a single call does.
#pragma once

#include <cstdint>
#include <string_view>

#include "disk/bytes.h"

namespace vimg {

// Fills `out` from `offset`; returns how many bytes there were before the end of the file.
// Throws Error with the host's errno; its message begins with `name`.
std::uint64_t read_file_range(int fd, std::uint64_t offset, Bytes out, std::string_view name);

// Writes all of `data` at `offset`.  Throws as read_file_range does.
void write_file_range(int fd, std::uint64_t offset, ConstBytes data, std::string_view name);

// fallocate(2) with `mode`, which keeps the size; false where file system or device cannot do that
// to this range.  Throws as read_file_range does.
bool reshape_file_range(int fd, int mode, std::uint64_t offset, std::uint64_t length,
                        std::string_view name);

}  // namespace vimg

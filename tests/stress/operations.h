// What a stress process does: one random thing at a time.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tests/stress/worker.h"

namespace vimg::stress {

struct Operation {
  const char* name;
  unsigned weight;  // how often, against the others
  void (*run)(Worker& worker);
};

// The tree: create, mkdir, link, rename …
std::span<const Operation> tree_operations();
// What must fail, and how.
std::span<const Operation> refused_operations();
// The bytes of files: write, truncate, fallocate, mmap …
std::span<const Operation> data_operations();
// The space of files: fallocate in all modes, SEEK_HOLE.
std::span<const Operation> allocation_operations();
// chmod, chown, utimensat, xattrs, stat …
std::span<const Operation> attribute_operations();
// Large directories, growing files, what all processes do in one directory.
std::span<const Operation> burst_operations();

// All of them but those called as one of `skipped`, each as often as its weight says.  Throws
// std::runtime_error for a name that none has.
std::vector<const Operation*> weighted_operations(const std::vector<std::string>& skipped);

}  // namespace vimg::stress

// Holding the whole tree of a stress process against its model.
#pragma once

#include "tests/stress/worker.h"

namespace vimg::stress {

// Every entry, attribute and byte; fails the worker at the first difference.  Half of the files are
// taken out of the page cache first, so that the file system has to give them again.
void verify_tree(Worker& worker);

// The entries of one directory, each once, with its type and inode number.
void verify_directory(Worker& worker, const Node& directory);

}  // namespace vimg::stress

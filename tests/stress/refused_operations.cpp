#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "tests/stress/operations.h"

namespace vimg::stress {
namespace {

void create_existing(Worker& worker) {
  const auto name = worker.random_entry();
  if (!name) {
    return;
  }
  const std::string path = worker.model().path(*name);
  worker.log("create, mkdir, mknod, symlink and link the existing {}", path);
  const int root = worker.root_fd();
  worker.must_fail(openat(root, path.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600), "create " + path,
                   {EEXIST});
  worker.must_fail(mkdirat(root, path.c_str(), 0700), "mkdir " + path, {EEXIST});
  worker.must_fail(mknodat(root, path.c_str(), S_IFIFO | 0600, 0), "mknod " + path, {EEXIST});
  worker.must_fail(symlinkat("x", root, path.c_str()), "symlink " + path, {EEXIST});
}

void look_up_missing(Worker& worker) {
  const NodePtr directory = worker.random_directory();
  const std::string path = worker.model().path({directory.get(), worker.fresh_name(*directory)});
  worker.log("look up the missing {}", path);
  const int root = worker.root_fd();
  struct stat status {};
  worker.must_fail(openat(root, path.c_str(), O_RDONLY), "open " + path, {ENOENT});
  worker.must_fail(fstatat(root, path.c_str(), &status, AT_SYMLINK_NOFOLLOW), "stat " + path,
                   {ENOENT});
  worker.must_fail(unlinkat(root, path.c_str(), 0), "unlink " + path, {ENOENT});
  worker.must_fail(unlinkat(root, path.c_str(), AT_REMOVEDIR), "rmdir " + path, {ENOENT});
}

void use_wrong_kind(Worker& worker) {
  const auto name = worker.random_entry();
  if (!name) {
    return;
  }
  const NodePtr node = name->directory->children.at(name->name);
  const std::string path = worker.model().path(*name);
  worker.log("use {} as what it is not", path);
  const int root = worker.root_fd();
  if (node->is_directory()) {
    worker.must_fail(unlinkat(root, path.c_str(), 0), "unlink " + path, {EISDIR, EPERM});
    worker.must_fail(openat(root, path.c_str(), O_WRONLY), "open for writing " + path, {EISDIR});
    return;
  }
  worker.must_fail(unlinkat(root, path.c_str(), AT_REMOVEDIR), "rmdir " + path, {ENOTDIR});
  if (node->is_regular()) {
    const std::string below = path + "/below";
    worker.must_fail(openat(root, below.c_str(), O_RDONLY), "open " + below, {ENOTDIR});
  }
  if (!node->is_symlink()) {
    char byte = 0;
    worker.must_fail(readlinkat(root, path.c_str(), &byte, 1), "readlink " + path, {EINVAL});
  }
}

void use_long_name(Worker& worker) {
  const NodePtr directory = worker.random_directory();
  const std::string path = worker.model().path({directory.get(), std::string(256, 'l')});
  worker.log("create a name of 256 bytes");
  worker.must_fail(openat(worker.root_fd(), path.c_str(), O_CREAT | O_RDWR, 0600), "create " + path,
                   {ENAMETOOLONG});
}

constexpr std::array operations = {
    Operation{"create-existing", 3, create_existing},
    Operation{"look-up-missing", 3, look_up_missing},
    Operation{"use-wrong-kind", 4, use_wrong_kind},
    Operation{"use-long-name", 1, use_long_name},
};

}  // namespace

std::span<const Operation> refused_operations() { return operations; }

}  // namespace vimg::stress

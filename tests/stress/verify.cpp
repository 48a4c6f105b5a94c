#include "tests/stress/verify.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <set>

#include "tests/stress/compare.h"
#include "tests/stress/xattrs.h"

namespace vimg::stress {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

void verify_entry(const Worker& worker, const std::string& path, const Node& directory,
                  const dirent& entry) {
  const auto child = directory.children.find(entry.d_name);
  if (child == directory.children.end()) {
    worker.fail(fmt::format("{}: has an entry {} that must not be there", path, entry.d_name));
  }
  const Node& node = *child->second;
  if (entry.d_ino != node.inode) {
    worker.fail(fmt::format("{}: the inode of {} is listed as {}, not {}", path, entry.d_name,
                            entry.d_ino, node.inode));
  }
  if (entry.d_type != DT_UNKNOWN && entry.d_type != IFTODT(node.mode)) {
    worker.fail(fmt::format("{}: the type of {} is listed as {}, not {}", path, entry.d_name,
                            entry.d_type, IFTODT(node.mode)));
  }
}

std::string read_target(const Worker& worker, const std::string& path) {
  std::string target(8192, '\0');
  const ssize_t length = readlinkat(worker.root_fd(), path.c_str(), target.data(), target.size());
  if (length < 0) {
    worker.fail_errno("readlink " + path);
  }
  target.resize(std::size_t(length));
  return target;
}

enum class Cache { keep, drop };

// Makes no random choices, so that a run can be repeated whenever it is verified.
void verify_content(Worker& worker, const Node& file, Cache cache) {
  const std::string path = worker.model().path(file);
  const int fd = file.names.empty() ? dup(file.fd) : openat(worker.root_fd(), path.c_str(), O_RDWR);
  worker.succeeded(fd, "open " + path);
  if (cache == Cache::drop) {
    worker.succeeded(fsync(fd), "fsync");
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  }
  compare_file(worker, file, fd);
  worker.succeeded(close(fd), "close");
}

void verify_node(Worker& worker, const NodePtr& node) {
  const std::string path = worker.model().path(*node);
  struct stat status {};
  if (fstatat(worker.root_fd(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    worker.fail_errno("stat " + path);
  }
  check_status(worker, *node, status, path);
  if (node->is_directory()) {
    verify_directory(worker, *node);
  }
  if (node->is_regular()) {
    verify_content(worker, *node, node->inode % 2 == 0 ? Cache::keep : Cache::drop);
  }
  if (node->is_symlink() && read_target(worker, path) != node->target) {
    worker.fail(path + ": the link's target differs");
  }
  if (worker.options().abilities.xattrs && (node->is_directory() || node->is_regular())) {
    check_xattrs(worker, *node, path);
  }
}

}  // namespace

void verify_directory(Worker& worker, const Node& directory) {
  const std::string path = worker.model().path(directory);
  const int fd = openat(worker.root_fd(), path.c_str(), O_RDONLY | O_DIRECTORY);
  const std::unique_ptr<DIR, CloseDirectory> stream(fd < 0 ? nullptr : fdopendir(fd));
  if (!stream) {
    worker.fail_errno("opendir " + path);
  }
  std::set<std::string> seen;
  while (const dirent* entry = readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (!seen.insert(name).second) {
      worker.fail(fmt::format("{}: lists {} twice", path, name));
    }
    if (name != "." && name != "..") {
      verify_entry(worker, path, directory, *entry);
    }
  }
  if (seen.size() != directory.children.size() + 2) {
    worker.fail(fmt::format("{}: lists {} entries, not {}", path, seen.size(),
                            directory.children.size() + 2));
  }
}

void verify_tree(Worker& worker) {
  worker.log("verify everything");
  Model& model = worker.model();
  for (const auto* list : {&model.directories(), &model.files(), &model.others()}) {
    for (const NodePtr& node : *list) {
      verify_node(worker, node);
    }
  }
  for (const NodePtr& orphan : model.orphans()) {
    verify_content(worker, *orphan, Cache::drop);
  }
}

}  // namespace vimg::stress

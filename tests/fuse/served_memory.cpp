#include "tests/fuse/served_memory.h"

#include <unistd.h>

#include <future>

#include <doctest/doctest.h>

namespace vimg::test {

ServedFileSystem::Source source_of(std::shared_ptr<MemoryFileSystem> filesystem,
                                   MountAccess access) {
  return {.name = "memory",
          .open = [filesystem](MountAccess) { return filesystem; },
          .check = {},
          .claim = {},
          .access = access};
}

Attributes add_file(MemoryFileSystem& filesystem, InodeNumber directory, const std::string& name,
                    const std::string& text) {
  const Attributes made =
      filesystem.create(directory, name, {.mode = S_IFREG | 0644, .uid = 0, .gid = 0});
  filesystem.write(made.inode, 0, bytes_of(std::string_view(text)), TimeUpdate::now);
  return filesystem.attributes(made.inode);
}

bool can_mount() {
  if (access("/dev/fuse", R_OK | W_OK) == 0 && (geteuid() == 0 || have("fusermount3"))) {
    return true;
  }
  MESSAGE("skipped: /dev/fuse cannot be used here");
  return false;
}

MemoryMount::MemoryMount(std::shared_ptr<MemoryFileSystem> filesystem, MountAccess access,
                         const std::vector<std::string>& words)
    : state_{.tree = tree_,
             .problems = problems_,
             .claims = claims_,
             .volume_disk = [](std::size_t) { return DiskPtr(); },
             .report = [] { return std::string(); },
             .access = access,
             .owner = geteuid()} {
  tree_.show_at_root(tree_.add_view(tree_.add_filesystem(source_of(filesystem, access))));
  std::promise<void> mounted;
  thread_ = std::thread([&] {
    Session session(state_, {"memory", words});
    session.mount(directory_.path());
    mounted.set_value();
    session.serve();
  });
  mounted.get_future().wait();
}

MemoryMount::~MemoryMount() { unmount(); }

void MemoryMount::unmount() {
  if (thread_.joinable()) {
    vimg::unmount(directory_.path(), UnmountMode::lazy);
    thread_.join();
  }
}

}  // namespace vimg::test

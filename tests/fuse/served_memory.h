// A MemoryFileSystem behind a ServedFileSystem, and mounted where /dev/fuse allows it.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "fuse/session.h"
#include "fuse/tree.h"
#include "fuse/unmount.h"
#include "tests/fuse/memory_filesystem.h"
#include "tests/support/host.h"

namespace vimg::test {

// A source that opens `filesystem`, for writing too.
ServedFileSystem::Source source_of(std::shared_ptr<MemoryFileSystem> filesystem,
                                   MountAccess access = MountAccess::read_write);

// Makes a regular file with `text` in it.
Attributes add_file(MemoryFileSystem& filesystem, InodeNumber directory, const std::string& name,
                    const std::string& text);

// False, and says so, when nothing can be mounted here.
bool can_mount();

// `filesystem` mounted right at path(), until the end of the scope.
class MemoryMount {
 public:
  explicit MemoryMount(std::shared_ptr<MemoryFileSystem> filesystem,
                       MountAccess access = MountAccess::read_write,
                       const std::vector<std::string>& words = {});
  ~MemoryMount();
  MemoryMount(const MemoryMount&) = delete;
  MemoryMount& operator=(const MemoryMount&) = delete;

  const std::string& path() const noexcept { return directory_.path(); }
  std::string operator/(const std::string& name) const { return directory_ / name; }
  ProblemLog& problems() noexcept { return problems_; }
  // Ends the mount; the kernel knows nothing of it any more.
  void unmount();

 private:
  TemporaryDirectory directory_;
  ProblemLog problems_{ProblemLog::Echo::off};
  VolumeClaims claims_{{}};
  Tree tree_;
  MountState state_;
  std::thread thread_;
};

}  // namespace vimg::test

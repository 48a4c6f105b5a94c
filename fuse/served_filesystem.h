// ServedFileSystem: a file system as the mount serves it: opened at its first use, and for writing
// at its first change.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "fsdrivers/driver.h"
#include "fuse/lookup_counts.h"

namespace vimg {

// All members may be called from any thread.
class ServedFileSystem {
 public:
  struct Source {
    std::string name;  // of the volume, for messages
    // Opens it.  Called at most once for each access, never at the same time.
    std::function<std::shared_ptr<FileSystem>(MountAccess)> open;
    // Throws Error when the tree must not be used now; called before each use.  May be empty.
    std::function<void()> check;
    // Throws Error when the tree must not be changed; called before it is opened for writing.
    std::function<void()> claim;
    MountAccess access = MountAccess::read_only;  // the most that is allowed
  };
  explicit ServedFileSystem(Source source) : source_(std::move(source)) {}

  const std::string& name() const noexcept { return source_.name; }
  bool opened() const noexcept { return current_.load() != nullptr; }
  bool writable() const noexcept { return source_.access == MountAccess::read_write; }

  // Some directories take one file's name for another's that differs in case only.
  bool folds_names() const noexcept { return folds_names_.load(); }

  // Throws Error when it cannot be opened; each call tries again.
  const FileSystem& reading();
  // The same for writing; Error(EROFS) when that is not allowed.  What reading() gave before stays
  // valid and shows the state before the first change.
  WritableFileSystem& writing();
  // As reading(), for who keeps it.
  std::shared_ptr<FileSystem> share();
  // Null when nothing was changed yet.
  WritableFileSystem* writer() noexcept { return writer_.load(); }

  // The kernel was given `inode` once more, or forgot it `count` times.
  void remember(InodeNumber inode);
  void forget(InodeNumber inode, std::uint64_t count);
  // At the end: the kernel knows nothing any more.
  void forget_all();

 private:
  void open(MountAccess access);

  const Source source_;
  LookupCounts counts_;
  std::mutex mutex_;  // one opening at a time; guards the two shared pointers
  std::shared_ptr<FileSystem> read_only_;
  std::shared_ptr<FileSystem> read_write_;
  std::atomic<const FileSystem*> current_ = nullptr;
  std::atomic<WritableFileSystem*> writer_ = nullptr;
  std::atomic<bool> folds_names_ = false;
};

}  // namespace vimg

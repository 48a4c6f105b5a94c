// OpenFileSystems: the file systems of a guest that were opened, each plain one once.
#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "guest/guest.h"

namespace vimg {

// All members may be called from any thread; opening one volume does not hold up another.
class OpenFileSystems {
 public:
  explicit OpenFileSystems(std::size_t volume_count) : volumes_(volume_count) {}

  // As Guest::open_filesystem.  `index` is the volume's.  Throws Error(EBUSY) for a second file
  // system on one volume that would write: neither would see what the other does.
  std::shared_ptr<FileSystem> open(std::size_t index, const Volume& volume,
                                   const FileSystemOptions& options, std::string_view type);

  // finish() on every one that was opened for writing; the first Error, if any.  Once only.
  std::exception_ptr finish();

  // What the opened ones had to say and why others could not be opened, in words, with their
  // volumes' names.  Each once.
  std::vector<std::string> warnings() const;

 private:
  // What is open on one volume.
  struct Opened {
    std::mutex mutex;  // guards the three below; held while opening, so that it is done once
    std::shared_ptr<FileSystem> shared;           // for all who ask without options
    MountAccess access = MountAccess::read_only;  // of `shared`
    bool writing = false;                         // some file system there was opened for writing
  };

  std::shared_ptr<FileSystem> open_shared(Opened& opened, const Volume& volume, MountAccess access);
  std::shared_ptr<FileSystem> open_new(Opened& opened, const Volume& volume,
                                       const FileSystemDriver& driver,
                                       const FileSystemOptions& options);
  void remember(const Volume& volume, const std::shared_ptr<FileSystem>& filesystem);
  void warn(std::string warning);

  std::deque<Opened> volumes_;
  mutable std::mutex mutex_;  // guards the two below; never held while opening
  std::vector<std::shared_ptr<FileSystem>> writers_;
  std::vector<std::string> warnings_;
};

}  // namespace vimg

#include "guest/open_filesystems.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {
namespace {

const FileSystemDriver& driver_for(const Volume& volume, std::string_view type) {
  if (!type.empty()) {
    const FileSystemDriver* driver = find_filesystem_driver(type);
    if (driver == nullptr) {
      throw_unsupported(volume.name, fmt::format("no driver for file system type '{}'", type));
    }
    return *driver;
  }
  if (!volume.filesystem) {
    throw_unsupported(volume.name, "holds no file system that can be read");
  }
  return *volume.filesystem->driver;
}

}  // namespace

std::shared_ptr<FileSystem> OpenFileSystems::open(std::size_t index, const Volume& volume,
                                                  const FileSystemOptions& options,
                                                  std::string_view type) {
  if (!volume.disk) {
    throw_unsupported(volume.name, volume.problem);
  }
  const FileSystemDriver& driver = driver_for(volume, type);
  if (options.access == MountAccess::read_write && !volume.disk->writable()) {
    throw_error(EROFS, volume.name, "opened without writing");
  }
  const bool plain =
      options.options.empty() && volume.filesystem && &driver == volume.filesystem->driver;
  Opened& opened = volumes_[index];
  const std::lock_guard lock(opened.mutex);
  return plain ? open_shared(opened, volume, options.access)
               : open_new(opened, volume, driver, options);
}

std::shared_ptr<FileSystem> OpenFileSystems::open_shared(Opened& opened, const Volume& volume,
                                                         MountAccess access) {
  // Who only reads may share with a writer.  A reader that is there when the first writer comes
  // keeps what it has, but nobody else gets it: it does not see what is written.
  const bool fits = access == MountAccess::read_only || opened.access == MountAccess::read_write;
  if (!opened.shared || !fits) {
    opened.shared = open_new(opened, volume, *volume.filesystem->driver, {access, {}});
    opened.access = access;
  }
  return opened.shared;
}

std::shared_ptr<FileSystem> OpenFileSystems::open_new(Opened& opened, const Volume& volume,
                                                      const FileSystemDriver& driver,
                                                      const FileSystemOptions& options) {
  const bool writes = options.access == MountAccess::read_write;
  if (writes && opened.writing) {
    throw_error(EBUSY, volume.name, "is open for writing with other options");
  }
  try {
    std::shared_ptr<FileSystem> filesystem =
        within(volume.name, [&] { return driver.open(volume.disk, options); });
    opened.writing = opened.writing || writes;
    remember(volume, filesystem);
    return filesystem;
  } catch (const Error& error) {
    warn(error.what());
    throw;
  }
}

void OpenFileSystems::remember(const Volume& volume,
                               const std::shared_ptr<FileSystem>& filesystem) {
  for (const std::string& warning : filesystem->info().warnings) {
    warn(fmt::format("{}: {}", volume.name, warning));
  }
  if (filesystem->writer() != nullptr) {
    const std::lock_guard lock(mutex_);
    writers_.push_back(filesystem);
  }
}

void OpenFileSystems::warn(std::string warning) {
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(warnings_, warning) == warnings_.end()) {
    warnings_.push_back(std::move(warning));
  }
}

std::exception_ptr OpenFileSystems::finish() {
  std::vector<std::shared_ptr<FileSystem>> writers;
  {
    const std::lock_guard lock(mutex_);
    writers.swap(writers_);
  }
  std::exception_ptr first_error;
  for (const auto& filesystem : writers) {
    try {
      filesystem->writer()->finish();
    } catch (const Error&) {
      first_error = first_error ? first_error : std::current_exception();
    }
  }
  return first_error;
}

std::vector<std::string> OpenFileSystems::warnings() const {
  const std::lock_guard lock(mutex_);
  return warnings_;
}

}  // namespace vimg

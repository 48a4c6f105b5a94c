#include "guest/open_filesystems.h"

#include <cerrno>

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
  return plain ? open_shared(index, volume, options.access) : open_new(volume, driver, options);
}

std::shared_ptr<FileSystem> OpenFileSystems::open_shared(std::size_t index, const Volume& volume,
                                                         MountAccess access) {
  Shared& shared = volumes_[index];
  const std::lock_guard lock(shared.mutex);
  // Who only reads may share with a writer.  A reader that is there when the first writer comes
  // keeps what it has, but nobody else gets it: it does not see what is written.
  const bool fits = access == MountAccess::read_only || shared.access == MountAccess::read_write;
  if (!shared.filesystem || !fits) {
    shared.filesystem = open_new(volume, *volume.filesystem->driver, {access, {}});
    shared.access = access;
  }
  return shared.filesystem;
}

std::shared_ptr<FileSystem> OpenFileSystems::open_new(const Volume& volume,
                                                      const FileSystemDriver& driver,
                                                      const FileSystemOptions& options) {
  std::shared_ptr<FileSystem> filesystem =
      within(volume.name, [&] { return driver.open(volume.disk, options); });
  const std::vector<std::string> warnings = filesystem->info().warnings;
  const std::lock_guard lock(mutex_);
  for (const std::string& warning : warnings) {
    warnings_.push_back(fmt::format("{}: {}", volume.name, warning));
  }
  if (filesystem->writer() != nullptr) {
    writers_.push_back(filesystem);
  }
  return filesystem;
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

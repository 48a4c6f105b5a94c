#include "fuse/served_filesystem.h"

#include <algorithm>
#include <cerrno>

#include "disk/error.h"

namespace vimg {
namespace {

// ext4 has it among its features.
bool folds_names_by(const FileSystemInfo& info) {
  if (info.type == "vfat" || info.type == "exfat") {
    return true;
  }
  return std::any_of(info.facts.begin(), info.facts.end(), [](const auto& fact) {
    return fact.first == "features" && fact.second.find("casefold") != std::string::npos;
  });
}

}  // namespace

const FileSystem& ServedFileSystem::reading() {
  if (source_.check) {
    source_.check();
  }
  if (const FileSystem* current = current_.load(std::memory_order_acquire)) {
    return *current;
  }
  const std::lock_guard lock(mutex_);
  if (current_.load() == nullptr) {
    open(MountAccess::read_only);
  }
  return *current_.load();
}

WritableFileSystem& ServedFileSystem::writing() {
  if (WritableFileSystem* writer = writer_.load(std::memory_order_acquire)) {
    return *writer;
  }
  if (!writable()) {
    throw_error(EROFS, source_.name, "mounted read-only");
  }
  const std::lock_guard lock(mutex_);
  if (writer_.load() == nullptr) {
    if (source_.claim) {
      source_.claim();
    }
    open(MountAccess::read_write);
  }
  return *writer_.load();
}

std::shared_ptr<FileSystem> ServedFileSystem::share() {
  reading();
  const std::lock_guard lock(mutex_);
  return read_write_ ? read_write_ : read_only_;
}

// Called under mutex_.  The one that was open before lives on, as other threads may be in it.
void ServedFileSystem::open(MountAccess access) {
  auto opened = source_.open(access);
  folds_names_ = folds_names_by(opened->info());
  if (access == MountAccess::read_only) {
    read_only_ = std::move(opened);
    current_.store(read_only_.get(), std::memory_order_release);
    return;
  }
  if (opened->writer() == nullptr) {
    throw_error(EROFS, source_.name, "this file system can only be read");
  }
  read_write_ = std::move(opened);
  current_.store(read_write_.get(), std::memory_order_release);
  writer_.store(read_write_->writer(), std::memory_order_release);
}

void ServedFileSystem::remember(InodeNumber inode) {
  // Without writing nothing is ever released, so nothing need be counted.
  if (writable()) {
    counts_.add(inode);
  }
}

void ServedFileSystem::forget(InodeNumber inode, std::uint64_t count) {
  if (!writable() || !counts_.subtract(inode, count)) {
    return;
  }
  if (WritableFileSystem* current = writer()) {
    current->release(inode);
  }
}

void ServedFileSystem::forget_all() {
  WritableFileSystem* current = writer();
  for (const InodeNumber inode : counts_.drain()) {
    if (current != nullptr) {
      current->release(inode);
    }
  }
}

}  // namespace vimg

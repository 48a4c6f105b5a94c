#include "fsdrivers/ext4_filesystem.h"

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_listing.h"
#include "fsdrivers/ext4_lookup.h"
#include "fsdrivers/ext4_nokey.h"
#include "fsdrivers/ext4_statistics.h"
#include "fsdrivers/ext4_xattr.h"

namespace vimg {

using ext4::DirectoryReader;
using ext4::Inode;
using ext4::layer;

Ext4FileSystem::Ext4FileSystem(const DiskPtr& disk, const ext4::Options& options,
                               MountAccess access, std::vector<std::string> warnings)
    : volume_(disk, ext4::read_superblock(*disk, options.superblock_offset),
              options.superblock_offset,
              access == MountAccess::read_write ? ext4::Nameless::present : ext4::Nameless::absent),
      content_(volume_),
      name_rules_(volume_.superblock()),
      options_(options),
      access_(access),
      warnings_(std::move(warnings)) {}

Ext4FileSystem::~Ext4FileSystem() = default;

void Ext4FileSystem::set_writer(std::unique_ptr<WritableFileSystem> writer) {
  writer_ = std::move(writer);
}

std::shared_lock<std::shared_mutex> Ext4FileSystem::reading(std::shared_mutex& mutex) const {
  return access_ == MountAccess::read_write
             ? std::shared_lock(mutex)
             : std::shared_lock<std::shared_mutex>(mutex, std::defer_lock);
}

Inode Ext4FileSystem::directory_inode(InodeNumber number) const {
  Inode inode = volume_.file_inode(number);
  if (!inode.is_directory()) {
    throw_error(ENOTDIR, layer, fmt::format("inode {} is not a directory", number));
  }
  return inode;
}

Inode Ext4FileSystem::regular_inode(InodeNumber number) const {
  Inode inode = volume_.file_inode(number);
  if (inode.type() != S_IFREG) {
    throw_error(inode.is_directory() ? EISDIR : EINVAL, layer,
                fmt::format("inode {} is not a regular file", number));
  }
  if (inode.has_flag(ext4::inode_encrypted)) {
    throw_error(ENOKEY, layer, fmt::format("inode {} is encrypted", number));
  }
  return inode;
}

FileSystemInfo Ext4FileSystem::info() const {
  FileSystemInfo info = ext4::info_of(volume_.superblock(), volume_.geometry());
  info.warnings = warnings_;
  return info;
}

FileSystemStatistics Ext4FileSystem::statistics() const {
  const auto lock = reading(changes_);
  return ext4::statistics_of(volume_, options_.counted_blocks);
}

// As in the kernel, the size of an encrypted link is that of the target it is shown with.
Attributes Ext4FileSystem::attributes(InodeNumber number) const {
  const auto lock = reading(changes_);
  const Inode inode = volume_.file_inode(number);
  Attributes attributes = ext4::attributes_of(inode, volume_.superblock(), volume_.geometry());
  if (inode.type() == S_IFLNK && inode.has_flag(ext4::inode_encrypted)) {
    attributes.size = ext4::nokey_symlink(content_.stored_symlink(inode)).size();
  }
  return attributes;
}

std::optional<InodeNumber> Ext4FileSystem::lookup(InodeNumber directory,
                                                  std::string_view name) const {
  const auto lock = reading(changes_);
  const Inode inode = directory_inode(directory);
  return ext4::find_entry(DirectoryReader(content_, name_rules_, inode), name);
}

void Ext4FileSystem::list(InodeNumber directory, std::uint64_t position,
                          const std::function<bool(const DirectoryEntry&)>& visit) const {
  const auto lock = reading(changes_);
  const Inode inode = directory_inode(directory);
  ext4::list_entries(DirectoryReader(content_, name_rules_, inode), position, visit);
}

ext4::ReadPlan Ext4FileSystem::plan_read(InodeNumber file, std::uint64_t offset,
                                         std::size_t length) const {
  const auto lock = reading(changes_);
  return content_.plan_read(regular_inode(file), offset, length);
}

std::size_t Ext4FileSystem::read(InodeNumber file, std::uint64_t offset, Bytes out) const {
  const auto lock = reading(content_lock(file));
  return content_.read_planned(plan_read(file, offset, out.size()), out);
}

std::optional<std::uint64_t> Ext4FileSystem::seek(InodeNumber file, std::uint64_t offset,
                                                  SeekTarget target) const {
  const auto lock = reading(changes_);
  return content_.seek(regular_inode(file), offset, target);
}

std::string Ext4FileSystem::symlink_target(InodeNumber link) const {
  const auto lock = reading(changes_);
  const Inode inode = volume_.file_inode(link);
  if (inode.type() != S_IFLNK) {
    throw_error(EINVAL, layer, fmt::format("inode {} is not a symbolic link", link));
  }
  const std::string stored = content_.stored_symlink(inode);
  if (inode.has_flag(ext4::inode_encrypted)) {
    return ext4::nokey_symlink(stored);
  }
  return stored.substr(0, stored.find('\0'));
}

std::vector<std::string> Ext4FileSystem::xattr_names(InodeNumber inode) const {
  const auto lock = reading(changes_);
  return ext4::xattr_names_of(content_, volume_.file_inode(inode));
}

std::optional<std::vector<std::byte>> Ext4FileSystem::xattr(InodeNumber inode,
                                                            std::string_view name) const {
  const auto lock = reading(changes_);
  return ext4::xattr_of(content_, volume_.file_inode(inode), name);
}

}  // namespace vimg

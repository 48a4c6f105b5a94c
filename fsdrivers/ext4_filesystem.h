// Ext4FileSystem: ext2, ext3 and ext4 as a FileSystem.
#pragma once

#include <array>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "fsdrivers/driver.h"
#include "fsdrivers/ext4_content.h"
#include "fsdrivers/ext4_names.h"
#include "fsdrivers/ext4_options.h"
#include "fsdrivers/ext4_volume.h"
#include "fsdrivers/filesystem.h"

namespace vimg {

// Reading needs no lock when nothing is written: all state is immutable but for caches.  A writer
// changes metadata under an exclusive lock of changes(), then calls the invalidate() of what it
// changed; it takes blocks away from a file under an exclusive lock of its content_lock().  The
// reading side has a shared lock of changes() while it looks at metadata, and one of the file's
// content_lock(), taken before, while it reads the content.
class Ext4FileSystem final : public FileSystem {
 public:
  // `disk` needs no recovery any more.  Throws as ext4::validate() does.
  Ext4FileSystem(const DiskPtr& disk, const ext4::Options& options, MountAccess access,
                 std::vector<std::string> warnings);
  ~Ext4FileSystem() override;

  FileSystemInfo info() const override;
  FileSystemStatistics statistics() const override;
  InodeNumber root() const noexcept override { return ext4::root_inode; }
  Attributes attributes(InodeNumber inode) const override;
  std::optional<InodeNumber> lookup(InodeNumber directory, std::string_view name) const override;
  void list(InodeNumber directory, std::uint64_t position,
            const std::function<bool(const DirectoryEntry&)>& visit) const override;
  std::size_t read(InodeNumber file, std::uint64_t offset, Bytes out) const override;
  std::optional<std::uint64_t> seek(InodeNumber file, std::uint64_t offset,
                                    SeekTarget target) const override;
  std::string symlink_target(InodeNumber link) const override;
  std::vector<std::string> xattr_names(InodeNumber inode) const override;
  std::optional<std::vector<std::byte>> xattr(InodeNumber inode,
                                              std::string_view name) const override;
  WritableFileSystem* writer() noexcept override { return writer_.get(); }

  // For the writing side.
  std::shared_mutex& changes() const noexcept { return changes_; }
  std::shared_mutex& content_lock(InodeNumber inode) const noexcept {
    return content_locks_[inode % content_locks_.size()];
  }
  const ext4::Volume& volume() const noexcept { return volume_; }
  const ext4::Content& content() const noexcept { return content_; }
  const ext4::NameRules& name_rules() const noexcept { return name_rules_; }
  void set_writer(std::unique_ptr<WritableFileSystem> writer);

 private:
  // Shared when there may be a writer, else not taken.
  std::shared_lock<std::shared_mutex> reading(std::shared_mutex& mutex) const;
  ext4::ReadPlan plan_read(InodeNumber file, std::uint64_t offset, std::size_t length) const;
  ext4::Inode directory_inode(InodeNumber number) const;
  ext4::Inode regular_inode(InodeNumber number) const;

  ext4::Volume volume_;
  ext4::Content content_;
  ext4::NameRules name_rules_;
  ext4::Options options_;
  MountAccess access_;
  std::vector<std::string> warnings_;
  mutable std::array<std::shared_mutex, 64> content_locks_;  // each of the inodes of one remainder
  mutable std::shared_mutex changes_;  // guards the metadata on the disk, when it can be written
  std::unique_ptr<WritableFileSystem> writer_;
};

}  // namespace vimg

// FatTree: FAT and exFAT as a FileSystem.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "fsdrivers/fat_volume.h"
#include "fsdrivers/filesystem.h"
#include "fsdrivers/owner_options.h"

namespace vimg {

// Reading takes a shared lock of changes() while it looks at metadata, and one of the file's
// content_lock(), taken before, while it reads the content.  A writer has the first alone while it
// changes metadata, and the second while it takes clusters away or changes the size.
//
// An inode's number is the place of its record.  Where a writer moves a record, what the number
// meant stays so until release(): see InodePlaces in fat_places.h.
class FatTree final : public FileSystem {
 public:
  // What a writer knows of inodes that are not where their numbers say.
  class Places {
   public:
    virtual ~Places() = default;
    virtual InodeNumber number_at(fat::Place place) = 0;
    // The record of a file without a name.
    virtual const fat::Record* nameless(InodeNumber inode) const = 0;
    virtual fat::Place place_of(InodeNumber inode) const = 0;
  };

  FatTree(std::unique_ptr<fat::Volume> volume, const OwnerOptions& owners, FileSystemInfo info);
  ~FatTree() override;

  FileSystemInfo info() const override { return info_; }
  FileSystemStatistics statistics() const override;
  InodeNumber root() const noexcept override { return root_inode; }
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

  // For the writing side, which holds changes() alone where the first three are called.
  fat::Record record_of(InodeNumber inode) const;
  Attributes attributes_of(InodeNumber inode, const fat::Record& record) const;
  void forget_free_count() noexcept;
  std::shared_mutex& changes() const noexcept { return changes_; }
  std::shared_mutex& content_lock(InodeNumber inode) const noexcept {
    return content_locks_[inode % content_locks_.size()];
  }
  fat::Volume& volume() const noexcept { return *volume_; }
  const OwnerOptions& owners() const noexcept { return owners_; }
  void set_writer(std::unique_ptr<WritableFileSystem> writer, std::unique_ptr<Places> places);

  static constexpr InodeNumber root_inode = 1;

 private:
  InodeNumber number_at(fat::Place place) const;
  InodeNumber parent_of(const fat::Record& directory, InodeNumber inode) const;
  void note_children(const fat::Directory& directory, InodeNumber inode) const;

  std::unique_ptr<fat::Volume> volume_;
  OwnerOptions owners_;
  FileSystemInfo info_;
  mutable std::array<std::shared_mutex, 64> content_locks_;  // each of the inodes of one remainder
  mutable std::shared_mutex changes_;                        // guards the metadata on the disk

  mutable std::mutex mutex_;  // guards the two members below
  mutable std::unordered_map<std::uint32_t, InodeNumber>
      parents_;  // by a directory's first cluster
  mutable std::optional<std::uint32_t> free_count_;
  std::unique_ptr<Places> places_;
  std::unique_ptr<WritableFileSystem> writer_;
};

}  // namespace vimg

// Ext4Writer: ext2, ext3 and ext4 as a WritableFileSystem.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_set>

#include "fsdrivers/ext4_filesystem.h"
#include "fsdrivers/ext4_write_change.h"
#include "fsdrivers/ext4_write_inode.h"

namespace vimg::ext4 {

// The inodes of one operation: each is loaded once, and all are stored together.
class InodeSet {
 public:
  explicit InodeSet(Change& change) : change_(change) {}
  InodeRecord& get(InodeNumber number);
  // Puts a new inode among them.
  InodeRecord& add(InodeRecord inode);
  void store();

 private:
  Change& change_;
  std::map<std::uint32_t, InodeRecord> inodes_;
};

// What is written stays in memory until flush() or until there is much of it; the content of files
// goes to the Disk at once.  Nothing is journalled, so the superblock says "not clean" meanwhile.
//
// Locks, in this order: an inode's content_lock() of the reader (shared to write blocks in place,
// alone to take blocks away), metadata_mutex_, Ext4FileSystem::changes().
class Ext4Writer final : public WritableFileSystem {
 public:
  // `reader` shows what `volume` holds, and outlives this.  Marks the file system as in use.
  // Throws Error(EBUSY) when multi-mount protection says that another host uses it.
  Ext4Writer(std::unique_ptr<WriteVolume> volume, Ext4FileSystem& reader);

  Attributes create(InodeNumber directory, std::string_view name, const NewFile& file) override;
  Attributes make_directory(InodeNumber directory, std::string_view name,
                            const NewFile& file) override;
  Attributes make_symlink(InodeNumber directory, std::string_view name, std::string_view target,
                          uid_t uid, gid_t gid) override;
  Attributes link(InodeNumber inode, InodeNumber directory, std::string_view name) override;
  void unlink(InodeNumber directory, std::string_view name) override;
  void remove_directory(InodeNumber directory, std::string_view name) override;
  void rename(InodeNumber from_directory, std::string_view from_name, InodeNumber to_directory,
              std::string_view to_name, RenameMode mode) override;
  void write(InodeNumber file, std::uint64_t offset, ConstBytes data, TimeUpdate times) override;
  void fallocate(InodeNumber file, FallocateMode mode, std::uint64_t offset, std::uint64_t length,
                 TimeUpdate times) override;
  Attributes change(InodeNumber inode, const AttributeChange& change) override;
  void set_xattr(InodeNumber inode, std::string_view name, ConstBytes value,
                 XattrMode mode) override;
  void remove_xattr(InodeNumber inode, std::string_view name) override;
  void release(InodeNumber inode) override;
  void flush() override;
  void finish() override;

 private:
  // Runs `action` with a Change under the metadata lock, and commits it.  Older changes are written
  // back before when there are many.
  template <typename Action>
  auto apply(Action&& action);
  void commit(Change& change, InodeSet& inodes);
  std::shared_mutex& content_lock(InodeNumber inode);

  // Each puts an inode without a name on the orphan list and returns its number, or 0.
  std::uint32_t drop_if_nameless(Change& change, InodeRecord& inode);
  std::uint32_t drop_directory(Change& change, InodeRecord& inode);
  std::uint32_t drop_replaced(Change& change, InodeRecord& inode, InodeRecord& directory);
  void note_nameless(std::uint32_t inode);
  bool try_overwrite(InodeNumber file, std::uint64_t offset, ConstBytes data, TimeUpdate times);
  void write_allocating(InodeNumber file, std::uint64_t offset, ConstBytes data, TimeUpdate times);
  void resize(InodeNumber file, std::uint64_t size);
  // In as many changes as it takes; the caller holds the content lock alone.
  void free_range_of(InodeNumber file, std::uint64_t from_block, std::uint64_t to_block);
  void reserve_range_of(InodeNumber file, std::uint64_t from_block, std::uint64_t to_block);
  void free_nameless(InodeNumber inode);
  // fallocate() without the times; the caller holds the content lock alone.
  void change_range(InodeNumber file, FallocateMode mode, std::uint64_t offset,
                    std::uint64_t length);
  void punch(InodeNumber file, std::uint64_t offset, std::uint64_t length);
  void zero(InodeNumber file, std::uint64_t offset, std::uint64_t length);
  void collapse(InodeNumber file, std::uint64_t offset, std::uint64_t length);
  void insert(InodeNumber file, std::uint64_t offset, std::uint64_t length);
  void mark_in_use();

  const std::unique_ptr<WriteVolume> volume_;
  Ext4FileSystem& reader_;
  std::uint16_t state_at_open_ = 0;

  std::mutex metadata_mutex_;  // guards *volume_, all metadata, and the member below
  std::unordered_set<std::uint32_t> nameless_;
};

}  // namespace vimg::ext4

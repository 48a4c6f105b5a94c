// Change: what one operation does to the metadata of a file system, all of it or nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <shared_mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "fsdrivers/ext4_format.h"
#include "fsdrivers/ext4_write_cache.h"
#include "fsdrivers/ext4_write_layout.h"

namespace vimg::ext4 {

// Where allocation looks first; a wrong hint costs time only.
struct AllocationHints {
  std::unordered_map<std::uint32_t, std::uint32_t> next_cluster;  // by group
  std::unordered_map<std::uint32_t, std::uint32_t> longest_run;   // by group: no free run is longer
  std::unordered_map<std::uint32_t, std::uint32_t> next_inode;    // by group
  std::uint32_t next_directory_group = 0;
};

// What the operations on one file system share.  Guarded by the lock of its owner.
struct WriteVolume {
  // Throws Error(EUCLEAN) for a superblock that does not describe what fits `disk`.
  WriteVolume(const DiskPtr& disk, const Superblock& super);

  const Layout layout;
  const std::shared_ptr<MetadataCache> cache;
  // Held alone while a commit replaces blocks, shared by who reads several that belong together.
  std::shared_mutex* publish_mutex = nullptr;
  // Called under it for all that a commit changed: the reading side forgets it.
  std::function<void(std::uint64_t block)> on_block = [](std::uint64_t) {};
  std::function<void(std::uint32_t inode)> on_inode = [](std::uint32_t) {};
  AllocationHints hints;
  std::unordered_set<std::uint32_t> checked_block_bitmaps, checked_inode_bitmaps;  // by group
};

// How the checksum inside a block is made when the change is committed.
struct Seal {
  enum class Kind { none, directory_leaf, directory_index, extent_node, xattr_block };
  Kind kind = Kind::none;
  std::uint32_t seed = 0;  // inode_seed() of the owner; not used by xattr_block
};

// The blocks as the operation has left them so far, over those of the cache.  Nothing is seen by
// others before commit(); a Change that is destroyed without it leaves no trace.  One thread uses
// it, under the lock that guards the WriteVolume.
//
// Spans that read() and edit() return stay valid as long as the Change; an edit() after a read()
// of the same block makes the earlier span stale.
class Change {
 public:
  explicit Change(WriteVolume& volume) : volume_(volume) {}
  ~Change();
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  // How many blocks this has read or changed: what it holds in memory.
  std::size_t block_count() const noexcept { return entries_.size(); }
  const Layout& layout() const noexcept { return volume_.layout; }
  WriteVolume& volume() noexcept { return volume_; }

  // `seal` says how the block is checked when it comes from the disk; throws Error(EUCLEAN) then.
  ConstBytes read(std::uint64_t block, Seal seal = {});
  Bytes edit(std::uint64_t block, Seal seal = {});
  // A block whose old content does not matter, all zeros.
  Bytes create(std::uint64_t block, Seal seal = {});
  // File content, which goes to the Disk at commit() without the cache, before anything else is
  // seen.  Not for blocks that this change has freed.
  void write_blocks(std::uint64_t block, std::vector<std::byte> content);
  // The same with an offset in bytes; the bytes are copied.
  void write_bytes(std::uint64_t offset, ConstBytes content);
  // The same for bytes that stay valid until commit() has returned.
  void write_data(std::uint64_t offset, ConstBytes content);
  // The block is no longer metadata.
  void forget(std::uint64_t block);

  const Superblock& super();
  Superblock& edit_super();
  // Throws Error(EUCLEAN) when its tables leave the file system or its checksum is wrong.
  GroupDescriptor descriptor(std::uint32_t group);
  void set_descriptor(std::uint32_t group, const GroupDescriptor& descriptor);
  // The bitmaps' checksums are put into the descriptors at commit().
  Bytes edit_block_bitmap(std::uint32_t group, std::uint64_t block);
  Bytes edit_inode_bitmap(std::uint32_t group, std::uint64_t block);

  // The inode, or where its blocks lie, is not what it was.
  void note_inode(std::uint32_t inode) { noted_inodes_.push_back(inode); }

  // Throws what the Disk throws at write_data(), and has done nothing then.
  void commit();

 private:
  struct Entry {
    Block base;                                      // nullptr after create()
    std::shared_ptr<std::vector<std::byte>> edited;  // nullptr when only read
    Seal seal;
  };

  Entry& load_entry(std::uint64_t block, Seal seal);
  void validate(std::uint32_t group, const GroupDescriptor& descriptor) const;
  bool is_empty() const noexcept;
  void seal_bitmaps();
  void store_descriptors();
  void store_super();
  void seal_blocks();
  void publish();

  WriteVolume& volume_;
  std::unordered_map<std::uint64_t, Entry> entries_;
  std::map<std::uint32_t, GroupDescriptor> descriptors_;
  std::map<std::uint32_t, std::uint64_t> block_bitmaps_, inode_bitmaps_;  // group, block
  std::set<std::uint64_t> forgotten_;
  std::vector<std::uint32_t> noted_inodes_;
  std::vector<std::pair<std::uint64_t, ConstBytes>> data_;  // offset in bytes
  std::vector<std::vector<std::byte>> kept_data_;           // what data_ points into
  // Spans into these were given out.
  std::vector<std::shared_ptr<std::vector<std::byte>>> retired_;
  std::unique_ptr<Superblock> super_;
  bool super_edited_ = false;
};

inline std::uint64_t block_bitmap_of(const GroupDescriptor& group) noexcept {
  return std::uint64_t(group.block_bitmap_high) << 32 | group.block_bitmap_low;
}
inline std::uint64_t inode_bitmap_of(const GroupDescriptor& group) noexcept {
  return std::uint64_t(group.inode_bitmap_high) << 32 | group.inode_bitmap_low;
}
inline std::uint64_t inode_table_of(const GroupDescriptor& group) noexcept {
  return std::uint64_t(group.inode_table_high) << 32 | group.inode_table_low;
}

}  // namespace vimg::ext4

// Directories: entries found, added, removed and pointed elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "fsdrivers/ext4_write_inode.h"
#include "fsdrivers/ext4_write_records.h"

namespace vimg::ext4 {

// Where an entry lies, until its directory is changed.
struct FoundEntry {
  std::uint32_t inode;
  // A block of the file system, or for inline directories the number of the area in the inode.
  std::uint64_t place;
  std::size_t offset;  // in the block or area
};

RecordFormat record_format(const Layout& layout) noexcept;
// The records' part of a block.
Bytes record_area(const Layout& layout, Bytes block) noexcept;
ConstBytes record_area(const Layout& layout, ConstBytes block) noexcept;
// True when the directory's entries are found by the hash of their names.
bool is_indexed(const Layout& layout, const InodeRecord& directory) noexcept;
// As the directory compares them.
bool same_name(const Layout& layout, const InodeRecord& directory, std::string_view stored,
               std::string_view name);
std::uint64_t directory_blocks(const Layout& layout, const InodeRecord& directory) noexcept;
// The block of the file system that holds the directory's block `logical`.  Throws Error(EUCLEAN)
// for a hole.
std::uint64_t directory_block(Change& change, const InodeRecord& directory, std::uint64_t logical);
// A block of records that the directory ends with from now on, all unused.
struct NewBlock {
  std::uint64_t logical;
  std::uint64_t block;
};
NewBlock append_directory_block(Change& change, InodeRecord& directory, Seal::Kind kind);
// Makes all of the block one unused record, and its checksum's place behind it.
void clear_records(const Layout& layout, Bytes block);

// `directory` is changed in memory by these where it grows; the caller stores it.
std::optional<FoundEntry> find_entry(Change& change, const InodeRecord& directory,
                                     std::string_view name);
// The caller knows that there is no entry of that name.  Throws Error(ENOSPC).
void add_entry(Change& change, InodeRecord& directory, const NewRecord& record);
void remove_entry(Change& change, InodeRecord& directory, const FoundEntry& entry);
void point_entry(Change& change, InodeRecord& directory, const FoundEntry& entry,
                 std::uint32_t inode, std::uint8_t file_type);

// A first block with "." and ".." for a new directory.
void make_first_block(Change& change, InodeRecord& directory, std::uint32_t parent);
bool is_empty_directory(Change& change, const InodeRecord& directory);
std::uint32_t parent_of(Change& change, const InodeRecord& directory);
void set_parent(Change& change, InodeRecord& directory, std::uint32_t parent);

}  // namespace vimg::ext4

// DirectoryReader: the records of an ext4 directory, block by block.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "fsdrivers/ext4_content.h"
#include "fsdrivers/ext4_inode.h"
#include "fsdrivers/ext4_names.h"

namespace vimg::ext4 {

// A used record.  The name is as stored, and lies in what the record was read from.
struct Record {
  std::uint32_t inode;
  std::string_view name;  // not empty
  std::uint8_t file_type;
  std::uint64_t offset;  // in the directory
  std::uint64_t next;    // where the next record begins
  NameHash hash;         // only where it is stored: in directories encrypted and casefolded
};

// True to go on.
using RecordVisitor = std::function<bool(const Record&)>;

// What one call of lookup() or list() knows of its directory.
class DirectoryReader {
 public:
  // All three outlive this.
  DirectoryReader(const Content& content, const NameRules& rules, const Inode& inode)
      : content_(content), rules_(rules), inode_(inode) {}

  const Inode& inode() const noexcept { return inode_; }
  const NameRules& rules() const noexcept { return rules_; }
  const Volume& volume() const noexcept { return content_.volume(); }

  bool is_inline() const noexcept { return inode_.has_flag(inode_inline_data); }
  // The directory has an index that is to be used.
  bool is_indexed() const noexcept;
  // Its names are in the order of their hashes when they are listed: those that have an index, or
  // that could be given one, so that they may be given it while they are listed.
  bool is_hash_ordered() const noexcept;
  // Each record has the hash of its name behind the name.
  bool stores_hashes() const noexcept;

  // Whole blocks; 0 for inline directories.
  std::uint64_t block_count() const noexcept;
  // A block of records or of the index.  Throws Error(EUCLEAN) for a hole and a wrong checksum.
  BlockCache::Block block(std::uint64_t index) const;
  // Visits the records of `block`, block number `index`; false when the visitor stopped.
  // Throws Error(EUCLEAN) at a record that cannot be.
  bool visit_block(ConstBytes block, std::uint64_t index, const RecordVisitor& visit) const;
  // The same for an inline directory, "." and ".." included, with the offsets that the records get
  // when the directory is moved to a block.
  bool visit_inline(const RecordVisitor& visit) const;
  // All of it, in the order of offsets.
  bool visit_all(const RecordVisitor& visit) const;

  // The entry called `name`, by trying all.
  std::optional<InodeNumber> find_linear(const std::function<bool(const Record&)>& is_it) const;

 private:
  bool visit_area(ConstBytes area, std::uint64_t base, const RecordVisitor& visit) const;
  Record record_at(ConstBytes area, std::size_t offset, std::uint64_t base) const;
  void verify(ConstBytes block, std::uint64_t index) const;
  bool is_index_block(ConstBytes block, std::uint64_t index) const;
  void verify_index(ConstBytes block, std::uint64_t index) const;
  void verify_records(ConstBytes block, std::uint64_t index) const;

  const Content& content_;
  const NameRules& rules_;
  const Inode& inode_;
};

}  // namespace vimg::ext4

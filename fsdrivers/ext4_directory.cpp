#include "fsdrivers/ext4_directory.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t min_record = 12;
constexpr std::size_t inline_parent_size = 4;  // inline directories begin with the parent's number
constexpr std::uint64_t dot_size = 12;         // what "." and ".." each take in a block
constexpr std::size_t root_limits_offset = 32;
constexpr std::size_t node_limits_offset = 8;

[[noreturn]] void throw_directory(const Inode& inode, std::uint64_t offset,
                                  const std::string& message) {
  throw_corrupt(layer, fmt::format("directory {} at {:#x}: {}", inode.number(), offset, message));
}

// Blocks of 64 KiB need a length that 16 bits do not hold.
std::size_t record_length(std::uint16_t stored, std::size_t block_size) noexcept {
  if (block_size < 65536) {
    return stored;
  }
  return stored == 65535 || stored == 0 ? block_size : stored;
}

}  // namespace

bool DirectoryReader::is_indexed() const noexcept {
  return has_compat(volume().superblock(), compat_dir_index) && inode_.has_flag(inode_indexed) &&
         !is_inline();
}

bool DirectoryReader::is_hash_ordered() const noexcept {
  return has_compat(volume().superblock(), compat_dir_index) &&
         (inode_.has_flag(inode_indexed) || is_inline() || block_count() <= 1);
}

bool DirectoryReader::stores_hashes() const noexcept {
  return inode_.has_flag(inode_encrypted) && inode_.has_flag(inode_casefold);
}

std::uint64_t DirectoryReader::block_count() const noexcept {
  return is_inline() ? 0 : inode_.size(volume().superblock()) >> volume().geometry().block_bits;
}

BlockCache::Block DirectoryReader::block(std::uint64_t index) const {
  const Run run = content_.run_at(inode_, index);
  if (run.kind != Run::Kind::written) {
    throw_directory(inode_, index << volume().geometry().block_bits, "a hole, expected records");
  }
  return volume().metadata(run.physical, "directory",
                           [&](ConstBytes bytes) { verify(bytes, index); });
}

void DirectoryReader::verify(ConstBytes block, std::uint64_t index) const {
  if (!volume().has_checksums()) {
    return;
  }
  if (is_index_block(block, index)) {
    verify_index(block, index);
  } else {
    verify_records(block, index);
  }
}

// A block of the index looks like one unused record that fills it.
bool DirectoryReader::is_index_block(ConstBytes block, std::uint64_t index) const {
  if (!is_indexed()) {
    return false;
  }
  const auto first = load<DirectoryRecord>(block);
  return index == 0 ||
         (first.inode == 0 && record_length(first.length, block.size()) == block.size());
}

// The checksum is behind the room for `limit` entries, and covers `count` of them.
void DirectoryReader::verify_index(ConstBytes block, std::uint64_t index) const {
  const std::size_t start = index == 0 ? root_limits_offset : node_limits_offset;
  const auto limits = load<IndexLimits>(block, start);
  const std::size_t tail = start + std::size_t{limits.limit} * sizeof(IndexEntry);
  const std::size_t covered = start + std::size_t{limits.count} * sizeof(IndexEntry);
  const std::uint64_t offset = index << volume().geometry().block_bits;
  if (limits.count > limits.limit || !fits(tail, sizeof(le64), block.size())) {
    throw_directory(inode_, offset,
                    fmt::format("an index of {} entries, room for {}", limits.count.value(),
                                limits.limit.value()));
  }
  std::uint32_t expected = crc32c(inode_.checksum_seed(), block.first(covered));
  expected = crc32c(crc32c(expected, block.subspan(tail, sizeof(le32))), 0U);
  const std::uint32_t found = load<le32>(block, tail + sizeof(le32));
  if (found != expected) {
    throw_directory(inode_, offset,
                    fmt::format("index checksum is {:#010x}, expected {:#010x}", found, expected));
  }
}

void DirectoryReader::verify_records(ConstBytes block, std::uint64_t index) const {
  const std::size_t place = block.size() - sizeof(DirectoryTail);
  const auto tail = load<DirectoryTail>(block, place);
  const std::uint64_t offset = index << volume().geometry().block_bits;
  if (tail.zero != 0 || tail.length != sizeof(DirectoryTail) || tail.file_type != 0xde) {
    throw_directory(inode_, offset, "no checksum at the end of the block");
  }
  const std::uint32_t expected = crc32c(inode_.checksum_seed(), block.first(place));
  if (tail.checksum != expected) {
    throw_directory(
        inode_, offset,
        fmt::format("checksum is {:#010x}, expected {:#010x}", tail.checksum.value(), expected));
  }
}

Record DirectoryReader::record_at(ConstBytes area, std::size_t offset, std::uint64_t base) const {
  const auto raw = load<DirectoryRecord>(area, offset);
  const std::size_t length = record_length(raw.length, area.size());
  const bool typed = has_incompat(volume().superblock(), incompat_filetype);
  const std::size_t name_length = raw.name_length + (typed ? 0U : raw.file_type * 256U);
  const std::size_t name_end = sizeof(DirectoryRecord) + name_length;
  if (length < min_record || length % 4 != 0 || !fits(offset, length, area.size()) ||
      (raw.inode != 0 && name_end > length)) {
    throw_directory(inode_, base + offset,
                    fmt::format("a record of {} bytes with a name of {}, {} bytes before the end",
                                length, name_length, area.size() - offset));
  }
  Record record{
      raw.inode, {}, typed ? raw.file_type : std::uint8_t{0}, base + offset, base + offset + length,
      {}};
  if (raw.inode == 0) {
    return record;
  }
  record.name = text_of(area.subspan(offset + sizeof(DirectoryRecord), name_length));
  const std::size_t place = round_up(name_end, 4);
  if (stores_hashes() && fits(place, sizeof(le64), length)) {  // "." and ".." have none
    record.hash = {load<le32>(area, offset + place),
                   load<le32>(area, offset + place + sizeof(le32))};
  }
  return record;
}

// Each record is at least 12 bytes long, so this ends.
bool DirectoryReader::visit_area(ConstBytes area, std::uint64_t base,
                                 const RecordVisitor& visit) const {
  std::size_t offset = 0;
  while (fits(offset, min_record, area.size())) {
    const Record record = record_at(area, offset, base);
    if (record.inode > volume().geometry().inode_count) {
      throw_directory(
          inode_, record.offset,
          fmt::format("inode {} is not one of {}", record.inode, volume().geometry().inode_count));
    }
    if (record.inode != 0 && !record.name.empty() && !visit(record)) {
      return false;
    }
    offset = std::size_t(record.next - base);
  }
  return true;
}

bool DirectoryReader::visit_block(ConstBytes block, std::uint64_t index,
                                  const RecordVisitor& visit) const {
  return visit_area(block, index << volume().geometry().block_bits, visit);
}

bool DirectoryReader::visit_inline(const RecordVisitor& visit) const {
  const InlineData data = inline_data_of(inode_);
  const std::uint32_t parent = load<le32>(data.first);
  const std::uint8_t directory = 2;
  if (!visit({inode_.number(), ".", directory, 0, dot_size, {}}) ||
      !visit({parent, "..", directory, dot_size, 2 * dot_size, {}})) {
    return false;
  }
  const ConstBytes first = data.first.subspan(inline_parent_size);
  return visit_area(first, 2 * dot_size, visit) &&
         visit_area(data.rest, 2 * dot_size + first.size(), visit);
}

// A directory has fewer blocks than its map has room for, and a hole ends the walk by throwing.
bool DirectoryReader::visit_all(const RecordVisitor& visit) const {
  if (is_inline()) {
    return visit_inline(visit);
  }
  for (std::uint64_t index = 0; index < block_count(); ++index) {
    if (!visit_block(*block(index), index, visit)) {
      return false;
    }
  }
  return true;
}

std::optional<InodeNumber> DirectoryReader::find_linear(
    const std::function<bool(const Record&)>& is_it) const {
  std::optional<InodeNumber> found;
  visit_all([&](const Record& record) {
    if (is_it(record)) {
      found = record.inode;
    }
    return !found.has_value();
  });
  return found;
}

}  // namespace vimg::ext4

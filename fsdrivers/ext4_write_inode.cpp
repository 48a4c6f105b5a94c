#include "fsdrivers/ext4_write_inode.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_hash.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t checksum_low_offset = offsetof(RawInode, checksum_low);
constexpr std::size_t checksum_high_offset = offsetof(RawInode, checksum_high);

bool has_high_checksum(ConstBytes bytes) noexcept {
  return bytes.size() > small_inode_size &&
         load<le16>(bytes, small_inode_size) >= checksum_high_offset + 2 - small_inode_size;
}

std::uint32_t inode_checksum(const Layout& layout, std::uint32_t number, ConstBytes bytes) {
  constexpr std::array<std::byte, 2> zeros{};
  const std::uint32_t generation = load<le32>(bytes, offsetof(RawInode, generation));
  std::uint32_t checksum = inode_seed(layout, number, generation);
  checksum = crc32c(checksum, bytes.first(checksum_low_offset));
  checksum = crc32c(checksum, zeros);
  bytes = bytes.subspan(checksum_low_offset + 2);
  if (bytes.size() == small_inode_size - checksum_low_offset - 2) {
    return crc32c(checksum, bytes);
  }
  constexpr std::size_t between = checksum_high_offset - checksum_low_offset - 2;
  checksum = crc32c(checksum, bytes.first(between));
  const bool high = load<le16>(bytes, small_inode_size - checksum_low_offset - 2) >=
                    checksum_high_offset + 2 - small_inode_size;
  checksum = crc32c(checksum, high ? ConstBytes(zeros) : bytes.subspan(between, 2));
  return crc32c(checksum, bytes.subspan(between + 2));
}

void check_checksum(const Layout& layout, std::uint32_t number, ConstBytes bytes) {
  const std::uint32_t expected = inode_checksum(layout, number, bytes);
  const bool high = has_high_checksum(bytes);
  if (load<le16>(bytes, checksum_low_offset) != std::uint16_t(expected) ||
      (high && load<le16>(bytes, checksum_high_offset) != std::uint16_t(expected >> 16))) {
    throw_corrupt(layer, fmt::format("the checksum of inode {} is wrong", number));
  }
}

void set_time(const InodeRecord& inode, timespec time, le32& seconds, le32& extra,
              std::size_t extra_offset) noexcept {
  constexpr std::int64_t lowest = std::numeric_limits<std::int32_t>::min();
  const bool wide = inode.has_field(extra_offset);
  const std::int64_t highest = wide ? lowest + (std::int64_t(1) << 34) - 1
                                    : std::int64_t(std::numeric_limits<std::int32_t>::max());
  const std::int64_t value = std::clamp<std::int64_t>(time.tv_sec, lowest, highest);
  seconds = std::uint32_t(value);
  if (wide) {
    const auto epoch = std::uint32_t((value - std::int32_t(value)) >> 32) & 3;
    extra = std::uint32_t(time.tv_nsec) << 2 | epoch;
  }
}

}  // namespace

bool InodeRecord::has_field(std::size_t offset) const noexcept {
  return !extra.empty() && offset + 4 <= small_inode_size + raw.extra_size;
}

Bytes InodeRecord::xattr_area() noexcept {
  if (raw.extra_size == 0 || raw.extra_size >= extra.size()) {
    return {};
  }
  return Bytes(extra).subspan(raw.extra_size);
}

Seal InodeRecord::seal(const Layout& layout, Seal::Kind kind) const noexcept {
  return {kind, inode_seed(layout, number, raw.generation)};
}

InodePlace place_of_inode(Change& change, std::uint32_t number) {
  const Layout& layout = change.layout();
  const std::uint32_t index = (number - 1) % layout.inodes_per_group;
  const std::uint64_t table = inode_table_of(change.descriptor(layout.group_of_inode(number)));
  return {table + index / layout.inodes_per_block(),
          std::size_t(index % layout.inodes_per_block()) * layout.inode_size};
}

InodeRecord load_inode(Change& change, InodeNumber number) {
  const Layout& layout = change.layout();
  if (number == 0 || number > layout.inode_count ||
      (number < layout.first_inode && number != root_inode)) {
    throw_error(ESTALE, layer, fmt::format("there is no inode {}", number));
  }
  InodeRecord inode;
  inode.number = std::uint32_t(number);
  const InodePlace place = place_of_inode(change, inode.number);
  const ConstBytes bytes = change.read(place.block).subspan(place.offset, layout.inode_size);
  inode.extra.assign(bytes.begin() + small_inode_size, bytes.end());
  const std::size_t extra_size =
      inode.extra.empty() ? 0 : std::size_t(load<le16>(inode.extra).value());
  const std::size_t known = std::min(sizeof(RawInode), small_inode_size + extra_size);
  if (extra_size > inode.extra.size() || extra_size % 4 != 0) {
    throw_corrupt(layer, fmt::format("inode {}: extra size {:#x}", number, extra_size));
  }
  std::copy_n(bytes.begin(), known, writable_bytes_of(inode.raw).begin());
  if (inode.raw.mode == 0) {
    throw_error(ESTALE, layer, fmt::format("inode {} is not in use", number));
  }
  if (layout.has_metadata_checksums()) {
    check_checksum(layout, inode.number, bytes);
  }
  return inode;
}

void store_inode(Change& change, const InodeRecord& inode) {
  const Layout& layout = change.layout();
  const InodePlace place = place_of_inode(change, inode.number);
  const Bytes bytes = change.edit(place.block).subspan(place.offset, layout.inode_size);
  std::copy(inode.extra.begin(), inode.extra.end(), bytes.begin() + small_inode_size);
  const std::size_t known =
      std::min(sizeof(RawInode), small_inode_size + std::size_t(inode.raw.extra_size.value()));
  std::copy_n(bytes_of(inode.raw).begin(), inode.extra.empty() ? small_inode_size : known,
              bytes.begin());
  if (!layout.has_metadata_checksums()) {
    return;
  }
  const std::uint32_t checksum = inode_checksum(layout, inode.number, bytes);
  store(bytes, checksum_low_offset, le16(std::uint16_t(checksum)));
  if (has_high_checksum(bytes)) {
    store(bytes, checksum_high_offset, le16(std::uint16_t(checksum >> 16)));
  }
}

std::uint64_t size_of(const InodeRecord& inode) noexcept {
  return joined(inode.raw.size_high, inode.raw.size_low);
}

void set_size(InodeRecord& inode, std::uint64_t size) noexcept {
  inode.raw.size_low = std::uint32_t(size);
  inode.raw.size_high = std::uint32_t(size >> 32);
}

uid_t uid_of(const InodeRecord& inode) noexcept {
  return std::uint32_t(inode.raw.uid_high) << 16 | inode.raw.uid_low;
}

gid_t gid_of(const InodeRecord& inode) noexcept {
  return std::uint32_t(inode.raw.gid_high) << 16 | inode.raw.gid_low;
}

void set_owner(InodeRecord& inode, uid_t uid, gid_t gid) noexcept {
  inode.raw.uid_low = std::uint16_t(uid);
  inode.raw.uid_high = std::uint16_t(uid >> 16);
  inode.raw.gid_low = std::uint16_t(gid);
  inode.raw.gid_high = std::uint16_t(gid >> 16);
}

std::uint64_t block_count_of(const Layout& layout, const InodeRecord& inode) noexcept {
  const bool huge = layout.has_ro_compat(ro_compat_huge_file);
  const std::uint64_t count =
      joined(huge ? inode.raw.block_count_high.value() : 0, inode.raw.block_count_low);
  return huge && inode.has_flag(inode_huge_file) ? count : count >> (layout.block_bits - 9);
}

void set_block_count(const Layout& layout, InodeRecord& inode, std::uint64_t blocks) {
  const std::uint64_t sectors = blocks << (layout.block_bits - 9);
  const bool huge = layout.has_ro_compat(ro_compat_huge_file);
  if (!huge && sectors > std::numeric_limits<std::uint32_t>::max()) {
    throw_error(EFBIG, layer, "more blocks than an inode can count without huge_file");
  }
  const bool in_blocks = sectors >> 48 != 0;
  const std::uint64_t count = in_blocks ? blocks : sectors;
  inode.raw.block_count_low = std::uint32_t(count);
  if (huge) {
    inode.raw.block_count_high = std::uint16_t(count >> 32);
    inode.clear_flag(inode_huge_file);
    inode.set_flag(in_blocks ? inode_huge_file : 0);
  }
}

void add_blocks(const Layout& layout, InodeRecord& inode, std::uint64_t blocks) {
  set_block_count(layout, inode, block_count_of(layout, inode) + blocks);
}

void subtract_blocks(const Layout& layout, InodeRecord& inode, std::uint64_t blocks) {
  const std::uint64_t count = block_count_of(layout, inode);
  if (blocks > count) {
    throw_corrupt(layer,
                  fmt::format("inode {} counts {} blocks but has more", inode.number, count));
  }
  set_block_count(layout, inode, count - blocks);
}

std::uint64_t xattr_block_of(const Layout& layout, const InodeRecord& inode) noexcept {
  const bool wide = layout.has_incompat(incompat_64bit);
  return joined(wide ? inode.raw.xattr_block_high.value() : 0, inode.raw.xattr_block_low);
}

void set_xattr_block(const Layout& layout, InodeRecord& inode, std::uint64_t block) noexcept {
  inode.raw.xattr_block_low = std::uint32_t(block);
  if (layout.has_incompat(incompat_64bit)) {
    inode.raw.xattr_block_high = std::uint16_t(block >> 32);
  }
}

timespec current_time() noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now;
}

void set_atime(InodeRecord& inode, timespec time) noexcept {
  set_time(inode, time, inode.raw.atime, inode.raw.atime_extra, offsetof(RawInode, atime_extra));
}

void set_mtime(InodeRecord& inode, timespec time) noexcept {
  set_time(inode, time, inode.raw.mtime, inode.raw.mtime_extra, offsetof(RawInode, mtime_extra));
}

void set_ctime(InodeRecord& inode, timespec time) noexcept {
  set_time(inode, time, inode.raw.ctime, inode.raw.ctime_extra, offsetof(RawInode, ctime_extra));
}

void set_btime(InodeRecord& inode, timespec time) noexcept {
  if (inode.has_field(offsetof(RawInode, btime))) {
    set_time(inode, time, inode.raw.btime, inode.raw.btime_extra, offsetof(RawInode, btime_extra));
  }
}

void touch(InodeRecord& inode) noexcept {
  const timespec now = current_time();
  set_mtime(inode, now);
  set_ctime(inode, now);
}

}  // namespace vimg::ext4

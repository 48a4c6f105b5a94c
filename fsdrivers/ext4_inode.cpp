#include "fsdrivers/ext4_inode.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"

namespace vimg::ext4 {
namespace {

constexpr std::uint32_t max_nanoseconds = 999'999'999;

void throw_inode(const Inode& inode, const std::string& message) {
  throw_corrupt(layer, fmt::format("inode {}: {}", inode.number(), message));
}

void check_checksum(const Inode& inode) {
  const ConstBytes bytes = inode.bytes();
  constexpr std::size_t low = offsetof(RawInode, checksum_low);
  constexpr std::size_t high = offsetof(RawInode, checksum_high);
  constexpr std::array<std::byte, 2> zeros{};
  std::uint32_t expected = crc32c(inode.checksum_seed(), bytes.first(low));
  expected = crc32c(expected, zeros);
  if (!inode.has_field(high, 2)) {
    expected = crc32c(expected, bytes.subspan(low + 2)) & 0xffff;
  } else {
    expected = crc32c(expected, bytes.subspan(low + 2, high - low - 2));
    expected = crc32c(crc32c(expected, zeros), bytes.subspan(high + 2));
  }
  const std::uint32_t found =
      std::uint32_t{inode.raw().checksum_high} << 16 | inode.raw().checksum_low;
  if (found != expected) {
    throw_inode(inode, fmt::format("checksum is {:#010x}, expected {:#010x}", found, expected));
  }
}

bool is_known_type(mode_t type) noexcept {
  constexpr std::array<mode_t, 7> types{S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR,
                                        S_IFBLK, S_IFIFO, S_IFSOCK};
  return std::find(types.begin(), types.end(), type) != types.end();
}

// The two extra bits of the seconds reach to the year 2446.
timespec time_of(std::uint32_t seconds, std::uint32_t extra) noexcept {
  timespec time{};
  time.tv_sec = time_t(std::int32_t(seconds)) + (time_t(extra & 3) << 32);
  time.tv_nsec = long(std::min(extra >> 2, max_nanoseconds));
  return time;
}

// Spec: the first word holds the old 8 + 8 bits, or, when it is 0, the second holds the new form.
void set_device(Attributes& attributes, const RawInode& raw) noexcept {
  if (const std::uint32_t old = load<le32>(raw.block_map); old != 0) {
    attributes.device_major = old >> 8 & 0xff;
    attributes.device_minor = old & 0xff;
    return;
  }
  const std::uint32_t device = load<le32>(raw.block_map, 4);
  attributes.device_major = (device & 0xfff00) >> 8;
  attributes.device_minor = (device & 0xff) | (device >> 12 & 0xfff00);
}

}  // namespace

Inode::Inode(std::uint32_t number, BlockCache::Block block, std::size_t offset, std::size_t size,
             std::uint32_t seed)
    : number_(number), block_(std::move(block)), offset_(offset), size_(size) {
  const ConstBytes all = bytes();
  const std::size_t extra =
      size_ > small_inode_size ? load<le16>(all, offsetof(RawInode, extra_size)).value() : 0;
  const std::size_t known = std::min({small_inode_size + extra, sizeof(RawInode), size_});
  std::copy_n(all.begin(), known, writable_bytes_of(raw_).begin());
  seed_ = crc32c(crc32c(seed, number), raw_.generation);
}

bool Inode::has_field(std::size_t offset, std::size_t length) const noexcept {
  return offset + length <= small_inode_size + raw_.extra_size;
}

ConstBytes Inode::xattr_area() const noexcept {
  const std::size_t start = small_inode_size + raw_.extra_size;
  return size_ > small_inode_size && raw_.extra_size > 0 && start < size_ ? bytes().subspan(start)
                                                                          : ConstBytes();
}

std::uint64_t Inode::size(const Superblock& superblock) const noexcept {
  const bool wide = type() == S_IFREG || has_incompat(superblock, incompat_large_dir);
  return joined(wide ? raw_.size_high.value() : 0, raw_.size_low);
}

std::uint64_t Inode::xattr_block(const Superblock& superblock) const noexcept {
  const bool wide = has_incompat(superblock, incompat_64bit);
  return joined(wide ? raw_.xattr_block_high.value() : 0, raw_.xattr_block_low);
}

std::uint64_t Inode::sectors(const Superblock& superblock,
                             const Geometry& geometry) const noexcept {
  if (!has_ro_compat(superblock, ro_compat_huge_file)) {
    return raw_.block_count_low;
  }
  const std::uint64_t count = joined(raw_.block_count_high, raw_.block_count_low);
  return has_flag(inode_huge_file) ? count << (geometry.block_bits - 9) : count;
}

void validate_inode(const Inode& inode, const Superblock& superblock) {
  if (has_metadata_checksums(superblock)) {
    check_checksum(inode);
  }
  const std::uint32_t extra = inode.raw().extra_size;
  if (inode.bytes().size() > small_inode_size &&
      (extra > inode.bytes().size() - small_inode_size || extra % 4 != 0)) {
    throw_inode(inode, fmt::format("extra size cannot be {:#x}", extra));
  }
  if (!is_known_type(inode.type())) {
    throw_inode(inode, fmt::format("mode cannot be {:#o}", inode.raw().mode.value()));
  }
  if (inode.size(superblock) > std::uint64_t(INT64_MAX)) {
    throw_inode(inode, fmt::format("size cannot be {:#x}", inode.size(superblock)));
  }
}

Attributes attributes_of(const Inode& inode, const Superblock& superblock,
                         const Geometry& geometry) {
  const RawInode& raw = inode.raw();
  Attributes attributes;
  attributes.inode = inode.number();
  attributes.generation = raw.generation;
  attributes.mode = raw.mode;
  attributes.nlink = raw.link_count;
  attributes.uid = uid_t{raw.uid_high} << 16 | raw.uid_low;
  attributes.gid = gid_t{raw.gid_high} << 16 | raw.gid_low;
  attributes.size = inode.size(superblock);
  attributes.blocks = inode.sectors(superblock, geometry);
  attributes.block_size = geometry.block_size;
  attributes.atime = time_of(raw.atime, raw.atime_extra);
  attributes.mtime = time_of(raw.mtime, raw.mtime_extra);
  attributes.ctime = time_of(raw.ctime, raw.ctime_extra);
  attributes.btime = time_of(raw.btime, raw.btime_extra);
  if (inode.type() == S_IFREG && inode.has_flag(inode_inline_data)) {
    attributes.blocks += divide_up(attributes.size, 512);  // as the kernel does
  }
  if (inode.type() == S_IFCHR || inode.type() == S_IFBLK) {
    set_device(attributes, raw);
  }
  return attributes;
}

}  // namespace vimg::ext4

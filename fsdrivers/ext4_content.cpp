#include "fsdrivers/ext4_content.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_xattr.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t max_symlink_length = 4096;  // PATH_MAX

// Copies what lies at `offset` of `piece`, of which the first byte is byte `start` of the inode.
void copy_piece(ConstBytes piece, std::uint64_t start, std::uint64_t offset, Bytes out) {
  const std::uint64_t from = std::max(start, offset);
  const std::uint64_t to = std::min(start + piece.size(), offset + out.size());
  if (from < to) {
    std::copy_n(piece.begin() + std::ptrdiff_t(from - start), to - from,
                out.begin() + std::ptrdiff_t(from - offset));
  }
}

// What was never stored inline, behind a size that grew, is zeros.
void read_inline(const Inode& inode, std::uint64_t offset, Bytes out) {
  const InlineData data = inline_data_of(inode);
  std::fill(out.begin(), out.end(), std::byte{0});
  copy_piece(data.first, 0, offset, out);
  copy_piece(data.rest, data.first.size(), offset, out);
}

}  // namespace

InlineData inline_data_of(const Inode& inode) {
  return {inode.raw().block_map, inline_data_attribute(inode)};
}

std::uint64_t Content::size_of(const Inode& inode) const {
  return inode.size(volume_.superblock());
}

Run Content::run_at(const Inode& inode, std::uint64_t logical) const {
  if (logical >= end_of_blocks) {
    return {logical, 0, UINT64_MAX - logical, Run::Kind::hole};
  }
  MapWindowPtr window = maps_.find(inode.number(), logical);
  if (window == nullptr) {
    window = std::make_shared<const MapWindow>(read_window(volume_, inode, logical));
    maps_.insert(inode.number(), window);
  }
  return window->at(logical);
}

std::size_t Content::read(const Inode& inode, std::uint64_t offset, Bytes out) const {
  return read_planned(plan_read(inode, offset, out.size()), out);
}

ReadPlan Content::plan_read(const Inode& inode, std::uint64_t offset, std::size_t length) const {
  ReadPlan plan;
  const std::uint64_t size = size_of(inode);
  if (offset >= size || length == 0) {
    return plan;
  }
  plan.length = std::size_t(std::min<std::uint64_t>(length, size - offset));
  if (inode.has_flag(inode_inline_data)) {
    plan.inline_bytes.resize(plan.length);
    read_inline(inode, offset, plan.inline_bytes);
    return plan;
  }
  const std::uint32_t bits = volume_.geometry().block_bits;
  plan.skipped = offset & (volume_.block_size() - 1);
  const std::uint64_t end = (offset + plan.length - 1) >> bits;
  for (std::uint64_t logical = offset >> bits; logical <= end;) {
    Run run = run_at(inode, logical);
    run.count = std::min(run.count, end - logical + 1);
    plan.runs.push_back(run);
    logical += run.count;
  }
  return plan;
}

// One read of the disk for each run.
std::size_t Content::read_planned(const ReadPlan& plan, Bytes out) const {
  if (!plan.inline_bytes.empty()) {
    std::copy(plan.inline_bytes.begin(), plan.inline_bytes.end(), out.begin());
    return plan.length;
  }
  Bytes rest = out.first(plan.length);
  std::uint64_t skipped = plan.skipped;
  for (const Run& run : plan.runs) {
    const std::uint64_t bytes = (run.count << volume_.geometry().block_bits) - skipped;
    const Bytes piece = rest.first(std::size_t(std::min<std::uint64_t>(bytes, rest.size())));
    if (run.kind == Run::Kind::written) {
      volume_.read_data(run.physical, skipped, piece);
    } else {
      std::fill(piece.begin(), piece.end(), std::byte{0});
    }
    rest = rest.subspan(piece.size());
    skipped = 0;
  }
  return plan.length;
}

// Each run reaches at least one block further, so this ends at the end of the file.  As in the
// kernel, space that is set aside but not written is a hole, and the end of the file is one.
std::optional<std::uint64_t> Content::seek(const Inode& inode, std::uint64_t offset,
                                           SeekTarget target) const {
  const std::uint64_t size = size_of(inode);
  if (offset >= size) {
    return std::nullopt;
  }
  if (inode.has_flag(inode_inline_data)) {
    return target == SeekTarget::data ? offset : size;
  }
  const std::uint32_t bits = volume_.geometry().block_bits;
  std::uint64_t logical = offset >> bits;
  while (logical << bits < size) {
    const Run run = run_at(inode, logical);
    if ((run.kind == Run::Kind::written) == (target == SeekTarget::data)) {
      return std::max(offset, logical << bits);
    }
    if (run.count > (size >> bits) - logical) {
      break;
    }
    logical += run.count;
  }
  return target == SeekTarget::data ? std::nullopt : std::optional(size);
}

// Spec: "Symbolic Links".  As in the kernel: attributes aside, a fast link has no blocks.
bool Content::is_fast_symlink(const Inode& inode) const {
  const std::uint64_t size = size_of(inode);
  if (inode.has_flag(inode_inline_data) || inode.has_flag(inode_extents)) {
    return false;
  }
  if (has_incompat(volume_.superblock(), incompat_ea_inode)) {
    return size < block_map_size;
  }
  const Geometry& geometry = volume_.geometry();
  const std::uint64_t cluster = std::uint64_t{geometry.cluster_blocks} << (geometry.block_bits - 9);
  const std::uint64_t used = inode.sectors(volume_.superblock(), geometry);
  return used == (inode.xattr_block(volume_.superblock()) != 0 ? cluster : 0);
}

std::string Content::stored_symlink(const Inode& inode) const {
  const std::uint64_t size = size_of(inode);
  const bool fast = is_fast_symlink(inode);
  if (size == 0 || size >= (fast ? block_map_size : max_symlink_length + 1)) {
    throw_corrupt(layer, fmt::format("inode {}: a symbolic link cannot be {:#x} bytes long",
                                     inode.number(), size));
  }
  std::string target(size, '\0');
  const Bytes bytes = std::as_writable_bytes(std::span(target));
  if (fast) {
    std::copy_n(inode.raw().block_map.begin(), size, bytes.begin());
  } else {
    read(inode, 0, bytes);
  }
  return target;
}

}  // namespace vimg::ext4

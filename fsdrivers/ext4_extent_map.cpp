#include "fsdrivers/ext4_extent_map.h"

#include <algorithm>
#include <iterator>
#include <memory>

namespace vimg {
namespace {

constexpr std::uint64_t max_written_length = 32768;  // EXT_INIT_MAX_LEN
constexpr std::uint64_t max_unwritten_length = 32767;

// The root of a tree without extents.  Spec: linux Documentation/filesystems/ext4/ifork.rst.
struct EmptyRoot {
  le16 magic = 0xF30A;
  le16 entries = 0;
  le16 max = 4;
  le16 depth = 0;
  le32 generation = 0;
};
static_assert(sizeof(EmptyRoot) == 12 && OnDisk<EmptyRoot>);

struct FreeHandle {
  void operator()(ext2_extent_handle* handle) const noexcept { ext2fs_extent_free(handle); }
};

}  // namespace

void ExtentMap::add(const MappedRun& run) {
  remove(run.logical, run.length);
  extents_.emplace(run.logical, Extent{run.disk, run.length, run.kind});
}

void ExtentMap::remove(std::uint64_t logical, std::uint64_t length) {
  split(logical);
  split(logical + length);
  extents_.erase(extents_.lower_bound(logical), extents_.lower_bound(logical + length));
}

// Makes an extent begin at `logical` if one goes through it.
void ExtentMap::split(std::uint64_t logical) {
  const auto after = extents_.upper_bound(logical);
  if (after == extents_.begin()) {
    return;
  }
  auto& [start, extent] = *std::prev(after);
  const std::uint64_t kept = logical - start;
  if (kept == 0 || kept >= extent.length) {
    return;
  }
  extents_.emplace(logical, Extent{extent.disk + kept, extent.length - kept, extent.kind});
  extent.length = kept;
}

ExtentMap::Extents ExtentMap::merged() const {
  Extents merged;
  for (const auto& [logical, extent] : extents_) {
    if (!merged.empty()) {
      auto& [start, last] = *merged.rbegin();
      if (start + last.length == logical && last.disk + last.length == extent.disk &&
          last.kind == extent.kind) {
        last.length += extent.length;
        continue;
      }
    }
    merged.emplace(logical, extent);
  }
  return merged;
}

void ExtentMap::clear(InodeBuffer& inode) noexcept {
  std::ranges::fill(inode->i_block, 0U);
  vimg::store(inode.i_block(), 0, EmptyRoot{});
}

void ExtentMap::store(const Ext2Handle& filsys, ext2_ino_t number, InodeBuffer& inode) const {
  clear(inode);
  inode.write(filsys);
  ext2_extent_handle_t opened = nullptr;
  filsys.check(ext2fs_extent_open2(filsys.get(), number, &*inode, &opened), "extents");
  const std::unique_ptr<ext2_extent_handle, FreeHandle> handle(opened);
  for (const auto& [logical, extent] : merged()) {
    insert(filsys, opened, logical, extent);
  }
}

void ExtentMap::insert(const Ext2Handle& filsys, ext2_extent_handle* handle, std::uint64_t logical,
                       const Extent& extent) {
  const bool written = extent.kind == MappedAs::data;
  const std::uint64_t most = written ? max_written_length : max_unwritten_length;
  for (std::uint64_t done = 0; done < extent.length; done += most) {
    ext2fs_extent part{};
    part.e_lblk = logical + done;
    part.e_pblk = extent.disk + done;
    part.e_len = std::uint32_t(std::min(most, extent.length - done));
    part.e_flags = written ? 0 : EXT2_EXTENT_FLAGS_UNINIT;
    filsys.check(ext2fs_extent_insert(handle, EXT2_EXTENT_INSERT_AFTER, &part), "extents");
  }
}

}  // namespace vimg

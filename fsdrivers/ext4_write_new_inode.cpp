#include "fsdrivers/ext4_write_new_inode.h"

#include <algorithm>
#include <random>

#include "fsdrivers/ext4_write_extents.h"
#include "fsdrivers/ext4_write_inodes.h"

namespace vimg::ext4 {
namespace {

// What a new file takes over from its directory, as the kernel's EXT4_FL_INHERITED.
constexpr std::uint32_t inherited = 0x1 | 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x400 | 0x4000 | 0x8000 |
                                    0x10000 | inode_project_inherit | inode_casefold | 0x02000000;
constexpr std::uint32_t regular_mask =
    ~(0x10000U | inode_top_directory | inode_casefold | inode_project_inherit);
constexpr std::uint32_t other_mask = 0x40 | 0x80;  // only NODUMP and NOATIME

std::uint32_t inherited_flags(const InodeRecord& parent, mode_t mode) noexcept {
  const std::uint32_t flags = parent.raw.flags & inherited;
  if (S_ISDIR(mode)) {
    return flags;
  }
  return flags & (S_ISREG(mode) ? regular_mask : other_mask);
}

std::uint16_t extra_size_for(const Layout& layout) noexcept {
  constexpr std::size_t known = sizeof(RawInode) - small_inode_size;
  const std::size_t wanted = std::max<std::size_t>(known, layout.wanted_extra_size);
  const std::size_t room = layout.inode_size - small_inode_size;
  return std::uint16_t(wanted <= room && wanted % 4 == 0 ? wanted : std::min(known, room));
}

std::uint32_t random_generation() {
  static thread_local std::mt19937 generator{std::random_device{}()};
  return std::uint32_t(generator());
}

void set_device(InodeRecord& inode, std::uint32_t major, std::uint32_t minor) noexcept {
  const Bytes words(inode.raw.block_map);
  if (major < 256 && minor < 256) {
    store(words, 0, le32(major << 8 | minor));
  } else {
    store(words, 4, le32((minor & 0xff) | major << 8 | (minor & ~std::uint32_t(0xff)) << 12));
  }
}

}  // namespace

InodeRecord make_inode(Change& change, const InodeRecord& parent, const NewFile& file) {
  const Layout& layout = change.layout();
  InodeRecord inode;
  inode.number = allocate_inode(change, parent, file.mode);
  inode.extra.resize(std::size_t(layout.inode_size) - small_inode_size);
  if (!inode.extra.empty()) {
    inode.raw.extra_size = extra_size_for(layout);
    store(Bytes(inode.extra), 0, inode.raw.extra_size);
  }
  inode.raw.mode = std::uint16_t(file.mode);
  inode.raw.flags = inherited_flags(parent, file.mode);
  inode.raw.generation = random_generation();
  set_owner(inode, file.uid, file.gid);
  const timespec now = current_time();
  set_atime(inode, now);
  set_mtime(inode, now);
  set_ctime(inode, now);
  set_btime(inode, now);
  if (parent.has_flag(inode_project_inherit) && inode.has_field(offsetof(RawInode, project))) {
    inode.raw.project = parent.raw.project;
  }
  const bool has_blocks = S_ISREG(file.mode) || S_ISDIR(file.mode) || S_ISLNK(file.mode);
  if (has_blocks && layout.has_incompat(incompat_extents)) {
    make_extent_tree(inode);
  }
  if (S_ISCHR(file.mode) || S_ISBLK(file.mode)) {
    set_device(inode, file.device_major, file.device_minor);
  }
  return inode;
}

}  // namespace vimg::ext4

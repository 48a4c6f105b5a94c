#include <algorithm>
#include <bit>
#include <ctime>
#include <memory>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_extent_map.h"
#include "fsdrivers/ext4_fast_commit.h"
#include "fsdrivers/ext4_fast_commit_names.h"
#include "fsdrivers/ext4_inode_buffer.h"
#include "fsdrivers/ext4_orphans.h"
#include "fsdrivers/ext4_replay_space.h"

namespace vimg {
namespace {

constexpr const char* layer = "ext4";
constexpr std::uint16_t max_written_length = 32768;  // above it: unwritten, longer by this
constexpr std::uint64_t logical_end = 1ULL << 32;

// libext2fs keeps inodes in the order of the machine, the fast commits in the disk's.
static_assert(std::endian::native == std::endian::little);

// The values of the tags.  Spec: linux fs/ext4/fast_commit.h.
struct AddRange {
  le32 inode;
  le32 logical;
  le16 length;
  le16 start_high;
  le32 start_low;
};
static_assert(sizeof(AddRange) == 16 && OnDisk<AddRange>);

struct DeleteRange {
  le32 inode;
  le32 logical;
  le32 length;
};
static_assert(sizeof(DeleteRange) == 12 && OnDisk<DeleteRange>);

struct Entry {
  le32 parent;
  le32 inode;  // the name follows
};
static_assert(sizeof(Entry) == 8 && OnDisk<Entry>);

MappedRun run_of(const AddRange& range) noexcept {
  const bool unwritten = range.length > max_written_length;
  const std::uint64_t length = range.length - (unwritten ? max_written_length : 0);
  return {range.logical, std::uint64_t(range.start_high) << 32 | range.start_low, length,
          unwritten ? MappedAs::unwritten : MappedAs::data};
}

bool has_extents(InodeBuffer& inode) noexcept { return (inode->i_flags & EXT4_EXTENTS_FL) != 0; }

struct CloseXattrs {
  void operator()(ext2_xattr_handle* handle) const noexcept { ext2fs_xattrs_close(&handle); }
};

class FastCommitReplay {
 public:
  FastCommitReplay(Ext2Handle& filsys, const BlockSpace& space)
      : filsys_(filsys), space_(space), ledger_(filsys), names_(filsys, space) {}

  void replay(std::span<const FastCommitTag> tags);

 private:
  void reserve(std::span<const FastCommitTag> tags);
  void replay_one(const FastCommitTag& tag);
  void replay_add(const AddRange& range);
  void replay_delete(const DeleteRange& range);
  void replay_inode(ConstBytes value);
  void take_logged(InodeBuffer& inode, ConstBytes logged);
  void remove_inline_data(ext2_ino_t number);
  void replay_name(const FastCommitTag& tag);
  void count_blocks(ext2_ino_t number);
  void release_if_unlinked(ext2_ino_t number);
  void free_attributes(ext2_ino_t number, InodeBuffer& inode);
  void note_freed(InodeBuffer& inode);
  void settle_space();
  void delete_unlinked();

  void validate_inode(ext2_ino_t number) const;
  bool in_use(ext2_ino_t number) const;
  bool open_extents(ext2_ino_t number);
  void store_extents();
  bool has_blocks(InodeBuffer& inode) const;
  WalkEnd walk(InodeBuffer& inode, const std::function<bool(const MappedRun&)>& visit) const;

  Ext2Handle& filsys_;
  BlockSpace space_;
  ReplaySpace ledger_;
  FastCommitNames names_;
  std::set<ext2_ino_t> changed_;
  // The inode whose extents are being changed, and they.
  std::optional<ext2_ino_t> open_inode_;
  ExtentMap extents_;
};

void FastCommitReplay::replay(std::span<const FastCommitTag> tags) {
  reserve(tags);
  for (const FastCommitTag& tag : tags) {
    replay_one(tag);
  }
  store_extents();
  settle_space();
  delete_unlinked();
  names_.recount_links();
}

void FastCommitReplay::reserve(std::span<const FastCommitTag> tags) {
  for (const FastCommitTag& tag : tags) {
    if (tag.kind != FastCommitKind::add_range) {
      continue;
    }
    const MappedRun run = run_of(load<AddRange>(tag.value));
    if (run.length == 0 || run.disk < space_.begin || !fits(run.disk, run.length, space_.end) ||
        !fits(run.logical, run.length, logical_end)) {
      throw_corrupt(layer, fmt::format("fast commit of blocks {:#x} (+{:#x}), beyond the end {:#x}",
                                       run.disk, run.length, space_.end));
    }
    ledger_.reserve(run.disk, run.length);
  }
}

void FastCommitReplay::replay_one(const FastCommitTag& tag) {
  switch (tag.kind) {
    case FastCommitKind::add_range:
      return replay_add(load<AddRange>(tag.value));
    case FastCommitKind::delete_range:
      return replay_delete(load<DeleteRange>(tag.value));
    case FastCommitKind::inode:
      return replay_inode(tag.value);
    default:
      return replay_name(tag);
  }
}

void FastCommitReplay::replay_add(const AddRange& range) {
  if (open_extents(range.inode)) {
    extents_.add(run_of(range));
  }
}

void FastCommitReplay::replay_delete(const DeleteRange& range) {
  if (open_extents(range.inode)) {
    extents_.remove(range.logical, range.length);
  }
}

// A file that leaves its inode for blocks has its ranges logged before its inode.
void FastCommitReplay::replay_inode(ConstBytes value) {
  const ext2_ino_t number = load<le32>(value);
  if (open_inode_ != number) {
    store_extents();
  }
  validate_inode(number);
  InodeBuffer inode =
      in_use(number) ? InodeBuffer(filsys_, number) : InodeBuffer::zeroed(filsys_, number);
  const bool was_inline = (inode->i_flags & EXT4_INLINE_DATA_FL) != 0;
  take_logged(inode, value.subspan(sizeof(le32)));
  inode.write(filsys_);
  if (!in_use(number)) {
    ext2fs_inode_alloc_stats2(filsys_.get(), number, +1, LINUX_S_ISDIR(inode->i_mode) ? 1 : 0);
  }
  if (was_inline && (inode->i_flags & EXT4_INLINE_DATA_FL) == 0) {
    remove_inline_data(number);
  }
  changed_.insert(number);
  store_extents();
  count_blocks(number);
}

// Everything of the inode but the map of its blocks, for which there are ranges.
void FastCommitReplay::take_logged(InodeBuffer& inode, ConstBytes logged) {
  constexpr std::size_t map_at = offsetof(ext2_inode, i_block);
  constexpr std::size_t map_end = offsetof(ext2_inode, i_generation);
  if (logged.size() > inode.bytes().size()) {
    throw_corrupt(layer, fmt::format("fast commit of an inode of {} bytes", logged.size()));
  }
  std::ranges::copy(logged.first(map_at), inode.bytes().begin());
  std::ranges::copy(logged.subspan(map_end), inode.bytes().begin() + map_end);
  if ((inode->i_flags & EXT4_EXTENTS_FL) == 0) {
    std::ranges::copy(logged.subspan(map_at, map_end - map_at), inode.i_block().begin());
  } else if (!looks_like_extents(inode.i_block())) {
    ExtentMap::clear(inode);
  }
}

// The part of the content that was among the extended attributes.
void FastCommitReplay::remove_inline_data(ext2_ino_t number) {
  ext2_xattr_handle* opened = nullptr;
  filsys_.check(ext2fs_xattrs_open(filsys_.get(), number, &opened), "extended attributes");
  const std::unique_ptr<ext2_xattr_handle, CloseXattrs> handle(opened);
  filsys_.check(ext2fs_xattrs_read(opened), "extended attributes");
  filsys_.check(ext2fs_xattr_remove(opened, "system.data"), "extended attributes");
}

void FastCommitReplay::replay_name(const FastCommitTag& tag) {
  store_extents();
  const auto entry = load<Entry>(tag.value);
  const auto name = text_of(ConstBytes(tag.value).subspan(sizeof(Entry)));
  validate_inode(entry.parent);
  validate_inode(entry.inode);
  if (name == "." || name == ".." || name.find_first_of(std::string_view("/\0", 2)) != name.npos) {
    throw_corrupt(layer, "fast commit of an impossible name");
  }
  if (!in_use(entry.inode)) {
    return;
  }
  const FastCommitNames::Name what{entry.parent, entry.inode, std::string(name)};
  changed_.insert(entry.inode);
  if (tag.kind == FastCommitKind::create) {
    names_.create(what);
  } else if (tag.kind == FastCommitKind::link) {
    names_.link(what);
  } else {
    names_.unlink(what);
    release_if_unlinked(entry.inode);
  }
}

// Blocks that lie in one cluster are counted as one, and so is each block of the map.
void FastCommitReplay::count_blocks(ext2_ino_t number) {
  InodeBuffer inode(filsys_, number);
  if (!has_extents(inode)) {
    return;
  }
  const int bits = filsys_->cluster_ratio_bits;
  std::uint64_t clusters = ext2fs_file_acl_block(filsys_.get(), &*inode) != 0 ? 1 : 0;
  std::uint64_t counted = ~std::uint64_t(0);  // the last cluster
  walk(inode, [&](const MappedRun& run) {
    const std::uint64_t first = run.disk >> bits;
    const std::uint64_t last = (run.disk + run.length - 1) >> bits;
    clusters += last - first + (first == counted && run.kind != MappedAs::map ? 0 : 1);
    counted = run.kind == MappedAs::map ? counted : last;
    return true;
  });
  filsys_.check(ext2fs_iblk_set(filsys_.get(), &*inode, clusters), "blocks");
  inode.write(filsys_);
}

// At once, because a later tag may use the inode again for another file.
void FastCommitReplay::release_if_unlinked(ext2_ino_t number) {
  InodeBuffer inode(filsys_, number);
  if (inode->i_links_count != 0) {
    return;
  }
  if (has_blocks(inode)) {
    note_freed(inode);
  }
  free_attributes(number, inode);
  ext2fs_inode_alloc_stats2(filsys_.get(), number, -1, LINUX_S_ISDIR(inode->i_mode) ? 1 : 0);
  auto gone = InodeBuffer::zeroed(filsys_, number);
  gone->i_dtime = std::uint32_t(std::time(nullptr));
  gone.write(filsys_);
  changed_.erase(number);
}

void FastCommitReplay::free_attributes(ext2_ino_t number, InodeBuffer& inode) {
  const blk64_t block = ext2fs_file_acl_block(filsys_.get(), &*inode);
  if (block < space_.begin || block >= space_.end) {
    return;
  }
  filsys_.check(ext2fs_free_ext_attr(filsys_.get(), number, &inode.large()), "extended attributes");
  // Other files may share it.  If not, it stays held like all that is freed.
  if (ext2fs_test_block_bitmap2(filsys_->block_map, block) == 0) {
    ext2fs_block_alloc_stats2(filsys_.get(), block, +1);
    ledger_.note_freed(block, 1);
  }
}

void FastCommitReplay::note_freed(InodeBuffer& inode) {
  walk(inode, [&](const MappedRun& run) {
    ledger_.note_freed(run.disk, run.length);
    return true;
  });
}

void FastCommitReplay::settle_space() {
  ledger_.release();
  for (const ext2_ino_t number : changed_) {
    InodeBuffer inode(filsys_, number);
    if (has_blocks(inode)) {
      walk(inode, [&](const MappedRun& run) {
        ledger_.mark_used(run.disk, run.length);
        return true;
      });
    }
  }
  ledger_.recount();
}

// What lost its last name and has no other place to be remembered.
void FastCommitReplay::delete_unlinked() {
  for (const ext2_ino_t number : changed_) {
    if (InodeBuffer(filsys_, number)->i_links_count == 0) {
      clean_orphan(filsys_, space_, number);
    }
  }
}

void FastCommitReplay::validate_inode(ext2_ino_t number) const {
  const auto* super = filsys_->super;
  if ((number < EXT2_FIRST_INODE(super) && number != EXT2_ROOT_INO) ||
      number > super->s_inodes_count) {
    throw_corrupt(layer, fmt::format("fast commit of inode {}", number));
  }
}

bool FastCommitReplay::in_use(ext2_ino_t number) const {
  return ext2fs_test_inode_bitmap2(filsys_->inode_map, number) != 0;
}

// False when the inode is gone, as a later tag may say.
bool FastCommitReplay::open_extents(ext2_ino_t number) {
  if (open_inode_ == number) {
    return true;
  }
  store_extents();
  validate_inode(number);
  if (!in_use(number)) {
    return false;
  }
  InodeBuffer inode(filsys_, number);
  const auto add = [&](const MappedRun& run) {
    if (run.kind != MappedAs::map) {
      extents_.add(run);
    }
    return true;
  };
  if (has_extents(inode) && walk(inode, add) != WalkEnd::complete) {
    throw_corrupt(layer, fmt::format("the extents of inode {} are damaged", number));
  }
  open_inode_ = number;
  changed_.insert(number);
  return true;
}

void FastCommitReplay::store_extents() {
  if (!open_inode_) {
    return;
  }
  const ext2_ino_t number = *open_inode_;
  InodeBuffer inode(filsys_, number);
  if (!has_extents(inode)) {
    throw_unsupported(layer, fmt::format("fast commit of inode {} without extents", number));
  }
  note_freed(inode);
  extents_.store(filsys_, number, inode);
  count_blocks(number);
  open_inode_.reset();
  extents_ = ExtentMap();
}

bool FastCommitReplay::has_blocks(InodeBuffer& inode) const {
  return ext2fs_inode_has_valid_blocks2(filsys_.get(), &*inode) != 0;
}

WalkEnd FastCommitReplay::walk(InodeBuffer& inode,
                               const std::function<bool(const MappedRun&)>& visit) const {
  const auto kind =
      (inode->i_flags & EXT4_EXTENTS_FL) != 0 ? BlockMapKind::extents : BlockMapKind::pointers;
  return walk_block_map(space_, kind, inode.i_block(), visit);
}

}  // namespace

void replay_fast_commits(Ext2Handle& filsys, const BlockSpace& space,
                         std::span<const FastCommitTag> tags) {
  FastCommitReplay(filsys, space).replay(tags);
}

}  // namespace vimg

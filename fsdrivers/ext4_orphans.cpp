#include "fsdrivers/ext4_orphans.h"

#include <algorithm>
#include <ctime>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_inode_buffer.h"

namespace vimg {
namespace {

constexpr const char* layer = "ext4";
constexpr std::uint64_t max_orphan_file_size = 32U << 20;  // 512 blocks of 64 KiB, mke2fs's most
constexpr blk64_t to_the_end = ~blk64_t(0);

// Spec: linux Documentation/filesystems/ext4/orphan.rst.
struct OrphanBlockTail {
  le32 magic;
  le32 checksum;
};
static_assert(sizeof(OrphanBlockTail) == 8 && OnDisk<OrphanBlockTail>);

class OrphanCleaner {
 public:
  OrphanCleaner(Ext2Handle& filsys, const BlockSpace& space) : filsys_(filsys), space_(space) {}

  OrphanCounts clean();
  OrphanCounts clean_only(ext2_ino_t number);

 private:
  std::vector<ext2_ino_t> collect_list();
  void clean_file();
  bool clean_file_block(std::uint64_t block);
  void clean_one(ext2_ino_t number);
  void delete_inode(ext2_ino_t number, InodeBuffer& inode);
  void truncate(ext2_ino_t number, InodeBuffer& inode);
  void zero_tail(InodeBuffer& inode);
  bool may_be_orphan(ext2_ino_t number) const;
  bool has_blocks(InodeBuffer& inode) const;
  WalkEnd walk(InodeBuffer& inode, const std::function<bool(const MappedRun&)>& visit) const;

  Ext2Handle& filsys_;
  BlockSpace space_;
  OrphanCounts counts_;
};

OrphanCounts OrphanCleaner::clean() {
  for (const ext2_ino_t number : collect_list()) {
    clean_one(number);
  }
  filsys_->super->s_last_orphan = 0;
  if (ext2fs_has_feature_orphan_present(filsys_->super)) {
    clean_file();
    ext2fs_clear_feature_orphan_present(filsys_->super);
  }
  ext2fs_mark_super_dirty(filsys_.get());
  return counts_;
}

OrphanCounts OrphanCleaner::clean_only(ext2_ino_t number) {
  clean_one(number);
  return counts_;
}

// The list goes on in each inode's deletion time.  It ends, as for the kernel, at the first number
// that cannot be one, and at one that was there already.
std::vector<ext2_ino_t> OrphanCleaner::collect_list() {
  std::vector<ext2_ino_t> numbers;
  std::unordered_set<ext2_ino_t> seen;
  ext2_ino_t number = filsys_->super->s_last_orphan;
  while (may_be_orphan(number) && seen.insert(number).second) {
    numbers.push_back(number);
    number = InodeBuffer(filsys_, number)->i_dtime;
  }
  return numbers;
}

bool OrphanCleaner::may_be_orphan(ext2_ino_t number) const {
  return number >= EXT2_FIRST_INODE(filsys_->super) && number <= filsys_->super->s_inodes_count &&
         ext2fs_test_inode_bitmap2(filsys_->inode_map, number) != 0;
}

void OrphanCleaner::clean_file() {
  InodeBuffer file(filsys_, filsys_->super->s_orphan_file_inum);
  if (EXT2_I_SIZE(&*file) > max_orphan_file_size) {
    throw_corrupt(layer, fmt::format("orphan file of {:#x} bytes", EXT2_I_SIZE(&*file)));
  }
  const auto clean_run = [&](const MappedRun& run) {
    for (std::uint64_t index = 0; index < run.length && run.kind == MappedAs::data; ++index) {
      if (!clean_file_block(run.disk + index)) {
        return false;
      }
    }
    return true;
  };
  if (walk(file, clean_run) != WalkEnd::complete) {
    throw_corrupt(layer, "the orphan file is damaged");
  }
}

// False when the block is none of an orphan file.
bool OrphanCleaner::clean_file_block(std::uint64_t block) {
  const ext2_ino_t file = filsys_->super->s_orphan_file_inum;
  std::vector<char> content(space_.block_size);
  filsys_.check(io_channel_read_blk64(filsys_->io, block, 1, content.data()), "orphan file");
  const Bytes bytes = std::as_writable_bytes(std::span(content));
  const std::size_t entries_end = bytes.size() - sizeof(OrphanBlockTail);
  if (load<OrphanBlockTail>(bytes, entries_end).magic != EXT4_ORPHAN_BLOCK_MAGIC ||
      ext2fs_orphan_file_block_csum_verify(filsys_.get(), file, block, content.data()) == 0) {
    return false;
  }
  for (std::size_t at = 0; at + sizeof(le32) <= entries_end; at += sizeof(le32)) {
    const ext2_ino_t number = load<le32>(bytes, at);
    if (may_be_orphan(number)) {
      clean_one(number);
    }
  }
  std::ranges::fill(bytes.first(entries_end), std::byte(0));
  filsys_.check(ext2fs_orphan_file_block_csum_set(filsys_.get(), file, block, content.data()),
                "orphan file");
  filsys_.check(io_channel_write_blk64(filsys_->io, block, 1, content.data()), "orphan file");
  return true;
}

void OrphanCleaner::clean_one(ext2_ino_t number) {
  InodeBuffer inode(filsys_, number);
  const auto any = [](const MappedRun&) { return true; };
  if (has_blocks(inode) && walk(inode, any) != WalkEnd::complete) {
    ++counts_.skipped;
    return;
  }
  if (inode->i_links_count == 0) {
    delete_inode(number, inode);
    ++counts_.deleted;
  } else {
    truncate(number, inode);
    ++counts_.truncated;
  }
}

void OrphanCleaner::delete_inode(ext2_ino_t number, InodeBuffer& inode) {
  if (has_blocks(inode)) {
    filsys_.check(ext2fs_punch(filsys_.get(), number, &*inode, nullptr, 0, to_the_end),
                  "blocks of an orphan");
  }
  filsys_.check(ext2fs_free_ext_attr(filsys_.get(), number, &inode.large()),
                "extended attributes of an orphan");
  ext2fs_inode_alloc_stats2(filsys_.get(), number, -1, LINUX_S_ISDIR(inode->i_mode) ? 1 : 0);
  inode->i_dtime = std::uint32_t(std::time(nullptr));
  filsys_.check(ext2fs_inode_size_set(filsys_.get(), &*inode, 0), "size of an orphan");
  inode.write(filsys_);
}

void OrphanCleaner::truncate(ext2_ino_t number, InodeBuffer& inode) {
  inode->i_dtime = 0;
  inode.write(filsys_);
  if (!has_blocks(inode)) {
    return;
  }
  zero_tail(inode);
  const std::uint64_t kept = (EXT2_I_SIZE(&*inode) + space_.block_size - 1) / space_.block_size;
  filsys_.check(ext2fs_punch(filsys_.get(), number, &*inode, nullptr, kept, to_the_end),
                "blocks of an orphan");
}

// What was cut off must not come back when the file grows again.  Of an encrypted file that cannot
// be had without its key.
void OrphanCleaner::zero_tail(InodeBuffer& inode) {
  const std::uint64_t size = EXT2_I_SIZE(&*inode);
  const std::uint64_t kept = size % space_.block_size;
  const std::uint64_t last = size / space_.block_size;
  if (kept == 0 || (inode->i_flags & EXT4_ENCRYPT_FL) != 0) {
    return;
  }
  const auto zero = [&](const MappedRun& run) {
    if (run.kind != MappedAs::data || last - run.logical >= run.length) {
      return true;
    }
    std::vector<char> content(space_.block_size);
    const blk64_t block = run.disk + (last - run.logical);
    filsys_.check(io_channel_read_blk64(filsys_->io, block, 1, content.data()), "last block");
    std::fill(content.begin() + std::ptrdiff_t(kept), content.end(), '\0');
    filsys_.check(io_channel_write_blk64(filsys_->io, block, 1, content.data()), "last block");
    return false;
  };
  walk(inode, zero);
}

bool OrphanCleaner::has_blocks(InodeBuffer& inode) const {
  return ext2fs_inode_has_valid_blocks2(filsys_.get(), &*inode) != 0;
}

WalkEnd OrphanCleaner::walk(InodeBuffer& inode,
                            const std::function<bool(const MappedRun&)>& visit) const {
  const auto kind =
      (inode->i_flags & EXT4_EXTENTS_FL) != 0 ? BlockMapKind::extents : BlockMapKind::pointers;
  return walk_block_map(space_, kind, inode.i_block(), visit);
}

}  // namespace

OrphanCounts clean_orphans(Ext2Handle& filsys, const BlockSpace& space) {
  return OrphanCleaner(filsys, space).clean();
}

OrphanCounts clean_orphan(Ext2Handle& filsys, const BlockSpace& space, ext2_ino_t number) {
  return OrphanCleaner(filsys, space).clean_only(number);
}

}  // namespace vimg

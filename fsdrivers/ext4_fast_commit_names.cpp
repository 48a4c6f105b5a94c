#include "fsdrivers/ext4_fast_commit_names.h"

#include <memory>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_extent_map.h"

namespace vimg {
namespace {

// What counting subdirectories keeps; `failure` is the first error of libext2fs.
struct SubdirectoryCount {
  ext2_filsys filsys;
  std::uint32_t count;
  errcode_t failure;
};

// Some file systems do not say the type in the directory.
bool is_directory(SubdirectoryCount& state, const ext2_dir_entry& entry) noexcept {
  const int type = ext2fs_dirent_file_type(&entry);
  if (type != EXT2_FT_UNKNOWN) {
    return type == EXT2_FT_DIR;
  }
  ext2_inode inode{};
  state.failure = ext2fs_read_inode(state.filsys, entry.inode, &inode);
  return state.failure == 0 && LINUX_S_ISDIR(inode.i_mode);
}

int count_subdirectory(ext2_ino_t, int entry_kind, ext2_dir_entry* entry, int, int, char*,
                       void* context) noexcept {
  auto& state = *static_cast<SubdirectoryCount*>(context);
  if (entry_kind == DIRENT_OTHER_FILE && is_directory(state, *entry)) {
    ++state.count;
  }
  return state.failure == 0 ? 0 : DIRENT_ABORT;
}

int entry_type(unsigned mode) noexcept {
  switch (mode & LINUX_S_IFMT) {
    case LINUX_S_IFREG:
      return EXT2_FT_REG_FILE;
    case LINUX_S_IFDIR:
      return EXT2_FT_DIR;
    case LINUX_S_IFCHR:
      return EXT2_FT_CHRDEV;
    case LINUX_S_IFBLK:
      return EXT2_FT_BLKDEV;
    case LINUX_S_IFIFO:
      return EXT2_FT_FIFO;
    case LINUX_S_IFSOCK:
      return EXT2_FT_SOCK;
    case LINUX_S_IFLNK:
      return EXT2_FT_SYMLINK;
    default:
      return EXT2_FT_UNKNOWN;
  }
}

struct FreeMemory {
  void operator()(char* memory) const noexcept { ext2fs_free_mem(&memory); }
};

}  // namespace

void FastCommitNames::create(const Name& name) {
  InodeBuffer inode(filsys_, name.inode);
  if (!may_hold_names(name.parent) || lookup(name) != 0) {
    return;
  }
  if (LINUX_S_ISDIR(inode->i_mode)) {
    make_directory(name, inode);
    changed_directories_.insert({name.parent, name.inode});
  }
  add(name, inode);
  // The links that follow count up from there, as with the kernel.
  if (!LINUX_S_ISDIR(inode->i_mode)) {
    inode->i_links_count = 1;
    inode.write(filsys_);
  }
}

void FastCommitNames::link(const Name& name) {
  InodeBuffer inode(filsys_, name.inode);
  if (!may_hold_names(name.parent) || lookup(name) != 0 || LINUX_S_ISDIR(inode->i_mode)) {
    return;
  }
  add(name, inode);
  ++inode->i_links_count;
  inode.write(filsys_);
}

void FastCommitNames::unlink(const Name& name) {
  InodeBuffer inode(filsys_, name.inode);
  if (!may_hold_names(name.parent) || lookup(name) != name.inode) {
    return;
  }
  filsys_.check(ext2fs_unlink(filsys_.get(), name.parent, name.name.c_str(), name.inode, 0),
                "unlink");
  if (LINUX_S_ISDIR(inode->i_mode)) {
    changed_directories_.erase(name.inode);
    changed_directories_.insert(name.parent);
    inode->i_links_count = 0;
  } else if (inode->i_links_count != 0) {
    --inode->i_links_count;
  }
  inode.write(filsys_);
}

// A directory in use whose blocks can be walked without harm.
bool FastCommitNames::may_hold_names(ext2_ino_t directory) const {
  if (directory == 0 || directory > filsys_->super->s_inodes_count ||
      ext2fs_test_inode_bitmap2(filsys_->inode_map, directory) == 0) {
    return false;
  }
  InodeBuffer inode(filsys_, directory);
  if (!LINUX_S_ISDIR(inode->i_mode)) {
    return false;
  }
  if ((inode->i_flags & EXT4_INLINE_DATA_FL) != 0) {
    return true;
  }
  const auto kind =
      (inode->i_flags & EXT4_EXTENTS_FL) != 0 ? BlockMapKind::extents : BlockMapKind::pointers;
  const auto any = [](const MappedRun&) { return true; };
  return walk_block_map(space_, kind, inode.i_block(), any) == WalkEnd::complete;
}

// The inode of that name, 0 when there is none.
ext2_ino_t FastCommitNames::lookup(const Name& name) const {
  ext2_ino_t found = 0;
  const errcode_t code = ext2fs_lookup(filsys_.get(), name.parent, name.name.c_str(),
                                       int(name.name.size()), nullptr, &found);
  if (code == EXT2_ET_FILE_NOT_FOUND) {
    return 0;
  }
  filsys_.check(code, fmt::format("directory {}", name.parent));
  return found;
}

void FastCommitNames::add(const Name& name, InodeBuffer& inode) {
  const int type = entry_type(inode->i_mode);
  const auto try_link = [&] {
    return ext2fs_link(filsys_.get(), name.parent, name.name.c_str(), name.inode, type);
  };
  errcode_t code = try_link();
  if (code == EXT2_ET_DIR_NO_SPACE) {
    filsys_.check(ext2fs_expand_dir(filsys_.get(), name.parent), "larger directory");
    code = try_link();
  }
  filsys_.check(code, fmt::format("directory {}", name.parent));
}

// Neither the blocks of a new directory are logged nor what is in them.  It begins with one and
// without an index: the names in it follow one by one.
void FastCommitNames::make_directory(const Name& name, InodeBuffer& inode) {
  if ((inode->i_flags & EXT4_INLINE_DATA_FL) != 0) {
    return;
  }
  if ((inode->i_flags & EXT4_EXTENTS_FL) == 0) {
    throw_unsupported("ext4",
                      fmt::format("fast commit of directory {} without extents", name.inode));
  }
  blk64_t block = 0;
  filsys_.check(ext2fs_alloc_block2(filsys_.get(), 0, nullptr, &block), "new directory");
  char* made = nullptr;
  filsys_.check(ext2fs_new_dir_block(filsys_.get(), name.inode, name.parent, &made),
                "new directory");
  const std::unique_ptr<char, FreeMemory> content(made);
  filsys_.check(ext2fs_write_dir_block4(filsys_.get(), block, made, 0, name.inode),
                "new directory");
  inode->i_flags &= ~unsigned(EXT2_INDEX_FL);
  filsys_.check(ext2fs_inode_size_set(filsys_.get(), &*inode, space_.block_size), "new directory");
  filsys_.check(ext2fs_iblk_set(filsys_.get(), &*inode, 1), "new directory");
  ExtentMap extents;
  extents.add({0, block, 1, MappedAs::data});
  extents.store(filsys_, name.inode, inode);
}

void FastCommitNames::recount_links() {
  constexpr std::uint32_t too_many = 65000;  // EXT4_LINK_MAX; then the count is 1
  for (const ext2_ino_t directory : changed_directories_) {
    if (!may_hold_names(directory)) {
      continue;
    }
    InodeBuffer inode(filsys_, directory);
    const std::uint32_t links = 2 + count_subdirectories(directory);
    inode->i_links_count = links < too_many ? std::uint16_t(links) : std::uint16_t(1);
    inode.write(filsys_);
  }
}

std::uint32_t FastCommitNames::count_subdirectories(ext2_ino_t directory) const {
  SubdirectoryCount state{filsys_.get(), 0, 0};
  const errcode_t code =
      ext2fs_dir_iterate2(filsys_.get(), directory, 0, nullptr, count_subdirectory, &state);
  filsys_.check(code != 0 ? code : state.failure, fmt::format("directory {}", directory));
  return state.count;
}

}  // namespace vimg

// Ext4Writer: names moved, replaced and exchanged.
#include <cerrno>
#include <unordered_set>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_directory.h"
#include "fsdrivers/ext4_write_new_inode.h"
#include "fsdrivers/ext4_writer_apply.h"
#include "fsdrivers/ext4_writer_checks.h"
#include "fsdrivers/ext4_writer_links.h"

namespace vimg::ext4 {
namespace {

// One rename within one change; the references are into the operation's InodeSet.
struct Move {
  InodeRecord& from_directory;
  std::string_view from_name;
  FoundEntry from;
  InodeRecord& moved;
  InodeRecord& to_directory;
  std::string_view to_name;
  std::optional<FoundEntry> to;
  InodeRecord* replaced;  // nullptr when the name is free

  bool crosses() const noexcept { return from_directory.number != to_directory.number; }
};

void check_directory(const InodeRecord& directory) {
  if (!directory.is_directory()) {
    throw_error(ENOTDIR, layer, fmt::format("inode {} is not a directory", directory.number));
  }
  if (directory.has_flag(inode_encrypted)) {
    throw_error(ENOKEY, layer, fmt::format("directory {} is encrypted", directory.number));
  }
}

Move find_move(Change& change, InodeSet& inodes, InodeNumber from_directory,
               std::string_view from_name, InodeNumber to_directory, std::string_view to_name) {
  for (const std::string_view name : {from_name, to_name}) {
    if (name == "." || name == "..") {
      throw_error(EBUSY, layer, "'.' and '..' cannot be moved");
    }
  }
  InodeRecord& source = inodes.get(from_directory);
  InodeRecord& target = inodes.get(to_directory);
  check_directory(source);
  check_directory(target);
  check_name(change.layout(), target, to_name);
  const auto from = find_entry(change, source, from_name);
  if (!from) {
    throw_error(ENOENT, layer, "no such name");
  }
  const auto to = find_entry(change, target, to_name);
  return {source, from_name, *from, inodes.get(from->inode),
          target, to_name,   to,    to ? &inodes.get(to->inode) : nullptr};
}

// Throws Error(EINVAL) when `inode` lies on the way from `directory` to the root.
void check_not_inside(Change& change, const InodeRecord& directory, const InodeRecord& inode) {
  std::uint32_t at = directory.number;
  std::unordered_set<std::uint32_t> passed;
  // Ends at the root, or where it has been before.
  while (passed.insert(at).second) {
    if (at == inode.number) {
      throw_error(EINVAL, layer, "a directory cannot be moved into itself");
    }
    if (at == root_inode) {
      return;
    }
    at = parent_of(change, load_inode(change, at));
  }
  throw_corrupt(layer, fmt::format("directory {} does not lie below the root", directory.number));
}

void check_move(Change& change, const Move& move, RenameMode mode) {
  check_can_remove(move.from_directory, move.moved);
  if (!move.to) {
    check_can_add(move.to_directory);
  } else {
    check_can_remove(move.to_directory, *move.replaced);
  }
  if (move.moved.is_directory() && move.crosses()) {
    check_not_inside(change, move.to_directory, move.moved);
    if (mode != RenameMode::exchange && (!move.replaced || !move.replaced->is_directory())) {
      check_link_count(change.layout(), move.to_directory);
    }
  }
}

void check_replaced(Change& change, const Move& move) {
  if (move.replaced == nullptr) {
    return;
  }
  if (move.moved.is_directory() != move.replaced->is_directory()) {
    throw_error(move.moved.is_directory() ? ENOTDIR : EISDIR, layer,
                "a directory and another kind of file cannot replace each other");
  }
  if (move.replaced->is_directory() && !is_empty_directory(change, *move.replaced)) {
    throw_error(ENOTEMPTY, layer, fmt::format("directory {} is not empty", move.replaced->number));
  }
}

// A directory counts its subdirectories, and those name it as their parent.
void change_parent(Change& change, InodeRecord& directory, InodeRecord& from, InodeRecord& to) {
  set_parent(change, directory, to.number);
  remove_link(from);
  add_link(change.layout(), to);
}

void point_to(Change& change, InodeRecord& directory, const FoundEntry& entry,
              const InodeRecord& inode) {
  point_entry(change, directory, entry, inode.number, file_type_of(inode.raw.mode));
}

void exchange(Change& change, Move& move) {
  if (move.replaced == nullptr) {
    throw_error(ENOENT, layer, "no such name to exchange with");
  }
  InodeRecord& other = *move.replaced;
  if (other.is_directory() && move.crosses()) {
    check_not_inside(change, move.from_directory, other);
  }
  point_to(change, move.to_directory, *move.to, move.moved);
  point_to(change, move.from_directory, move.from, other);
  if (move.crosses() && move.moved.is_directory()) {
    change_parent(change, move.moved, move.from_directory, move.to_directory);
  }
  if (move.crosses() && other.is_directory()) {
    change_parent(change, other, move.to_directory, move.from_directory);
  }
  set_ctime(other, current_time());
}

// What stays under the old name: nothing, or a device that hides the name in overlayfs.
void vacate(Change& change, InodeSet& inodes, Move& move, RenameMode mode) {
  // Adding the new name may have moved the old one.
  const auto from = find_entry(change, move.from_directory, move.from_name);
  if (!from) {
    throw_corrupt(layer, fmt::format("directory {} lost a name", move.from_directory.number));
  }
  if (mode != RenameMode::whiteout) {
    remove_entry(change, move.from_directory, *from);
    return;
  }
  const NewFile device{S_IFCHR, uid_of(move.moved), gid_of(move.moved)};
  InodeRecord& whiteout = inodes.add(make_inode(change, move.from_directory, device));
  whiteout.raw.link_count = 1;
  point_to(change, move.from_directory, *from, whiteout);
}

void put_under_new_name(Change& change, Move& move) {
  if (move.to) {
    point_to(change, move.to_directory, *move.to, move.moved);
    return;
  }
  add_entry(change, move.to_directory,
            {move.to_name, move.moved.number, file_type_of(move.moved.raw.mode)});
}

}  // namespace

void Ext4Writer::rename(InodeNumber from_directory, std::string_view from_name,
                        InodeNumber to_directory, std::string_view to_name, RenameMode mode) {
  const auto nameless = apply([&](Change& change, InodeSet& inodes) -> std::uint32_t {
    Move move = find_move(change, inodes, from_directory, from_name, to_directory, to_name);
    if (move.to && mode == RenameMode::no_replace) {
      throw_error(EEXIST, layer, "the name exists");
    }
    if (move.to && move.to->inode == move.from.inode) {
      return 0;
    }
    check_move(change, move, mode);
    std::uint32_t dropped = 0;
    if (mode == RenameMode::exchange) {
      exchange(change, move);
    } else {
      check_replaced(change, move);
      put_under_new_name(change, move);
      vacate(change, inodes, move, mode);
      if (move.crosses() && move.moved.is_directory()) {
        change_parent(change, move.moved, move.from_directory, move.to_directory);
      }
      if (move.replaced != nullptr) {
        dropped = drop_replaced(change, *move.replaced, move.to_directory);
      }
    }
    set_ctime(move.moved, current_time());
    touch(move.from_directory);
    touch(move.to_directory);
    return dropped;
  });
  note_nameless(nameless);
}

std::uint32_t Ext4Writer::drop_replaced(Change& change, InodeRecord& inode,
                                        InodeRecord& directory) {
  if (inode.is_directory()) {
    remove_link(directory);
    return drop_directory(change, inode);
  }
  set_ctime(inode, current_time());
  remove_link(inode);
  return drop_if_nameless(change, inode);
}

}  // namespace vimg::ext4

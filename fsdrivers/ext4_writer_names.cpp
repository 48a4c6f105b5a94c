// Ext4Writer: names made and taken away.
#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_directory.h"
#include "fsdrivers/ext4_write_extents.h"
#include "fsdrivers/ext4_write_inherit.h"
#include "fsdrivers/ext4_write_map.h"
#include "fsdrivers/ext4_write_new_inode.h"
#include "fsdrivers/ext4_write_orphans.h"
#include "fsdrivers/ext4_writer_apply.h"
#include "fsdrivers/ext4_writer_checks.h"
#include "fsdrivers/ext4_writer_links.h"

namespace vimg::ext4 {
namespace {

void check_new_name(Change& change, const InodeRecord& directory, std::string_view name) {
  check_can_add(directory);
  check_name(change.layout(), directory, name);
  if (name == "." || name == ".." || find_entry(change, directory, name)) {
    throw_error(EEXIST, layer, "the name exists");
  }
}

// The inode and its name; the caller has checked that the name is free.
InodeRecord& add_file(Change& change, InodeSet& inodes, InodeRecord& directory,
                      std::string_view name, const NewFile& file) {
  InodeRecord& inode =
      inodes.add(make_inode(change, directory, with_inherited_group(directory, file)));
  inherit_default_acl(change, directory, inode);
  add_entry(change, directory, {name, inode.number, file_type_of(inode.raw.mode)});
  touch(directory);
  return inode;
}

FoundEntry must_find(Change& change, const InodeRecord& directory, std::string_view name) {
  if (!directory.is_directory()) {
    throw_error(ENOTDIR, layer, fmt::format("inode {} is not a directory", directory.number));
  }
  if (directory.has_flag(inode_encrypted)) {
    throw_error(ENOKEY, layer, fmt::format("directory {} is encrypted", directory.number));
  }
  const auto found = find_entry(change, directory, name);
  if (!found) {
    throw_error(ENOENT, layer, "no such name");
  }
  return *found;
}

void set_symlink_target(Change& change, InodeRecord& link, std::string_view target) {
  if (target.size() < block_map_size) {
    link.clear_flag(inode_extents);
    link.raw.block_map.fill(std::byte(0));
    std::copy_n(bytes_of(target).begin(), target.size(), link.raw.block_map.begin());
  } else {
    const MappedRun run = allocate_run(change, link, 0, 1, RunState::written);
    std::copy_n(bytes_of(target).begin(), target.size(), change.create(run.physical).begin());
  }
  set_size(link, target.size());
}

}  // namespace

Attributes Ext4Writer::create(InodeNumber directory, std::string_view name, const NewFile& file) {
  if (S_ISDIR(file.mode)) {
    return make_directory(directory, name, file);
  }
  if (file_type_of(file.mode) == 0 || S_ISLNK(file.mode)) {
    throw_error(EINVAL, layer, fmt::format("a new file of mode {:#o}", file.mode));
  }
  const auto number = apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& parent = inodes.get(directory);
    check_new_name(change, parent, name);
    InodeRecord& inode = add_file(change, inodes, parent, name, file);
    inode.raw.link_count = 1;
    return inode.number;
  });
  return reader_.attributes(number);
}

Attributes Ext4Writer::make_directory(InodeNumber directory, std::string_view name,
                                      const NewFile& file) {
  const auto number = apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& parent = inodes.get(directory);
    check_new_name(change, parent, name);
    check_link_count(change.layout(), parent);
    NewFile made = file;
    made.mode = (file.mode & ~mode_t(S_IFMT)) | S_IFDIR;
    InodeRecord& inode = add_file(change, inodes, parent, name, made);
    make_first_block(change, inode, parent.number);
    inode.raw.link_count = 2;
    add_link(change.layout(), parent);
    return inode.number;
  });
  return reader_.attributes(number);
}

Attributes Ext4Writer::make_symlink(InodeNumber directory, std::string_view name,
                                    std::string_view target, uid_t uid, gid_t gid) {
  const auto number = apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& parent = inodes.get(directory);
    check_new_name(change, parent, name);
    if (target.empty() || target.size() >= change.layout().block_size()) {
      throw_error(target.empty() ? ENOENT : ENAMETOOLONG, layer,
                  fmt::format("a symbolic link to a name of {} bytes", target.size()));
    }
    InodeRecord& link = add_file(change, inodes, parent, name, {S_IFLNK | 0777, uid, gid});
    set_symlink_target(change, link, target);
    link.raw.link_count = 1;
    return link.number;
  });
  return reader_.attributes(number);
}

Attributes Ext4Writer::link(InodeNumber inode, InodeNumber directory, std::string_view name) {
  apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& target = inodes.get(inode);
    if (target.is_directory()) {
      throw_error(EPERM, layer, "a second name for a directory");
    }
    if (target.raw.link_count == 0) {
      throw_error(ENOENT, layer, fmt::format("inode {} has been removed", inode));
    }
    if (target.has_flag(inode_immutable) || target.has_flag(inode_append_only)) {
      throw_error(EPERM, layer, fmt::format("inode {} is immutable", inode));
    }
    check_link_count(change.layout(), target);
    InodeRecord& parent = inodes.get(directory);
    check_new_name(change, parent, name);
    add_entry(change, parent, {name, target.number, file_type_of(target.raw.mode)});
    add_link(change.layout(), target);
    set_ctime(target, current_time());
    touch(parent);
  });
  return reader_.attributes(inode);
}

void Ext4Writer::unlink(InodeNumber directory, std::string_view name) {
  const auto nameless = apply([&](Change& change, InodeSet& inodes) {
    InodeRecord& parent = inodes.get(directory);
    const FoundEntry entry = must_find(change, parent, name);
    InodeRecord& inode = inodes.get(entry.inode);
    if (inode.is_directory()) {
      throw_error(EISDIR, layer, fmt::format("inode {} is a directory", inode.number));
    }
    check_can_remove(parent, inode);
    remove_entry(change, parent, entry);
    touch(parent);
    set_ctime(inode, current_time());
    remove_link(inode);
    return drop_if_nameless(change, inode);
  });
  note_nameless(nameless);
}

void Ext4Writer::remove_directory(InodeNumber directory, std::string_view name) {
  const auto nameless = apply([&](Change& change, InodeSet& inodes) {
    if (name == "." || name == "..") {
      throw_error(name == "." ? EINVAL : ENOTEMPTY, layer, "'.' and '..' cannot be removed");
    }
    InodeRecord& parent = inodes.get(directory);
    const FoundEntry entry = must_find(change, parent, name);
    InodeRecord& inode = inodes.get(entry.inode);
    if (!inode.is_directory()) {
      throw_error(ENOTDIR, layer, fmt::format("inode {} is not a directory", inode.number));
    }
    check_can_remove(parent, inode);
    if (!is_empty_directory(change, inode)) {
      throw_error(ENOTEMPTY, layer, fmt::format("directory {} is not empty", inode.number));
    }
    remove_entry(change, parent, entry);
    remove_link(parent);
    touch(parent);
    return drop_directory(change, inode);
  });
  note_nameless(nameless);
}

std::uint32_t Ext4Writer::drop_if_nameless(Change& change, InodeRecord& inode) {
  if (inode.raw.link_count != 0) {
    return 0;
  }
  add_orphan(change, inode);
  return inode.number;
}

std::uint32_t Ext4Writer::drop_directory(Change& change, InodeRecord& inode) {
  inode.raw.link_count = 0;
  set_size(inode, 0);
  set_ctime(inode, current_time());
  return drop_if_nameless(change, inode);
}

void Ext4Writer::note_nameless(std::uint32_t inode) {
  if (inode != 0) {
    const std::lock_guard lock(metadata_mutex_);
    nameless_.insert(inode);
  }
}

}  // namespace vimg::ext4

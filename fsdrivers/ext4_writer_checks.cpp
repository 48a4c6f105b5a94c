#include "fsdrivers/ext4_writer_checks.h"

#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_hash.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t longest_name = 255;
constexpr std::uint16_t strict_encoding = 1;

constexpr std::uint32_t writable_incompat =
    incompat_filetype | incompat_meta_bg | incompat_extents | incompat_64bit | incompat_mmp |
    incompat_flex_bg | incompat_ea_inode | incompat_csum_seed | incompat_large_dir |
    incompat_inline_data | incompat_encrypt | incompat_casefold;
constexpr std::uint32_t writable_ro_compat =
    ro_compat_sparse_super | ro_compat_large_file | ro_compat_huge_file | ro_compat_gdt_csum |
    ro_compat_dir_nlink | ro_compat_extra_isize | ro_compat_bigalloc | ro_compat_metadata_csum |
    ro_compat_project | ro_compat_verity;

[[noreturn]] void throw_inode(int code, const InodeRecord& inode, const char* what) {
  throw_error(code, layer, fmt::format("inode {} {}", inode.number, what));
}

}  // namespace

void check_writable(const Superblock& superblock) {
  Superblock rest = superblock;
  rest.feature_compat = 0;
  rest.feature_incompat = superblock.feature_incompat & ~writable_incompat;
  rest.feature_ro_compat = superblock.feature_ro_compat & ~writable_ro_compat;
  if (rest.feature_incompat != 0 || rest.feature_ro_compat != 0) {
    throw_error(EROFS, layer,
                fmt::format("can only be read, because of the feature: {}", feature_names(rest)));
  }
}

void check_can_add(const InodeRecord& directory) {
  if (!directory.is_directory()) {
    throw_inode(ENOTDIR, directory, "is not a directory");
  }
  if (directory.raw.link_count == 0) {
    throw_inode(ENOENT, directory, "has been removed");
  }
  if (directory.has_flag(inode_encrypted)) {
    throw_inode(ENOKEY, directory, "is encrypted");
  }
  if (directory.has_flag(inode_immutable)) {
    throw_inode(EPERM, directory, "is immutable");
  }
}

void check_name(const Layout& layout, const InodeRecord& directory, std::string_view name) {
  if (name.size() > longest_name) {
    throw_error(ENAMETOOLONG, layer, fmt::format("a name of {} bytes", name.size()));
  }
  if (name.empty()) {
    throw_error(ENOENT, layer, "an empty name");
  }
  if (name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos) {
    throw_error(EINVAL, layer, "a name with '/' or NUL in it");
  }
  if (directory.has_flag(inode_casefold) && layout.has_incompat(incompat_casefold) &&
      (layout.encoding_flags & strict_encoding) != 0 && !is_encodable(layout, name)) {
    throw_error(EINVAL, layer, "a name that is not valid in the directory's encoding");
  }
}

void check_can_remove(const InodeRecord& directory, const InodeRecord& inode) {
  for (const InodeRecord* each : {&directory, &inode}) {
    if (each->has_flag(inode_immutable) || each->has_flag(inode_append_only)) {
      throw_inode(EPERM, *each, "is immutable or only to be appended to");
    }
  }
}

void check_can_write(const InodeRecord& file) {
  if (!file.is_regular()) {
    throw_inode(file.is_directory() ? EISDIR : EINVAL, file, "is not a regular file");
  }
  if (file.has_flag(inode_encrypted)) {
    throw_inode(ENOKEY, file, "is encrypted");
  }
  if (file.has_flag(inode_verity) || file.has_flag(inode_ea_value)) {
    throw_inode(EPERM, file, "is protected by verity or holds an attribute");
  }
  check_mutable(file);
}

void check_mutable(const InodeRecord& inode) {
  if (inode.has_flag(inode_immutable)) {
    throw_inode(EPERM, inode, "is immutable");
  }
}

void check_size(const Layout& layout, const InodeRecord& file, std::uint64_t size) {
  const std::uint64_t largest = file.has_flag(inode_extents) ? layout.maximum_extent_file_size()
                                                             : layout.maximum_mapped_file_size();
  if (size > largest) {
    throw_error(EFBIG, layer, fmt::format("inode {} cannot hold {:#x} bytes", file.number, size));
  }
}

}  // namespace vimg::ext4

#include <array>
#include <span>
#include <string>

#include <fmt/format.h>

#include "fsdrivers/ext4_superblock.h"

namespace vimg::ext4 {
namespace {

struct FeatureName {
  std::uint32_t bit;
  const char* name;
};

// The names are those of e2fsprogs; FEATURE_C8 and the like stand for bits that have none.
constexpr FeatureName compat_names[] = {
    {0x1, "dir_prealloc"},  {0x2, "imagic_inodes"},     {compat_has_journal, "has_journal"},
    {0x8, "ext_attr"},      {0x10, "resize_inode"},     {compat_dir_index, "dir_index"},
    {0x40, "lazy_bg"},      {0x100, "snapshot_bitmap"}, {compat_sparse_super2, "sparse_super2"},
    {0x400, "fast_commit"}, {0x800, "stable_inodes"},   {compat_orphan_file, "orphan_file"},
};
constexpr FeatureName incompat_names[] = {
    {0x1, "compression"},
    {incompat_filetype, "filetype"},
    {incompat_recover, "needs_recovery"},
    {incompat_journal_dev, "journal_dev"},
    {incompat_meta_bg, "meta_bg"},
    {incompat_extents, "extent"},
    {incompat_64bit, "64bit"},
    {incompat_mmp, "mmp"},
    {incompat_flex_bg, "flex_bg"},
    {incompat_ea_inode, "ea_inode"},
    {0x1000, "dirdata"},
    {incompat_csum_seed, "metadata_csum_seed"},
    {incompat_large_dir, "large_dir"},
    {incompat_inline_data, "inline_data"},
    {incompat_encrypt, "encrypt"},
    {incompat_casefold, "casefold"},
};
constexpr FeatureName ro_compat_names[] = {
    {ro_compat_sparse_super, "sparse_super"},
    {ro_compat_large_file, "large_file"},
    {ro_compat_huge_file, "huge_file"},
    {ro_compat_gdt_csum, "uninit_bg"},
    {0x20, "dir_nlink"},
    {0x40, "extra_isize"},
    {0x80, "snapshot"},
    {0x100, "quota"},
    {ro_compat_bigalloc, "bigalloc"},
    {ro_compat_metadata_csum, "metadata_csum"},
    {0x800, "replica"},
    {0x1000, "read-only"},
    {0x2000, "project"},
    {0x4000, "shared_blocks"},
    {0x8000, "verity"},
    {0x10000, "orphan_present"},
};

constexpr std::uint32_t readable_incompat =
    incompat_filetype | incompat_recover | incompat_meta_bg | incompat_extents | incompat_64bit |
    incompat_mmp | incompat_flex_bg | incompat_ea_inode | incompat_csum_seed | incompat_large_dir |
    incompat_inline_data | incompat_encrypt | incompat_casefold;

std::string name_of(std::uint32_t index, std::span<const FeatureName> names, char kind) {
  for (const FeatureName& entry : names) {
    if (entry.bit == std::uint32_t{1} << index) {
      return entry.name;
    }
  }
  return fmt::format("FEATURE_{}{}", kind, index);
}

void append_names(std::string& list, std::uint32_t bits, std::span<const FeatureName> names,
                  char kind) {
  for (std::uint32_t index = 0; index < 32; ++index) {
    if ((bits >> index & 1) != 0) {
      list += (list.empty() ? "" : " ") + name_of(index, names, kind);
    }
  }
}

}  // namespace

std::string feature_names(const Superblock& superblock) {
  std::string list;
  append_names(list, superblock.feature_compat, compat_names, 'C');
  append_names(list, superblock.feature_incompat, incompat_names, 'I');
  append_names(list, superblock.feature_ro_compat, ro_compat_names, 'R');
  return list;
}

std::string unreadable_features(std::uint32_t incompat) {
  std::string list;
  append_names(list, incompat & ~readable_incompat, incompat_names, 'I');
  return list;
}

}  // namespace vimg::ext4

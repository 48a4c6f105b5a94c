// The structures of ext2, ext3 and ext4 as they lie on disk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "disk/endian.h"

// Spec: linux Documentation/filesystems/ext4, a chapter per structure.  Times are in seconds since
// 1970, block numbers in units of the block size.
namespace vimg::ext4 {

constexpr std::uint64_t superblock_offset = 1024;
constexpr std::uint16_t superblock_magic = 0xef53;
constexpr std::uint32_t root_inode = 2;
constexpr std::uint32_t journal_inode = 8;

constexpr std::uint16_t state_clean = 0x1;
constexpr std::uint16_t state_errors = 0x2;
constexpr std::uint32_t flag_signed_hash = 0x1;
constexpr std::uint32_t flag_unsigned_hash = 0x2;
constexpr std::uint32_t flag_test_filesystem = 0x4;

// Bits of feature_compat.
constexpr std::uint32_t compat_has_journal = 0x4;
constexpr std::uint32_t compat_ext_attr = 0x8;
constexpr std::uint32_t compat_dir_index = 0x20;
constexpr std::uint32_t compat_sparse_super2 = 0x200;
constexpr std::uint32_t compat_orphan_file = 0x1000;

// Bits of feature_incompat.
constexpr std::uint32_t incompat_filetype = 0x2;
constexpr std::uint32_t incompat_recover = 0x4;
constexpr std::uint32_t incompat_journal_dev = 0x8;
constexpr std::uint32_t incompat_meta_bg = 0x10;
constexpr std::uint32_t incompat_extents = 0x40;
constexpr std::uint32_t incompat_64bit = 0x80;
constexpr std::uint32_t incompat_mmp = 0x100;
constexpr std::uint32_t incompat_flex_bg = 0x200;
constexpr std::uint32_t incompat_ea_inode = 0x400;
constexpr std::uint32_t incompat_csum_seed = 0x2000;
constexpr std::uint32_t incompat_large_dir = 0x4000;
constexpr std::uint32_t incompat_inline_data = 0x8000;
constexpr std::uint32_t incompat_encrypt = 0x10000;
constexpr std::uint32_t incompat_casefold = 0x20000;

// Bits of feature_ro_compat.
constexpr std::uint32_t ro_compat_sparse_super = 0x1;
constexpr std::uint32_t ro_compat_large_file = 0x2;
constexpr std::uint32_t ro_compat_btree_dir = 0x4;
constexpr std::uint32_t ro_compat_huge_file = 0x8;
constexpr std::uint32_t ro_compat_gdt_csum = 0x10;
constexpr std::uint32_t ro_compat_dir_nlink = 0x20;
constexpr std::uint32_t ro_compat_extra_isize = 0x40;
constexpr std::uint32_t ro_compat_quota = 0x100;
constexpr std::uint32_t ro_compat_bigalloc = 0x200;
constexpr std::uint32_t ro_compat_metadata_csum = 0x400;
constexpr std::uint32_t ro_compat_project = 0x2000;
constexpr std::uint32_t ro_compat_verity = 0x8000;
constexpr std::uint32_t ro_compat_orphan_present = 0x10000;

struct Superblock {
  le32 inode_count;
  le32 block_count_low;
  le32 reserved_block_count_low;
  le32 free_block_count_low;
  le32 free_inode_count;
  le32 first_data_block;  // 1 for blocks of 1 KiB, else 0; s_first_data_block
  le32 log_block_size;    // log2 of the block size, less 10
  le32 log_cluster_size;  // likewise
  le32 blocks_per_group;
  le32 clusters_per_group;
  le32 inodes_per_group;
  le32 mount_time;
  le32 write_time;
  le16 mount_count;
  le16 max_mount_count;
  le16 magic;
  le16 state;
  le16 errors;
  le16 minor_revision;
  le32 check_time;
  le32 check_interval;
  le32 creator_os;  // 0 = Linux, 1 = Hurd
  le32 revision;    // 0 = the fields below are not there, 1 = they are
  le16 reserved_uid;
  le16 reserved_gid;
  le32 first_inode;  // the first that is not reserved
  le16 inode_size;   // bytes
  le16 block_group;  // the group that this copy lies in
  le32 feature_compat;
  le32 feature_incompat;
  le32 feature_ro_compat;
  std::array<std::uint8_t, 16> uuid;
  std::array<char, 16> label;         // s_volume_name; padded with NUL
  std::array<char, 64> last_mounted;  // padded with NUL
  le32 compression_algorithms;
  std::uint8_t preallocated_blocks;
  std::uint8_t preallocated_directory_blocks;
  le16 reserved_descriptor_blocks;  // s_reserved_gdt_blocks, per copy of the table
  std::array<std::uint8_t, 16> journal_uuid;
  le32 journal_inode;
  le32 journal_device;
  le32 last_orphan;  // head of the list of inodes to delete; 0 = none
  std::array<le32, 4> hash_seed;
  std::uint8_t hash_version;
  std::uint8_t journal_backup_type;
  le16 descriptor_size;  // bytes, with incompat_64bit
  le32 default_mount_options;
  le32 first_meta_group;  // s_first_meta_bg, in blocks of the descriptor table
  le32 creation_time;
  std::array<le32, 17> journal_blocks;  // copy of the journal inode's i_block and size
  le32 block_count_high;
  le32 reserved_block_count_high;
  le32 free_block_count_high;
  le16 min_extra_inode_size;
  le16 wanted_extra_inode_size;
  le32 flags;
  le16 raid_stride;
  le16 mmp_interval;
  le64 mmp_block;
  le32 raid_stripe_width;
  std::uint8_t log_groups_per_flex;
  std::uint8_t checksum_type;  // 1 = crc32c
  std::uint8_t encryption_level;
  std::uint8_t reserved_pad;
  le64 kibibytes_written;
  std::array<le32, 5> snapshot;
  le32 error_count;
  le32 first_error_time;
  le32 first_error_inode;
  le64 first_error_block;
  std::array<char, 32> first_error_function;
  le32 first_error_line;
  le32 last_error_time;
  le32 last_error_inode;
  le32 last_error_line;
  le64 last_error_block;
  std::array<char, 32> last_error_function;
  std::array<char, 64> mount_options;
  le32 user_quota_inode;
  le32 group_quota_inode;
  le32 overhead_clusters;             // 0 = not yet counted
  std::array<le32, 2> backup_groups;  // with compat_sparse_super2
  std::array<std::uint8_t, 4> encryption_algorithms;
  std::array<std::uint8_t, 16> encryption_salt;
  le32 lost_found_inode;
  le32 project_quota_inode;
  le32 checksum_seed;  // with incompat_csum_seed
  std::uint8_t write_time_high;
  std::uint8_t mount_time_high;
  std::uint8_t creation_time_high;
  std::uint8_t check_time_high;
  std::uint8_t first_error_time_high;
  std::uint8_t last_error_time_high;
  std::uint8_t first_error_code;
  std::uint8_t last_error_code;
  le16 encoding;  // of names in casefolded directories; 1 = UTF-8 12.1
  le16 encoding_flags;
  le32 orphan_file_inode;
  std::array<le32, 94> reserved;
  le32 checksum;  // crc32c of all before
};
static_assert(sizeof(Superblock) == 1024 && OnDisk<Superblock>);

constexpr std::uint16_t group_inodes_unused = 0x1;  // EXT4_BG_INODE_UNINIT
constexpr std::uint16_t group_blocks_unused = 0x2;  // EXT4_BG_BLOCK_UNINIT

// The second half is there with incompat_64bit and a descriptor_size of 64 or more.
struct GroupDescriptor {
  le32 block_bitmap_low;
  le32 inode_bitmap_low;
  le32 inode_table_low;
  le16 free_block_count_low;
  le16 free_inode_count_low;
  le16 directory_count_low;
  le16 flags;
  le32 exclude_bitmap_low;
  le16 block_bitmap_checksum_low;
  le16 inode_bitmap_checksum_low;
  le16 unused_inode_count_low;  // bg_itable_unused
  le16 checksum;
  le32 block_bitmap_high;
  le32 inode_bitmap_high;
  le32 inode_table_high;
  le16 free_block_count_high;
  le16 free_inode_count_high;
  le16 directory_count_high;
  le16 unused_inode_count_high;
  le32 exclude_bitmap_high;
  le16 block_bitmap_checksum_high;
  le16 inode_bitmap_checksum_high;
  le32 reserved;
};
static_assert(sizeof(GroupDescriptor) == 64 && OnDisk<GroupDescriptor>);

// Bits of RawInode::flags.
constexpr std::uint32_t inode_immutable = 0x10;
constexpr std::uint32_t inode_append_only = 0x20;
constexpr std::uint32_t inode_encrypted = 0x800;
constexpr std::uint32_t inode_indexed = 0x1000;
constexpr std::uint32_t inode_top_directory = 0x20000;
constexpr std::uint32_t inode_huge_file = 0x40000;  // block_count is in blocks, not sectors
constexpr std::uint32_t inode_extents = 0x80000;
constexpr std::uint32_t inode_verity = 0x100000;
constexpr std::uint32_t inode_ea_value = 0x200000;  // holds the value of an extended attribute
constexpr std::uint32_t inode_inline_data = 0x10000000;
constexpr std::uint32_t inode_project_inherit = 0x20000000;
constexpr std::uint32_t inode_casefold = 0x40000000;

constexpr std::size_t small_inode_size = 128;  // what every inode has
constexpr std::size_t block_map_size = 60;     // bytes of i_block

// What follows small_inode_size is there as far as extra_size says.
struct RawInode {
  le16 mode;
  le16 uid_low;
  le32 size_low;
  le32 atime;
  le32 ctime;
  le32 mtime;
  le32 dtime;
  le16 gid_low;
  le16 link_count;
  le32 block_count_low;
  le32 flags;
  le32 version_low;
  std::array<std::byte, block_map_size> block_map;  // i_block
  le32 generation;
  le32 xattr_block_low;  // i_file_acl
  le32 size_high;
  le32 fragment;
  le16 block_count_high;
  le16 xattr_block_high;
  le16 uid_high;
  le16 gid_high;
  le16 checksum_low;
  le16 reserved;
  le16 extra_size;  // bytes beyond small_inode_size that hold the fields from here on
  le16 checksum_high;
  le32 ctime_extra;  // nanoseconds << 2 | two more bits of the seconds
  le32 mtime_extra;
  le32 atime_extra;
  le32 btime;
  le32 btime_extra;
  le32 version_high;
  le32 project;
};
static_assert(sizeof(RawInode) == 160 && OnDisk<RawInode>);

struct ExtentHeader {
  le16 magic;
  le16 entry_count;
  le16 max_entries;
  le16 depth;  // 0 = the entries are extents, else indexes
  le32 generation;
};
static_assert(sizeof(ExtentHeader) == 12 && OnDisk<ExtentHeader>);
constexpr std::uint16_t extent_magic = 0xf30a;
constexpr std::uint16_t max_extent_depth = 5;
constexpr std::uint16_t max_written_length = 0x8000;  // more means unwritten, by as much

struct ExtentEntry {
  le32 first;   // logical block
  le16 length;  // blocks, see max_written_length
  le16 start_high;
  le32 start_low;
};
static_assert(sizeof(ExtentEntry) == 12 && OnDisk<ExtentEntry>);

struct ExtentIndex {
  le32 first;  // logical block
  le32 child_low;
  le16 child_high;
  le16 unused;
};
static_assert(sizeof(ExtentIndex) == 12 && OnDisk<ExtentIndex>);

// Followed by the name, padded to a multiple of 4.
struct DirectoryRecord {
  le32 inode;  // 0 = unused
  le16 length;
  std::uint8_t name_length;
  std::uint8_t file_type;  // with incompat_filetype, else the high half of name_length
};
static_assert(sizeof(DirectoryRecord) == 8 && OnDisk<DirectoryRecord>);

// The last 12 bytes of a block of names, with metadata checksums: looks like an unused record.
struct DirectoryTail {
  le32 zero;
  le16 length;  // 12
  std::uint8_t zero_name_length;
  std::uint8_t file_type;  // 0xde
  le32 checksum;
};
static_assert(sizeof(DirectoryTail) == 12 && OnDisk<DirectoryTail>);

constexpr std::uint8_t hash_legacy = 0;
constexpr std::uint8_t hash_tea = 2;
constexpr std::uint8_t hash_unsigned_step = 3;  // from a signed version to its unsigned one
constexpr std::uint8_t hash_siphash = 6;

// At byte 24 of an indexed directory's first block, after "." and "..".
struct IndexRoot {
  le32 zero;
  std::uint8_t hash_version;
  std::uint8_t info_length;  // 8
  std::uint8_t levels;       // of index blocks below this one
  std::uint8_t flags;
};
static_assert(sizeof(IndexRoot) == 8 && OnDisk<IndexRoot>);

// In place of the first entry's hash.
struct IndexLimits {
  le16 limit;
  le16 count;
};
static_assert(sizeof(IndexLimits) == 4 && OnDisk<IndexLimits>);

struct IndexEntry {
  le32 hash;   // lowest in the block; bit 0: its equals begin in the block before
  le32 block;  // logical, in the low 28 bits
};
static_assert(sizeof(IndexEntry) == 8 && OnDisk<IndexEntry>);

constexpr std::uint32_t xattr_magic = 0xea020000;

// Begins a block of extended attributes.
struct XattrHeader {
  le32 magic;
  le32 reference_count;
  le32 block_count;  // 1
  le32 hash;
  le32 checksum;
  std::array<le32, 3> reserved;
};
static_assert(sizeof(XattrHeader) == 32 && OnDisk<XattrHeader>);

// Followed by the name, padded to a multiple of 4; four zero bytes end the list.
struct XattrEntry {
  std::uint8_t name_length;
  std::uint8_t name_index;  // stands for the prefix
  le16 value_offset;        // from the first entry in an inode, from the start of a block
  le32 value_inode;         // holds the value when not 0
  le32 value_size;
  le32 hash;
};
static_assert(sizeof(XattrEntry) == 16 && OnDisk<XattrEntry>);

}  // namespace vimg::ext4

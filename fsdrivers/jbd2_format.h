// The on-disk structures of JBD2, the journal of ext3 and ext4.
#pragma once

#include <array>
#include <cstdint>

#include "disk/endian.h"

// Spec: linux Documentation/filesystems/ext4/journal.rst.  Everything is big-endian.
namespace vimg::jbd2 {

constexpr std::uint32_t block_magic = 0xC03B3998;

enum BlockType : std::uint32_t {
  descriptor_block = 1,
  commit_block = 2,
  superblock_v1 = 3,
  superblock_v2 = 4,
  revoke_block = 5,
};

enum CompatFeature : std::uint32_t { compat_checksum = 1 };

enum IncompatFeature : std::uint32_t {
  incompat_revoke = 0x01,
  incompat_64bit = 0x02,
  incompat_async_commit = 0x04,
  incompat_checksum_v2 = 0x08,
  incompat_checksum_v3 = 0x10,
  incompat_fast_commit = 0x20,
};
constexpr std::uint32_t known_incompat = 0x3F;

enum ChecksumType : std::uint8_t { checksum_crc32 = 1, checksum_crc32c = 4 };

struct BlockHeader {
  be32 magic;
  be32 type;      // BlockType
  be32 sequence;  // the transaction's number
};
static_assert(sizeof(BlockHeader) == 12 && OnDisk<BlockHeader>);

// Block 0 of the journal.  Of a v1 superblock only the fields up to `error` count.
struct Superblock {
  BlockHeader header;
  be32 block_size;
  be32 block_count;  // s_maxlen; this block included
  be32 first;        // the log's first block
  be32 sequence;     // of the first transaction in the log
  be32 start;        // its block; 0 = the log is empty
  be32 error;        // errno of an aborted journal
  be32 compat;
  be32 incompat;
  be32 ro_compat;
  std::array<std::byte, 16> uuid;
  be32 user_count;
  be32 dynamic_superblock;
  be32 max_transaction;
  be32 max_transaction_data;
  std::uint8_t checksum_type;
  std::array<std::byte, 3> padding;
  be32 fast_commit_blocks;  // s_num_fc_blks; 0 = 256
  be32 head;                // s_head; where a clean log goes on
  std::array<std::byte, 160> padding2;
  be32 checksum;  // crc32c of these 1024 bytes with this field 0
  std::array<std::byte, 768> users;
};
static_assert(sizeof(Superblock) == 1024 && OnDisk<Superblock>);

// A commit block begins with this.
struct CommitHeader {
  BlockHeader header;
  std::uint8_t checksum_type;
  std::uint8_t checksum_size;
  std::array<std::byte, 2> padding;
  std::array<be32, 8> checksum;  // [0] is all that is used
  be64 seconds;
  be32 nanoseconds;
};
static_assert(sizeof(CommitHeader) == 60 && OnDisk<CommitHeader>);

// A revoke block begins with this; block numbers of 4 or 8 bytes follow.
struct RevokeHeader {
  BlockHeader header;
  be32 used;  // r_count: bytes in use, this header included
};
static_assert(sizeof(RevokeHeader) == 16 && OnDisk<RevokeHeader>);

// With checksums v2 or v3, descriptor and revoke blocks end with their crc32c.
constexpr std::size_t tail_size = 4;

enum TagFlag : std::uint32_t {
  tag_escaped = 1,    // the block began with block_magic, which was zeroed in the log
  tag_same_uuid = 2,  // no UUID of 16 bytes follows
  tag_last = 8,
};

// A block of the file system that a descriptor block names, with checksums v3 …
struct BlockTag3 {
  be32 block;
  be32 flags;  // TagFlag
  be32 block_high;
  be32 checksum;
};
static_assert(sizeof(BlockTag3) == 16 && OnDisk<BlockTag3>);

// … and without.  block_high is there with 64bit only; 2 more bytes of padding with checksums v2.
struct BlockTag {
  be32 block;
  be16 checksum;  // v2: the low half of the crc32c
  be16 flags;     // TagFlag
  be32 block_high;
};
static_assert(sizeof(BlockTag) == 12 && OnDisk<BlockTag>);

}  // namespace vimg::jbd2

// JournalBuilder: small JBD2 journals in memory, block by block, right or wrong on purpose.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/memory_disk.h"
#include "fsdrivers/jbd2_log.h"

namespace vimg::test {

// A disk of 128 blocks of 1 KiB: the journal is blocks 0 to 31, the file system the rest.  The log
// begins with transaction 7 at block 1 of the journal and has no checksums.
class JournalBuilder {
 public:
  static constexpr std::uint32_t block_size = 1024;
  static constexpr std::uint32_t journal_blocks = 32;
  static constexpr std::uint32_t disk_blocks = 128;
  static constexpr std::uint32_t first_sequence = 7;

  JournalBuilder() : content_(std::size_t(disk_blocks) * block_size) {
    superblock.header = {jbd2::block_magic, jbd2::superblock_v2, 0};
    superblock.block_size = block_size;
    superblock.block_count = journal_blocks;
    superblock.first = 1;
    superblock.sequence = first_sequence;
    superblock.start = 1;
    superblock.checksum_type = jbd2::checksum_crc32c;
  }

  jbd2::Superblock superblock{};
  std::uint32_t position = 1;  // where the next block goes

  // A descriptor for `targets`, and for each a block full of `fill`.
  JournalBuilder& log(std::uint32_t sequence, const std::vector<std::uint32_t>& targets,
                      std::uint8_t fill) {
    std::size_t at = begin(jbd2::descriptor_block, sequence);
    for (std::size_t index = 0; index < targets.size(); ++index) {
      const bool last = index + 1 == targets.size();
      put(at, be32(targets[index]));
      put(at + 6, be16(std::uint16_t(last ? 0xA : 0x2)));
      at += 8;
    }
    for (std::size_t index = 0; index < targets.size(); ++index) {
      fill_block(advance(), fill);
    }
    return *this;
  }
  JournalBuilder& revoke(std::uint32_t sequence, const std::vector<std::uint32_t>& blocks) {
    return revoke(sequence, blocks, std::uint32_t(16 + 4 * blocks.size()));
  }
  JournalBuilder& revoke(std::uint32_t sequence, const std::vector<std::uint32_t>& blocks,
                         std::uint32_t used) {
    std::size_t at = begin(jbd2::revoke_block, sequence);
    put(at, be32(used));
    for (const std::uint32_t block : blocks) {
      put(at += 4, be32(block));
    }
    return *this;
  }
  JournalBuilder& commit(std::uint32_t sequence) {
    begin(jbd2::commit_block, sequence);
    return *this;
  }

  void fill_block(std::uint32_t block, std::uint8_t fill) {
    std::fill_n(content_.begin() + std::ptrdiff_t(block * block_size), block_size, std::byte(fill));
  }
  template <typename T>
  void put(std::size_t offset, const T& value) {
    store(content_, offset, value);
  }

  DiskPtr disk() {
    store(content_, 0, superblock);
    return make_memory_disk(content_);
  }
  static JournalBlocks blocks() { return JournalBlocks({{0, 0, journal_blocks}}); }
  static JournalLog open(DiskPtr disk) { return JournalLog(std::move(disk), block_size, blocks()); }
  JournalLog open() { return open(disk()); }

 private:
  std::uint32_t advance() {
    const std::uint32_t now = position;
    position = position + 1 == superblock.block_count ? superblock.first.value() : position + 1;
    return now;
  }
  std::size_t begin(std::uint32_t type, std::uint32_t sequence) {
    const std::size_t offset = std::size_t(advance()) * block_size;
    put(offset, jbd2::BlockHeader{jbd2::block_magic, type, sequence});
    return offset + sizeof(jbd2::BlockHeader);
  }

  std::vector<std::byte> content_;
};

}  // namespace vimg::test

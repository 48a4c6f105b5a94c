#include "fsdrivers/jbd2_log.h"

#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"

namespace vimg {
namespace {

constexpr const char* layer = "jbd2";
constexpr std::uint32_t default_fast_commit_blocks = 256;  // JBD2_DEFAULT_FAST_COMMIT_BLOCKS

// A v1 superblock ends before the features; what follows it is not to be believed.
jbd2::Superblock read_superblock(const Disk& disk, std::uint64_t offset) {
  auto superblock = read_object<jbd2::Superblock>(disk, offset);
  if (superblock.header.type != jbd2::superblock_v2) {
    superblock.compat = 0;
    superblock.incompat = 0;
    superblock.ro_compat = 0;
  }
  return superblock;
}

std::uint32_t checksum_of(jbd2::Superblock superblock) noexcept {
  superblock.checksum = 0;
  return ext4::crc32c(~0U, bytes_of(superblock));
}

void validate_features(const jbd2::Superblock& superblock) {
  const std::uint32_t unknown = superblock.incompat & ~jbd2::known_incompat;
  if (unknown != 0 || superblock.ro_compat != 0) {
    throw_unsupported(layer, fmt::format("unknown features: incompat {:#x}, ro_compat {:#x}",
                                         unknown, superblock.ro_compat.value()));
  }
  constexpr std::uint32_t both = jbd2::incompat_checksum_v2 | jbd2::incompat_checksum_v3;
  if ((superblock.incompat & both) == both) {
    throw_corrupt(layer, "superblock claims checksums v2 and v3 at once");
  }
  if ((superblock.incompat & both) != 0 && (superblock.compat & jbd2::compat_checksum) != 0) {
    throw_corrupt(layer, "superblock claims checksums v1 and a later version at once");
  }
}

void validate_checksum(const jbd2::Superblock& superblock) {
  constexpr std::uint32_t either = jbd2::incompat_checksum_v2 | jbd2::incompat_checksum_v3;
  if ((superblock.incompat & either) == 0) {
    return;
  }
  if (superblock.checksum_type != jbd2::checksum_crc32c) {
    throw_unsupported(layer, fmt::format("checksum type {}", superblock.checksum_type));
  }
  const std::uint32_t expected = checksum_of(superblock);
  if (superblock.checksum != expected) {
    throw_corrupt(layer, fmt::format("superblock checksum is {:#010x}, expected {:#010x}",
                                     superblock.checksum.value(), expected));
  }
}

}  // namespace

JournalLog::JournalLog(DiskPtr disk, std::uint32_t block_size, JournalBlocks blocks)
    : disk_(std::move(disk)),
      block_size_(block_size),
      blocks_(std::move(blocks)),
      superblock_(read_superblock(*disk_, blocks_.disk_block(0) * block_size)) {
  validate();
  lay_out();
  seed_ = ext4::crc32c(~0U, superblock_.uuid);
}

void JournalLog::validate() const {
  const std::uint32_t type = superblock_.header.type;
  if (superblock_.header.magic != jbd2::block_magic ||
      (type != jbd2::superblock_v1 && type != jbd2::superblock_v2)) {
    throw_corrupt(layer, fmt::format("no journal superblock: magic {:#x}, type {}",
                                     superblock_.header.magic.value(), type));
  }
  validate_features(superblock_);
  validate_checksum(superblock_);
  if (superblock_.block_size != block_size_) {
    throw_corrupt(layer, fmt::format("block size is {}, the file system's {}",
                                     superblock_.block_size.value(), block_size_));
  }
  if (superblock_.block_count > blocks_.count()) {
    throw_corrupt(layer, fmt::format("journal of {} blocks in a file of {}",
                                     superblock_.block_count.value(), blocks_.count()));
  }
}

// The fast commit area is at the end; one block is left out before it.
void JournalLog::lay_out() {
  end_ = superblock_.block_count;
  fast_commit_begin_ = superblock_.block_count;
  if (has_incompat(jbd2::incompat_fast_commit)) {
    const std::uint32_t given = superblock_.fast_commit_blocks;
    const std::uint32_t count = given != 0 ? given : default_fast_commit_blocks;
    end_ = count < end_ ? end_ - count : 0;
    fast_commit_begin_ = end_ + 1;
  }
  if (superblock_.first == 0 || superblock_.first >= end_) {
    throw_corrupt(layer, fmt::format("the log's first block is {}, its end {}",
                                     superblock_.first.value(), end_));
  }
  if (!empty() && (superblock_.start < superblock_.first || superblock_.start >= end_)) {
    throw_corrupt(layer, fmt::format("the log starts at block {}, outside [{}, {})",
                                     superblock_.start.value(), superblock_.first.value(), end_));
  }
}

std::uint32_t JournalLog::after(std::uint32_t position, std::uint64_t steps) const noexcept {
  return std::uint32_t(first() + (position - first() + steps) % length());
}

bool JournalLog::has_compat(std::uint32_t feature) const noexcept {
  return (superblock_.compat & feature) != 0;
}

bool JournalLog::has_incompat(std::uint32_t features) const noexcept {
  return (superblock_.incompat & features) != 0;
}

bool JournalLog::has_block_checksums() const noexcept {
  return has_incompat(jbd2::incompat_checksum_v2 | jbd2::incompat_checksum_v3);
}

void JournalLog::read(std::uint32_t position, Bytes out) const {
  disk_->read(blocks_.disk_block(position) * block_size_, out);
}

void JournalLog::begin_at(std::uint32_t sequence, std::uint32_t start) {
  superblock_.sequence = sequence;
  superblock_.start = start;
  write_superblock();
}

void JournalLog::mark_empty(std::uint32_t next) {
  superblock_.sequence = next;
  superblock_.start = 0;
  superblock_.error = 0;
  superblock_.incompat = superblock_.incompat & ~std::uint32_t(jbd2::incompat_fast_commit);
  superblock_.head = superblock_.first;
  write_superblock();
}

// What is beyond the fields of a v1 superblock is left alone.
void JournalLog::write_superblock() {
  const bool v2 = superblock_.header.type == jbd2::superblock_v2;
  if (has_block_checksums()) {
    superblock_.checksum = checksum_of(superblock_);
  }
  const std::size_t length = v2 ? sizeof superblock_ : offsetof(jbd2::Superblock, compat);
  disk_->write(blocks_.disk_block(0) * block_size_, bytes_of(superblock_).first(length));
}

}  // namespace vimg

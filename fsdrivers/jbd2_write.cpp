#include "fsdrivers/jbd2_write.h"

#include <algorithm>
#include <ctime>

#include "disk/checked.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/jbd2_scan.h"

namespace vimg {
namespace {

// How many blocks a descriptor can name when none carries a UUID.
std::uint64_t tags_per_descriptor(const JournalLog& log) noexcept {
  const std::size_t tail = log.has_block_checksums() ? jbd2::tail_size : 0;
  return (log.block_size() - sizeof(jbd2::BlockHeader) - tail) / tag_size(log);
}

class TransactionWriter {
 public:
  TransactionWriter(const JournalLog& log, Disk& disk, std::uint32_t position,
                    std::uint32_t sequence)
      : log_(log), disk_(disk), position_(position), sequence_(sequence) {}

  using Iterator = LogContent::const_iterator;
  void write_part(Iterator begin, Iterator end);
  void write_commit();

 private:
  void add_tag(Bytes tag, std::uint64_t target, ConstBytes data, std::uint32_t flags);
  void append(ConstBytes block);
  void seal(Bytes block) const;

  const JournalLog& log_;
  Disk& disk_;
  std::uint32_t position_;
  std::uint32_t sequence_;
  std::uint32_t sum_ = ~0U;  // v1: over all blocks but the commit block
};

// What is stored of a block: its beginning must not look like a block of the log's own.
std::vector<std::byte> escaped(const std::vector<std::byte>& data) {
  std::vector<std::byte> stored = data;
  if (load<be32>(data) == jbd2::block_magic) {
    store(stored, 0, be32(0));
  }
  return stored;
}

// One descriptor and the blocks it names.
void TransactionWriter::write_part(Iterator begin, Iterator end) {
  std::vector<std::byte> descriptor(log_.block_size());
  store(descriptor, 0, jbd2::BlockHeader{jbd2::block_magic, jbd2::descriptor_block, sequence_});
  Bytes rest = Bytes(descriptor).subspan(sizeof(jbd2::BlockHeader));
  std::vector<std::vector<std::byte>> stored;
  for (Iterator block = begin; block != end; ++block) {
    stored.push_back(escaped(block->second));
    const std::uint32_t last = std::next(block) == end ? std::uint32_t(jbd2::tag_last) : 0;
    const std::uint32_t form =
        stored.back() == block->second ? 0 : std::uint32_t(jbd2::tag_escaped);
    add_tag(rest, block->first, stored.back(), jbd2::tag_same_uuid | last | form);
    rest = rest.subspan(tag_size(log_));
  }
  seal(descriptor);
  append(descriptor);
  for (const auto& block : stored) {
    append(block);
  }
}

void TransactionWriter::add_tag(Bytes tag, std::uint64_t target, ConstBytes data,
                                std::uint32_t flags) {
  const be32 sequence = sequence_;
  const std::uint32_t sum =
      ext4::crc32c(ext4::crc32c(log_.checksum_seed(), bytes_of(sequence)), data);
  if (log_.has_incompat(jbd2::incompat_checksum_v3)) {
    store(tag, 0, jbd2::BlockTag3{std::uint32_t(target), flags, 0, sum});
  } else {
    store(tag, 0, be32(std::uint32_t(target)));
    store(tag, 4, be16(log_.has_block_checksums() ? std::uint16_t(sum) : std::uint16_t(0)));
    store(tag, 6, be16(std::uint16_t(flags)));
  }
  if (log_.has_incompat(jbd2::incompat_64bit)) {
    store(tag, 8, be32(std::uint32_t(target >> 32)));
  }
}

void TransactionWriter::seal(Bytes block) const {
  if (log_.has_block_checksums()) {
    store(block, block.size() - jbd2::tail_size, be32(ext4::crc32c(log_.checksum_seed(), block)));
  }
}

void TransactionWriter::append(ConstBytes block) {
  sum_ = ext4::crc32_be(sum_, block);
  disk_.write(log_.blocks().disk_block(position_) * log_.block_size(), block);
  position_ = log_.after(position_, 1);
}

void TransactionWriter::write_commit() {
  jbd2::CommitHeader commit{};
  commit.header = {jbd2::block_magic, jbd2::commit_block, sequence_};
  commit.seconds = std::uint64_t(std::time(nullptr));
  if (log_.has_compat(jbd2::compat_checksum)) {
    commit.checksum_type = jbd2::checksum_crc32;
    commit.checksum_size = sizeof(be32);
    commit.checksum[0] = sum_;
  }
  std::vector<std::byte> block(log_.block_size());
  store(block, 0, commit);
  if (log_.has_block_checksums()) {
    commit.checksum[0] = ext4::crc32c(log_.checksum_seed(), block);
    store(block, 0, commit);
  }
  append(block);
}

}  // namespace

std::uint64_t transaction_length(const JournalLog& log, std::uint64_t count) noexcept {
  return divide_up(count, tags_per_descriptor(log)) + count + 1;
}

void write_transaction(const JournalLog& log, Disk& disk, std::uint32_t position,
                       std::uint32_t sequence, const LogContent& content) {
  TransactionWriter writer(log, disk, position, sequence);
  const auto per_part = std::ptrdiff_t(tags_per_descriptor(log));
  for (auto begin = content.begin(); begin != content.end();) {
    const auto left = std::distance(begin, content.end());
    const auto end = std::next(begin, std::min(per_part, left));
    writer.write_part(begin, end);
    begin = end;
  }
  writer.write_commit();
}

}  // namespace vimg

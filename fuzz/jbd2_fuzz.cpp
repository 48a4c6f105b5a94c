// The journal of ext4: superblock, log, plan, replay and fast commits of one that is all of the
// disk.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_fast_commit.h"
#include "fsdrivers/jbd2_replay.h"
#include "fsdrivers/jbd2_scan.h"

namespace {

constexpr std::uint32_t block_size = 1024;
constexpr std::uint32_t max_blocks = 64;

// The checksum of the superblock is made right, so that the rest is reached.
void read_journal(std::vector<std::byte> content) {
  using namespace vimg;
  auto superblock = load<jbd2::Superblock>(content);
  superblock.checksum = 0;
  superblock.checksum = ext4::crc32c(~0U, bytes_of(superblock));
  store(content, 0, superblock);
  const std::uint64_t blocks = content.size() / block_size;
  content.resize(content.size() * 2);
  const DiskPtr disk = make_memory_disk(std::move(content));
  JournalLog log(disk, block_size, JournalBlocks({{0, 0, blocks}}));
  const LogScan scan = scan_log(log);
  scan_fast_commits(log, scan.next_sequence);
  replay(log, plan_replay(log, scan, blocks * 2), *disk);
  log.mark_empty(scan.next_sequence + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::size_t blocks = size / block_size;
  if (blocks == 0 || blocks > max_blocks) {
    return 0;
  }
  const auto bytes = std::as_bytes(std::span(data, blocks * block_size));
  try {
    read_journal({bytes.begin(), bytes.end()});
  } catch (const vimg::Error&) {
  }
  return 0;
}

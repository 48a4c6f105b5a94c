#include "fsdrivers/ext4_write_mmp.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <string>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_blocks.h"

namespace vimg::ext4 {
namespace {

// Spec: linux Documentation/filesystems/ext4/mmp.rst.
struct MmpBlock {
  le32 magic;
  le32 sequence;
  le64 time;
  std::array<char, 64> node;
  std::array<char, 32> device;
  le16 check_interval;
  le16 padding;
  std::array<le32, 226> unused;
  le32 checksum;
};
static_assert(sizeof(MmpBlock) == 1024 && OnDisk<MmpBlock>);

constexpr std::uint32_t mmp_magic = 0x004D4D50;
constexpr std::uint32_t sequence_clean = 0xFF4D4D50;
constexpr std::uint32_t sequence_in_use = 1;

void store_mmp(Change& change, std::uint64_t block, MmpBlock mmp) {
  mmp.time = std::uint64_t(std::time(nullptr));
  if (change.layout().has_metadata_checksums()) {
    const ConstBytes covered = bytes_of(mmp).first(offsetof(MmpBlock, checksum));
    mmp.checksum = crc32c(change.layout().checksum_seed, covered);
  }
  store(change.edit(block), 0, mmp);
}

}  // namespace

void take_mmp(Change& change) {
  const std::uint64_t block = change.super().mmp_block;
  if (!change.layout().has_incompat(incompat_mmp) || block == 0) {
    return;
  }
  check_blocks(change.layout(), block, 1);
  auto mmp = load<MmpBlock>(change.read(block));
  if (mmp.magic != mmp_magic) {
    throw_corrupt(layer, fmt::format("no multi-mount protection in block {:#x}", block));
  }
  if (mmp.sequence != sequence_clean) {
    const std::string node(mmp.node.begin(), std::find(mmp.node.begin(), mmp.node.end(), '\0'));
    throw_error(EBUSY, layer,
                fmt::format("in use by '{}', says its multi-mount protection (tune2fs -E clear_mmp "
                            "if that is not so)",
                            node));
  }
  mmp.sequence = sequence_in_use;
  constexpr std::string_view name = "vimgmount";
  mmp.node.fill('\0');
  std::copy(name.begin(), name.end(), mmp.node.begin());
  store_mmp(change, block, mmp);
}

void leave_mmp(Change& change) {
  const std::uint64_t block = change.super().mmp_block;
  if (!change.layout().has_incompat(incompat_mmp) || block == 0) {
    return;
  }
  auto mmp = load<MmpBlock>(change.read(block));
  mmp.sequence = sequence_clean;
  store_mmp(change, block, mmp);
}

}  // namespace vimg::ext4

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/overlay_disk.h"
#include "fsdrivers/driver.h"
#include "fsdrivers/ext4_filesystem.h"
#include "fsdrivers/ext4_options.h"
#include "fsdrivers/ext4_recovery.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_writer_open.h"

namespace vimg {
namespace {

// What replaying a journal may change: a journal is seldom larger, and mostly far from full.
constexpr std::uint64_t max_replayed_bytes = std::uint64_t{1} << 30;

struct Prepared {
  DiskPtr disk;
  std::vector<std::string> warnings;
};

// Says aloud that the end is missing; what lies there cannot be read, all else can.
void check_size(const Disk& disk, const ext4::Geometry& geometry, MountAccess access,
                std::vector<std::string>& warnings) {
  if (geometry.block_count <= disk.size() / geometry.block_size) {
    return;
  }
  const std::string message =
      fmt::format("the file system has {:#x} blocks of {} bytes, the disk only {:#x} bytes",
                  geometry.block_count, geometry.block_size, disk.size());
  if (access == MountAccess::read_write) {
    throw_corrupt(ext4::layer, message);
  }
  warnings.push_back(message);
}

// The journal is replayed into memory when the disk is not to be written.
void recover(Prepared& prepared, MountAccess access) {
  if (access == MountAccess::read_only) {
    prepared.disk = make_memory_overlay(std::move(prepared.disk), max_replayed_bytes);
  }
  const RecoveryReport report = recover_ext4(prepared.disk);
  for (std::string& sentence : describe(report)) {
    prepared.warnings.push_back(std::move(sentence));
  }
}

Prepared prepare(DiskPtr disk, const ext4::Options& options, MountAccess access) {
  Prepared prepared{std::move(disk), {}};
  const ext4::Superblock superblock =
      ext4::read_superblock(*prepared.disk, options.superblock_offset);
  const ext4::Geometry geometry = ext4::validate(superblock, options.superblock_offset);
  check_size(*prepared.disk, geometry, access, prepared.warnings);
  if (options.superblock_offset != ext4::superblock_offset) {
    prepared.warnings.emplace_back("a copy of the superblock is used; the journal is not replayed");
  } else if (options.recovery == ext4::Recovery::skip) {
    if (ext4::has_incompat(superblock, ext4::incompat_recover)) {
      if (access == MountAccess::read_write) {
        throw_error(EINVAL, ext4::layer, "cannot be written before its journal is replayed");
      }
      prepared.warnings.emplace_back("the journal is not replayed, as was asked for");
    }
  } else if (ext4_needs_recovery(*prepared.disk)) {
    recover(prepared, access);
  }
  return prepared;
}

std::optional<FileSystemIdentity> probe(const Disk& disk) {
  if (!fits(ext4::superblock_offset, sizeof(ext4::Superblock), disk.size())) {
    return std::nullopt;
  }
  const auto superblock = read_object<ext4::Superblock>(disk, ext4::superblock_offset);
  if (superblock.magic != ext4::superblock_magic) {
    return std::nullopt;
  }
  return ext4::identity_of(superblock);
}

std::unique_ptr<FileSystem> open(DiskPtr disk, const FileSystemOptions& options) {
  const ext4::Options parsed = ext4::parse_options(options.options);
  Prepared prepared = prepare(std::move(disk), parsed, options.access);
  if (options.access == MountAccess::read_write) {
    return ext4::open_writable(prepared.disk, parsed, std::move(prepared.warnings));
  }
  return std::make_unique<Ext4FileSystem>(std::move(prepared.disk), parsed, options.access,
                                          std::move(prepared.warnings));
}

}  // namespace

extern const FileSystemDriver ext4_driver;
const FileSystemDriver ext4_driver{"ext4", "ext2, ext3 and ext4", probe, open};

}  // namespace vimg

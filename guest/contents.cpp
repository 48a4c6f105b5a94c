#include "guest/contents.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "disk/error.h"

namespace vimg {
namespace {

// File systems that leave the sectors of a partition table free, so that a disk can hold both.
bool tolerates_table(const FileSystemIdentity& identity) {
  return identity.type == "iso9660" || identity.type == "udf";
}

// File systems whose boot sector ends with an MBR's signature: what lies where the entries would be
// is boot code.  libblkid asks the same before it believes in a table (partitions/dos.c).
bool owns_boot_sector(const FileSystemIdentity& identity) {
  constexpr std::array<std::string_view, 4> types{"vfat", "msdos", "exfat", "ntfs"};
  return std::ranges::find(types, identity.type) != types.end();
}

// True when the partitions are real, and not left over or boot code.
bool table_rules(const Contents& contents) {
  if (!contents.table || contents.table->partitions.empty()) {
    return false;
  }
  return contents.table->scheme != "dos" || !contents.filesystem ||
         !owns_boot_sector(contents.filesystem->identity);
}

// What `action` returns; nothing when it throws, which is a problem.
template <typename Action>
auto attempt(std::vector<std::string>& problems, Action&& action) -> decltype(action()) {
  try {
    return action();
  } catch (const Error& error) {
    problems.emplace_back(error.what());
    return {};
  }
}

void keep_table(Contents& contents) {
  contents.pv.reset();
  if (contents.filesystem && !tolerates_table(contents.filesystem->identity)) {
    contents.filesystem.reset();
  }
}

void keep_best_signature(Contents& contents) {
  if (contents.pv) {
    contents.filesystem.reset();
  }
  if (contents.pv || contents.filesystem) {
    contents.table.reset();
  }
}

}  // namespace

void keep_what_rules(Contents& contents) {
  if (table_rules(contents)) {
    keep_table(contents);
  } else {
    keep_best_signature(contents);
  }
}

Contents look_into(const Disk& disk, Tables tables) {
  Contents contents;
  contents.filesystem = attempt(contents.problems, [&] { return probe_filesystem(disk); });
  contents.pv = attempt(contents.problems, [&] { return read_physical_volume(disk); });
  std::vector<std::string> table_problems;
  if (tables == Tables::read) {
    contents.table = attempt(table_problems, [&] { return read_partition_table(disk); });
  }
  keep_what_rules(contents);
  // A table that cannot be used is no loss where something else fills the disk.
  if (!contents.pv && !contents.filesystem) {
    std::ranges::move(table_problems, std::back_inserter(contents.problems));
  }
  return contents;
}

}  // namespace vimg

// Opens an image as ext2, ext3 or ext4 and reads all that a bounded walk reaches.
//
// An input is a sparse image of 1 MiB: its blocks of 1 KiB that are not zero, each after its number
// as a le32.  So the seeds, images made by mke2fs -b 1024 -d, are small.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "disk/endian.h"
#include "disk/error.h"
#include "disk/memory_disk.h"
#include "fsdrivers/driver.h"
#include "fuzz/ext4_records.h"

namespace {

using namespace vimg;

constexpr int max_inodes = 200;
constexpr int max_entries = 300;  // of one directory

// A list of one entry at a time goes on where the one before stopped.
std::vector<InodeNumber> children_of(const FileSystem& filesystem, InodeNumber directory) {
  std::vector<InodeNumber> children;
  std::uint64_t position = 0;
  bool more = true;
  for (int i = 0; more && i < max_entries; ++i) {
    more = false;
    filesystem.list(directory, position, [&](const DirectoryEntry& entry) {
      if (entry.next <= position || entry.name.empty()) {
        __builtin_trap();
      }
      position = entry.next;
      more = true;
      children.push_back(entry.inode);
      try_to([&] { filesystem.lookup(directory, entry.name); });
      return false;
    });
  }
  return children;
}

void read_content(const FileSystem& filesystem, const Attributes& attributes) {
  std::vector<std::byte> buffer(5000);
  for (const std::uint64_t offset : {std::uint64_t{0}, attributes.size / 2, attributes.size - 1}) {
    try_to([&] { filesystem.read(attributes.inode, offset, buffer); });
    try_to([&] { filesystem.seek(attributes.inode, offset, SeekTarget::data); });
    try_to([&] { filesystem.seek(attributes.inode, offset, SeekTarget::hole); });
  }
}

void read_inode(const FileSystem& filesystem, InodeNumber inode) {
  const Attributes attributes = filesystem.attributes(inode);
  try_to([&] { read_content(filesystem, attributes); });
  try_to([&] { filesystem.symlink_target(inode); });
  try_to([&] {
    for (const std::string& name : filesystem.xattr_names(inode)) {
      filesystem.xattr(inode, name);
    }
  });
}

void walk(const FileSystem& filesystem) {
  std::set<InodeNumber> seen{filesystem.root()};
  std::vector<InodeNumber> todo{filesystem.root()};
  while (!todo.empty() && seen.size() < max_inodes) {
    const InodeNumber inode = todo.back();
    todo.pop_back();
    try_to([&] { read_inode(filesystem, inode); });
    try_to([&] {
      for (const InodeNumber child : children_of(filesystem, inode)) {
        if (seen.insert(child).second) {
          todo.push_back(child);
        }
      }
    });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > max_input) {
    return -1;
  }
  const DiskPtr disk = unpack(std::as_bytes(std::span(data, size)));
  try_to([&] {
    const FileSystemDriver* const driver = find_filesystem_driver("ext4");
    driver->probe(*disk);
    const auto filesystem = driver->open(disk, {MountAccess::read_only, {"noload"}});
    filesystem->info();
    try_to([&] { filesystem->statistics(); });
    walk(*filesystem);
  });
  return 0;
}

// Opens an image as ext2, ext3 or ext4 for writing and does a little of everything in it.
//
// Inputs are those of ext4_fuzz.cpp: the blocks of 1 KiB that are not zero, each after its number.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "disk/endian.h"
#include "disk/error.h"
#include "disk/memory_disk.h"
#include "fsdrivers/driver.h"
#include "fuzz/ext4_records.h"

namespace {

using namespace vimg;

constexpr int max_inodes = 40;
constexpr int operation_count = 60;

struct Name {
  InodeNumber directory;
  std::string text;
  InodeNumber inode;
};

std::vector<Name> names_of(const FileSystem& filesystem) {
  std::vector<Name> names{{filesystem.root(), "new", filesystem.root()}};
  for (std::size_t index = 0; index < names.size() && names.size() < max_inodes; ++index) {
    const InodeNumber directory = names[index].inode;
    try_to([&] {
      filesystem.list(directory, 0, [&](const DirectoryEntry& entry) {
        names.push_back({directory, std::string(entry.name), entry.inode});
        return names.size() < max_inodes;
      });
    });
  }
  return names;
}

class Operations {
 public:
  explicit Operations(FileSystem& filesystem, unsigned seed)
      : writer_(*filesystem.writer()), names_(names_of(filesystem)), random_(seed) {}

  void one() {
    const Name name = any();
    const Name other = any();
    const std::string added = "name" + std::to_string(below(1000)) + std::string(below(100), 'n');
    switch (below(10)) {
      case 0:
        writer_.create(name.inode, added, {S_IFREG | 0644, 1, 1});
        break;
      case 1:
        writer_.make_directory(name.directory, added, {S_IFDIR | 0755, 1, 1});
        break;
      case 2:
        writer_.link(name.inode, other.directory, added);
        break;
      case 3:
        writer_.unlink(name.directory, name.text);
        break;
      case 4:
        writer_.remove_directory(name.directory, name.text);
        break;
      case 5:
        writer_.rename(name.directory, name.text, other.directory, other.text,
                       RenameMode(below(4)));
        break;
      case 6:
        writer_.write(name.inode, below(40'000), std::vector<std::byte>(below(9'000)));
        break;
      case 7:
        writer_.fallocate(name.inode, FallocateMode(below(7)), below(40) * 1024, below(20) * 1024);
        break;
      case 8:
        resize(name.inode);
        break;
      default:
        writer_.set_xattr(name.inode, "user." + added, std::vector<std::byte>(below(600)),
                          XattrMode::set);
    }
    writer_.release(name.inode);
  }

 private:
  unsigned below(unsigned limit) { return unsigned(random_() % limit); }
  const Name& any() { return names_[below(unsigned(names_.size()))]; }
  void resize(InodeNumber inode) {
    AttributeChange change;
    change.size = below(50'000);
    change.permissions = 0600;
    writer_.change(inode, change);
  }

  WritableFileSystem& writer_;
  const std::vector<Name> names_;
  std::minstd_rand random_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > max_input) {
    return -1;
  }
  const ConstBytes input = std::as_bytes(std::span(data, size));
  const DiskPtr disk = unpack(input);
  try_to([&] {
    const auto filesystem =
        find_filesystem_driver("ext4")->open(disk, {MountAccess::read_write, {}});
    const unsigned seed = size < 8 ? 1 : unsigned(load<le32>(input, size - 4).value());
    Operations operations(*filesystem, seed);
    for (int count = 0; count < operation_count; ++count) {
      try_to([&] { operations.one(); });
    }
    filesystem->writer()->finish();
  });
  return 0;
}

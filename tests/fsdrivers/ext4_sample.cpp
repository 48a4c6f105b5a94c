#include "tests/fsdrivers/ext4_sample.h"

#include <algorithm>
#include <stdexcept>

#include "disk/memory_disk.h"
#include "tests/support/host.h"

namespace vimg::test {

using ext4::GroupDescriptor;
using ext4::RawInode;
using ext4::Superblock;

Ext4Sample::Ext4Sample(const std::string& options, const std::string& size,
                       const std::string& fill) {
  const TemporaryDirectory directory;
  const std::string root = directory / "root";
  const std::string image = directory / "image";
  must_run("mkdir '" + root + "' && cd '" + root + "' && { " + (fill.empty() ? ":" : fill) + "; }");
  must_run("truncate -s " + size + " '" + image + "' && mke2fs -q -F " + options + " -d '" + root +
           "' '" + image + "'");
  bytes_ = read_file(image);
}

Superblock Ext4Sample::superblock() const { return get<Superblock>(ext4::superblock_offset); }

void Ext4Sample::set_superblock(const Superblock& superblock) {
  put(ext4::superblock_offset, superblock);
}

std::uint32_t Ext4Sample::block_size() const { return 1024U << superblock().log_block_size; }

std::uint32_t Ext4Sample::inode_number(const std::string& path) const {
  const TemporaryDirectory directory;
  write_file(directory / "image", bytes_);
  const std::string output =
      must_run("debugfs -R 'stat " + path + "' " + (directory / "image") + " 2>/dev/null");
  const std::size_t place = output.find("Inode: ");
  if (place == std::string::npos) {
    throw std::runtime_error("no inode for " + path);
  }
  return std::uint32_t(std::stoul(output.substr(place + 7)));
}

std::uint64_t Ext4Sample::inode_offset(std::uint32_t number) const {
  const Superblock found = superblock();
  const std::uint64_t size = (found.feature_incompat & ext4::incompat_64bit) != 0
                                 ? std::uint64_t{found.descriptor_size}
                                 : 32;
  const std::uint32_t group = (number - 1) / found.inodes_per_group;
  const std::uint64_t table = (found.first_data_block + 1) * std::uint64_t{block_size()};
  const std::uint64_t first = get<le32>(table + group * size + 8);
  return first * block_size() +
         std::uint64_t{(number - 1) % found.inodes_per_group} * found.inode_size;
}

RawInode Ext4Sample::inode(std::uint32_t number) const {
  RawInode raw{};
  const std::size_t size = std::min<std::size_t>(superblock().inode_size, sizeof(raw));
  std::copy_n(bytes_.begin() + std::ptrdiff_t(inode_offset(number)), size,
              writable_bytes_of(raw).begin());
  return raw;
}

void Ext4Sample::set_inode(std::uint32_t number, const RawInode& raw) {
  const std::size_t size = std::min<std::size_t>(superblock().inode_size, sizeof(raw));
  std::copy_n(bytes_of(raw).begin(), size, bytes_.begin() + std::ptrdiff_t(inode_offset(number)));
}

std::uint64_t Ext4Sample::block_of(std::uint32_t number, std::uint64_t logical) const {
  const TemporaryDirectory directory;
  write_file(directory / "image", bytes_);
  return std::stoull(must_run("debugfs -R 'bmap <" + std::to_string(number) + "> " +
                              std::to_string(logical) + "' " + (directory / "image") +
                              " 2>/dev/null"));
}

void Ext4Sample::debugfs(const std::string& command) {
  const TemporaryDirectory directory;
  write_file(directory / "image", bytes_);
  must_run("debugfs -w -R '" + command + "' " + (directory / "image") + " 2>/dev/null");
  bytes_ = read_file(directory / "image");
}

DiskPtr Ext4Sample::disk() const { return make_memory_disk(bytes_); }

std::unique_ptr<FileSystem> Ext4Sample::open(std::vector<std::string> options) const {
  return find_filesystem_driver("ext4")->open(disk(), {MountAccess::read_only, std::move(options)});
}

}  // namespace vimg::test

// Ext4Sample: a small image made by mke2fs in memory, to be broken in one place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "disk/disk.h"
#include "disk/endian.h"
#include "disk/error.h"
#include "fsdrivers/driver.h"
#include "fsdrivers/ext4_format.h"

namespace vimg::test {

// "mke2fs -d" with `fill`, a shell command that runs in the directory that becomes the root.
// Needs mke2fs.  For structures to be broken, switch the checksums off: "-O ^metadata_csum".
class Ext4Sample {
 public:
  Ext4Sample(const std::string& options, const std::string& size, const std::string& fill);

  std::vector<std::byte>& bytes() noexcept { return bytes_; }
  ext4::Superblock superblock() const;
  void set_superblock(const ext4::Superblock& superblock);
  std::uint32_t block_size() const;

  // Of the inode that `path` (absolute) leads to, by debugfs.
  std::uint32_t inode_number(const std::string& path) const;
  // Where the inode lies, in bytes.
  std::uint64_t inode_offset(std::uint32_t number) const;
  ext4::RawInode inode(std::uint32_t number) const;
  void set_inode(std::uint32_t number, const ext4::RawInode& inode);
  // The block that holds the logical block of the inode.
  std::uint64_t block_of(std::uint32_t number, std::uint64_t logical) const;

  template <OnDisk T>
  T get(std::uint64_t offset) const {
    return load<T>(bytes_, offset);
  }
  template <OnDisk T>
  void put(std::uint64_t offset, const T& value) {
    store(Bytes(bytes_), offset, value);
  }
  // Runs one command of debugfs, such as "sif /file size 7", on the image.
  void debugfs(const std::string& command);

  DiskPtr disk() const;
  std::unique_ptr<FileSystem> open(std::vector<std::string> options = {}) const;

 private:
  std::vector<std::byte> bytes_;
};

// The message and the errno of the Error that `action` throws: "117 ext4: …"; "" when none.
template <typename Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return std::to_string(error.code()) + " " + error.what();
  }
  return "";
}

}  // namespace vimg::test

// Ext4Image: an ext file system made by mke2fs, opened for writing, judged by e2fsck.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "disk/disk.h"
#include "fsdrivers/filesystem.h"
#include "tests/support/host.h"

namespace vimg::test {

// An image in memory.  Without mke2fs all is skipped by the tests themselves.
class Ext4Image {
 public:
  // `options` are mke2fs's, "-t ext4 -O ^metadata_csum"; the size is in MiB.
  explicit Ext4Image(const std::string& options, unsigned size_mib = 16);

  // The image that is in the file `path` now, for what another program has changed in it.  `other`
  // keeps the file.
  Ext4Image(const Ext4Image& other, std::string path);

  FileSystem& fs() { return *fs_; }
  WritableFileSystem& writer() { return *fs_->writer(); }
  InodeNumber root() { return fs_->root(); }
  const DiskPtr& disk() const noexcept { return disk_; }
  // Puts another Disk in between from the next open on.
  void wrap(DiskPtr disk) { disk_ = std::move(disk); }
  void open();
  // finish(), and the image goes to the file; the file system is closed.
  void close();
  // The image as it is now goes to the file.
  void save();
  const std::string& path() const noexcept { return path_; }
  // close() when open; what e2fsck -fn says, empty when it is clean.
  std::string fsck();

  Attributes make(InodeNumber directory, std::string_view name, mode_t mode = S_IFREG | 0644);
  InodeNumber make_directory(InodeNumber directory, std::string_view name);
  // create() and write().
  InodeNumber put(InodeNumber directory, std::string_view name, std::string_view content);
  std::string content(InodeNumber file);
  InodeNumber find(std::string_view path);

 private:
  TemporaryDirectory directory_;
  std::string path_;
  DiskPtr disk_;
  std::unique_ptr<FileSystem> fs_;
};

}  // namespace vimg::test

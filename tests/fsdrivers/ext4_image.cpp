#include "tests/fsdrivers/ext4_image.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "disk/memory_disk.h"
#include "fsdrivers/driver.h"

namespace vimg::test {

Ext4Image::Ext4Image(const std::string& options, unsigned size_mib)
    : path_(directory_ / "image.raw") {
  must_run("truncate -s " + std::to_string(size_mib) + "M " + path_ + " && mke2fs -q -F " +
           options + " " + path_);
  disk_ = make_memory_disk(read_file(path_));
  open();
}

Ext4Image::Ext4Image(const Ext4Image&, std::string path)
    : path_(std::move(path)), disk_(make_memory_disk(read_file(path_))) {
  open();
}

void Ext4Image::open() {
  FileSystemOptions options;
  options.access = MountAccess::read_write;
  fs_ = find_filesystem_driver("ext4")->open(disk_, options);
}

void Ext4Image::close() {
  if (fs_) {
    writer().finish();
    fs_.reset();
  }
  save();
}

void Ext4Image::save() {
  std::vector<std::byte> content(disk_->size());
  disk_->read(0, content);
  write_file(path_, content);
}

std::string Ext4Image::fsck() {
  close();
  const CommandResult result = run("e2fsck -fn " + path_);
  return result.exit_code == 0 ? std::string() : result.output;
}

Attributes Ext4Image::make(InodeNumber directory, std::string_view name, mode_t mode) {
  return writer().create(directory, name, {mode, 0, 0});
}

InodeNumber Ext4Image::make_directory(InodeNumber directory, std::string_view name) {
  return writer().make_directory(directory, name, {S_IFDIR | 0755, 0, 0}).inode;
}

InodeNumber Ext4Image::put(InodeNumber directory, std::string_view name, std::string_view content) {
  const InodeNumber file = make(directory, name).inode;
  writer().write(file, 0, bytes_of(content));
  return file;
}

std::string Ext4Image::content(InodeNumber file) {
  std::string text(fs().attributes(file).size, '\0');
  const std::size_t count =
      fs().read(file, 0, std::as_writable_bytes(std::span(text.data(), text.size())));
  text.resize(count);
  return text;
}

InodeNumber Ext4Image::find(std::string_view path) {
  InodeNumber at = root();
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const auto next = fs().lookup(at, path.substr(0, end));
    if (!next) {
      throw std::runtime_error("no " + std::string(path));
    }
    at = *next;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return at;
}

}  // namespace vimg::test

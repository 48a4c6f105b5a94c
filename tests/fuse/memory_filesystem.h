// MemoryFileSystem: a writable file system in memory, as a test double.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "fsdrivers/filesystem.h"

namespace vimg::test {

// Does what a kernel's file system does as far as a mount can tell.  Counts what is asked of it.
class MemoryFileSystem final : public FileSystem, public WritableFileSystem {
 public:
  static constexpr InodeNumber root_inode = 2;

  MemoryFileSystem();

  FileSystemInfo info() const override;
  FileSystemStatistics statistics() const override;
  InodeNumber root() const noexcept override { return root_inode; }
  Attributes attributes(InodeNumber inode) const override;
  std::optional<InodeNumber> lookup(InodeNumber directory, std::string_view name) const override;
  void list(InodeNumber directory, std::uint64_t position,
            const std::function<bool(const DirectoryEntry&)>& visit) const override;
  std::size_t read(InodeNumber file, std::uint64_t offset, Bytes out) const override;
  std::optional<std::uint64_t> seek(InodeNumber file, std::uint64_t offset,
                                    SeekTarget target) const override;
  std::string symlink_target(InodeNumber link) const override;
  std::vector<std::string> xattr_names(InodeNumber inode) const override;
  std::optional<std::vector<std::byte>> xattr(InodeNumber inode,
                                              std::string_view name) const override;
  WritableFileSystem* writer() noexcept override { return read_only ? nullptr : this; }

  Attributes create(InodeNumber directory, std::string_view name, const NewFile& file) override;
  Attributes make_directory(InodeNumber directory, std::string_view name,
                            const NewFile& file) override;
  Attributes make_symlink(InodeNumber directory, std::string_view name, std::string_view target,
                          uid_t uid, gid_t gid) override;
  Attributes link(InodeNumber inode, InodeNumber directory, std::string_view name) override;
  void unlink(InodeNumber directory, std::string_view name) override;
  void remove_directory(InodeNumber directory, std::string_view name) override;
  void rename(InodeNumber from_directory, std::string_view from_name, InodeNumber to_directory,
              std::string_view to_name, RenameMode mode) override;
  void write(InodeNumber file, std::uint64_t offset, ConstBytes data, TimeUpdate times) override;
  void fallocate(InodeNumber file, FallocateMode mode, std::uint64_t offset, std::uint64_t length,
                 TimeUpdate times) override;
  Attributes change(InodeNumber inode, const AttributeChange& change) override;
  void set_xattr(InodeNumber inode, std::string_view name, ConstBytes value,
                 XattrMode mode) override;
  void remove_xattr(InodeNumber inode, std::string_view name) override;
  void release(InodeNumber inode) override;
  void flush() override;
  void finish() override;

  // For tests.
  bool read_only = false;
  unsigned flushes = 0;
  unsigned finishes = 0;
  // Inodes that lost their last name and were not released yet.
  std::set<InodeNumber> orphans() const;
  std::size_t inode_count() const;

 private:
  struct Entry {
    std::string name;
    InodeNumber inode;
  };
  struct Node {
    Attributes attributes;
    std::vector<std::byte> content;
    std::string target;
    InodeNumber parent = root_inode;
    std::map<std::uint64_t, Entry> entries;  // by position, which only grows
    std::map<std::string, std::vector<std::byte>, std::less<>> xattrs;
  };

  Node& node(InodeNumber inode);
  const Node& node(InodeNumber inode) const;
  Node& directory(InodeNumber inode);
  const Node& directory(InodeNumber inode) const;
  std::map<std::uint64_t, Entry>::iterator find(Node& node, std::string_view name);
  Node& add(InodeNumber parent, std::string_view name, const NewFile& file);
  void add_entry(Node& parent, std::string_view name, InodeNumber inode);
  void drop_entry(InodeNumber parent, std::string_view name);
  void exchange(InodeNumber from_directory, std::string_view from_name, InodeNumber to_directory,
                std::string_view to_name);

  mutable std::recursive_mutex mutex_;  // guards all below
  std::map<InodeNumber, Node> nodes_;
  InodeNumber next_inode_ = root_inode;
  std::uint64_t next_position_ = 3;  // 1 is "." and 2 ".."
};

}  // namespace vimg::test

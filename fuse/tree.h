// Tree: what the mount shows where: virtual directories, volumes as files, views of file systems.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/view.h"
#include "fuse/virtual_node.h"

namespace vimg {

// Built by one thread, then only read by many.
class Tree {
 public:
  // A file of the mount.  Exactly one of the pointers is set.
  struct Place {
    const VirtualNode* virtual_node = nullptr;
    const View* view = nullptr;
    InodeNumber inode = 0;
  };

  Tree();

  // Served as long as the Tree lives.
  ServedFileSystem& add_filesystem(ServedFileSystem::Source source);
  // Throws Error(EOVERFLOW) beyond view_limit views.
  View& add_view(ServedFileSystem& filesystem);
  View& view(std::uint32_t index) noexcept { return views_[index]; }
  // Makes `node`, whose kind is not directory, at `path` ("volumes/vg0/root"), and the directories
  // on the way.  A name that is taken gets "@2", "@3" … behind it.
  void add(std::string_view path, VirtualNode node);
  void add_directory(std::string_view path);
  // The mount's own directory is the top of `view`, and no virtual node is seen.
  void show_at_root(const View& view) noexcept { root_view_ = &view; }

  bool has_virtual_nodes() const noexcept { return root_view_ == nullptr; }
  // Throws Error(ESTALE) for a number that was never given.
  Place place(NodeId node) const;
  NodeId node(const View& view, InodeNumber inode, mode_t type) const;
  NodeId node(const VirtualNode& node) const noexcept;
  // What a user sees as the inode number: unique in the whole mount, so that tar does not take two
  // file systems' files for one; that of the file system itself at the mount's own directory.
  std::uint64_t shown_inode(const View& view, InodeNumber inode) const noexcept;

  const VirtualNode* child(const VirtualNode& directory, std::string_view name) const noexcept;
  const VirtualNode& virtual_node(std::size_t index) const noexcept { return nodes_[index]; }
  // The view mounted on that directory; nullptr when none is.
  const View* crossing(const View& view, InodeNumber directory) const noexcept;
  const View& view(std::uint32_t index) const noexcept { return views_[index]; }
  std::deque<ServedFileSystem>& filesystems() noexcept { return filesystems_; }

 private:
  std::size_t find_or_add_directory(std::size_t parent, std::string_view name);
  std::size_t append(VirtualNode node);
  std::string free_name(std::size_t parent, std::string_view name) const;
  std::optional<std::size_t> find(std::size_t parent, std::string_view name) const noexcept;

  std::deque<ServedFileSystem> filesystems_;
  std::deque<View> views_;
  std::vector<VirtualNode> nodes_;  // [0] is the root
  const View* root_view_ = nullptr;
};

}  // namespace vimg

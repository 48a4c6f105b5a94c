#include "fuse/tree.h"

#include <sys/stat.h>

#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {
namespace {

constexpr char layer[] = "mount";

}  // namespace

Tree::Tree() { nodes_.push_back({.kind = VirtualKind::directory}); }

ServedFileSystem& Tree::add_filesystem(ServedFileSystem::Source source) {
  return filesystems_.emplace_back(std::move(source));
}

View& Tree::add_view(ServedFileSystem& filesystem) {
  if (views_.size() >= view_limit) {
    throw_error(EOVERFLOW, layer, fmt::format("more than {} file systems", view_limit));
  }
  const auto index = std::uint32_t(views_.size());
  View view{.index = index, .file_index = index, .filesystem = &filesystem};
  for (View& other : views_) {
    if (other.filesystem == &filesystem) {
      view.file_index = other.file_index;
      view.shared = other.shared = true;
      break;
    }
  }
  return views_.emplace_back(std::move(view));
}

void Tree::add(std::string_view path, VirtualNode node) {
  std::size_t parent = 0;
  for (std::size_t slash; (slash = path.find('/')) != std::string_view::npos;) {
    parent = find_or_add_directory(parent, path.substr(0, slash));
    path.remove_prefix(slash + 1);
  }
  node.name = free_name(parent, path);
  node.parent = parent;
  append(std::move(node));
}

void Tree::add_directory(std::string_view path) { find_or_add_directory(0, path); }

std::size_t Tree::find_or_add_directory(std::size_t parent, std::string_view name) {
  const auto found = find(parent, name);
  if (found && nodes_[*found].kind == VirtualKind::directory) {
    return *found;
  }
  return append(
      {.kind = VirtualKind::directory, .name = free_name(parent, name), .parent = parent});
}

std::size_t Tree::append(VirtualNode node) {
  VirtualNode& parent = nodes_[node.parent];
  parent.children.push_back(nodes_.size());
  parent.child_by_name.emplace(node.name, nodes_.size());
  nodes_.push_back(std::move(node));
  return nodes_.size() - 1;
}

std::string Tree::free_name(std::size_t parent, std::string_view name) const {
  std::string candidate(name);
  for (unsigned number = 2; find(parent, candidate); ++number) {
    candidate = fmt::format("{}@{}", name, number);
  }
  return candidate;
}

std::optional<std::size_t> Tree::find(std::size_t parent, std::string_view name) const noexcept {
  const auto& names = nodes_[parent].child_by_name;
  const auto found = names.find(name);
  return found == names.end() ? std::nullopt : std::optional(found->second);
}

Tree::Place Tree::place(NodeId node) const {
  if (node == root_node && root_view_ != nullptr) {
    return {.view = root_view_, .inode = root_view_->top()};
  }
  if (is_virtual(node)) {
    if (node == 0 || node > nodes_.size()) {
      throw_error(ESTALE, layer, fmt::format("no node {}", node));
    }
    return {.virtual_node = &nodes_[node - 1]};
  }
  if (view_of(node) >= views_.size()) {
    throw_error(ESTALE, layer, fmt::format("no node {:#x}", node));
  }
  return {.view = &views_[view_of(node)], .inode = inode_of(node)};
}

NodeId Tree::node(const View& view, InodeNumber inode, mode_t type) const {
  if (&view == root_view_ && inode == view.top()) {
    return root_node;
  }
  return node_id(S_ISDIR(type) ? view.index : view.file_index, inode);
}

NodeId Tree::node(const VirtualNode& node) const noexcept {
  return NodeId(&node - nodes_.data()) + 1;
}

std::uint64_t Tree::shown_inode(const View& view, InodeNumber inode) const noexcept {
  return node_id(view.file_index, inode) - (has_virtual_nodes() ? 0 : inode_limit);
}

const VirtualNode* Tree::child(const VirtualNode& directory, std::string_view name) const noexcept {
  const auto found = find(std::size_t(&directory - nodes_.data()), name);
  return found ? &nodes_[*found] : nullptr;
}

const View* Tree::crossing(const View& view, InodeNumber directory) const noexcept {
  if (view.crossings.empty()) {
    return nullptr;
  }
  const auto found = view.crossings.find(directory);
  return found == view.crossings.end() ? nullptr : &views_[found->second];
}

}  // namespace vimg

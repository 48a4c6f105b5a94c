// NodeId: the number that FUSE knows a file by, made from a view and an inode number by arithmetic.
#pragma once

#include <cstdint>

#include "fsdrivers/filesystem.h"

namespace vimg {

using NodeId = std::uint64_t;

// The mount's own directory, whatever lies there.
constexpr NodeId root_node = 1;

// Inode numbers stay below this.
constexpr InodeNumber inode_limit = InodeNumber(1) << 48;

// View numbers stay below this, so that a NodeId has room for them.
constexpr std::uint32_t view_limit = 0xffff;

// Numbers below inode_limit are virtual nodes; above lie the files of the views.
constexpr bool is_virtual(NodeId node) noexcept { return node < inode_limit; }

constexpr NodeId node_id(std::uint32_t view, InodeNumber inode) noexcept {
  return (NodeId(view + 1) << 48) | inode;
}

// Of nodes that are not virtual.
constexpr std::uint32_t view_of(NodeId node) noexcept { return std::uint32_t(node >> 48) - 1; }
constexpr InodeNumber inode_of(NodeId node) noexcept { return node & (inode_limit - 1); }

}  // namespace vimg

#include "fsdrivers/ext4_write_inline.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_directory.h"
#include "fsdrivers/ext4_write_extents.h"
#include "fsdrivers/ext4_write_map.h"
#include "fsdrivers/ext4_write_xattr.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t inline_parent_size = 4;  // inline directories begin with their parent
constexpr std::size_t dot_size = 12;

std::vector<std::byte> copy_of(ConstBytes bytes) { return {bytes.begin(), bytes.end()}; }

// The inode keeps nothing of its data any more, and has an empty map.
void drop_inline_data(Change& change, InodeRecord& inode) {
  remove_stored_xattr(change, inode, {xattr_index_system, "data"});
  inode.clear_flag(inode_inline_data);
  inode.raw.block_map.fill(std::byte(0));
  if (change.layout().has_incompat(incompat_extents)) {
    make_extent_tree(inode);
  }
}

}  // namespace

InlineParts inline_parts(InodeRecord& inode) {
  return {Bytes(inode.raw.block_map), inline_data_value(inode.xattr_area())};
}

std::vector<std::byte> inline_content(const InodeRecord& inode) {
  InodeRecord copy = inode;
  const InlineParts parts = inline_parts(copy);
  std::vector<std::byte> content = copy_of(parts.first);
  content.insert(content.end(), parts.rest.begin(), parts.rest.end());
  content.resize(std::size_t(std::min<std::uint64_t>(size_of(inode), content.size())));
  return content;
}

void move_file_to_blocks(Change& change, InodeRecord& inode) {
  const Layout& layout = change.layout();
  const std::vector<std::byte> content = inline_content(inode);
  drop_inline_data(change, inode);
  // What an inode holds is less than a block.
  if (!content.empty()) {
    const MappedRun run = allocate_run(change, inode, 0, 1, RunState::written);
    std::vector<std::byte> block = content;
    block.resize(layout.block_size());
    change.write_blocks(run.physical, std::move(block));
  }
  set_size(inode, std::min<std::uint64_t>(size_of(inode), layout.block_size()));
}

void move_directory_to_block(Change& change, InodeRecord& directory) {
  const Layout& layout = change.layout();
  const RecordFormat format = record_format(layout);
  const InlineParts parts = inline_parts(directory);
  const std::uint32_t parent = load<le32>(parts.first);
  const std::vector<std::byte> first = copy_of(parts.first.subspan(inline_parent_size));
  const std::vector<std::byte> rest = copy_of(parts.rest);
  drop_inline_data(change, directory);
  set_size(directory, 0);
  make_first_block(change, directory, parent);
  const Bytes area =
      record_area(layout, change.edit(directory_block(change, directory, 0),
                                      directory.seal(layout, Seal::Kind::directory_leaf)));
  // The records keep their places and lengths, so that positions in a listing stay valid.
  set_record_length(format, area, dot_size, dot_size);
  std::copy(first.begin(), first.end(), area.begin() + 2 * dot_size);
  std::copy(rest.begin(), rest.end(), area.begin() + 2 * dot_size + std::ptrdiff_t(first.size()));
  const std::size_t end = 2 * dot_size + first.size() + rest.size();
  const ConstBytes filled = area.first(end);
  const auto last = find_record(format, filled, [&](const StoredRecord& record) {
    return record.offset + record.length == end;
  });
  if (!last) {
    throw_corrupt(layer, fmt::format("directory {}: inline records do not end", directory.number));
  }
  set_record_length(format, area, last->offset, area.size() - last->offset);
}

}  // namespace vimg::ext4

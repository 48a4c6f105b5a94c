#include "fsdrivers/ext4_write_xattr.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_blocks.h"
#include "fsdrivers/ext4_write_xattr_value.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t longest_name = 255;
constexpr std::size_t largest_value = 65536;  // XATTR_SIZE_MAX

struct Prefix {
  std::string_view text;
  std::uint8_t index;
};
constexpr std::array<Prefix, 6> prefixes{{{"user.", 1},
                                          {"system.posix_acl_access", 2},
                                          {"system.posix_acl_default", 3},
                                          {"trusted.", 4},
                                          {"security.", 6},
                                          {"gnu.", 10}}};

// The attributes of one inode while they are changed.
class XattrEditor {
 public:
  XattrEditor(Change& change, InodeRecord& inode);

  // nullptr when there is none.
  StoredXattr* find(XattrName name);
  void erase(XattrName name);
  // Puts it where there is room.  Throws Error(ENOSPC).
  void insert(const StoredXattr& attribute);
  void store();
  void drop();

 private:
  bool try_insert(const StoredXattr& attribute);
  bool fits_block(const XattrList& list) const;
  void store_block();
  void release_block();
  Seal seal() const { return {Seal::Kind::xattr_block, 0}; }

  Change& change_;
  InodeRecord& inode_;
  XattrList inside_, outside_;
  bool inside_changed_ = false;
  bool outside_changed_ = false;
  std::uint64_t block_;
  std::uint32_t references_ = 0;  // of the block
};

XattrEditor::XattrEditor(Change& change, InodeRecord& inode)
    : change_(change),
      inode_(inode),
      inside_(parse_inode_xattrs(inode.xattr_area())),
      block_(xattr_block_of(change.layout(), inode)) {
  if (block_ != 0) {
    check_blocks(change.layout(), block_, 1);
    const ConstBytes bytes = change.read(block_, seal());
    outside_ = parse_xattr_block(bytes);
    references_ = load<XattrHeader>(bytes).reference_count;
  }
}

StoredXattr* XattrEditor::find(XattrName name) {
  for (XattrList* list : {&inside_, &outside_}) {
    for (StoredXattr& attribute : *list) {
      if (attribute.index == name.index && attribute.name == name.rest) {
        return &attribute;
      }
    }
  }
  return nullptr;
}

void XattrEditor::erase(XattrName name) {
  const auto is_it = [&](const StoredXattr& attribute) {
    return attribute.index == name.index && attribute.name == name.rest;
  };
  for (XattrList* list : {&inside_, &outside_}) {
    const auto found = std::find_if(list->begin(), list->end(), is_it);
    if (found == list->end()) {
      continue;
    }
    const bool shared = list == &outside_ && references_ > 1;
    if (found->value_inode != 0 && shared) {
      uncount_value_inode(change_, inode_, *found);
    } else if (found->value_inode != 0) {
      drop_value_inode(change_, inode_, *found);
    }
    list->erase(found);
    (list == &inside_ ? inside_changed_ : outside_changed_) = true;
  }
}

bool XattrEditor::fits_block(const XattrList& list) const {
  std::vector<std::byte> scratch(change_.layout().block_size());
  return store_xattr_block(scratch, list);
}

bool XattrEditor::try_insert(const StoredXattr& attribute) {
  inside_.push_back(attribute);
  std::vector<std::byte> scratch(inode_.xattr_area().size());
  if (store_inode_xattrs(scratch, inside_)) {
    inside_changed_ = true;
    return true;
  }
  inside_.pop_back();
  outside_.push_back(attribute);
  if (fits_block(outside_)) {
    outside_changed_ = true;
    return true;
  }
  outside_.pop_back();
  return false;
}

void XattrEditor::insert(const StoredXattr& attribute) {
  if (try_insert(attribute)) {
    return;
  }
  if (!change_.layout().has_incompat(incompat_ea_inode) || attribute.value.empty()) {
    throw_error(ENOSPC, layer,
                fmt::format("inode {} has no room for the attribute", inode_.number));
  }
  // The entry alone may still not fit; the change is given up then, with the new inode in it.
  if (!try_insert(make_value_inode(change_, inode_, attribute))) {
    throw_error(ENOSPC, layer,
                fmt::format("inode {} has no room for the attribute", inode_.number));
  }
}

void XattrEditor::release_block() {
  const Layout& layout = change_.layout();
  if (references_ > 1) {
    const Bytes bytes = change_.edit(block_, seal());
    constexpr std::size_t place = offsetof(XattrHeader, reference_count);
    vimg::store(bytes, place, le32(references_ - 1));
  } else {
    change_.forget(block_);
    free_blocks(change_, block_, layout.blocks_per_cluster());
  }
  subtract_blocks(layout, inode_, layout.blocks_per_cluster());
  set_xattr_block(layout, inode_, 0);
  block_ = 0;
}

void XattrEditor::store_block() {
  const Layout& layout = change_.layout();
  if (block_ != 0 && (outside_.empty() || references_ > 1)) {
    // The copy that this inode gets refers to the values too.
    for (const StoredXattr& attribute : outside_) {
      if (attribute.value_inode != 0) {
        share_value_inode(change_, attribute);
      }
    }
    release_block();
  }
  if (outside_.empty()) {
    return;
  }
  if (block_ == 0) {
    const std::uint64_t goal = layout.first_block(layout.group_of_inode(inode_.number));
    const BlockRun run = allocate_blocks(change_, goal, GoalKind::nearby, 1);
    block_ = run.first;
    change_.create(block_, seal());
    add_blocks(layout, inode_, run.count);
    set_xattr_block(layout, inode_, block_);
    change_.edit_super().feature_compat = change_.super().feature_compat | compat_ext_attr;
  }
  store_xattr_block(change_.edit(block_, seal()), outside_);
}

void XattrEditor::store() {
  if (inside_changed_) {
    store_inode_xattrs(inode_.xattr_area(), inside_);
  }
  if (outside_changed_) {
    store_block();
  }
}

void XattrEditor::drop() {
  for (const StoredXattr& attribute : inside_) {
    if (attribute.value_inode != 0) {
      drop_value_inode(change_, inode_, attribute);
    }
  }
  for (const StoredXattr& attribute : outside_) {
    if (attribute.value_inode != 0 && references_ == 1) {
      drop_value_inode(change_, inode_, attribute);
    }
  }
  if (block_ != 0) {
    release_block();
  }
}

}  // namespace

XattrName xattr_name(std::string_view full_name) {
  for (const Prefix& prefix : prefixes) {
    if (full_name.substr(0, prefix.text.size()) != prefix.text) {
      continue;
    }
    const std::string_view rest = full_name.substr(prefix.text.size());
    const bool is_whole = prefix.text.back() != '.';
    if (is_whole != rest.empty()) {
      continue;
    }
    if (rest.size() > longest_name) {
      throw_error(ERANGE, layer, "the name of the attribute is too long");
    }
    return {prefix.index, rest};
  }
  throw_error(EOPNOTSUPP, layer, fmt::format("attributes like '{}' are not kept", full_name));
}

std::optional<std::vector<std::byte>> stored_xattr(Change& change, InodeRecord& inode,
                                                   XattrName name) {
  XattrEditor attributes(change, inode);
  const StoredXattr* found = attributes.find(name);
  if (found == nullptr) {
    return std::nullopt;
  }
  return found->value_inode != 0 ? read_value_inode(change, *found) : found->value;
}

void set_stored_xattr(Change& change, InodeRecord& inode, XattrName name, ConstBytes value,
                      XattrMode mode) {
  if (value.size() > largest_value) {
    throw_error(E2BIG, layer, "the value of the attribute is too large");
  }
  XattrEditor attributes(change, inode);
  const bool exists = attributes.find(name) != nullptr;
  if (exists && mode == XattrMode::create) {
    throw_error(EEXIST, layer, "the attribute exists");
  }
  if (!exists && mode == XattrMode::replace) {
    throw_error(ENODATA, layer, "the attribute does not exist");
  }
  attributes.erase(name);
  attributes.insert({name.index, std::string(name.rest), {value.begin(), value.end()}});
  attributes.store();
}

bool remove_stored_xattr(Change& change, InodeRecord& inode, XattrName name) {
  XattrEditor attributes(change, inode);
  if (attributes.find(name) == nullptr) {
    return false;
  }
  attributes.erase(name);
  attributes.store();
  return true;
}

void drop_xattrs(Change& change, InodeRecord& inode) {
  const bool has_block = xattr_block_of(change.layout(), inode) != 0;
  if (has_block || !parse_inode_xattrs(inode.xattr_area()).empty()) {
    XattrEditor(change, inode).drop();
  }
}

}  // namespace vimg::ext4

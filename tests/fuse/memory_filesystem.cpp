#include "tests/fuse/memory_filesystem.h"

#include <algorithm>
#include <cerrno>

#include "disk/error.h"

namespace vimg::test {
namespace {

constexpr char layer[] = "memory";

timespec now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return time;
}

}  // namespace

MemoryFileSystem::MemoryFileSystem() {
  Node& root = nodes_[next_inode_];
  root.attributes.inode = next_inode_++;
  root.attributes.mode = S_IFDIR | 0755;
  root.attributes.nlink = 2;
}

FileSystemInfo MemoryFileSystem::info() const { return {"memory", "label", "", "clean", {}, {}}; }

FileSystemStatistics MemoryFileSystem::statistics() const {
  return {.block_size = 4096,
          .blocks = 1000,
          .blocks_free = 600,
          .blocks_available = 500,
          .inodes = 100,
          .inodes_free = 100 - inode_count()};
}

Attributes MemoryFileSystem::attributes(InodeNumber inode) const {
  const std::lock_guard lock(mutex_);
  return node(inode).attributes;
}

std::optional<InodeNumber> MemoryFileSystem::lookup(InodeNumber parent,
                                                    std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const Node& found = directory(parent);
  if (name == "." || name == "..") {
    return name == "." ? parent : found.parent;
  }
  for (const auto& [position, entry] : found.entries) {
    if (entry.name == name) {
      return entry.inode;
    }
  }
  return std::nullopt;
}

void MemoryFileSystem::list(InodeNumber parent, std::uint64_t position,
                            const std::function<bool(const DirectoryEntry&)>& visit) const {
  const std::lock_guard lock(mutex_);
  const Node& found = directory(parent);
  if (position < 1 && !visit({".", parent, S_IFDIR, 1})) {
    return;
  }
  if (position < 2 && !visit({"..", found.parent, S_IFDIR, 2})) {
    return;
  }
  for (auto it = found.entries.upper_bound(position); it != found.entries.end(); ++it) {
    const mode_t type = node(it->second.inode).attributes.mode & S_IFMT;
    if (!visit({it->second.name, it->second.inode, type, it->first})) {
      return;
    }
  }
}

std::size_t MemoryFileSystem::read(InodeNumber file, std::uint64_t offset, Bytes out) const {
  const std::lock_guard lock(mutex_);
  const auto& content = node(file).content;
  if (offset >= content.size()) {
    return 0;
  }
  const std::size_t length = std::min(out.size(), content.size() - std::size_t(offset));
  std::copy_n(content.begin() + std::ptrdiff_t(offset), length, out.begin());
  return length;
}

std::optional<std::uint64_t> MemoryFileSystem::seek(InodeNumber file, std::uint64_t offset,
                                                    SeekTarget target) const {
  const std::lock_guard lock(mutex_);
  const std::size_t size = node(file).content.size();
  if (offset >= size) {
    return std::nullopt;
  }
  return target == SeekTarget::data ? offset : size;
}

std::string MemoryFileSystem::symlink_target(InodeNumber link) const {
  const std::lock_guard lock(mutex_);
  return node(link).target;
}

std::vector<std::string> MemoryFileSystem::xattr_names(InodeNumber inode) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, value] : node(inode).xattrs) {
    names.push_back(name);
  }
  return names;
}

std::optional<std::vector<std::byte>> MemoryFileSystem::xattr(InodeNumber inode,
                                                              std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto& xattrs = node(inode).xattrs;
  const auto found = xattrs.find(name);
  return found == xattrs.end() ? std::nullopt : std::optional(found->second);
}

Attributes MemoryFileSystem::create(InodeNumber parent, std::string_view name,
                                    const NewFile& file) {
  const std::lock_guard lock(mutex_);
  return add(parent, name, file).attributes;
}

Attributes MemoryFileSystem::make_directory(InodeNumber parent, std::string_view name,
                                            const NewFile& file) {
  const std::lock_guard lock(mutex_);
  Node& made = add(parent, name, file);
  made.attributes.nlink = 2;
  made.parent = parent;
  ++node(parent).attributes.nlink;
  return made.attributes;
}

Attributes MemoryFileSystem::make_symlink(InodeNumber parent, std::string_view name,
                                          std::string_view target, uid_t uid, gid_t gid) {
  const std::lock_guard lock(mutex_);
  Node& made = add(parent, name, {.mode = S_IFLNK | 0777, .uid = uid, .gid = gid});
  made.target = target;
  made.attributes.size = target.size();
  return made.attributes;
}

Attributes MemoryFileSystem::link(InodeNumber inode, InodeNumber parent, std::string_view name) {
  const std::lock_guard lock(mutex_);
  add_entry(directory(parent), name, inode);
  ++node(inode).attributes.nlink;
  return node(inode).attributes;
}

void MemoryFileSystem::unlink(InodeNumber parent, std::string_view name) {
  const std::lock_guard lock(mutex_);
  drop_entry(parent, name);
}

void MemoryFileSystem::remove_directory(InodeNumber parent, std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto inode = lookup(parent, name);
  if (inode && !directory(*inode).entries.empty()) {
    throw_error(ENOTEMPTY, layer, "directory");
  }
  drop_entry(parent, name);
}

void MemoryFileSystem::rename(InodeNumber from_directory, std::string_view from_name,
                              InodeNumber to_directory, std::string_view to_name, RenameMode mode) {
  const std::lock_guard lock(mutex_);
  if (mode == RenameMode::exchange) {
    exchange(from_directory, from_name, to_directory, to_name);
    return;
  }
  Node& from = directory(from_directory);
  const auto moved = find(from, from_name);
  if (moved == from.entries.end()) {
    throw_error(ENOENT, layer, "rename");
  }
  const InodeNumber inode = moved->second.inode;
  if (lookup(to_directory, to_name)) {
    if (mode == RenameMode::no_replace) {
      throw_error(EEXIST, layer, "rename");
    }
    drop_entry(to_directory, to_name);
  }
  from.entries.erase(moved);
  add_entry(directory(to_directory), to_name, inode);
  if (S_ISDIR(node(inode).attributes.mode)) {
    node(inode).parent = to_directory;
    --node(from_directory).attributes.nlink;
    ++node(to_directory).attributes.nlink;
  }
}

void MemoryFileSystem::write(InodeNumber file, std::uint64_t offset, ConstBytes data,
                             TimeUpdate times) {
  const std::lock_guard lock(mutex_);
  Node& written = node(file);
  const std::size_t end = std::size_t(offset) + data.size();
  written.content.resize(std::max(written.content.size(), end));
  std::copy(data.begin(), data.end(), written.content.begin() + std::ptrdiff_t(offset));
  written.attributes.size = written.content.size();
  if (times == TimeUpdate::now) {
    written.attributes.mtime = written.attributes.ctime = now();
  }
}

void MemoryFileSystem::fallocate(InodeNumber file, FallocateMode mode, std::uint64_t offset,
                                 std::uint64_t length, TimeUpdate) {
  const std::lock_guard lock(mutex_);
  Node& changed = node(file);
  const std::size_t end = std::size_t(offset + length);
  if (mode == FallocateMode::allocate || mode == FallocateMode::zero_range) {
    changed.content.resize(std::max(changed.content.size(), end));
    changed.attributes.size = changed.content.size();
  }
  if (mode != FallocateMode::allocate && mode != FallocateMode::allocate_keep_size) {
    const std::size_t stop = std::min(changed.content.size(), end);
    for (std::size_t i = std::size_t(offset); i < stop; ++i) {
      changed.content[i] = std::byte(0);
    }
  }
}

Attributes MemoryFileSystem::change(InodeNumber inode, const AttributeChange& change) {
  const std::lock_guard lock(mutex_);
  Node& changed = node(inode);
  Attributes& attributes = changed.attributes;
  if (change.permissions) {
    attributes.mode = (attributes.mode & S_IFMT) | *change.permissions;
  }
  attributes.uid = change.uid.value_or(attributes.uid);
  attributes.gid = change.gid.value_or(attributes.gid);
  attributes.atime = change.atime.value_or(attributes.atime);
  attributes.mtime = change.mtime.value_or(attributes.mtime);
  attributes.ctime = change.ctime.value_or(now());
  if (change.size) {
    changed.content.resize(std::size_t(*change.size));
    attributes.size = *change.size;
  }
  return attributes;
}

void MemoryFileSystem::set_xattr(InodeNumber inode, std::string_view name, ConstBytes value,
                                 XattrMode mode) {
  const std::lock_guard lock(mutex_);
  auto& xattrs = node(inode).xattrs;
  const bool there = xattrs.find(name) != xattrs.end();
  if (there && mode == XattrMode::create) {
    throw_error(EEXIST, layer, "xattr");
  }
  if (!there && mode == XattrMode::replace) {
    throw_error(ENODATA, layer, "xattr");
  }
  xattrs[std::string(name)] = std::vector<std::byte>(value.begin(), value.end());
}

void MemoryFileSystem::remove_xattr(InodeNumber inode, std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (node(inode).xattrs.erase(std::string(name)) == 0) {
    throw_error(ENODATA, layer, "xattr");
  }
}

void MemoryFileSystem::release(InodeNumber inode) {
  const std::lock_guard lock(mutex_);
  const auto found = nodes_.find(inode);
  if (found != nodes_.end() && found->second.attributes.nlink == 0) {
    nodes_.erase(found);
  }
}

void MemoryFileSystem::flush() {
  const std::lock_guard lock(mutex_);
  ++flushes;
}

void MemoryFileSystem::finish() {
  const std::lock_guard lock(mutex_);
  ++finishes;
}

std::set<InodeNumber> MemoryFileSystem::orphans() const {
  const std::lock_guard lock(mutex_);
  std::set<InodeNumber> result;
  for (const auto& [inode, found] : nodes_) {
    if (found.attributes.nlink == 0) {
      result.insert(inode);
    }
  }
  return result;
}

std::size_t MemoryFileSystem::inode_count() const {
  const std::lock_guard lock(mutex_);
  return nodes_.size();
}

MemoryFileSystem::Node& MemoryFileSystem::node(InodeNumber inode) {
  const auto found = nodes_.find(inode);
  if (found == nodes_.end()) {
    throw_error(ESTALE, layer, "no such inode");
  }
  return found->second;
}

const MemoryFileSystem::Node& MemoryFileSystem::node(InodeNumber inode) const {
  return const_cast<MemoryFileSystem*>(this)->node(inode);
}

MemoryFileSystem::Node& MemoryFileSystem::directory(InodeNumber inode) {
  Node& found = node(inode);
  if (!S_ISDIR(found.attributes.mode)) {
    throw_error(ENOTDIR, layer, "no directory");
  }
  return found;
}

const MemoryFileSystem::Node& MemoryFileSystem::directory(InodeNumber inode) const {
  return const_cast<MemoryFileSystem*>(this)->directory(inode);
}

std::map<std::uint64_t, MemoryFileSystem::Entry>::iterator MemoryFileSystem::find(
    Node& parent, std::string_view name) {
  return std::find_if(parent.entries.begin(), parent.entries.end(),
                      [&](const auto& entry) { return entry.second.name == name; });
}

MemoryFileSystem::Node& MemoryFileSystem::add(InodeNumber parent, std::string_view name,
                                              const NewFile& file) {
  add_entry(directory(parent), name, next_inode_);
  Node& made = nodes_[next_inode_];
  made.attributes.inode = next_inode_++;
  made.attributes.mode = file.mode;
  made.attributes.nlink = 1;
  made.attributes.uid = file.uid;
  made.attributes.gid = file.gid;
  made.attributes.device_major = file.device_major;
  made.attributes.device_minor = file.device_minor;
  made.attributes.atime = made.attributes.mtime = made.attributes.ctime = now();
  return made;
}

void MemoryFileSystem::add_entry(Node& parent, std::string_view name, InodeNumber inode) {
  if (find(parent, name) != parent.entries.end()) {
    throw_error(EEXIST, layer, "entry");
  }
  parent.entries[next_position_++] = {std::string(name), inode};
}

void MemoryFileSystem::drop_entry(InodeNumber parent, std::string_view name) {
  Node& holder = directory(parent);
  const auto found = find(holder, name);
  if (found == holder.entries.end()) {
    throw_error(ENOENT, layer, "entry");
  }
  Attributes& attributes = node(found->second.inode).attributes;
  if (S_ISDIR(attributes.mode)) {
    attributes.nlink = 0;
    --holder.attributes.nlink;
  } else {
    --attributes.nlink;
  }
  holder.entries.erase(found);
}

void MemoryFileSystem::exchange(InodeNumber from_directory, std::string_view from_name,
                                InodeNumber to_directory, std::string_view to_name) {
  Node& from = directory(from_directory);
  Node& to = directory(to_directory);
  const auto one = find(from, from_name);
  const auto other = find(to, to_name);
  if (one == from.entries.end() || other == to.entries.end()) {
    throw_error(ENOENT, layer, "exchange");
  }
  std::swap(one->second.inode, other->second.inode);
}

}  // namespace vimg::test

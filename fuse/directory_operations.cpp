#include <vector>

#include "fuse/attributes.h"
#include "fuse/guard.h"
#include "fuse/operations.h"
#include "fuse/thread_buffer.h"

namespace vimg {
namespace {

struct Entry {
  std::string name;
  InodeNumber inode;
  mode_t type;
  std::uint64_t next;
};

// An answer to readdir that grows until it is full.
class Listing {
 public:
  Listing(fuse_req_t request, std::size_t size) : request_(request), buffer_(thread_buffer(size)) {}

  // False: it does not fit.
  bool add(const char* name, const struct stat& status, std::uint64_t next) noexcept {
    return grown(fuse_add_direntry(request_, room(), room_size(), name, &status, off_t(next)));
  }
  bool add(const char* name, const fuse_entry_param& entry, std::uint64_t next) noexcept {
    return grown(fuse_add_direntry_plus(request_, room(), room_size(), name, &entry, off_t(next)));
  }
  void reply() noexcept { fuse_reply_buf(request_, text_of(buffer_).data(), used_); }

 private:
  char* room() noexcept { return reinterpret_cast<char*>(buffer_.data()) + used_; }
  std::size_t room_size() const noexcept { return buffer_.size() - used_; }
  bool grown(std::size_t needed) noexcept {
    if (needed > room_size()) {
      return false;
    }
    used_ += needed;
    return true;
  }

  fuse_req_t request_;
  Bytes buffer_;
  std::size_t used_ = 0;
};

// At least as many entries after `position` as an answer of `size` bytes has room for.  They are
// read before any is looked at, as the file system is not to be called from within its own list().
std::vector<Entry> entries_of(const View& view, InodeNumber directory, std::uint64_t position,
                              std::size_t size) {
  constexpr std::size_t bytes_beside_name = 24;  // struct fuse_dirent
  std::vector<Entry> entries;
  std::size_t used = 0;
  view.filesystem->reading().list(directory, position, [&](const DirectoryEntry& entry) {
    entries.push_back({std::string(entry.name), entry.inode, entry.type, entry.next});
    used += bytes_beside_name + entry.name.size();
    return used < size;
  });
  return entries;
}

bool is_dot(const std::string& name) noexcept { return name == "." || name == ".."; }

struct stat short_status(const MountState& mount, const View& view, const Entry& entry) {
  struct stat status {};
  status.st_ino = mount.tree.shown_inode(view, entry.inode);
  status.st_mode = entry.type;
  return status;
}

// The entry with all attributes.  Without a node, which the kernel takes as "look it up", when it
// is a dot or cannot be read: the lookup then says why.
fuse_entry_param full_entry(const MountState& mount, const View& view, const Entry& entry) {
  if (!is_dot(entry.name)) {
    try {
      const Seen seen = cross(mount.tree, view, entry.inode);
      return entry_of(mount, *seen.view, seen.view->filesystem->reading().attributes(seen.inode));
    } catch (const Error& error) {
      mount.problems.add(error.what());
    }
  }
  fuse_entry_param nothing{};
  nothing.attr = short_status(mount, view, entry);
  return nothing;
}

void remember(const MountState& mount, NodeId node) {
  if (node != 0) {
    const Tree::Place place = mount.tree.place(node);
    place.view->filesystem->remember(place.inode);
  }
}

void list_plain(Listing& listing, const MountState& mount, const View& view,
                const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    if (!listing.add(entry.name.c_str(), short_status(mount, view, entry), entry.next)) {
      return;
    }
  }
}

void list_full(Listing& listing, const MountState& mount, const View& view,
               const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    const fuse_entry_param full = full_entry(mount, view, entry);
    if (!listing.add(entry.name.c_str(), full, entry.next)) {
      return;
    }
    remember(mount, full.ino);
  }
}

struct stat virtual_status(const MountState& mount, const VirtualNode& node) {
  struct stat status {};
  status.st_ino = mount.tree.node(node);
  status.st_mode = node.kind == VirtualKind::directory || node.kind == VirtualKind::filesystem
                       ? S_IFDIR
                       : S_IFREG;
  return status;
}

// Positions: 1 after ".", 2 after "..", then one for each child.
struct VirtualEntry {
  const char* name;
  const VirtualNode* node;
};
VirtualEntry virtual_entry(const Tree& tree, const VirtualNode& directory, std::size_t position) {
  if (position == 0) {
    return {".", &directory};
  }
  if (position == 1) {
    return {"..", &tree.virtual_node(directory.parent)};
  }
  const VirtualNode& child = tree.virtual_node(directory.children[position - 2]);
  return {child.name.c_str(), &child};
}

bool add_virtual_plain(Listing& listing, const MountState& mount, const VirtualEntry& entry,
                       std::uint64_t next) {
  return listing.add(entry.name, virtual_status(mount, *entry.node), next);
}

// Without a node, so that a listing opens no file system.
bool add_virtual_full(Listing& listing, const MountState& mount, const VirtualEntry& entry,
                      std::uint64_t next) {
  fuse_entry_param nothing{};
  nothing.attr = virtual_status(mount, *entry.node);
  return listing.add(entry.name, nothing, next);
}

using AddVirtual = bool (*)(Listing&, const MountState&, const VirtualEntry&, std::uint64_t);

void list_virtual(Listing& listing, const MountState& mount, const VirtualNode& directory,
                  std::uint64_t position, AddVirtual add) {
  while (position < directory.children.size() + 2 &&
         add(listing, mount, virtual_entry(mount.tree, directory, position), position + 1)) {
    ++position;
  }
}

using ListView = void (*)(Listing&, const MountState&, const View&, const std::vector<Entry>&);

void list(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset, ListView list_view,
          AddVirtual add) noexcept {
  guard(request, [&](MountState& mount) {
    const Tree::Place place = mount.tree.place(node);
    const auto position = std::uint64_t(offset);
    Listing listing(request, size);
    if (place.view != nullptr) {
      list_view(listing, mount, *place.view, entries_of(*place.view, place.inode, position, size));
    } else {
      list_virtual(listing, mount, *place.virtual_node, position, add);
    }
    listing.reply();
  });
}

void readdir(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset,
             fuse_file_info*) noexcept {
  list(request, node, size, offset, list_plain, add_virtual_plain);
}

void readdirplus(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset,
                 fuse_file_info*) noexcept {
  list(request, node, size, offset, list_full, add_virtual_full);
}

void opendir(fuse_req_t request, fuse_ino_t node, fuse_file_info* file) noexcept {
  guard(request, [&](MountState& mount) {
    if (!mount.tree.has_virtual_nodes()) {
      // The kernel then opens and closes directories without us, and caches what they hold.
      fuse_reply_err(request, ENOSYS);
      return;
    }
    const Tree::Place place = mount.tree.place(node);
    const bool cached = place.view == nullptr || cache_timeout(*place.view, S_IFDIR) > 0;
    file->cache_readdir = file->keep_cache = cached ? 1 : 0;
    fuse_reply_open(request, file);
  });
}

}  // namespace

void add_directory_operations(fuse_lowlevel_ops& operations) {
  operations.opendir = opendir;
  operations.readdir = readdir;
  operations.readdirplus = readdirplus;
}

}  // namespace vimg

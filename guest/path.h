// GuestTree: file systems mounted over one another, and paths resolved in them as the guest would.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fsdrivers/filesystem.h"

namespace vimg {

// A file of a GuestTree: the mount it is seen in, and its number in that mount's file system.
struct Place {
  std::size_t mount;
  InodeNumber inode;

  bool operator==(const Place&) const = default;
};

// What becomes of a symbolic link that is the last component of a path.
enum class LastLink { follow, keep };

// One tree out of several.  A path never leaves it: "/" of a link's target is this tree's root, and
// ".." of the root is the root.  mount() by one caller at a time, the others from any thread.
class GuestTree {
 public:
  // As Linux has it.
  static constexpr unsigned max_links = 40;
  static constexpr std::size_t max_path_bytes = 4096;

  struct Mount {
    Place at;  // the directory that is hidden; of the root, which hides nothing, its own top
    std::shared_ptr<FileSystem> filesystem;
    InodeNumber top;  // the directory of `filesystem` that is seen instead
  };

  explicit GuestTree(std::shared_ptr<FileSystem> root);

  // In the order of mounting, the root first; a Place's `mount` is an index into it.
  const std::vector<Mount>& mounts() const noexcept { return mounts_; }
  Place root() const noexcept { return {0, mounts_.front().top}; }
  FileSystem& filesystem(const Place& place) const { return *mounts_[place.mount].filesystem; }

  // Shows the root of `filesystem` at the directory `path`, over whatever is there.
  // Throws Error(ENOENT, ENOTDIR) when `path` is not a directory, and as resolve() does.
  void mount(std::string_view path, std::shared_ptr<FileSystem> filesystem);
  // Shows the directory `source` at `path`, too, without what is mounted below it.
  void bind(std::string_view path, std::string_view source);

  // The file at `path`, which is taken from the root whether or not it begins with "/"; nothing
  // when there is none.  Throws Error(ENOTDIR) when the path goes on behind a file, Error(ELOOP)
  // after max_links links, Error(ENAMETOOLONG), and what the file systems throw.
  std::optional<Place> resolve(std::string_view path, LastLink last = LastLink::follow) const;

  // What is seen at `place`: the top of what is mounted there, or the place itself.
  Place covered(Place place) const;

 private:
  Place directory(std::string_view path) const;

  std::vector<Mount> mounts_;
};

// The content of the regular file at `path`; nothing when there is no such file, or what is there
// is no regular file.  Throws Error(EFBIG) when it is longer than `limit` bytes, and as resolve()
// does.
std::optional<std::string> read_text(const GuestTree& tree, std::string_view path,
                                     std::size_t limit);

}  // namespace vimg

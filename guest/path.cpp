#include "guest/path.h"

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {
namespace {

bool has_type(const GuestTree& tree, const Place& place, mode_t type) {
  return (tree.filesystem(place).attributes(place.inode).mode & S_IFMT) == type;
}

// The components of a path that are still to be walked, the next one last.
class Remaining {
 public:
  explicit Remaining(std::string_view path) { push(path); }

  bool empty() const noexcept { return components_.empty(); }
  std::string pop() {
    std::string component = std::move(components_.back());
    components_.pop_back();
    bytes_ -= component.size() + 1;
    return component;
  }
  // Puts `path` before what remains.  Throws Error(ENAMETOOLONG) when that is too much.
  void push(std::string_view path);

 private:
  std::vector<std::string> components_;
  std::size_t bytes_ = 0;
};

void Remaining::push(std::string_view path) {
  // Bounded with what remains, or 40 links could each add a path of the full length.
  if (path.size() + bytes_ > GuestTree::max_path_bytes) {
    throw_error(ENAMETOOLONG, "path",
                fmt::format("longer than {} bytes", GuestTree::max_path_bytes));
  }
  // A trailing "/" asks for a directory, as a "." there does.
  if (path.ends_with('/')) {
    components_.emplace_back(".");
    bytes_ += 2;
  }
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::string_view component =
        slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (!component.empty()) {
      components_.emplace_back(component);
      bytes_ += component.size() + 1;
    }
    path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  }
}

// One walk.  The way from the root is kept, so that ".." is right across mounts and bind mounts.
class Walk {
 public:
  Walk(const GuestTree& tree, std::string_view path) : tree_(tree), remaining_(path) {
    way_.push_back(tree.covered(tree.root()));
  }

  std::optional<Place> run(LastLink last);

 private:
  bool step(LastLink last);
  void follow(const Place& link);

  const GuestTree& tree_;
  Remaining remaining_;
  std::vector<Place> way_;
  unsigned links_ = 0;
};

std::optional<Place> Walk::run(LastLink last) {
  // Every step takes a component; links add some, but at most max_links times.
  while (!remaining_.empty()) {
    if (!step(last)) {
      return std::nullopt;
    }
  }
  return way_.back();
}

// Walks one component; false when it does not exist.
bool Walk::step(LastLink last) {
  const std::string name = remaining_.pop();
  const Place here = way_.back();
  if (!has_type(tree_, here, S_IFDIR)) {
    throw_error(ENOTDIR, "path", fmt::format("'{}' is asked for below a file", name));
  }
  if (name == ".") {
    return true;
  }
  if (name == "..") {
    if (way_.size() > 1) {
      way_.pop_back();
    }
    return true;
  }
  const auto inode = tree_.filesystem(here).lookup(here.inode, name);
  if (!inode) {
    return false;
  }
  const Place next = tree_.covered({here.mount, *inode});
  if (has_type(tree_, next, S_IFLNK) && (last == LastLink::follow || !remaining_.empty())) {
    follow(next);
  } else {
    way_.push_back(next);
  }
  return true;
}

void Walk::follow(const Place& link) {
  if (++links_ > GuestTree::max_links) {
    throw_error(ELOOP, "path", fmt::format("more than {} symbolic links", GuestTree::max_links));
  }
  const std::string target = tree_.filesystem(link).symlink_target(link.inode);
  if (target.starts_with('/')) {
    way_.resize(1);
  }
  remaining_.push(target);
}

}  // namespace

GuestTree::GuestTree(std::shared_ptr<FileSystem> root) {
  const InodeNumber top = root->root();
  mounts_.push_back({{0, top}, std::move(root), top});
}

void GuestTree::mount(std::string_view path, std::shared_ptr<FileSystem> filesystem) {
  const InodeNumber top = filesystem->root();
  mounts_.push_back({directory(path), std::move(filesystem), top});
}

void GuestTree::bind(std::string_view path, std::string_view source) {
  const Place at = directory(path);
  const Place top = directory(source);
  mounts_.push_back({at, mounts_[top.mount].filesystem, top.inode});
}

Place GuestTree::directory(std::string_view path) const {
  const auto place = resolve(path);
  if (!place) {
    throw_error(ENOENT, "path", fmt::format("'{}' does not exist", path));
  }
  if (!has_type(*this, *place, S_IFDIR)) {
    throw_error(ENOTDIR, "path", fmt::format("'{}' is not a directory", path));
  }
  return *place;
}

std::optional<Place> GuestTree::resolve(std::string_view path, LastLink last) const {
  return Walk(*this, path).run(last);
}

Place GuestTree::covered(Place place) const {
  // In the order of mounting, as what is mounted over another top comes after it.
  for (std::size_t index = 1; index < mounts_.size(); ++index) {
    if (mounts_[index].at == place) {
      place = {index, mounts_[index].top};
    }
  }
  return place;
}

std::optional<std::string> read_text(const GuestTree& tree, std::string_view path,
                                     std::size_t limit) {
  const auto place = tree.resolve(path);
  if (!place || !has_type(tree, *place, S_IFREG)) {
    return std::nullopt;
  }
  const FileSystem& filesystem = tree.filesystem(*place);
  const std::uint64_t size = filesystem.attributes(place->inode).size;
  if (size > limit) {
    throw_error(EFBIG, "path", fmt::format("'{}' is longer than {} bytes", path, limit));
  }
  std::string content(std::size_t(size), '\0');
  const Bytes out = std::as_writable_bytes(std::span<char>(content));
  content.resize(filesystem.read(place->inode, 0, out));
  return content;
}

}  // namespace vimg

#include "tests/guest/tree_filesystem.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "disk/error.h"

namespace vimg::test {
namespace {

struct Node {
  mode_t mode;
  std::string content;  // or a link's target
  std::map<std::string, InodeNumber, std::less<>> entries;
};

class TreeFileSystem final : public FileSystem {
 public:
  explicit TreeFileSystem(const TreeContent& content) {
    nodes_.push_back({S_IFDIR | 0755, {}, {}});
    for (const auto& [path, text] : content.files) {
      add(path, {S_IFREG | 0644, text, {}});
    }
    for (const auto& [path, target] : content.links) {
      add(path, {S_IFLNK | 0777, target, {}});
    }
  }

  FileSystemInfo info() const override { return {"tree", {}, {}, "clean", {}, {}}; }
  FileSystemStatistics statistics() const override { return {}; }
  InodeNumber root() const noexcept override { return 1; }
  Attributes attributes(InodeNumber inode) const override {
    Attributes result;
    result.inode = inode;
    result.mode = node(inode).mode;
    result.size = node(inode).content.size();
    return result;
  }
  std::optional<InodeNumber> lookup(InodeNumber directory, std::string_view name) const override {
    const auto found = node(directory).entries.find(name);
    return found == node(directory).entries.end() ? std::nullopt : std::optional(found->second);
  }
  void list(InodeNumber, std::uint64_t,
            const std::function<bool(const DirectoryEntry&)>&) const override {}
  std::size_t read(InodeNumber file, std::uint64_t offset, Bytes out) const override {
    const std::string& content = node(file).content;
    const std::size_t count =
        offset < content.size() ? std::min(out.size(), content.size() - std::size_t(offset)) : 0;
    std::memcpy(out.data(), content.data() + offset, count);
    return count;
  }
  std::optional<std::uint64_t> seek(InodeNumber, std::uint64_t, SeekTarget) const override {
    return std::nullopt;
  }
  std::string symlink_target(InodeNumber link) const override { return node(link).content; }
  std::vector<std::string> xattr_names(InodeNumber) const override { return {}; }
  std::optional<std::vector<std::byte>> xattr(InodeNumber, std::string_view) const override {
    return std::nullopt;
  }

 private:
  const Node& node(InodeNumber inode) const {
    if (inode == 0 || inode > nodes_.size()) {
      throw_error(ESTALE, "tree", "no such inode");
    }
    return nodes_[inode - 1];
  }

  void add(const std::string& path, Node leaf) {
    InodeNumber here = root();
    for (std::size_t start = 0; start < path.size();) {
      const std::size_t end = std::min(path.find('/', start), path.size());
      const bool last = end == path.size();
      here =
          child(here, path.substr(start, end - start), last ? leaf : Node{S_IFDIR | 0755, {}, {}});
      start = end + 1;
    }
  }

  InodeNumber child(InodeNumber parent, const std::string& name, const Node& fresh) {
    if (const auto found = lookup(parent, name)) {
      return *found;
    }
    nodes_.push_back(fresh);
    nodes_[parent - 1].entries[name] = nodes_.size();
    return nodes_.size();
  }

  std::vector<Node> nodes_;
};

}  // namespace

std::shared_ptr<FileSystem> make_tree(const TreeContent& content) {
  return std::make_shared<TreeFileSystem>(content);
}

}  // namespace vimg::test

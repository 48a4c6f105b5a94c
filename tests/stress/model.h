// Model: the tree that a stress process has made, as it should be.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/stress/content.h"

namespace vimg::stress {

struct Node;
using NodePtr = std::shared_ptr<Node>;

// A directory entry.
struct Name {
  Node* directory;
  std::string name;
};

struct Node {
  mode_t mode = 0;  // type and permissions
  uid_t uid = 0;
  gid_t gid = 0;
  dev_t device = 0;    // of device nodes
  ino_t inode = 0;     // as first seen
  std::string target;  // of symbolic links
  Content content;     // of regular files
  std::map<std::string, std::string> xattrs;
  std::optional<timespec> mtime;            // when it was set and nothing has changed it since
  std::map<std::string, NodePtr> children;  // of directories
  std::vector<Name> names;                  // none: unlinked, but open
  int fd = -1;                              // kept open, readable and writable

  bool is_directory() const;
  bool is_regular() const;
  bool is_symlink() const;
};

class Model {
 public:
  Model(mode_t mode, uid_t uid, gid_t gid);

  const NodePtr& root() const { return root_; }
  // All that have a name; the root is among the directories.
  const std::vector<NodePtr>& directories() const { return directories_; }
  const std::vector<NodePtr>& files() const { return files_; }    // regular
  const std::vector<NodePtr>& others() const { return others_; }  // links, FIFOs, devices
  // Regular files without a name that are still open.
  const std::vector<NodePtr>& orphans() const { return orphans_; }
  std::size_t count() const { return directories_.size() + files_.size() + others_.size(); }
  // Pages that all files hold.
  std::size_t page_count() const;

  void add(const NodePtr& node, const Name& name);  // a new node or a new name
  void add_orphan(const NodePtr& node) { orphans_.push_back(node); }
  // Takes the name away; a node without names is forgotten unless it is open.
  void remove(const Name& name);
  // Takes what is at `from` to `to`, where nothing is.
  void move(const Name& from, const Name& to);
  void exchange(const Name& a, const Name& b);
  void forget_orphan(const NodePtr& node);

  // Relative to the root: "." for the root itself.
  std::string path(const Node& node) const;
  std::string path(const Name& name) const;
  std::size_t depth(const Node& directory) const;
  std::size_t height(const Node& node) const;  // levels below
  // True when `node` is `directory` or lies below it.
  bool is_inside(const Node& node, const Node& directory) const;

 private:
  std::vector<NodePtr>& list_of(const Node& node);

  NodePtr root_;
  std::vector<NodePtr> directories_;
  std::vector<NodePtr> files_;
  std::vector<NodePtr> others_;
  std::vector<NodePtr> orphans_;
};

}  // namespace vimg::stress

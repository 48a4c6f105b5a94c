#include "tests/stress/model.h"

#include <sys/stat.h>

#include <algorithm>

namespace vimg::stress {
namespace {

void erase_from(std::vector<NodePtr>& list, const Node& node) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const NodePtr& at) { return at.get() == &node; });
  *found = list.back();
  list.pop_back();
}

void erase_name(Node& node, const Name& name) {
  const auto found = std::find_if(node.names.begin(), node.names.end(), [&](const Name& at) {
    return at.directory == name.directory && at.name == name.name;
  });
  node.names.erase(found);
}

}  // namespace

bool Node::is_directory() const { return S_ISDIR(mode); }
bool Node::is_regular() const { return S_ISREG(mode); }
bool Node::is_symlink() const { return S_ISLNK(mode); }

Model::Model(mode_t mode, uid_t uid, gid_t gid) : root_(std::make_shared<Node>()) {
  root_->mode = mode;
  root_->uid = uid;
  root_->gid = gid;
  directories_.push_back(root_);
}

std::vector<NodePtr>& Model::list_of(const Node& node) {
  if (node.is_directory()) {
    return directories_;
  }
  return node.is_regular() ? files_ : others_;
}

std::size_t Model::page_count() const {
  std::size_t count = 0;
  for (const auto* list : {&files_, &orphans_}) {
    for (const NodePtr& file : *list) {
      count += file->content.page_count();
    }
  }
  return count;
}

void Model::add(const NodePtr& node, const Name& name) {
  if (node->names.empty()) {
    list_of(*node).push_back(node);
  }
  node->names.push_back(name);
  name.directory->mtime.reset();
  name.directory->children.emplace(name.name, node);
}

void Model::remove(const Name& name) {
  const auto entry = name.directory->children.find(name.name);
  const NodePtr node = entry->second;
  name.directory->mtime.reset();
  name.directory->children.erase(entry);
  erase_name(*node, name);
  if (!node->names.empty()) {
    return;
  }
  erase_from(list_of(*node), *node);
  if (node->fd >= 0) {
    orphans_.push_back(node);
  }
}

void Model::move(const Name& from, const Name& to) {
  const auto entry = from.directory->children.find(from.name);
  const NodePtr node = entry->second;
  from.directory->mtime.reset();
  to.directory->mtime.reset();
  from.directory->children.erase(entry);
  erase_name(*node, from);
  node->names.push_back(to);
  to.directory->children.emplace(to.name, node);
}

void Model::exchange(const Name& a, const Name& b) {
  NodePtr& at_a = a.directory->children.at(a.name);
  NodePtr& at_b = b.directory->children.at(b.name);
  a.directory->mtime.reset();
  b.directory->mtime.reset();
  if (at_a == at_b) {
    return;  // one file by two names, or by one
  }
  erase_name(*at_a, a);
  erase_name(*at_b, b);
  at_a->names.push_back(b);
  at_b->names.push_back(a);
  std::swap(at_a, at_b);
}

void Model::forget_orphan(const NodePtr& node) { erase_from(orphans_, *node); }

std::string Model::path(const Node& node) const {
  if (node.names.empty()) {
    return &node == root_.get() ? "." : "(unnamed)";
  }
  return path(node.names.front());
}

std::string Model::path(const Name& name) const {
  std::string path = name.name;
  for (const Node* at = name.directory; at != root_.get(); at = at->names.front().directory) {
    path = at->names.front().name + "/" + path;
  }
  return path;
}

std::size_t Model::depth(const Node& directory) const {
  std::size_t depth = 0;
  for (const Node* at = &directory; at != root_.get(); at = at->names.front().directory) {
    ++depth;
  }
  return depth;
}

std::size_t Model::height(const Node& node) const {
  std::size_t height = 0;
  for (const auto& [name, child] : node.children) {
    height = std::max(height, 1 + this->height(*child));
  }
  return height;
}

bool Model::is_inside(const Node& node, const Node& directory) const {
  const Node* at = &node;
  while (at != &directory && at != root_.get()) {
    at = at->names.front().directory;
  }
  return at == &directory;
}

}  // namespace vimg::stress

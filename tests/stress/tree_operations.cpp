#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "tests/stress/operations.h"

namespace vimg::stress {
namespace {

constexpr std::size_t max_height = 12;

mode_t random_mode(Worker& worker) {
  const mode_t mode = mode_t(worker.random().below(01000));
  return worker.is_superuser() ? mode : mode | 0600;
}

void create(Worker& worker) {
  if (!worker.may_grow_tree()) {
    return;
  }
  const NodePtr directory = worker.random_directory();
  const Name name{directory.get(), worker.fresh_name(*directory)};
  const std::string path = worker.model().path(name);
  const NodePtr node = worker.make_node(*directory, S_IFREG | random_mode(worker));
  worker.log("create {} mode {:o}", path, node->mode);
  const int fd =
      openat(worker.root_fd(), path.c_str(), O_CREAT | O_EXCL | O_RDWR, node->mode & 07777);
  if (!worker.succeeded(fd, "create " + path)) {
    return;
  }
  worker.adopt(node, name);
  if (worker.random().percent(10)) {
    node->fd = fd;
  }
  worker.close_file(node, fd);
}

void make_directory(Worker& worker) {
  if (!worker.may_grow_tree()) {
    return;
  }
  const NodePtr directory = worker.random_directory();
  const Name name{directory.get(), worker.fresh_name(*directory)};
  const std::string path = worker.model().path(name);
  const mode_t mode = worker.is_superuser() ? random_mode(worker) : random_mode(worker) | 0700;
  worker.log("mkdir {} mode {:o}", path, mode);
  if (worker.succeeded(mkdirat(worker.root_fd(), path.c_str(), mode), "mkdir " + path)) {
    worker.adopt(worker.make_node(*directory, S_IFDIR | mode), name);
  }
}

void make_special(Worker& worker) {
  if (!worker.may_grow_tree()) {
    return;
  }
  static constexpr std::array types = {S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK};
  const NodePtr directory = worker.random_directory();
  const Name name{directory.get(), worker.fresh_name(*directory)};
  const std::string path = worker.model().path(name);
  const mode_t type = types[worker.random().below(worker.is_superuser() ? types.size() : 2)];
  const NodePtr node = worker.make_node(*directory, type | random_mode(worker));
  if (type == S_IFCHR || type == S_IFBLK) {
    node->device = makedev(unsigned(worker.random().skewed(1U << 12)),
                           unsigned(worker.random().skewed(1U << 20)));
  }
  worker.log("mknod {} mode {:o} device {:#x}", path, node->mode, node->device);
  if (worker.succeeded(mknodat(worker.root_fd(), path.c_str(), node->mode, node->device),
                       "mknod " + path, {EPERM})) {
    worker.adopt(node, name);
  }
}

void make_symlink(Worker& worker) {
  if (!worker.may_grow_tree()) {
    return;
  }
  const NodePtr directory = worker.random_directory();
  const Name name{directory.get(), worker.fresh_name(*directory)};
  const std::string path = worker.model().path(name);
  const NodePtr node = worker.make_node(*directory, S_IFLNK | 0777);
  const std::size_t limit = worker.random().percent(80) ? 80 : 4095;  // inline or in a block
  node->target = std::string(worker.random().between(1, limit), 't');
  worker.log("symlink {} of {} bytes", path, node->target.size());
  if (worker.succeeded(symlinkat(node->target.c_str(), worker.root_fd(), path.c_str()),
                       "symlink " + path, {ENAMETOOLONG})) {
    worker.adopt(node, name);
  }
}

void make_link(Worker& worker) {
  const auto from = worker.random_entry();
  if (!from || !worker.may_grow_tree()) {
    return;
  }
  const NodePtr node = from->directory->children.at(from->name);
  const NodePtr directory = worker.random_directory();
  const Name to{directory.get(), worker.fresh_name(*directory)};
  const std::string from_path = worker.model().path(*from);
  const std::string to_path = worker.model().path(to);
  worker.log("link {} to {}", from_path, to_path);
  const int result =
      linkat(worker.root_fd(), from_path.c_str(), worker.root_fd(), to_path.c_str(), 0);
  if (node->is_directory()) {
    worker.must_fail(result, "link of the directory " + from_path, {EPERM});
  } else if (worker.succeeded(result, "link " + from_path, {EMLINK})) {
    worker.model().add(node, to);
  }
}

// A file that never had a name, or has lost it.
void make_orphan(Worker& worker) {
  if (worker.model().orphans().size() >= 10) {
    return;
  }
  const NodePtr directory = worker.random_directory();
  const std::string path = worker.model().path(*directory);
  const NodePtr node = worker.make_node(*directory, S_IFREG | random_mode(worker));
  worker.log("open an unnamed file in {}", path);
  node->fd = openat(worker.root_fd(), path.c_str(), O_TMPFILE | O_RDWR, node->mode & 07777);
  if (worker.succeeded(node->fd, "O_TMPFILE", {EOPNOTSUPP, EISDIR})) {
    struct stat status {};
    fstat(node->fd, &status);
    node->inode = status.st_ino;
    worker.model().add_orphan(node);
  }
}

void close_orphan(Worker& worker) {
  if (worker.model().orphans().empty()) {
    return;
  }
  const NodePtr node = worker.random().pick(worker.model().orphans());
  worker.log("close an unnamed file of {} bytes", node->content.size());
  struct stat status {};
  fstat(node->fd, &status);
  check_status(worker, *node, status, "an unnamed file");
  worker.succeeded(close(node->fd), "close");
  worker.model().forget_orphan(node);
}

void remove_entry(Worker& worker) {
  const auto name = worker.random_entry();
  if (!name) {
    return;
  }
  const NodePtr node = name->directory->children.at(name->name);
  const std::string path = worker.model().path(*name);
  worker.log("remove {}", path);
  const int result =
      unlinkat(worker.root_fd(), path.c_str(), node->is_directory() ? AT_REMOVEDIR : 0);
  if (!node->children.empty()) {
    worker.must_fail(result, "rmdir of the full " + path, {ENOTEMPTY, EEXIST});
  } else if (worker.succeeded(result, "remove " + path)) {
    worker.model().remove(*name);
  }
}

// Removes what is below `name`, too.
void remove_all(Worker& worker, const Name& name) {
  const NodePtr node = name.directory->children.at(name.name);
  while (!node->children.empty()) {
    remove_all(worker, {node.get(), node->children.begin()->first});
  }
  const std::string path = worker.model().path(name);
  if (worker.succeeded(
          unlinkat(worker.root_fd(), path.c_str(), node->is_directory() ? AT_REMOVEDIR : 0),
          "remove " + path)) {
    worker.model().remove(name);
  }
}

void remove_tree(Worker& worker) {
  const auto name = worker.random_entry();
  if (name && !worker.may_grow_tree()) {
    worker.log("remove all of {}", worker.model().path(*name));
    remove_all(worker, *name);
  }
}

// Two entries, the second of which need not be there.
struct RenamePlan {
  Name from;
  Name to;
  NodePtr node;
  NodePtr target;  // nullptr when there is nothing at `to`
};

std::optional<RenamePlan> plan_rename(Worker& worker) {
  const auto from = worker.random_entry();
  if (!from) {
    return std::nullopt;
  }
  std::optional<Name> to = worker.random().percent(50) ? worker.random_entry() : std::nullopt;
  if (!to) {
    const NodePtr directory = worker.random_directory();
    to = Name{directory.get(), worker.fresh_name(*directory)};
  }
  const auto target = to->directory->children.find(to->name);
  return RenamePlan{*from, *to, from->directory->children.at(from->name),
                    target == to->directory->children.end() ? nullptr : target->second};
}

bool would_be_too_deep(const Model& model, const RenamePlan& plan) {
  return model.depth(*plan.to.directory) + 1 + model.height(*plan.node) > max_height ||
         (plan.target &&
          model.depth(*plan.from.directory) + 1 + model.height(*plan.target) > max_height);
}

// With which errno a plain rename must fail; none when it must not.
std::vector<int> refusals_of_rename(const Model& model, const RenamePlan& plan) {
  if (plan.node->is_directory() && model.is_inside(*plan.to.directory, *plan.node)) {
    return {EINVAL};
  }
  if (!plan.target || plan.target == plan.node) {
    return {};
  }
  if (plan.target->is_directory() && model.is_inside(*plan.from.directory, *plan.target)) {
    return {ENOTEMPTY};
  }
  if (plan.node->is_directory() != plan.target->is_directory()) {
    return {plan.node->is_directory() ? ENOTDIR : EISDIR};
  }
  return plan.target->children.empty() ? std::vector<int>{} : std::vector<int>{ENOTEMPTY, EEXIST};
}

std::vector<int> refusals_of_exchange(const Model& model, const RenamePlan& plan) {
  if (!plan.target) {
    return {ENOENT};
  }
  const bool inside_itself =
      (plan.node->is_directory() && model.is_inside(*plan.to.directory, *plan.node)) ||
      (plan.target->is_directory() && model.is_inside(*plan.from.directory, *plan.target));
  return inside_itself ? std::vector<int>{EINVAL} : std::vector<int>{};
}

// Calls renameat2; true when it succeeded as it should, false when it failed as it should.
bool call_rename(Worker& worker, const RenamePlan& plan, unsigned flags,
                 const std::vector<int>& refusals) {
  const std::string from = worker.model().path(plan.from);
  const std::string to = worker.model().path(plan.to);
  const std::string call = fmt::format("rename {} to {} flags {}", from, to, flags);
  worker.log("{}", call);
  const int result = renameat2(worker.root_fd(), from.c_str(), worker.root_fd(), to.c_str(), flags);
  if (refusals.empty()) {
    return worker.succeeded(result, call);
  }
  if (result == 0 || std::ranges::find(refusals, errno) == refusals.end()) {
    worker.fail(fmt::format("{}: {}, where it must fail with errno {}", call,
                            result == 0 ? "success" : std::strerror(errno), refusals.front()));
  }
  return false;
}

void rename_over(Worker& worker) {
  const auto plan = plan_rename(worker);
  if (!plan || would_be_too_deep(worker.model(), *plan) ||
      !call_rename(worker, *plan, 0, refusals_of_rename(worker.model(), *plan)) ||
      plan->target == plan->node) {  // two names of one file: nothing happens
    return;
  }
  if (plan->target) {
    worker.model().remove(plan->to);
  }
  worker.model().move(plan->from, plan->to);
}

void rename_without_replacing(Worker& worker) {
  const auto plan = plan_rename(worker);
  if (!plan || would_be_too_deep(worker.model(), *plan)) {
    return;
  }
  const auto refusals =
      plan->target ? std::vector<int>{EEXIST} : refusals_of_rename(worker.model(), *plan);
  if (call_rename(worker, *plan, RENAME_NOREPLACE, refusals)) {
    worker.model().move(plan->from, plan->to);
  }
}

void rename_exchange(Worker& worker) {
  const auto plan = plan_rename(worker);
  if (plan && !would_be_too_deep(worker.model(), *plan) &&
      call_rename(worker, *plan, RENAME_EXCHANGE, refusals_of_exchange(worker.model(), *plan))) {
    worker.model().exchange(plan->from, plan->to);
  }
}

void sync_everything(Worker& worker) {
  worker.log("syncfs");
  worker.succeeded(syncfs(worker.root_fd()), "syncfs");
}

constexpr std::array operations = {
    Operation{"create", 30, create},
    Operation{"mkdir", 10, make_directory},
    Operation{"mknod", 4, make_special},
    Operation{"symlink", 6, make_symlink},
    Operation{"link", 8, make_link},
    Operation{"orphan", 3, make_orphan},
    Operation{"close-orphan", 3, close_orphan},
    Operation{"remove", 20, remove_entry},
    Operation{"remove-tree", 8, remove_tree},
    Operation{"rename", 15, rename_over},
    Operation{"rename-noreplace", 5, rename_without_replacing},
    Operation{"rename-exchange", 6, rename_exchange},
    Operation{"syncfs", 1, sync_everything},
};

}  // namespace

std::span<const Operation> tree_operations() { return operations; }

}  // namespace vimg::stress

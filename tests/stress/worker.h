// Worker: one stress process: its directory, its model, what it did last, and how it fails.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "tests/stress/model.h"
#include "tests/stress/random.h"

namespace vimg::stress {

// What the file system under test can do, as probe_abilities finds out.
struct Abilities {
  bool xattrs = true;
  bool nanoseconds = true;
  bool times_after_2038 = true;
};

Abilities probe_abilities(const std::string& directory);

struct WorkerOptions {
  std::string directory;  // the process's own, empty
  std::string shared;     // where all processes are
  std::uint64_t seed;
  unsigned number;
  std::size_t max_pages;     // that all files together may hold
  std::uint64_t max_offset;  // bytes; where sparse files end
  Abilities abilities;
  bool sync_before_seek;  // the file system may forget what is not yet written when it is asked
                          // for data and holes
};

class Worker {
 public:
  explicit Worker(const WorkerOptions& options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  const WorkerOptions& options() const { return options_; }
  Model& model() { return model_; }
  std::string model_path(const Node& node) const { return model_.path(node); }
  Random& random() { return random_; }
  int root_fd() const { return root_fd_; }
  bool is_superuser() const { return superuser_; }

  // Notes what is about to be done.
  template <typename... Args>
  void log(fmt::format_string<Args...> format, Args&&... args) {
    log_[steps_++ % log_.size()] = fmt::format(format, std::forward<Args>(args)...);
  }
  std::uint64_t steps() const { return steps_; }

  // Prints the seed, the last steps and `difference`, and ends the process with exit code 1.
  [[noreturn]] void fail(const std::string& difference) const;
  [[noreturn]] void fail_errno(const std::string& call) const;

  // After a call that returned `result`: true when it succeeded; false when it failed with one of
  // `allowed`, or for want of space.  Anything else fails the process.
  bool succeeded(long result, const std::string& call,
                 std::initializer_list<int> allowed = {}) const;
  // A call that must fail, and with one of `expected`.
  void must_fail(long result, const std::string& call, std::initializer_list<int> expected) const;

  // True when there is room for more nodes, or more data.
  bool may_grow_tree() const { return model_.count() < max_nodes; }
  bool may_grow_data() const { return model_.page_count() < options_.max_pages; }

  // A new name that is not in `directory`.
  std::string fresh_name(const Node& directory);
  // A directory that may have children; any entry of any directory when there is one.
  NodePtr random_directory();
  std::optional<Name> random_entry();
  // A regular file, sometimes one without a name; nullptr when there is none.
  NodePtr random_file();

  // Opens `file`, or gives the descriptor that is kept open; close_file undoes it.
  int open_file(const NodePtr& file);
  void close_file(const NodePtr& file, int fd) const;

  // A node such as a call with `mode` makes in `directory`; not yet in the model.
  NodePtr make_node(const Node& directory, mode_t mode) const;
  // Puts a node that was made at `name` into the model, after a first look at it.
  void adopt(const NodePtr& node, const Name& name);

 private:
  static constexpr std::size_t max_nodes = 400;

  WorkerOptions options_;
  Random random_;
  int root_fd_;
  bool superuser_;
  Model model_;
  std::array<std::string, 50> log_;
  std::uint64_t steps_ = 0;
};

// The permissions and type of `node`, checked against `status`; fails the worker.
void check_status(const Worker& worker, const Node& node, const struct stat& status,
                  const std::string& path);

}  // namespace vimg::stress

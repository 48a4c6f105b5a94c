#include "tests/stress/worker.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace vimg::stress {
namespace {

constexpr std::size_t max_depth = 8;  // of 255-byte names: paths stay below PATH_MAX

int open_directory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd < 0) {
    throw std::runtime_error(path + ": " + std::strerror(errno));
  }
  return fd;
}

struct stat status_of(int fd) {
  struct stat status {};
  fstat(fd, &status);
  return status;
}

Model model_of(int root_fd) {
  const struct stat status = status_of(root_fd);
  Model model(status.st_mode, status.st_uid, status.st_gid);
  model.root()->inode = status.st_ino;
  return model;
}

// Names of every kind that a Linux file system must take.
std::string make_name(Random& random) {
  static constexpr std::array alphabets = {std::string_view("abcdefgh0123456789"),
                                           std::string_view("aA.-_ ~"),
                                           std::string_view("\xc3\xa4\xf0\x9f\x92\xbe\xe6\x97\xa5"),
                                           std::string_view("\n\\'\"*?\x7f\x01")};
  const std::string_view alphabet =
      alphabets[random.percent(85) ? 0 : random.below(alphabets.size())];
  const std::size_t length = random.percent(5) ? random.between(200, 255)
                                               : random.between(1, random.percent(80) ? 10 : 60);
  std::string name;
  while (name.size() < length) {
    name += alphabet[random.below(alphabet.size())];
  }
  return name == "." || name == ".." ? "dots" : name;
}

// For a terminal.
std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool plain = c >= ' ' && c < 0x7f;
    out += plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

Abilities probe_abilities(const std::string& directory) {
  const std::string path = directory + "/probe";
  const int fd = open(path.c_str(), O_CREAT | O_RDWR | O_TRUNC, 0600);
  if (fd < 0) {
    throw std::runtime_error(path + ": " + std::strerror(errno));
  }
  Abilities abilities;
  abilities.xattrs = fsetxattr(fd, "user.probe", "x", 1, 0) == 0;
  const std::array<timespec, 2> times{timespec{0x100000000, 7}, timespec{0x100000000, 7}};
  futimens(fd, times.data());
  const timespec seen = status_of(fd).st_mtim;
  abilities.nanoseconds = seen.tv_nsec == 7;
  abilities.times_after_2038 = seen.tv_sec == 0x100000000;
  close(fd);
  unlink(path.c_str());
  return abilities;
}

Worker::Worker(const WorkerOptions& options)
    : options_(options),
      random_(options.seed * 1000 + options.number),
      root_fd_(open_directory(options.directory)),
      superuser_(geteuid() == 0),
      model_(model_of(root_fd_)) {}

Worker::~Worker() { close(root_fd_); }

void Worker::fail(const std::string& difference) const {
  std::string text = fmt::format("process {}: seed {}: after {} steps: {}\n", options_.number,
                                 options_.seed, steps_, printable(difference));
  const std::uint64_t first = steps_ > log_.size() ? steps_ - log_.size() : 0;
  for (std::uint64_t step = first; step < steps_; ++step) {
    text += fmt::format("  {}: {}\n", step, printable(log_[step % log_.size()]));
  }
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
  _exit(1);
}

void Worker::fail_errno(const std::string& call) const { fail(call + ": " + std::strerror(errno)); }

bool Worker::succeeded(long result, const std::string& call,
                       std::initializer_list<int> allowed) const {
  if (result >= 0) {
    return true;
  }
  if (errno != ENOSPC && errno != EDQUOT && std::ranges::find(allowed, errno) == allowed.end()) {
    fail_errno(call);
  }
  return false;
}

void Worker::must_fail(long result, const std::string& call,
                       std::initializer_list<int> expected) const {
  if (result >= 0) {
    fail(call + ": succeeded where it must not");
  }
  if (std::ranges::find(expected, errno) == expected.end()) {
    fail_errno(call + ": failed, but otherwise than it should");
  }
}

std::string Worker::fresh_name(const Node& directory) {
  std::string name;
  do {
    name = make_name(random_);
  } while (directory.children.contains(name));
  return name;
}

NodePtr Worker::random_directory() {
  NodePtr directory = random_.pick(model_.directories());
  while (model_.depth(*directory) >= max_depth) {
    directory = random_.pick(model_.directories());
  }
  return directory;
}

std::optional<Name> Worker::random_entry() {
  constexpr int tries = 8;  // many directories are empty
  for (int i = 0; i < tries; ++i) {
    const NodePtr& directory = random_.pick(model_.directories());
    if (!directory->children.empty()) {
      const auto entry = std::next(directory->children.begin(),
                                   std::ptrdiff_t(random_.below(directory->children.size())));
      return Name{directory.get(), entry->first};
    }
  }
  return std::nullopt;
}

NodePtr Worker::random_file() {
  const auto& orphans = model_.orphans();
  if (!orphans.empty() && random_.percent(15)) {
    return random_.pick(orphans);
  }
  return model_.files().empty() ? nullptr : random_.pick(model_.files());
}

int Worker::open_file(const NodePtr& file) {
  if (file->fd >= 0 && (file->names.empty() || random_.percent(70))) {
    return file->fd;
  }
  const std::string path = model_.path(*file);
  const int fd = openat(root_fd_, path.c_str(), O_RDWR);
  if (fd < 0) {
    fail_errno("open " + path);
  }
  if (file->fd < 0 && random_.percent(5)) {
    file->fd = fd;
  }
  return fd;
}

void Worker::close_file(const NodePtr& file, int fd) const {
  if (fd != file->fd && close(fd) != 0) {
    fail_errno("close");
  }
}

NodePtr Worker::make_node(const Node& directory, mode_t mode) const {
  auto node = std::make_shared<Node>();
  node->mode = mode;
  node->uid = geteuid();
  node->gid = getegid();
  if ((directory.mode & S_ISGID) != 0) {  // a directory's group is that of what is made in it
    node->gid = directory.gid;
    node->mode |= S_ISDIR(mode) ? S_ISGID : 0;
  }
  return node;
}

void Worker::adopt(const NodePtr& node, const Name& name) {
  const std::string path = model_.path(name);
  struct stat status {};
  if (fstatat(root_fd_, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    fail_errno("stat of the new " + path);
  }
  node->inode = status.st_ino;
  model_.add(node, name);
  check_status(*this, *node, status, path);
}

void check_status(const Worker& worker, const Node& node, const struct stat& status,
                  const std::string& path) {
  const auto check = [&](const char* what, auto found, auto expected) {
    if (found != expected) {
      worker.fail(fmt::format("{}: {} is {}, not {}", path, what, found, expected));
    }
  };
  check("mode", status.st_mode, node.mode);
  check("uid", status.st_uid, node.uid);
  check("gid", status.st_gid, node.gid);
  check("inode", status.st_ino, node.inode);
  check("device", status.st_rdev, node.device);
  if (node.is_directory()) {
    const auto is_directory = [](const auto& child) { return child.second->is_directory(); };
    const auto below = nlink_t(std::ranges::count_if(node.children, is_directory));
    check("nlink", status.st_nlink, status.st_nlink == 1 ? 1 : 2 + below);  // 1: not counted
  } else {
    check("nlink", status.st_nlink, nlink_t(node.names.size()));
  }
  if (node.is_regular()) {
    check("size", std::uint64_t(status.st_size), node.content.size());
  }
  if (node.is_symlink()) {
    check("size", std::uint64_t(status.st_size), std::uint64_t(node.target.size()));
  }
  if (node.mtime) {
    check("mtime", status.st_mtim.tv_sec, node.mtime->tv_sec);
    check("mtime's nanoseconds", status.st_mtim.tv_nsec, node.mtime->tv_nsec);
  }
}

}  // namespace vimg::stress

#include "sources/gate.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/escape.h"
#include "sources/beneath.h"
#include "sources/host_disk.h"

namespace vimg {
namespace {

namespace fs = std::filesystem;

constexpr char layer[] = "reference";

[[noreturn]] void refuse(std::string_view name, std::string_view reason) {
  throw_error(EACCES, layer, fmt::format("{} refused: {}", in_quotes(name), reason));
}

// A file below a directory: what is looked for, and where.
struct Candidate {
  std::string root;       // a directory that the user named
  std::string directory;  // below it, or the same
  std::string name;       // relative to `directory`
};

fs::path normal(const fs::path& path) { return path.lexically_normal(); }

// `directory` without symbolic links; merely made absolute where it does not exist.
fs::path canonical(const std::string& directory) {
  std::error_code error;
  fs::path path = fs::canonical(directory, error);
  return error ? normal(fs::absolute(directory, error)) : path;
}

// `path`, which is absolute and normal, as a name below `root`; nothing when it lies elsewhere.
std::optional<std::string> name_below_root(const fs::path& root, const fs::path& path) {
  const fs::path rest = path.lexically_relative(root);
  if (rest.empty() || rest == "." || *rest.begin() == "..") {
    return std::nullopt;
  }
  return rest.string();
}

// The same whether `path` goes by the directory's name or by what that resolves to.
std::optional<std::string> name_below(const std::string& directory, const fs::path& path) {
  if (auto name = name_below_root(canonical(directory), path)) {
    return name;
  }
  std::error_code error;
  const fs::path root = normal(fs::absolute(directory, error));
  return name_below_root(root.has_filename() ? root : root.parent_path(), path);
}

// Where `name` may be found: as a path, wherever that leads to a directory that is let in; and a
// name that does not climb also below each of `allowed`.  This only chooses where to look and by
// what name; open_beneath is what keeps the name inside.
std::vector<Candidate> candidates_for(const HostLocation& from, const fs::path& name,
                                      const std::vector<std::string>& allowed) {
  const fs::path path = normal(canonical(from.directory) / name);
  std::vector<Candidate> candidates;
  const auto add_if_below = [&](const std::string& root, const std::string& directory) {
    if (auto below = name_below(directory, path)) {
      candidates.push_back({root, directory, std::move(*below)});
    }
  };
  add_if_below(from.root, from.directory);
  for (const std::string& directory : allowed) {
    add_if_below(directory, directory);
  }
  const fs::path plain = normal(name);
  if (plain.is_relative() && *plain.begin() != "..") {
    for (const std::string& directory : allowed) {
      candidates.push_back({directory, directory, plain.string()});
    }
  }
  return candidates;
}

bool is_regular(int fd) noexcept {
  struct stat status = {};
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

BeneathResult open_regular(int directory, const Candidate& candidate, std::string_view name,
                           int flags) {
  BeneathResult result = open_beneath(directory, candidate.name, flags);
  if (result.fd && !is_regular(result.fd.get())) {
    refuse(name, fmt::format("{} in {} is not a regular file", in_quotes(candidate.name),
                             in_quotes(candidate.directory)));
  }
  return result;
}

// What images named of the directory's path is no more to be trusted than the file's name: it may
// have become a link since the image in it was opened.
BeneathResult open_directory(const Candidate& candidate) {
  constexpr int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  FileDescriptor root(open(candidate.root.c_str(), flags));
  if (!root) {
    return {FileDescriptor(), errno};
  }
  const fs::path below = fs::path(candidate.directory).lexically_relative(candidate.root);
  return below == "." ? BeneathResult{std::move(root), 0}
                      : open_beneath(root.get(), below.string(), flags);
}

// Looks at the file before it opens it, as opening a device may do anything, and once more after,
// as it may be another one by then.
BeneathResult open_candidate(const Candidate& candidate, std::string_view name, Access access) {
  BeneathResult directory = open_directory(candidate);
  if (directory.error != 0) {
    return directory;
  }
  BeneathResult looked_at = open_regular(directory.fd.get(), candidate, name, O_PATH);
  if (looked_at.error != 0) {
    return looked_at;
  }
  const int mode = access == Access::read_write ? O_RDWR : O_RDONLY;
  return open_regular(directory.fd.get(), candidate, name, mode | O_NONBLOCK | O_NOCTTY);
}

HostLocation location_of(const Candidate& candidate) {
  HostLocation location = locate(candidate.directory == "."
                                     ? candidate.name
                                     : (fs::path(candidate.directory) / candidate.name).string());
  location.root = candidate.root;
  return location;
}

[[noreturn]] void throw_candidate(int error, const Candidate& candidate, std::string_view name) {
  switch (error) {
    case ELOOP:
      refuse(name,
             fmt::format("a symbolic link is on its way in {}", in_quotes(candidate.directory)));
    case EXDEV:
      refuse(name, fmt::format("it leaves {}", in_quotes(candidate.directory)));
    case EACCES:
      throw_errno(EPERM, layer,
                  fmt::format("{} cannot be opened in {}", in_quotes(name),
                              in_quotes(candidate.directory)));
    default:
      throw_errno(error, layer,
                  fmt::format("{} cannot be opened in {}", in_quotes(name),
                              in_quotes(candidate.directory)));
  }
}

bool has_protocol(std::string_view name) noexcept {
  const std::size_t end = name.find_first_of(":/");
  return end != std::string_view::npos && name[end] == ':';
}

}  // namespace

// A colon before the first slash makes a protocol, as QEMU's path_has_protocol sees it.
std::string checked_reference_name(std::string_view name) {
  std::string_view path = name;
  if (path.starts_with("json:")) {
    refuse(name, "json: descriptions are not followed");
  }
  if (path.starts_with("file:")) {
    path.remove_prefix(5);
  }
  if (path.empty() || path.find('\0') != std::string_view::npos) {
    refuse(name, path.empty() ? "it is empty" : "there is a NUL in it");
  }
  if (path.starts_with("//") || path.starts_with("\\\\")) {
    refuse(name, "it names a network share");
  }
  if (has_protocol(path)) {
    refuse(name, "it names a protocol, and only files are followed");
  }
  return std::string(path);
}

GatedFile pass_gate(const HostLocation& from, std::string_view name,
                    const std::vector<std::string>& allowed, Access access) {
  const std::string path = checked_reference_name(name);
  const std::vector<Candidate> candidates = candidates_for(from, path, allowed);
  if (candidates.empty()) {
    refuse(name, fmt::format("it lies outside {}, the directory of the image that names it; "
                             "--allow-refs DIR lets an image refer to files below DIR",
                             in_quotes(from.directory)));
  }
  int first_error = 0;
  for (const Candidate& candidate : candidates) {
    auto [fd, error] = open_candidate(candidate, name, access);
    if (fd) {
      return {std::move(fd), location_of(candidate)};
    }
    first_error = first_error != 0 ? first_error : error;
    if (error != ENOENT && error != ENOTDIR) {
      throw_candidate(error, candidate, name);
    }
  }
  throw_candidate(first_error == ENOTDIR ? ENOENT : first_error, candidates.front(), name);
}

ReferencedFile open_reference(const HostLocation& from, std::string_view name,
                              const std::vector<std::string>& allowed, Access access,
                              Locking locking, std::string* warning) {
  GatedFile file = pass_gate(from, name, allowed, access);
  DiskPtr disk = adopt_file(std::move(file.fd), file.location.path, access, locking, warning);
  return {std::move(disk), std::move(file.location)};
}

}  // namespace vimg

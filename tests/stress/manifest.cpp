#include "tests/stress/manifest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

#include "tests/stress/content.h"
#include "tests/stress/xattrs.h"

namespace vimg::stress {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

// Without blanks and line ends, so that a line can be split.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c > ' ' && c < 0x7f && c != '%');
    out += plain ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
  }
  return out.empty() ? "%" : out;
}

// The sum of hash_page over the pages that are not zero, without reading what SEEK_DATA skips.
std::uint64_t hash_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY);
  if (fd < 0) {
    throw_errno("open " + path);
  }
  std::uint64_t sum = 0;
  off_t at = 0;
  while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
    at -= at % off_t(page_size);
    std::array<std::byte, page_size> page{};
    const ssize_t count = pread(fd, page.data(), page.size(), at);
    if (count < 0) {
      throw_errno("read " + path);
    }
    if (page != std::array<std::byte, page_size>{}) {
      sum += hash_page(std::uint64_t(at) / page_size, page);
    }
    at += off_t(page_size);
  }
  close(fd);
  return sum;
}

std::string describe_xattrs(const std::string& path) {
  std::map<std::string, std::string> xattrs;
  if (const int error = read_xattrs(path, xattrs); error != 0) {
    errno = error;
    throw_errno("xattrs of " + path);
  }
  std::string text;
  for (const auto& [name, value] : xattrs) {
    text += fmt::format(" {}={}", escaped(name), escaped(value));
  }
  return text;
}

std::string describe(const std::string& path, const struct stat& status) {
  std::string text =
      fmt::format("mode={:o} owner={}:{} mtime={}.{:09}", status.st_mode, status.st_uid,
                  status.st_gid, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  if (!S_ISDIR(status.st_mode)) {
    text += fmt::format(" links={} size={} device={:#x}", status.st_nlink, status.st_size,
                        status.st_rdev);
  }
  if (S_ISLNK(status.st_mode)) {
    text += " target=" + escaped(fs::read_symlink(path).string());
  }
  if (S_ISREG(status.st_mode)) {
    text += fmt::format(" hash={:016x}", hash_file(path));
  }
  if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
    text += describe_xattrs(path);
  }
  return text;
}

// Relative to `root`, which is "." itself.
std::set<std::string> names_below(const std::string& root) {
  std::set<std::string> names{"."};
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string name = entry.path().string().substr(root.size() + 1);
    if (name != "lost+found") {
      names.insert(name);
    }
  }
  return names;
}

}  // namespace

Manifest scan_tree(const std::string& root) {
  Manifest manifest;
  std::map<ino_t, std::string> first_names;  // of files with several
  // Sorted, as which name of a file comes first must not depend on the directory's order.
  for (const std::string& name : names_below(root)) {
    const std::string path = root + "/" + name;
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) {
      throw_errno("stat " + path);
    }
    std::string text = describe(path, status);
    if (!S_ISDIR(status.st_mode) && status.st_nlink > 1) {
      text += " same=" + first_names.emplace(status.st_ino, escaped(name)).first->second;
    }
    manifest[escaped(name)] = text;
  }
  return manifest;
}

void save_manifest(const Manifest& manifest, const std::string& file) {
  std::ofstream out(file, std::ios::trunc);
  for (const auto& [path, text] : manifest) {
    out << path << ' ' << text << '\n';
  }
  if (!out.flush()) {
    throw std::runtime_error("cannot write " + file);
  }
}

Manifest load_manifest(const std::string& file) {
  std::ifstream in(file);
  if (!in) {
    throw std::runtime_error("cannot read " + file);
  }
  Manifest manifest;
  for (std::string line; std::getline(in, line);) {
    const std::size_t blank = line.find(' ');
    manifest[line.substr(0, blank)] = line.substr(blank + 1);
  }
  return manifest;
}

std::vector<std::string> differences(const Manifest& expected, const Manifest& found) {
  std::vector<std::string> out;
  for (const auto& [path, text] : expected) {
    const auto other = found.find(path);
    if (other == found.end()) {
      out.push_back(path + ": missing");
    } else if (other->second != text) {
      out.push_back(fmt::format("{}:\n  was {}\n  is  {}", path, text, other->second));
    }
  }
  for (const auto& [path, text] : found) {
    if (!expected.contains(path)) {
      out.push_back(path + ": must not be there");
    }
  }
  return out;
}

}  // namespace vimg::stress

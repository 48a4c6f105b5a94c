#include "tests/support/tree.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <sstream>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "disk/error.h"
#include "tests/support/host.h"

namespace vimg::test {
namespace {

using Json = nlohmann::json;

std::string hex(std::string_view text) {
  std::string digits;
  for (const char character : text) {
    digits += fmt::format("{:02x}", static_cast<unsigned char>(character));
  }
  return digits;
}

// As walk.py: what is not UTF-8 is kept in hex.
void put(Json& entry, const std::string& key, const std::string& text) {
  try {
    static_cast<void>(Json(text).dump());
    entry[key] = text;
  } catch (const Json::exception&) {
    entry[key + "_hex"] = hex(text);
  }
}

std::string errno_name(int code) {
  static const std::map<int, std::string> names{
      {ENOKEY, "ENOKEY"}, {EIO, "EIO"}, {EUCLEAN, "EUCLEAN"}};
  const auto found = names.find(code);
  return found == names.end() ? std::to_string(code) : found->second;
}

std::string type_name(mode_t mode) {
  static const std::map<mode_t, std::string> names{
      {S_IFREG, "file"},    {S_IFDIR, "dir"},  {S_IFLNK, "symlink"}, {S_IFIFO, "fifo"},
      {S_IFSOCK, "socket"}, {S_IFCHR, "char"}, {S_IFBLK, "block"}};
  const auto found = names.find(mode & S_IFMT);
  return found == names.end() ? "?" : found->second;
}

// Digests by sha256sum, once for each content in a whole run: the images have much in common.  What
// tells contents apart in between is their size and a hash of 64 bits.
class Digests {
 public:
  using Key = std::pair<std::size_t, std::size_t>;

  Key add(const std::vector<std::byte>& content) {
    const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
    const Key key{text.size(), std::hash<std::string_view>()(text)};
    if (!digests_.contains(key)) {
      digests_[key] = "";
      write_file(directory_ / std::to_string(pending_.size()), content);
      pending_.push_back(key);
    }
    return key;
  }

  const std::string& get(const Key& key) {
    if (!pending_.empty()) {
      std::istringstream lines(must_run("cd '" + directory_.path() + "' && ls | xargs sha256sum"));
      std::string digest;
      std::size_t number = 0;
      while (lines >> digest >> number) {
        digests_[pending_[number]] = digest;
      }
      must_run("cd '" + directory_.path() + "' && ls | xargs rm");
      pending_.clear();
    }
    return digests_.at(key);
  }

 private:
  TemporaryDirectory directory_;  // the content of pending_[n] as the file n
  std::vector<Key> pending_;
  std::map<Key, std::string> digests_;
};

Digests& digests() {
  static Digests shared;
  return shared;
}

class Walker {
 public:
  explicit Walker(const FileSystem& filesystem) : filesystem_(filesystem) {}

  Json walk() {
    entries_ = Json::array();
    add(filesystem_.root(), ".");
    walk_directory(filesystem_.root(), "");
    for (const auto& [index, key] : files_) {
      entries_[index]["sha256"] = digests().get(key);
    }
    return entries_;
  }

 private:
  void walk_directory(InodeNumber directory, const std::string& prefix);
  mode_t add(InodeNumber inode, const std::string& path);
  void add_content(Json& entry, const Attributes& attributes);
  void add_xattrs(Json& entry, InodeNumber inode);

  const FileSystem& filesystem_;
  Json entries_;
  std::vector<std::pair<std::size_t, Digests::Key>> files_;  // indexes of entries
};

void Walker::walk_directory(InodeNumber directory, const std::string& prefix) {
  struct Child {
    std::string name;
    InodeNumber inode;
  };
  std::vector<Child> children;
  filesystem_.list(directory, 0, [&](const DirectoryEntry& entry) {
    if (entry.name != "." && entry.name != "..") {
      children.push_back({std::string(entry.name), entry.inode});
    }
    return true;
  });
  for (const Child& child : children) {
    const auto found = filesystem_.lookup(directory, child.name);
    if (found != child.inode) {
      throw Error(ENOENT, prefix + child.name + ": listed, but lookup does not find it");
    }
    if (S_ISDIR(add(child.inode, prefix + child.name))) {
      walk_directory(child.inode, prefix + child.name + "/");
    }
  }
}

mode_t Walker::add(InodeNumber inode, const std::string& path) {
  const Attributes attributes = filesystem_.attributes(inode);
  Json entry;
  put(entry, "path", path);
  entry["type"] = type_name(attributes.mode);
  entry["mode"] = fmt::format("{:04o}", attributes.mode & 07777);
  entry["uid"] = attributes.uid;
  entry["gid"] = attributes.gid;
  entry["nlink"] = attributes.nlink;
  entry["ino"] = inode;
  entry["size"] = attributes.size;
  entry["mtime"] = attributes.mtime.tv_sec;
  entry["mtime_ns"] = attributes.mtime.tv_nsec;
  if (S_ISREG(attributes.mode)) {
    entry["blocks"] = attributes.blocks;
  }
  if (S_ISCHR(attributes.mode) || S_ISBLK(attributes.mode)) {
    entry["rdev"] = {attributes.device_major, attributes.device_minor};
  }
  try {
    add_content(entry, attributes);
  } catch (const Error& error) {
    entry["read_error"] = errno_name(error.code());
  }
  add_xattrs(entry, inode);
  entries_.push_back(std::move(entry));
  return attributes.mode;
}

void Walker::add_content(Json& entry, const Attributes& attributes) {
  if (S_ISLNK(attributes.mode)) {
    put(entry, "target", filesystem_.symlink_target(attributes.inode));
  }
  if (S_ISREG(attributes.mode)) {
    std::vector<std::byte> content(attributes.size + 1);
    const std::size_t length = filesystem_.read(attributes.inode, 0, content);
    if (length != attributes.size) {
      throw Error(EIO, "a short read");
    }
    content.resize(length);
    files_.emplace_back(entries_.size(), digests().add(content));
  }
}

void Walker::add_xattrs(Json& entry, InodeNumber inode) {
  for (const std::string& name : filesystem_.xattr_names(inode)) {
    const auto value = filesystem_.xattr(inode, name);
    entry["xattrs"][name] = value ? hex(text_of(*value)) : "!ENODATA";
  }
}

using Paths = std::map<std::string, Json>;

Paths by_path(const Json& entries) {
  Paths paths;
  for (const Json& entry : entries) {
    const bool plain = entry.contains("path");
    paths[plain ? entry.at("path").get<std::string>()
                : "hex:" + entry.at("path_hex").get<std::string>()] = entry;
  }
  return paths;
}

void compare_entries(const std::string& path, const Json& want, const Json& got,
                     std::vector<std::string>& differences) {
  for (const char* key :
       {"type", "size", "sha256", "read_error", "target", "target_hex", "rdev", "xattrs", "mtime",
        "mtime_ns", "mode", "uid", "gid", "nlink", "ino", "blocks"}) {
    if (std::string_view(key) == "size" && want.at("type") == "dir") {
      continue;
    }
    const Json wanted = want.value(key, Json());
    const Json found = got.value(key, Json());
    if (wanted != found) {
      differences.push_back(path + ": " + key + ": want " + wanted.dump() + ", got " +
                            found.dump());
    }
  }
}

}  // namespace

Json walk(const FileSystem& filesystem) { return Walker(filesystem).walk(); }

std::vector<std::string> compare_walks(const Json& want, const Json& got) {
  std::vector<std::string> differences;
  const Paths wanted = by_path(want);
  const Paths found = by_path(got);
  for (const auto& [path, entry] : wanted) {
    const auto other = found.find(path);
    if (other == found.end()) {
      differences.push_back(path + ": missing");
    } else {
      compare_entries(path, entry, other->second, differences);
    }
  }
  for (const auto& [path, entry] : found) {
    if (!wanted.contains(path)) {
      differences.push_back(path + ": unexpected");
    }
  }
  return differences;
}

}  // namespace vimg::test

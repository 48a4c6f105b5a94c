// Random operations on ext4 against a model in memory, then e2fsck and the reading driver.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "disk/error.h"
#include "tests/fsdrivers/ext4_image.h"

using namespace vimg;
using vimg::test::Ext4Image;

namespace {

struct ModelFile {
  mode_t type = S_IFREG;
  std::string content;  // or the target of a symbolic link
  std::map<std::string, std::shared_ptr<ModelFile>> entries;
  std::map<std::string, std::string> xattrs;
  InodeNumber inode = 0;
  int names = 0;
};
using ModelPtr = std::shared_ptr<ModelFile>;

class RandomRun {
 public:
  RandomRun(Ext4Image& image, unsigned seed) : image_(image), random_(seed) {
    root_->type = S_IFDIR;
    root_->inode = image.root();
    directories_.push_back(root_);
    root_->entries["lost+found"] = nullptr;
  }

  void step();
  // The whole tree as the reading side shows it.
  void compare() { compare(*root_); }

 private:
  unsigned below(unsigned limit) { return unsigned(random_() % limit); }
  std::string name() { return "n" + std::to_string(below(60)) + std::string(below(40), 'x'); }
  std::string bytes(unsigned limit) {
    std::string text(below(limit) + 1, '\0');
    const auto start = char(random_());
    for (std::size_t index = 0; index < text.size(); ++index) {
      text[index] = char(start + char(index * 7 + index / 251));
    }
    return text;
  }
  ModelPtr directory() { return directories_[below(unsigned(directories_.size()))]; }
  ModelPtr file();
  int expect(const std::function<void()>& action);
  void make();
  void remove();
  void move();
  void link();
  void write();
  void cut();
  void range();
  void attribute();
  void forget(const ModelPtr& file);
  bool is_inside(const ModelPtr& directory, const ModelPtr& other);
  void compare(ModelFile& model);

  Ext4Image& image_;
  std::mt19937 random_;
  ModelPtr root_ = std::make_shared<ModelFile>();
  std::vector<ModelPtr> directories_;
  std::vector<ModelPtr> files_;
};

int RandomRun::expect(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

ModelPtr RandomRun::file() {
  return files_.empty() ? nullptr : files_[below(unsigned(files_.size()))];
}

void RandomRun::forget(const ModelPtr& file) {
  std::erase(files_, file);
  std::erase(directories_, file);
  image_.writer().release(file->inode);
}

void RandomRun::make() {
  const ModelPtr parent = directory();
  const std::string called = name();
  const unsigned kind = below(6);
  const auto made = std::make_shared<ModelFile>();
  const int code = expect([&] {
    if (kind == 0) {
      made->type = S_IFDIR;
      made->inode = image_.make_directory(parent->inode, called);
    } else if (kind == 1) {
      made->type = S_IFLNK;
      made->content = std::string(below(150) + 1, 't');
      made->inode = image_.writer().make_symlink(parent->inode, called, made->content, 0, 0).inode;
    } else {
      made->inode = image_.make(parent->inode, called).inode;
    }
  });
  const bool exists = parent->entries.count(called) != 0;
  REQUIRE((code == ENOSPC || code == (exists ? EEXIST : 0)));
  if (code != 0) {
    return;
  }
  made->names = 1;
  parent->entries[called] = made;
  if (made->type == S_IFDIR) {
    directories_.push_back(made);
  } else if (made->type == S_IFREG) {
    files_.push_back(made);
  }
}

void RandomRun::remove() {
  const ModelPtr parent = directory();
  if (parent->entries.empty()) {
    return;
  }
  const auto entry = std::next(parent->entries.begin(), below(unsigned(parent->entries.size())));
  const ModelPtr file = entry->second;
  if (file == nullptr) {
    return;
  }
  const bool is_directory = file->type == S_IFDIR;
  const int code = expect([&] {
    if (is_directory) {
      image_.writer().remove_directory(parent->inode, entry->first);
    } else {
      image_.writer().unlink(parent->inode, entry->first);
    }
  });
  REQUIRE(code == (is_directory && !file->entries.empty() ? ENOTEMPTY : 0));
  if (code != 0) {
    return;
  }
  parent->entries.erase(entry);
  if (--file->names == 0) {
    forget(file);
  }
}

bool RandomRun::is_inside(const ModelPtr& directory, const ModelPtr& other) {
  if (directory == other) {
    return true;
  }
  for (const auto& [called, child] : other->entries) {
    if (child != nullptr && child->type == S_IFDIR && is_inside(directory, child)) {
      return true;
    }
  }
  return false;
}

void RandomRun::move() {
  const ModelPtr from = directory();
  const ModelPtr to = directory();
  if (from->entries.empty()) {
    return;
  }
  const auto entry = std::next(from->entries.begin(), below(unsigned(from->entries.size())));
  const std::string from_name = entry->first;
  const ModelPtr moved = entry->second;
  if (moved == nullptr) {
    return;
  }
  std::string to_name = name();
  if (!to->entries.empty() && below(2) == 0) {
    to_name = std::next(to->entries.begin(), below(unsigned(to->entries.size())))->first;
  }
  const auto found = to->entries.find(to_name);
  if (found != to->entries.end() && found->second == nullptr) {
    return;
  }
  const ModelPtr other = found == to->entries.end() ? nullptr : found->second;
  const RenameMode mode = below(4) == 0 ? RenameMode::exchange : RenameMode::replace;
  const int code =
      expect([&] { image_.writer().rename(from->inode, from_name, to->inode, to_name, mode); });
  if (code != 0) {
    const bool loops = (moved->type == S_IFDIR && is_inside(to, moved)) ||
                       (other && other->type == S_IFDIR && is_inside(from, other));
    const bool mixed = other && (other->type == S_IFDIR) != (moved->type == S_IFDIR);
    const bool full = other && !other->entries.empty();
    REQUIRE((loops || mixed || full || code == ENOSPC || (other == nullptr && code == ENOENT)));
    return;
  }
  if (other == moved) {
    return;
  }
  to->entries[to_name] = moved;
  if (mode == RenameMode::exchange) {
    from->entries[from_name] = other;
    return;
  }
  from->entries.erase(from_name);
  if (other && --other->names == 0) {
    forget(other);
  }
}

void RandomRun::link() {
  const ModelPtr target = file();
  const ModelPtr parent = directory();
  const std::string called = name();
  if (!target) {
    return;
  }
  const int code = expect([&] { image_.writer().link(target->inode, parent->inode, called); });
  REQUIRE((code == ENOSPC || code == (parent->entries.count(called) != 0 ? EEXIST : 0)));
  if (code == 0) {
    parent->entries[called] = target;
    ++target->names;
  }
}

void RandomRun::write() {
  const ModelPtr target = file();
  if (!target) {
    return;
  }
  const std::size_t offset = below(3) == 0 ? target->content.size() : below(200'000);
  const std::string text = bytes(below(4) == 0 ? 150'000 : 3'000);
  const int code = expect(
      [&] { image_.writer().write(target->inode, offset, bytes_of(std::string_view(text))); });
  REQUIRE((code == 0 || code == ENOSPC));
  if (code == 0) {
    target->content.resize(std::max(target->content.size(), offset + text.size()));
    target->content.replace(offset, text.size(), text);
  }
}

void RandomRun::cut() {
  const ModelPtr target = file();
  if (!target) {
    return;
  }
  AttributeChange change;
  change.size = below(3) == 0 ? below(250'000) : below(unsigned(target->content.size()) + 1);
  const int code = expect([&] { image_.writer().change(target->inode, change); });
  REQUIRE((code == 0 || code == ENOSPC));
  if (code == 0) {
    target->content.resize(*change.size);
  }
}

void RandomRun::range() {
  const ModelPtr target = file();
  if (!target) {
    return;
  }
  constexpr FallocateMode modes[] = {FallocateMode::allocate,
                                     FallocateMode::allocate_keep_size,
                                     FallocateMode::punch_hole,
                                     FallocateMode::zero_range,
                                     FallocateMode::zero_range_keep_size,
                                     FallocateMode::collapse_range,
                                     FallocateMode::insert_range};
  const FallocateMode mode = modes[below(7)];
  std::size_t offset = below(200'000);
  std::size_t length = below(60'000) + 1;
  if (mode == FallocateMode::collapse_range || mode == FallocateMode::insert_range) {
    offset = offset / 16384 * 16384;
    length = (length / 16384 + 1) * 16384;
  }
  const int code = expect([&] { image_.writer().fallocate(target->inode, mode, offset, length); });
  REQUIRE((code == 0 || code == ENOSPC || code == EOPNOTSUPP || code == EINVAL));
  std::string& content = target->content;
  if (code == ENOSPC) {
    content = image_.content(target->inode);  // part of the range may be done
  }
  if (code != 0) {
    return;
  }
  const std::size_t end = offset + length;
  const auto zero = [&] {
    for (std::size_t at = offset; at < std::min(end, content.size()); ++at) {
      content[at] = '\0';
    }
  };
  switch (mode) {
    case FallocateMode::allocate:
      content.resize(std::max(content.size(), end));
      break;
    case FallocateMode::allocate_keep_size:
      break;
    case FallocateMode::zero_range:
      content.resize(std::max(content.size(), end));
      zero();
      break;
    case FallocateMode::punch_hole:
    case FallocateMode::zero_range_keep_size:
      zero();
      break;
    case FallocateMode::collapse_range:
      content.erase(offset, length);
      break;
    case FallocateMode::insert_range:
      content.insert(offset, length, '\0');
      break;
  }
}

void RandomRun::attribute() {
  const ModelPtr target = below(2) == 0 ? directory() : file();
  if (!target) {
    return;
  }
  const std::string called = "user.a" + std::to_string(below(6));
  if (below(3) == 0) {
    const int code = expect([&] { image_.writer().remove_xattr(target->inode, called); });
    REQUIRE(code == (target->xattrs.count(called) != 0 ? 0 : ENODATA));
    target->xattrs.erase(called);
    return;
  }
  const std::string value = bytes(below(4) == 0 ? 5000 : 60);
  const int code = expect([&] {
    image_.writer().set_xattr(target->inode, called, bytes_of(std::string_view(value)),
                              XattrMode::set);
  });
  REQUIRE((code == 0 || code == ENOSPC));
  if (code == 0) {
    target->xattrs[called] = value;
  }
}

void RandomRun::step() {
  switch (below(12)) {
    case 0:
    case 1:
    case 2:
      return make();
    case 3:
      return remove();
    case 4:
      return move();
    case 5:
      return link();
    case 6:
    case 7:
    case 8:
      return write();
    case 9:
      return cut();
    case 10:
      return range();
    default:
      return attribute();
  }
}

void RandomRun::compare(ModelFile& model) {
  const Attributes attributes = image_.fs().attributes(model.inode);
  CAPTURE(model.inode);
  REQUIRE((attributes.mode & S_IFMT) == model.type);
  for (const auto& [called, value] : model.xattrs) {
    const auto found = image_.fs().xattr(model.inode, called);
    REQUIRE(found.has_value());
    REQUIRE(text_of(*found) == value);
  }
  if (model.type == S_IFLNK) {
    REQUIRE(image_.fs().symlink_target(model.inode) == model.content);
    return;
  }
  if (model.type == S_IFREG) {
    REQUIRE(attributes.nlink == unsigned(model.names));
    REQUIRE(image_.content(model.inode) == model.content);
    return;
  }
  std::size_t listed = 0;
  image_.fs().list(model.inode, 0, [&](const DirectoryEntry& entry) {
    listed += entry.name != "." && entry.name != ".." ? 1 : 0;
    return true;
  });
  REQUIRE(listed == model.entries.size());
  for (const auto& [called, child] : model.entries) {
    const auto found = image_.fs().lookup(model.inode, called);
    REQUIRE(found.has_value());
    if (child != nullptr) {
      REQUIRE(*found == child->inode);
      compare(*child);
    }
  }
}

}  // namespace

TEST_CASE("ext4 writing: random operations end as the model says, and clean for e2fsck") {
  const std::vector<std::string> kinds = {
      "-t ext4 -b 1024",
      "-t ext4 -O inline_data,ea_inode",
      "-t ext3 -b 1024",
      "-t ext4 -O bigalloc,ea_inode -C 16384",
      "-t ext4 -O ^metadata_csum,uninit_bg -b 1024 -g 1024",
      "-t ext2 -I 128",
  };
  // Another number tries other sequences.
  const char* given = std::getenv("VIMG_RANDOM_SEED");
  unsigned seed = given != nullptr ? unsigned(std::atoi(given)) : 1;
  for (const std::string& kind : kinds) {
    CAPTURE(kind);
    CAPTURE(seed);
    Ext4Image image(kind, 8);
    RandomRun run(image, seed++);
    for (int step = 0; step < 1500; ++step) {
      CAPTURE(step);
      run.step();
    }
    run.compare();
    CHECK(image.fsck() == "");
    image.open();
    run.compare();
  }
}

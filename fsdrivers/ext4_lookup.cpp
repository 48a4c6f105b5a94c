#include "fsdrivers/ext4_lookup.h"

#include <functional>

#include "fsdrivers/ext4_htree.h"
#include "fsdrivers/ext4_nokey.h"

namespace vimg::ext4 {
namespace {

// What is looked for: a test on records, and the hash by which they are found in an index.
struct Wanted {
  std::function<bool(const Record&)> is_it;
  std::function<NameHash(std::uint8_t version)> hash;
};

std::optional<InodeNumber> find_in_block(const DirectoryReader& directory, std::uint64_t index,
                                         const Wanted& wanted) {
  std::optional<InodeNumber> found;
  directory.visit_block(*directory.block(index), index, [&](const Record& record) {
    if (wanted.is_it(record)) {
      found = record.inode;
    }
    return !found.has_value();
  });
  return found;
}

std::optional<InodeNumber> find_indexed(const DirectoryReader& directory, const Wanted& wanted) {
  IndexWalk walk(directory);
  const std::uint32_t major = wanted.hash(walk.hash_version()).major & ~std::uint32_t{1};
  IndexWalk::Step step = walk.seek(major);
  while (step == IndexWalk::Step::leaf) {
    if (const auto found = find_in_block(directory, walk.leaf(), wanted)) {
      return found;
    }
    if (!walk.next_continues() || walk.continued_hash() != major) {
      return std::nullopt;
    }
    step = walk.advance();
  }
  return step == IndexWalk::Step::broken ? directory.find_linear(wanted.is_it) : std::nullopt;
}

std::optional<InodeNumber> find(const DirectoryReader& directory, const Wanted& wanted) {
  return directory.is_indexed() ? find_indexed(directory, wanted)
                                : directory.find_linear(wanted.is_it);
}

// "." and ".." are in the first block, in front of the index, and are never encrypted.
std::optional<InodeNumber> find_dots(const DirectoryReader& directory, std::string_view name) {
  const Wanted wanted{[&](const Record& record) { return record.name == name; }, {}};
  if (!directory.is_indexed()) {
    return directory.find_linear(wanted.is_it);
  }
  return directory.block_count() > 0 ? find_in_block(directory, 0, wanted) : std::nullopt;
}

std::optional<InodeNumber> find_nokey(const DirectoryReader& directory, std::string_view name) {
  const auto wanted = parse_nokey_name(name);
  if (!wanted) {
    return std::nullopt;
  }
  return find(directory, {[&](const Record& record) { return wanted->matches(record.name); },
                          [&](std::uint8_t) { return wanted->hash; }});
}

}  // namespace

std::optional<InodeNumber> find_entry(const DirectoryReader& directory, std::string_view name) {
  if (name == "." || name == "..") {
    return find_dots(directory, name);
  }
  const Inode& inode = directory.inode();
  if (inode.has_flag(inode_encrypted)) {
    return find_nokey(directory, name);
  }
  const NameRules& rules = directory.rules();
  return find(directory,
              {[&](const Record& record) { return rules.matches(inode, record.name, name); },
               [&](std::uint8_t version) { return rules.hash(inode, version, name); }});
}

}  // namespace vimg::ext4

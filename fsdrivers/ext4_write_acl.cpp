#include "fsdrivers/ext4_write_acl.h"

#include <algorithm>
#include <cerrno>

#include "disk/endian.h"
#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"

namespace vimg::ext4 {
namespace {

// Spec: include/uapi/linux/posix_acl_xattr.h.
constexpr std::uint32_t version = 2;
constexpr std::uint16_t tag_user_owner = 0x01;
constexpr std::uint16_t tag_user = 0x02;
constexpr std::uint16_t tag_group_owner = 0x04;
constexpr std::uint16_t tag_group = 0x08;
constexpr std::uint16_t tag_mask = 0x10;
constexpr std::uint16_t tag_other = 0x20;
constexpr mode_t permissions = 07;

struct Entry {
  le16 tag;
  le16 permissions;
  le32 id;
};
static_assert(sizeof(Entry) == 8 && OnDisk<Entry>);

[[noreturn]] void throw_invalid() { throw_error(EINVAL, layer, "the ACL is not valid"); }

struct ParsedAcl {
  std::vector<Entry> entries;

  Entry* find(std::uint16_t tag) {
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const Entry& entry) { return entry.tag == tag; });
    return found == entries.end() ? nullptr : &*found;
  }
  // One that every valid ACL has.
  Entry& get(std::uint16_t tag) {
    Entry* const entry = find(tag);
    if (entry == nullptr) {
      throw_invalid();
    }
    return *entry;
  }
};

ParsedAcl parse(ConstBytes acl) {
  if (acl.size() < 4 || acl.size() % sizeof(Entry) != 4 || load<le32>(acl) != version) {
    throw_invalid();
  }
  ParsedAcl parsed;
  for (std::size_t offset = 4; offset < acl.size(); offset += sizeof(Entry)) {
    parsed.entries.push_back(load<Entry>(acl, offset));
  }
  return parsed;
}

// As posix_acl_valid(): one entry for the owner, the group and the others each, in ascending order
// of tags, and a mask when anybody is named.
void validate(ParsedAcl& acl) {
  std::uint16_t last_tag = 0;
  bool names_somebody = false;
  for (const Entry& entry : acl.entries) {
    const bool named = entry.tag == tag_user || entry.tag == tag_group;
    const bool known = named || entry.tag == tag_user_owner || entry.tag == tag_group_owner ||
                       entry.tag == tag_mask || entry.tag == tag_other;
    if (!known || entry.tag < last_tag || (entry.tag == last_tag && !named) ||
        entry.permissions > permissions) {
      throw_invalid();
    }
    last_tag = entry.tag;
    names_somebody = names_somebody || named;
  }
  if (acl.find(tag_user_owner) == nullptr || acl.find(tag_group_owner) == nullptr ||
      acl.find(tag_other) == nullptr || (names_somebody && acl.find(tag_mask) == nullptr)) {
    throw_invalid();
  }
}

// The entry that the mode's group bits stand for.
Entry& group_entry(ParsedAcl& acl) {
  Entry* mask = acl.find(tag_mask);
  return mask != nullptr ? *mask : acl.get(tag_group_owner);
}

std::vector<std::byte> bytes_of_acl(const ParsedAcl& acl) {
  std::vector<std::byte> bytes(4 + acl.entries.size() * sizeof(Entry));
  store(Bytes(bytes), 0, le32(version));
  for (std::size_t index = 0; index < acl.entries.size(); ++index) {
    store(Bytes(bytes), 4 + index * sizeof(Entry), acl.entries[index]);
  }
  return bytes;
}

mode_t mode_of(ParsedAcl& acl, mode_t mode) {
  const mode_t bits = mode_t(acl.get(tag_user_owner).permissions) << 6 |
                      mode_t(group_entry(acl).permissions) << 3 |
                      mode_t(acl.get(tag_other).permissions);
  return (mode & ~mode_t(0777)) | bits;
}

constexpr std::size_t minimal_entries = 3;  // owner, group and others: the mode says the same

AclAndMode with_mode(ParsedAcl& acl, mode_t mode) {
  if (acl.entries.size() == minimal_entries) {
    return {std::nullopt, mode};
  }
  return {bytes_of_acl(acl), mode};
}

}  // namespace

void check_acl(ConstBytes acl) {
  ParsedAcl parsed = parse(acl);
  if (!parsed.entries.empty()) {
    validate(parsed);
  }
}

AclAndMode apply_acl(ConstBytes acl, mode_t mode) {
  ParsedAcl parsed = parse(acl);
  if (parsed.entries.empty()) {
    return {std::nullopt, mode};
  }
  validate(parsed);
  return with_mode(parsed, mode_of(parsed, mode));
}

AclAndMode inherit_acl(ConstBytes acl, mode_t mode) {
  ParsedAcl parsed = parse(acl);
  validate(parsed);
  const auto restrict_to = [](Entry& entry, mode_t bits) {
    entry.permissions = std::uint16_t(entry.permissions & bits & permissions);
  };
  restrict_to(parsed.get(tag_user_owner), mode >> 6);
  restrict_to(group_entry(parsed), mode >> 3);
  restrict_to(parsed.get(tag_other), mode);
  return with_mode(parsed, mode_of(parsed, mode));
}

std::vector<std::byte> change_acl(ConstBytes acl, mode_t mode) {
  ParsedAcl parsed = parse(acl);
  validate(parsed);
  const auto set = [](Entry& entry, mode_t bits) {
    entry.permissions = std::uint16_t(bits & permissions);
  };
  set(parsed.get(tag_user_owner), mode >> 6);
  set(group_entry(parsed), mode >> 3);
  set(parsed.get(tag_other), mode);
  return bytes_of_acl(parsed);
}

}  // namespace vimg::ext4

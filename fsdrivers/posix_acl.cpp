#include "fsdrivers/posix_acl.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "disk/endian.h"
#include "disk/error.h"

namespace vimg {
namespace {

constexpr char layer[] = "ext4";

// Spec: linux fs/ext4/acl.h for the disk, include/uapi/linux/posix_acl_xattr.h for the kernel.
constexpr std::uint32_t disk_version = 1;
constexpr std::uint32_t kernel_version = 2;
constexpr std::uint16_t tag_user = 0x2;
constexpr std::uint16_t tag_group = 0x8;
constexpr std::uint32_t undefined_id = 0xffffffff;  // of the entries that name nobody

struct ShortEntry {
  le16 tag;
  le16 permissions;
};
static_assert(sizeof(ShortEntry) == 4 && OnDisk<ShortEntry>);

// On disk only entries that name a user or a group have an id, in the kernel all have.
struct FullEntry {
  le16 tag;
  le16 permissions;
  le32 id;
};
static_assert(sizeof(FullEntry) == 8 && OnDisk<FullEntry>);

bool names_somebody(std::uint16_t tag) noexcept { return tag == tag_user || tag == tag_group; }

template <OnDisk T>
void append(std::vector<std::byte>& out, const T& object) {
  const ConstBytes bytes = bytes_of(object);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

std::vector<std::byte> acl_from_disk(ConstBytes stored) {
  if (stored.size() < sizeof(le32) || load<le32>(stored) != disk_version) {
    throw_corrupt(layer, fmt::format("an ACL of {} bytes is not of version 1", stored.size()));
  }
  std::vector<std::byte> value;
  append(value, le32(kernel_version));
  stored = stored.subspan(sizeof(le32));
  while (!stored.empty()) {
    FullEntry entry{};
    entry.id = undefined_id;
    const bool named = stored.size() >= sizeof(ShortEntry) && names_somebody(load<le16>(stored));
    const std::size_t size = named ? sizeof(FullEntry) : sizeof(ShortEntry);
    if (stored.size() < size) {
      throw_corrupt(layer,
                    fmt::format("an ACL ends with {} bytes, expected {}", stored.size(), size));
    }
    std::copy_n(stored.begin(), size, writable_bytes_of(entry).begin());
    append(value, entry);
    stored = stored.subspan(size);
  }
  return value;
}

std::vector<std::byte> acl_to_disk(ConstBytes value) {
  if (value.size() < sizeof(le32) || load<le32>(value) != kernel_version ||
      value.size() % sizeof(FullEntry) != sizeof(le32)) {
    throw_error(EINVAL, layer, fmt::format("{} bytes are not an ACL of version 2", value.size()));
  }
  std::vector<std::byte> stored;
  append(stored, le32(disk_version));
  for (value = value.subspan(sizeof(le32)); !value.empty();
       value = value.subspan(sizeof(FullEntry))) {
    const auto entry = load<FullEntry>(value);
    if (names_somebody(entry.tag)) {
      append(stored, entry);
    } else {
      append(stored, ShortEntry{entry.tag, entry.permissions});
    }
  }
  return stored;
}

}  // namespace vimg

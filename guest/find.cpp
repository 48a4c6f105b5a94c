#include "guest/find.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <string>

#include <fmt/format.h>

#include "guest/device_name.h"

namespace vimg {
namespace {

using Fits = std::function<bool(const Volume&)>;

bool same_but_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// UUIDs are compared without regard to case: tools print them either way.
bool has_uuid(const Volume& volume, std::string_view uuid) {
  return volume.filesystem && !uuid.empty() &&
         same_but_case(volume.filesystem->identity.uuid, uuid);
}

bool has_label(const Volume& volume, std::string_view label) {
  return volume.filesystem && !label.empty() && volume.filesystem->identity.label == label;
}

bool has_partition_uuid(const Volume& volume, std::string_view uuid) {
  return volume.partition && !uuid.empty() && same_but_case(volume.partition->uuid, uuid);
}

bool has_partition_label(const Volume& volume, std::string_view label) {
  return volume.partition && !label.empty() && volume.partition->label == label;
}

struct Tag {
  std::string_view assignment;  // in /etc/fstab
  std::string_view directory;   // udev's links
  bool (*fits)(const Volume& volume, std::string_view value);
};
constexpr std::array<Tag, 4> tags{{
    {"UUID=", "/dev/disk/by-uuid/", has_uuid},
    {"LABEL=", "/dev/disk/by-label/", has_label},
    {"PARTUUID=", "/dev/disk/by-partuuid/", has_partition_uuid},
    {"PARTLABEL=", "/dev/disk/by-partlabel/", has_partition_label},
}};

std::string_view unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && value.front() == value.back() &&
                      (value.front() == '"' || value.front() == '\'');
  return quoted ? value.substr(1, value.size() - 2) : value;
}

// How a name with a tag or under one of udev's directories is compared; empty for other names.
Fits tag_fits(std::string_view name) {
  for (const Tag& tag : tags) {
    if (name.starts_with(tag.assignment)) {
      return [&tag, value = std::string(unquoted(name.substr(tag.assignment.size())))](
                 const Volume& volume) { return tag.fits(volume, value); };
    }
    if (name.starts_with(tag.directory)) {
      return [&tag, value = decode_udev(name.substr(tag.directory.size()))](const Volume& volume) {
        return tag.fits(volume, value);
      };
    }
  }
  return nullptr;
}

bool is_device(const Volume& volume, const DeviceName& device) {
  if (volume.image != device.disk) {
    return false;
  }
  return device.partition ? volume.partition && volume.partition->number == *device.partition
                          : volume.kind == VolumeKind::disk;
}

std::string without_dashes(std::string text) {
  std::erase(text, '-');
  return text;
}

// The paths under which a guest finds a logical volume of `group`.
std::array<std::string, 4> logical_volume_paths(const Volume& volume, const VolumeGroup& group) {
  const std::string own = volume.name.substr(volume.name.rfind('/') + 1);
  return {fmt::format("/dev/{}/{}", group.name, own),
          fmt::format("/dev/mapper/{}", mapper_name(group.name, own)),
          fmt::format("/dev/disk/by-id/dm-name-{}", mapper_name(group.name, own)),
          fmt::format("/dev/disk/by-id/dm-uuid-LVM-{}{}", without_dashes(group.uuid),
                      without_dashes(volume.uuid))};
}

bool is_own_name(const Volume& volume, std::string_view name) {
  if (volume.kind == VolumeKind::logical_volume && name.starts_with("/dev/")) {
    name.remove_prefix(std::string_view("/dev/").size());
  }
  return volume.name == name || volume.full_name == name;
}

}  // namespace

std::vector<const Volume*> find_volumes(const std::vector<Volume>& volumes,
                                        const std::vector<VolumeGroup>& groups,
                                        std::string_view name) {
  const auto all = [&](const Fits& fits) {
    std::vector<const Volume*> found;
    for (const Volume& volume : volumes) {
      if (fits(volume)) {
        found.push_back(&volume);
      }
    }
    return found;
  };
  if (const Fits fits = tag_fits(name)) {
    return all(fits);
  }
  if (const auto device = parse_device_name(name)) {
    return all([&](const Volume& volume) { return is_device(volume, *device); });
  }
  return all([&](const Volume& volume) {
    if (is_own_name(volume, name)) {
      return true;
    }
    if (!volume.group) {
      return false;
    }
    const auto paths = logical_volume_paths(volume, groups[*volume.group]);
    return std::ranges::find(paths, name) != paths.end();
  });
}

const Volume* only_volume(const std::vector<const Volume*>& fits, std::string_view name) {
  if (fits.size() == 1) {
    return fits.front();
  }
  const auto own = [&](const Volume* volume) { return is_own_name(*volume, name); };
  const auto found = std::ranges::find_if(fits, own);
  return found == fits.end() ? nullptr : *found;
}

}  // namespace vimg

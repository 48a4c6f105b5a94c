#include "guest/details.h"

#include "disk/error.h"
#include "guest/names.h"

namespace vimg {
namespace {

VolumeDetails examine_filesystem(Guest& guest, const Volume& volume) {
  VolumeDetails details;
  try {
    const auto filesystem = guest.open_filesystem(volume);
    details.info = filesystem->info();
    details.statistics = filesystem->statistics();
  } catch (const Error&) {
    // The guest has noted it as a problem; what the superblock said is still known.
  }
  return details;
}

VolumeDetails examine_unknown(const Volume& volume) {
  VolumeDetails details;
  try {
    details.foreign = identify_foreign(*volume.disk);
  } catch (const Error&) {
    // Unreadable: then it stays unknown.
  }
  return details;
}

VolumeDetails examine_volume(Guest& guest, const Volume& volume) {
  if (!volume.disk || volume.pv || volume.table) {
    return {};
  }
  return volume.filesystem ? examine_filesystem(guest, volume) : examine_unknown(volume);
}

}  // namespace

GuestDetails examine(Guest& guest) {
  GuestDetails details;
  for (const Volume& volume : guest.volumes()) {
    details.volumes.push_back(examine_volume(guest, volume));
  }
  details.systems = inspect(guest);
  return details;
}

std::vector<std::string> mountpoints_of(const GuestDetails& details, const Volume& volume) {
  std::vector<std::string> mountpoints;
  for (const OperatingSystem& system : details.systems) {
    for (const GuestMount& mount : system.mounts) {
      if (mount.volume == &volume) {
        mountpoints.push_back(mount.mountpoint);
      }
    }
  }
  return mountpoints;
}

std::string group_name(const Guest& guest, std::size_t group) {
  for (const Volume& volume : guest.volumes()) {
    if (volume.group == group) {
      return volume.name.substr(0, volume.name.find('/'));
    }
  }
  return safe_file_name(guest.groups()[group].name);
}

}  // namespace vimg

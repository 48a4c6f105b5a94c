#include "guest/describe.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "disk/escape.h"

namespace vimg {
namespace {

using Json = nlohmann::ordered_json;

Json array() { return Json::array(); }

Json strings(const std::vector<std::string>& list) {
  Json result = array();
  for (const std::string& text : list) {
    result.push_back(valid_utf8(text));
  }
  return result;
}

// Sets a member unless there is nothing to say.
void put(Json& object, const char* key, const std::string& text) {
  if (!text.empty()) {
    object[key] = valid_utf8(text);
  }
}

void put(Json& object, const char* key, const std::optional<std::string>& text) {
  if (text) {
    object[key] = valid_utf8(*text);
  }
}

void put(Json& object, const char* key, const std::vector<std::string>& list) {
  if (!list.empty()) {
    object[key] = strings(list);
  }
}

Json facts(const std::vector<std::pair<std::string, std::string>>& list) {
  Json result = Json::object();
  for (const auto& [name, value] : list) {
    result[valid_utf8(name)] = valid_utf8(value);
  }
  return result;
}

Json describe_snapshot(const SnapshotInfo& snapshot) {
  return {{"id", valid_utf8(snapshot.id)},           {"name", valid_utf8(snapshot.name)},
          {"date_sec", snapshot.date_sec},           {"date_nsec", snapshot.date_nsec},
          {"vm_clock_nsec", snapshot.vm_clock_nsec}, {"vm_state_size", snapshot.vm_state_size},
          {"disk_size", snapshot.disk_size}};
}

// What every volume has, whatever it is.
Json describe_volume(const Volume& volume) {
  Json result{{"name", volume.name}};
  if (volume.full_name != volume.name) {
    result["full_name"] = volume.full_name;
  }
  result["size"] = volume.size;
  put(result, "problem", volume.problem);
  return result;
}

Json describe_disk(const Volume& volume) {
  Json result = describe_volume(volume);
  result["image"] = volume.image;
  result["sector_size"] = volume.disk->sector_size();
  put(result, "table", volume.table);
  put(result, "uuid", volume.uuid);
  return result;
}

Json describe_partition(const Volume& volume, const Guest& guest) {
  Json result = describe_volume(volume);
  const Partition& partition = *volume.partition;
  result["disk"] = guest.volumes()[*volume.parent].name;
  result["number"] = partition.number;
  result["offset"] = partition.offset;
  put(result, "type", partition.type);
  put(result, "type_name", partition.type_name);
  put(result, "label", partition.label);
  put(result, "uuid", partition.uuid);
  result["bootable"] = partition.bootable;
  return result;
}

Json describe_physical_volume(const Volume& volume) {
  const PhysicalVolume& pv = *volume.pv;
  Json result{{"volume", volume.name}};
  put(result, "uuid", pv.uuid);
  result["size"] = pv.size;
  put(result, "group", pv.vg_name);
  put(result, "group_uuid", pv.vg_uuid);
  put(result, "problems", pv.problems);
  return result;
}

Json describe_group(const Guest& guest, std::size_t index) {
  const VolumeGroup& group = guest.groups()[index];
  Json result{{"name", valid_utf8(group_name(guest, index))}};
  put(result, "lvm_name", group.name);
  put(result, "uuid", group.uuid);
  result["seqno"] = group.seqno;
  result["extent_size"] = group.extent_size;
  result["physical_volumes"] = strings(group.pv_uuids);
  put(result, "missing_physical_volumes", group.missing_pv_uuids);
  put(result, "problems", group.problems);
  return result;
}

Json describe_logical_volume(const Volume& volume, const Guest& guest) {
  Json result = describe_volume(volume);
  result["group"] = volume.name.substr(0, volume.name.find('/'));
  put(result, "uuid", volume.uuid);
  const auto& all = guest.groups()[*volume.group].volumes;
  const auto lv = std::ranges::find(all, volume.uuid, &LogicalVolume::uuid);
  if (lv != all.end()) {
    put(result, "segment_types", lv->segment_types);
  }
  return result;
}

void put_usage(Json& result, const FileSystemStatistics& statistics) {
  const std::uint64_t used =
      statistics.blocks - std::min(statistics.blocks_free, statistics.blocks);
  result["block_size"] = statistics.block_size;
  result["size"] = statistics.blocks * statistics.block_size;
  result["used"] = used * statistics.block_size;
  result["available"] = statistics.blocks_available * statistics.block_size;
  result["inodes"] = statistics.inodes;
  result["inodes_free"] = statistics.inodes_free;
}

Json describe_filesystem(const Volume& volume, const VolumeDetails& details) {
  const FileSystemIdentity& identity = volume.filesystem->identity;
  Json result{{"volume", volume.name}};
  put(result, "type", identity.type);
  put(result, "label", identity.label);
  put(result, "uuid", identity.uuid);
  result["readable"] = true;
  if (details.info) {
    put(result, "state", details.info->state);
  }
  if (details.statistics) {
    put_usage(result, *details.statistics);
  }
  if (details.info) {
    result["facts"] = facts(details.info->facts);
    put(result, "warnings", details.info->warnings);
  }
  return result;
}

// What no driver of ours knows; "readable": false tells it from the others.
Json describe_foreign(const Volume& volume, const ForeignIdentity& foreign) {
  Json result{{"volume", volume.name}};
  put(result, "type", foreign.type);
  put(result, "label", foreign.label);
  put(result, "uuid", foreign.uuid);
  put(result, "version", foreign.version);
  result["readable"] = false;
  return result;
}

Json describe_mount(const GuestMount& mount) {
  Json result{{"mountpoint", valid_utf8(mount.mountpoint)}};
  put(result, "source", mount.source);
  if (mount.volume != nullptr) {
    result["volume"] = mount.volume->name;
  }
  put(result, "bind", mount.bind_path);
  put(result, "type", mount.type);
  put(result, "options", mount.options);
  return result;
}

Json describe_system(const OperatingSystem& system) {
  Json result{{"root", system.root->name}};
  put(result, "id", system.id);
  put(result, "name", system.name);
  put(result, "version", system.version);
  put(result, "hostname", system.hostname);
  result["mounts"] = array();
  for (const GuestMount& mount : system.mounts) {
    result["mounts"].push_back(describe_mount(mount));
  }
  put(result, "problems", system.problems);
  return result;
}

void put_volume(Json& result, const Guest& guest, const Volume& volume,
                const VolumeDetails& details) {
  switch (volume.kind) {
    case VolumeKind::disk:
      result["disks"].push_back(describe_disk(volume));
      break;
    case VolumeKind::partition:
      result["partitions"].push_back(describe_partition(volume, guest));
      break;
    case VolumeKind::logical_volume:
      result["logical_volumes"].push_back(describe_logical_volume(volume, guest));
      break;
  }
  if (volume.pv) {
    result["physical_volumes"].push_back(describe_physical_volume(volume));
  }
  if (volume.filesystem) {
    result["filesystems"].push_back(describe_filesystem(volume, details));
  } else if (details.foreign) {
    result["filesystems"].push_back(describe_foreign(volume, *details.foreign));
  }
}

// In the order in which the members are shown.
constexpr std::array lists{"images",        "disks",           "partitions",  "physical_volumes",
                           "volume_groups", "logical_volumes", "filesystems", "systems"};

}  // namespace

Json describe(const Image& image) {
  Json result{{"path", valid_utf8(image.path)}};
  put(result, "format", image.info.format);
  result["virtual_size"] = image.info.virtual_size;
  result["file_size"] = image.file_size;
  put(result, "backing_file", image.info.backing_file);
  put(result, "backing_format", image.info.backing_format);
  put(result, "data_file", image.info.data_file);
  result["files"] = strings(image.files);
  result["snapshots"] = array();
  for (const SnapshotInfo& snapshot : image.info.snapshots) {
    result["snapshots"].push_back(describe_snapshot(snapshot));
  }
  result["facts"] = facts(image.info.facts);
  put(result, "warnings", image.warnings);
  return result;
}

Json describe(const Guest& guest, const GuestDetails& details) {
  Json result{{"schema", json_schema}};
  for (const char* list : lists) {
    result[list] = array();
  }
  for (const Image& image : guest.images()) {
    result["images"].push_back(describe(image));
  }
  for (std::size_t index = 0; index < guest.volumes().size(); ++index) {
    const bool looked = index < details.volumes.size();
    put_volume(result, guest, guest.volumes()[index],
               looked ? details.volumes[index] : VolumeDetails{});
  }
  for (std::size_t index = 0; index < guest.groups().size(); ++index) {
    result["volume_groups"].push_back(describe_group(guest, index));
  }
  for (const OperatingSystem& system : details.systems) {
    result["systems"].push_back(describe_system(system));
  }
  result["problems"] = strings(guest.problems());
  return result;
}

}  // namespace vimg

#include "cli/volume_table.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "cli/size_text.h"

namespace vimg {
namespace {

// One volume's type, label and UUID, whoever knows them.
struct Identity {
  std::string type;
  std::string label;
  std::string uuid;
};

Identity identity_of(const Volume& volume, const VolumeDetails& details) {
  if (volume.filesystem) {
    const FileSystemIdentity& known = volume.filesystem->identity;
    return {known.type, known.label, known.uuid};
  }
  if (volume.pv) {
    return {"LVM2_member", "", volume.pv->uuid};  // as libblkid calls it
  }
  if (details.foreign) {
    return {details.foreign->type, details.foreign->label, details.foreign->uuid};
  }
  return {};
}

std::string kind_of(const Volume& volume) {
  switch (volume.kind) {
    case VolumeKind::disk:
      return "disk";
    case VolumeKind::partition:
      return "part";
    case VolumeKind::logical_volume:
      return "lvm";
  }
  return {};
}

// The scheme of a disk's table, or what a partition says it is for.
std::string partition_type(const Volume& volume) {
  if (!volume.partition) {
    return volume.table.value_or("");
  }
  return volume.partition->type_name.empty() ? volume.partition->type : volume.partition->type_name;
}

// As df rounds it: up, of what ordinary users may fill.
std::string use_percent(const VolumeDetails& details) {
  if (!details.statistics) {
    return {};
  }
  const FileSystemStatistics& s = *details.statistics;
  const double used = double(s.blocks - std::min(s.blocks_free, s.blocks));
  const double total = used + double(s.blocks_available);
  return total == 0 ? std::string() : fmt::format("{}%", int(100 * used / total + 0.999));
}

std::string state_of(const Volume& volume, const VolumeDetails& details) {
  if (!volume.disk) {
    return "unreadable";
  }
  return details.info ? details.info->state : std::string();
}

class TableBuilder {
 public:
  TableBuilder(const Guest& guest, const GuestDetails& details, SizeUnit unit)
      : guest_(guest), details_(details), unit_(unit) {}

  Table build() &&;

 private:
  void add_disk(std::size_t index);
  void add_group(std::size_t index);
  template <typename Belongs>
  void add_children(Belongs&& belongs);
  void add(const std::string& prefix, const Volume& volume);
  std::string size(std::uint64_t bytes) const;
  const VolumeDetails& details_of(const Volume& volume) const;

  const Guest& guest_;
  const GuestDetails& details_;
  const SizeUnit unit_;
  Table table_{{{"NAME"},
                {"TYPE"},
                {"SIZE", Align::right},
                {"PARTTYPE"},
                {"FSTYPE"},
                {"LABEL"},
                {"UUID"},
                {"USE%", Align::right},
                {"STATE"},
                {"MOUNTPOINT"}}};
};

Table TableBuilder::build() && {
  for (std::size_t index = 0; index < guest_.volumes().size(); ++index) {
    if (guest_.volumes()[index].kind == VolumeKind::disk) {
      add_disk(index);
    }
  }
  for (std::size_t index = 0; index < guest_.groups().size(); ++index) {
    add_group(index);
  }
  return std::move(table_);
}

void TableBuilder::add_disk(std::size_t index) {
  add("", guest_.volumes()[index]);
  add_children([&](const Volume& volume) { return volume.parent == index; });
}

void TableBuilder::add_group(std::size_t index) {
  const VolumeGroup& group = guest_.groups()[index];
  std::uint64_t used = 0;
  for (const LogicalVolume& lv : group.volumes) {
    used += lv.visible ? lv.size : 0;
  }
  const std::string state = group.missing_pv_uuids.empty() ? "" : "incomplete";
  table_.add({group_name(guest_, index), "vg", size(used), "", "", "", group.uuid, "", state, ""});
  add_children([&](const Volume& volume) { return volume.group == index; });
}

template <typename Belongs>
void TableBuilder::add_children(Belongs&& belongs) {
  std::vector<const Volume*> children;
  for (const Volume& volume : guest_.volumes()) {
    if (belongs(volume)) {
      children.push_back(&volume);
    }
  }
  for (const Volume* child : children) {
    add(child == children.back() ? "└─" : "├─", *child);
  }
}

void TableBuilder::add(const std::string& prefix, const Volume& volume) {
  const VolumeDetails& details = details_of(volume);
  const Identity identity = identity_of(volume, details);
  const std::vector<std::string> mountpoints = mountpoints_of(details_, volume);
  table_.add({prefix + volume.name, kind_of(volume), size(volume.size), partition_type(volume),
              identity.type, identity.label, identity.uuid, use_percent(details),
              state_of(volume, details), fmt::format("{}", fmt::join(mountpoints, ", "))});
}

std::string TableBuilder::size(std::uint64_t bytes) const {
  return unit_ == SizeUnit::bytes ? std::to_string(bytes) : size_text(bytes);
}

const VolumeDetails& TableBuilder::details_of(const Volume& volume) const {
  return details_.volumes[std::size_t(&volume - guest_.volumes().data())];
}

}  // namespace

Table volume_table(const Guest& guest, const GuestDetails& details, SizeUnit unit) {
  return TableBuilder(guest, details, unit).build();
}

}  // namespace vimg

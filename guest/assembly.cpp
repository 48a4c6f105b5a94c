#include "guest/assembly.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/slice.h"
#include "guest/contents.h"
#include "guest/group_finder.h"
#include "guest/names.h"

namespace vimg {
namespace {

// More volumes than any guest has; a hostile image with a million of them costs no more than this.
constexpr std::size_t max_volumes = 16384;
// Volume groups on logical volumes of volume groups …: two are seen in practice.
constexpr unsigned max_depth = 8;

void set_name(Volume& volume, VolumeName name) {
  volume.name = std::move(name.name);
  volume.full_name = std::move(name.full_name);
}

// What LVM says of a volume begins with its name there, which need not be its name here.
std::string without_name(const std::string& problem, const std::string& name) {
  const std::string prefix = name + ": ";
  return problem.starts_with(prefix) ? problem.substr(prefix.size()) : problem;
}

// Each Disk is probed once; when all are, what waits for several of them (a volume group) is looked
// at again, until nothing new turns up.  It ends: only disks have partitions, each PV of an image
// is taken once and to max_depth only, and max_volumes bounds them all.
class Assembler {
 public:
  explicit Assembler(std::vector<Image> images) : names_(images.size()) {
    result_.images = std::move(images);
  }

  Assembly run() &&;

 private:
  struct Pending {
    std::size_t volume;
    unsigned depth;  // how many volume groups it lies in
  };

  void add(Volume volume, unsigned depth);
  void add_disk(std::size_t image);
  void add_partition(std::size_t disk, const Partition& partition);
  void add_group(FoundGroup found);
  void add_logical_volume(const LogicalVolume& lv, const std::string& group_name,
                          const FoundGroup& found);
  void probe(const Pending& pending);
  void add_physical_volume(const PhysicalVolume& pv, const Volume& volume, unsigned depth);
  void keep(std::size_t index, Contents contents);
  void report(const std::string& name, std::string_view text);

  Assembly result_;
  VolumeNames names_;
  GroupFinder groups_;
  std::deque<Pending> pending_;
  bool full_ = false;  // a volume was left out
};

Assembly Assembler::run() && {
  for (std::size_t image = 0; image < result_.images.size(); ++image) {
    add_disk(image);
  }
  std::vector<FoundGroup> found;
  do {
    for (; !pending_.empty(); pending_.pop_front()) {
      probe(pending_.front());
    }
    found = groups_.next();
    for (FoundGroup& group : found) {
      add_group(std::move(group));
    }
  } while (!found.empty());
  std::ranges::copy(groups_.problems(), std::back_inserter(result_.problems));
  return std::move(result_);
}

void Assembler::add(Volume volume, unsigned depth) {
  if (result_.volumes.size() >= max_volumes) {
    if (!full_) {
      result_.problems.push_back(
          fmt::format("more than {} volumes: the others are left out", max_volumes));
    }
    full_ = true;
    return;
  }
  if (volume.disk) {
    pending_.push_back({result_.volumes.size(), depth});
  }
  result_.volumes.push_back(std::move(volume));
}

void Assembler::add_disk(std::size_t image) {
  Volume volume;
  volume.kind = VolumeKind::disk;
  volume.image = image;
  volume.disk = result_.images[image].disk;
  volume.size = volume.disk->size();
  set_name(volume, names_.disk(image));
  add(std::move(volume), 0);
}

void Assembler::add_partition(std::size_t disk, const Partition& partition) {
  const Volume& whole = result_.volumes[disk];
  Volume volume;
  volume.kind = VolumeKind::partition;
  volume.image = whole.image;
  volume.parent = disk;
  volume.partition = partition;
  volume.size = partition.length;
  set_name(volume, names_.partition(whole.image, partition.number));
  try {
    volume.disk = make_slice(whole.disk, partition.offset, partition.length);
  } catch (const Error& error) {
    volume.problem = error.what();
    report(volume.name, volume.problem);
  }
  add(std::move(volume), 0);
}

void Assembler::add_group(FoundGroup found) {
  const std::string name = names_.group(found.group.name);
  std::ranges::copy(found.group.problems, std::back_inserter(result_.problems));
  for (const LogicalVolume& lv : found.group.volumes) {
    if (lv.visible) {
      add_logical_volume(lv, name, found);
    }
  }
  result_.groups.push_back(std::move(found.group));
}

void Assembler::add_logical_volume(const LogicalVolume& lv, const std::string& group_name,
                                   const FoundGroup& found) {
  Volume volume;
  volume.kind = VolumeKind::logical_volume;
  volume.image = found.image;
  volume.group = result_.groups.size();
  volume.uuid = lv.uuid;
  volume.disk = lv.disk;
  volume.size = lv.size;
  volume.problem = without_name(lv.problem, found.group.name + "/" + lv.name);
  set_name(volume, names_.logical_volume(group_name, lv.name));
  if (!volume.problem.empty()) {
    report(volume.name, volume.problem);
  }
  add(std::move(volume), found.depth + 1);
}

void Assembler::probe(const Pending& pending) {
  const Volume& volume = result_.volumes[pending.volume];
  const Tables tables = volume.kind == VolumeKind::disk ? Tables::read : Tables::ignore;
  Contents contents = look_into(*volume.disk, tables);
  for (const std::string& problem : contents.problems) {
    report(volume.name, problem);
  }
  if (contents.pv) {
    add_physical_volume(*contents.pv, volume, pending.depth);
  }
  keep(pending.volume, std::move(contents));
}

void Assembler::add_physical_volume(const PhysicalVolume& pv, const Volume& volume,
                                    unsigned depth) {
  for (const std::string& problem : pv.problems) {
    report(volume.name, problem);
  }
  if (depth == max_depth) {
    report(volume.name, "lies in too many volume groups to be looked into");
    return;
  }
  try {
    groups_.add({pv, volume.disk}, volume.image, depth);
  } catch (const Error& error) {
    report(volume.name, error.what());
  }
}

// Notes in the volume what it holds, and adds its partitions.
void Assembler::keep(std::size_t index, Contents contents) {
  Volume& volume = result_.volumes[index];
  volume.filesystem = std::move(contents.filesystem);
  volume.pv = std::move(contents.pv);
  if (!contents.table) {
    return;
  }
  volume.table = contents.table->scheme;
  volume.uuid = contents.table->uuid;
  for (const std::string& problem : contents.table->problems) {
    report(volume.name, problem);
  }
  for (const Partition& partition : contents.table->partitions) {
    add_partition(index, partition);
  }
}

void Assembler::report(const std::string& name, std::string_view text) {
  result_.problems.push_back(fmt::format("{}: {}", name, text));
}

}  // namespace

Assembly assemble(std::vector<Image> images) { return Assembler(std::move(images)).run(); }

}  // namespace vimg

// Spec: lvm2 lib/format_text/{export,import_vsn1}.c.
#include "lvm/metadata.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "lvm/names.h"

namespace vimg {
namespace {

constexpr char layer[] = "lvm";
constexpr std::uint64_t sector_bytes = 512;
constexpr std::uint64_t max_count = std::numeric_limits<std::uint32_t>::max();  // LVM's own type
constexpr std::uint64_t max_bytes = std::numeric_limits<std::int64_t>::max();   // a Linux file's
constexpr std::uint64_t max_sectors = max_bytes / sector_bytes;

// The one section at the top; beside it are only settings about the text.
Section find_group(const Config& config) {
  const Section root = config.root();
  if (root.find_text("contents") != "Text Format Volume Group" ||
      root.find_number("version") != 1) {
    throw_corrupt(layer, "metadata text is not a version 1 'Text Format Volume Group'");
  }
  const auto sections = root.sections();
  if (sections.empty() || !is_lvm_name(sections.front().name())) {
    throw_corrupt(layer, "metadata text names no volume group");
  }
  return sections.front();
}

std::string parse_uuid(const Section& section) {
  std::string uuid = section.text("id");
  if (!is_lvm_uuid(uuid)) {
    section.throw_bad("id", "a UUID");
  }
  return uuid;
}

PvRecord parse_pv(const Section& section) {
  PvRecord pv;
  pv.name = section.name();
  pv.uuid = parse_uuid(section);
  pv.first_extent_offset = section.number("pe_start", max_sectors) * sector_bytes;
  pv.extent_count = section.number("pe_count", max_count);
  return pv;
}

void parse_pvs(const Section& group, VgMetadata& metadata) {
  const auto list = group.find_section("physical_volumes");
  for (const Section& section : list ? list->sections() : std::vector<Section>()) {
    metadata.pvs.push_back(parse_pv(section));
  }
}

// A name is a path's component in the tree that the user sees, so it is checked before all else.
void collect_volumes(const Section& group, VgMetadata& metadata) {
  const auto list = group.find_section("logical_volumes");
  std::set<std::string_view> names;
  for (const Section& section : list ? list->sections() : std::vector<Section>()) {
    if (!is_lvm_name(section.name())) {
      metadata.problems.push_back(
          fmt::format("{}: a logical volume's name is not allowed by LVM", metadata.name));
    } else if (!names.insert(section.name()).second) {
      metadata.problems.push_back(
          fmt::format("{}: two logical volumes are called {}", metadata.name, section.name()));
    } else {
      metadata.volumes.push_back(section);
    }
  }
}

bool is_segment(const Section& section) { return section.name().starts_with("segment"); }

Segment parse_segment(const Section& section) {
  return {section.number("start_extent", max_count), section.number("extent_count", max_count),
          section.text("type"), section};
}

// Sorts `segments`; returns the number of extents that they cover.
std::uint64_t check_coverage(std::vector<Segment>& segments, const Section& volume) {
  std::ranges::stable_sort(segments, {}, &Segment::first_extent);
  std::uint64_t covered = 0;
  for (const Segment& segment : segments) {
    if (segment.extent_count == 0 || segment.first_extent != covered) {
      throw_corrupt(layer,
                    fmt::format("'{}' of '{}' has {} extents from {}, where extent {} is due",
                                segment.settings.name(), volume.name(), segment.extent_count,
                                segment.first_extent, covered));
    }
    covered += segment.extent_count;  // both below 2^32, and at most 2^20 of them
  }
  return covered;
}

}  // namespace

VgMetadata parse_metadata(const std::string& text) {
  Config config(text);
  const Section group = find_group(config);
  VgMetadata metadata{.config = config,
                      .name = std::string(group.name()),
                      .uuid = parse_uuid(group),
                      .seqno = group.number("seqno", max_count),
                      .extent_size = group.number("extent_size", max_count) * sector_bytes,
                      .writable = group.lists("status", "WRITE"),
                      .pvs = {},
                      .volumes = {},
                      .problems = {}};
  if (metadata.extent_size == 0) {
    group.throw_bad("extent_size", "positive");
  }
  parse_pvs(group, metadata);
  collect_volumes(group, metadata);
  return metadata;
}

LvRecord parse_volume(const VgMetadata& metadata, const Section& volume) {
  LvRecord record;
  record.name = volume.name();
  record.uuid = parse_uuid(volume);
  record.visible = volume.lists("status", "VISIBLE");
  record.writable = metadata.writable && volume.lists("status", "WRITE");
  for (const Section& section : volume.sections()) {
    if (is_segment(section)) {
      record.segments.push_back(parse_segment(section));
    }
  }
  if (volume.find_number("segment_count") != record.segments.size() || record.segments.empty()) {
    volume.throw_bad("segment_count",
                     fmt::format("{}, the number of its segments", record.segments.size()));
  }
  record.extent_count = check_coverage(record.segments, volume);
  if (const auto size = checked_mul(record.extent_count, metadata.extent_size);
      !size || *size > max_bytes) {
    throw_corrupt(layer, fmt::format("'{}' of {} extents of {:#x} bytes is larger than 2^63",
                                     record.name, record.extent_count, metadata.extent_size));
  }
  return record;
}

}  // namespace vimg

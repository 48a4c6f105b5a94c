// The segment files of an EWF image, and where its chunks lie in them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "disk/disk.h"
#include "formats/driver.h"
#include "formats/ewf_layout.h"

namespace vimg::ewf {

// One table of chunks that follow each other on the disk.
struct Table {
  std::uint64_t first_chunk;
  std::uint64_t chunks;
  std::size_t segment;    // index into Image::segments
  std::uint64_t base;     // what entries count from
  std::uint64_t entries;  // offset of the first entry
};

struct Image {
  std::uint64_t size = 0;        // bytes, of the disk
  std::uint64_t chunk_size = 0;  // bytes
  std::uint32_t sector_size = 0;
  std::vector<DiskPtr> segments;
  std::vector<Table> tables;  // in the order of their chunks, without gaps
  std::uint64_t chunk_count = 0;
  std::optional<std::array<std::byte, 16>> md5;   // of the whole disk, as acquired
  std::optional<std::array<std::byte, 20>> sha1;  // the same
};

// What the first segment alone says: sizes, no tables of the others.
Image read_first(const Disk& file);

// All segments; the further ones are opened through `context` by their names: image.E02 follows
// image.E01.  Throws Error(EUCLEAN) when one is missing from the middle or is broken.
Image read_all(DiskPtr file, OpenContext& context);

// The name of the segment file after `name`: E01 … E99, EAA … EZZ, FAA … ZZZ; nothing after the
// last one or when `name` is no such name.  Upper and lower case are kept.
std::optional<std::string> next_segment_name(const std::string& name);

}  // namespace vimg::ewf

// VHDX headers: the two copies, which of them counts, and how they are changed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "disk/disk.h"
#include "formats/vhdx_layout.h"

namespace vimg::vhdx {

bool has_signature(const Disk& file);

// Header `copy`, 0 or 1, when its signature and checksum are right.
std::optional<Header> read_header(const Disk& file, unsigned copy);

struct CurrentHeader {
  Header header;
  unsigned copy;
};

// The one that counts, validated.  Throws Error(EUCLEAN, EOPNOTSUPP).
CurrentHeader read_current_header(const Disk& file);

// Makes `wanted`'s GUIDs those of the file: the other copy first, then this one, so that a valid
// one is on the disk at every moment, and both say the same in the end.  Flushes; what was written
// before is stable when the first of them is.  `current` follows what is on the disk.
void update_headers(Disk& file, CurrentHeader& current, const Header& wanted);

// `object`'s checksum: of its bytes with 0 in place of the checksum at `checksum_offset`.
std::uint32_t checksum_of(ConstBytes object, std::size_t checksum_offset);

}  // namespace vimg::vhdx

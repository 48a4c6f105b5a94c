// VMDK descriptor: the text that says what a disk is made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "disk/disk.h"

namespace vimg::vmdk {

constexpr std::uint64_t max_descriptor = 1U << 20;  // bytes, QEMU's limit
constexpr std::size_t max_extents = 4096;
constexpr std::uint32_t no_parent_cid = 0xffffffff;

struct ExtentLine {
  enum class Access { read_write, read_only, none };
  Access access;
  std::uint64_t sectors;
  std::string type;  // "FLAT", "SPARSE" …
  std::string name;  // empty where the type needs none
  std::uint64_t offset_sectors = 0;
};

// Text in a file.
struct DescriptorPlace {
  std::uint64_t offset;  // bytes
  std::uint64_t length;
};

struct Descriptor {
  std::optional<std::uint32_t> cid;  // changes with the content
  std::uint32_t parent_cid = no_parent_cid;
  std::string create_type;
  std::string parent_name;  // empty: none
  std::vector<ExtentLine> extents;
};

// Throws Error(EUCLEAN) for a line that cannot be, or more than max_extents of them.
Descriptor parse_descriptor(std::string_view text);
// Where in `text` the hexadecimal digits of the CID stand; nothing when there is none.
std::optional<DescriptorPlace> find_cid(std::string_view text);
// The text at `place`.  Throws Error(EUCLEAN) when it leaves the file or is longer than
// max_descriptor.
std::string read_descriptor(const Disk& file, DescriptorPlace place);
// True when `head`, the beginning of a file, is that of a descriptor.
bool begins_as_descriptor(std::string_view head) noexcept;

}  // namespace vimg::vmdk

// vdi: VirtualBox's disk images, versions 0 and 1.1: dynamic, static and differencing.
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/escape.h"
#include "formats/block_disk.h"
#include "formats/driver.h"
#include "formats/vdi_check.h"
#include "formats/vdi_create.h"
#include "formats/vdi_layout.h"
#include "formats/vdi_map.h"

namespace vimg::vdi {
namespace {

bool is_named_vdi(std::string_view name) noexcept {
  constexpr std::string_view suffix = ".vdi";
  return name.size() > suffix.size() &&
         std::ranges::equal(name.substr(name.size() - suffix.size()), suffix,
                            [](char a, char b) { return (a | 0x20) == b || a == b; });
}

// The identity of the image in the file `name`; zeros when it is none.
Header header_of(OpenContext& context, const std::string& name) {
  try {
    const DiskPtr file = context.peek_file(name);
    return has_signature(*file) ? read_header(*file) : Header{};
  } catch (const Error&) {
    // Another file of the directory, which is none of ours.
    return {};
  }
}

// A child knows its parent by its ID, not by a name.  Of copies with one ID that is meant whose
// content is still the child's; any other is a guess, which is said.
DiskPtr open_parent(const Header& child, OpenContext& context) {
  std::string changed;
  for (const std::string& name : context.file_names("")) {
    if (!is_named_vdi(name) || name == context.file_name()) {
      continue;
    }
    const Header parent = header_of(context, name);
    if (parent.block_size == 0 || parent.id != child.parent_id) {
      continue;
    }
    if (child.parent_modification_id == Guid{} ||
        parent.modification_id == child.parent_modification_id) {
      return context.open_image(name, "vdi");
    }
    if (changed.empty()) {
      changed = name;
    }
  }
  if (changed.empty()) {
    throw_error(ENOENT, layer,
                fmt::format("the parent image {} is not in the same directory",
                            guid_text(child.parent_id)));
  }
  context.warn(fmt::format("vdi: its parent {} was changed since this image was made on it",
                           in_quotes(changed)));
  return context.open_image(changed, "vdi");
}

DiskPtr open(DiskPtr file, OpenContext& context) {
  if (!context.snapshot().empty()) {
    throw_error(EINVAL, layer, "has no internal snapshots");
  }
  const Header header = read_header(*file);
  BlockDiskParts parts;
  parts.size = header.size;
  parts.file = file;
  if (header.type == type_differencing) {
    parts.backing = open_parent(header, context);
  }
  const bool writes = context.access() == Access::read_write && file->writable();
  auto map = std::make_unique<VdiMap>(header, std::move(file), context.cache_bytes());
  return writes ? make_writable_block_disk(std::move(map), std::move(parts))
                : make_block_disk(std::move(map), std::move(parts));
}

ImageInfo info(const Disk& file) {
  const Header header = read_header(file);
  ImageInfo info;
  info.format = "vdi";
  info.virtual_size = header.size;
  info.facts.emplace_back("cluster size", std::to_string(header.block_size));
  info.facts.emplace_back("image type", header.type == type_dynamic  ? "dynamic"
                                        : header.type == type_static ? "static"
                                                                     : "differencing");
  info.facts.emplace_back("id", guid_text(header.id));
  if (header.type == type_differencing) {
    info.facts.emplace_back("parent id", guid_text(header.parent_id));
  }
  return info;
}

}  // namespace
}  // namespace vimg::vdi

namespace vimg {

extern const FormatDriver vdi_driver;
const FormatDriver vdi_driver{"vdi",
                              "VirtualBox's images: dynamic, static, differencing",
                              vdi::has_signature,
                              vdi::open,
                              vdi::info,
                              vdi::create,
                              nullptr,
                              vdi::check};

}  // namespace vimg

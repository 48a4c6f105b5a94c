#include "formats/vhdx_parent.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/escape.h"
#include "disk/utf16.h"

namespace vimg::vhdx {
namespace {

// The text of `length` bytes at `offset` of the locator.
std::string text_at(ConstBytes locator, std::uint64_t offset, std::uint64_t length) {
  if (length == 0 || length % sizeof(le16) != 0 || !fits(offset, length, locator.size())) {
    throw_corrupt(layer, fmt::format("parent locator text at {:#x} (+{:#x}) does not lie in the "
                                     "locator of {:#x} bytes",
                                     offset, length, locator.size()));
  }
  std::vector<le16> units(length / sizeof(le16));
  for (std::size_t i = 0; i < units.size(); ++i) {
    units[i] = load<le16>(locator, offset + i * sizeof(le16));
  }
  return utf8_from_utf16(units);
}

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
  return text;
}

// "{83ED00EC-…}" without the braces, in lower case.
std::string linkage_of(std::string_view value) {
  if (value.size() >= 2 && value.front() == '{' && value.back() == '}') {
    value = value.substr(1, value.size() - 2);
  }
  return lower_case(std::string(value));
}

// ".\disks\base.vhdx" as this host writes it: "disks/base.vhdx".
std::string host_path(std::string path) {
  std::ranges::replace(path, '\\', '/');
  while (path.starts_with("./")) {
    path.erase(0, 2);
  }
  return path;
}

// Puts `value` where it belongs in `locator`; keys that are not known say nothing.
void take(ParentLocator& locator, std::string_view key, std::string value) {
  if (key == "parent_linkage" || key == "parent_linkage2") {
    locator.linkages.push_back(linkage_of(value));
  } else if (key == "relative_path") {
    locator.paths.insert(locator.paths.begin(), host_path(std::move(value)));
  } else if (key == "volume_path" || key == "absolute_win32_path") {
    locator.paths.push_back(host_path(std::move(value)));
  }
}

// "sub/base.vhdx": beneath the image's directory, and not only a name in it.
bool is_downwards(std::string_view path) noexcept {
  return path.find('/') != std::string_view::npos && path.find(':') == std::string_view::npos &&
         !path.starts_with('/') && !path.starts_with("../");
}

void check_linkage(const ParentLocator& locator, const Disk& parent, const std::string& name) {
  const auto* const linked = dynamic_cast<const LinkedDisk*>(&parent);
  const std::string guid = linked != nullptr ? guid_text(linked->data_write_guid()) : "none";
  if (std::ranges::find(locator.linkages, guid) == locator.linkages.end()) {
    throw_corrupt(layer, fmt::format("the parent {} has the data write GUID {}, not {}: it was "
                                     "changed, or it is another one",
                                     in_quotes(name), guid, in_quotes(locator.linkages[0])));
  }
}

void check_parent(const ParentLocator& locator, const Layout& layout, const Disk& parent,
                  const std::string& name) {
  check_linkage(locator, parent, name);
  if (parent.sector_size() != layout.sector_size) {
    throw_corrupt(layer, fmt::format("the parent {} has sectors of {} bytes, not {}",
                                     in_quotes(name), parent.sector_size(), layout.sector_size));
  }
}

}  // namespace

// A relative path downwards is taken at its word.  All others are places on another machine, where
// only the last part may mean something here: a file of that name beside the image.
std::string ParentLocator::name(const OpenContext& context) const {
  for (const std::string& path : paths) {
    if (is_downwards(path)) {
      return path;
    }
  }
  for (const std::string& path : paths) {
    std::string last = path.substr(path.rfind('/') + 1);
    const std::vector<std::string> beside = context.file_names(last);
    if (std::ranges::find(beside, last) != beside.end()) {
      return last;
    }
  }
  return paths[0];
}

ParentLocator read_parent_locator(const Disk& file, const Layout& layout) {
  const Region& place = *layout.parent_locator;
  const auto content = read_table<std::byte>(file, place.offset, place.length, max_item_length,
                                             layer, "parent locator");
  if (content.size() < sizeof(ParentLocatorHeader)) {
    throw_corrupt(layer, fmt::format("parent locator of {} bytes", content.size()));
  }
  const auto header = load<ParentLocatorHeader>(content);
  if (header.type != vhdx_parent_type) {
    throw_unsupported(layer,
                      fmt::format("a parent of the type {} is not known", guid_text(header.type)));
  }
  if (!fits(sizeof(header), header.entry_count * sizeof(ParentLocatorEntry), content.size())) {
    throw_corrupt(layer, fmt::format("parent locator of {} entries in {} bytes",
                                     header.entry_count.value(), content.size()));
  }
  ParentLocator locator;
  for (std::size_t i = 0; i < header.entry_count; ++i) {
    const auto entry =
        load<ParentLocatorEntry>(content, sizeof(header) + i * sizeof(ParentLocatorEntry));
    const std::string key = text_at(content, entry.key_offset, entry.key_length);
    take(locator, key, text_at(content, entry.value_offset, entry.value_length));
  }
  if (locator.linkages.empty() || locator.paths.empty()) {
    throw_corrupt(layer, "the parent locator does not say which file the parent is");
  }
  return locator;
}

DiskPtr open_parent(const ParentLocator& locator, const Layout& layout, OpenContext& context) {
  const std::string name = locator.name(context);
  DiskPtr parent = context.open_image(name, "vhdx");
  check_parent(locator, layout, *parent, name);
  return parent;
}

}  // namespace vimg::vhdx

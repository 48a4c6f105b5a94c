// The names and UUIDs that LVM gives.
#pragma once

#include <string>
#include <string_view>

namespace vimg {

// True for what LVM accepts as the name of a volume group or volume: up to 127 of
// [A-Za-z0-9_.+-], not "." or "..", no hyphen in front.  It can be a path's component.
bool is_lvm_name(std::string_view name) noexcept;

// True for a UUID with dashes, 6-4-4-4-4-4-6 characters.
bool is_lvm_uuid(std::string_view uuid) noexcept;

// A label's 32 characters with the dashes put in.
std::string with_dashes(std::string_view uuid);

}  // namespace vimg

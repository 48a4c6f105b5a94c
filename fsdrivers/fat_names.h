// Names of FAT and exFAT: UTF-16, code page 437, case folding, short names.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "fsdrivers/fat_format.h"

namespace vimg::fat {

using ShortName = std::array<char, 11>;

// Nothing when `name` is not valid UTF-8.
std::optional<std::u16string> utf16_of(std::string_view name);

// What a directory shows for what it holds: never empty, no '/' in it, not "." or "..".
std::string shown_name(std::u16string_view units);
std::string shown_name(const ShortRecord& record);

// `name` in a form that is equal for names that differ in case only.  FAT says nothing of how
// letters are folded; this does it for Latin, Greek and Cyrillic ones.
std::u16string folded(std::string_view name);

// What linux (fs/fat/namei_vfat.c, fs/exfat/namei.c) makes of a name for a new file: without dots
// at its end.  Throws Error(EINVAL) for what it refuses and Error(ENAMETOOLONG).
std::u16string name_to_store(std::string_view name, const char* layer);

std::uint8_t checksum_of(const ShortName& name) noexcept;

struct NewShortName {
  ShortName name;
  bool enough;  // no long name is needed beside it
};

// A short name for `name` that `taken` does not know.  Throws Error(ENOSPC) when all are taken.
NewShortName make_short_name(std::u16string_view name,
                             const std::function<bool(const ShortName&)>& taken);

}  // namespace vimg::fat

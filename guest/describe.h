// JSON of a guest: for `vimg list --json`, and for .vimg/info.json of a mount.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "guest/details.h"
#include "guest/guest.h"

namespace vimg {

// The version of what the functions below give.  Members may be added to it; taking one away or
// changing what it means makes it 2.
constexpr int json_schema = 1;

// All that is known without opening a file system, and what `details` add.  Sizes and offsets are
// in bytes.  Strings are valid UTF-8: a byte that is not part of it becomes \xNN (valid_utf8()).
// What is not known is left out.
nlohmann::ordered_json describe(const Guest& guest, const GuestDetails& details = {});

// One image file, without what is inside.
nlohmann::ordered_json describe(const Image& image);

}  // namespace vimg

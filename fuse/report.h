// The text of .vimg/info.json.
#pragma once

#include <string>
#include <vector>

#include "guest/details.h"

namespace vimg {

// What `guest` holds, as JSON with "schema": 1, and under "problems" its own and `problems`.
std::string report_text(const Guest& guest, const GuestDetails& details,
                        const std::vector<std::string>& problems);

}  // namespace vimg

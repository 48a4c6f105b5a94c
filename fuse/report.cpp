#include "fuse/report.h"

#include <nlohmann/json.hpp>

#include "guest/describe.h"

namespace vimg {

std::string report_text(const Guest& guest, const GuestDetails& details,
                        const std::vector<std::string>& problems) {
  nlohmann::ordered_json report = describe(guest, details);
  for (const std::string& problem : problems) {
    report["problems"].push_back(problem);
  }
  constexpr int indentation = 2;
  return report.dump(indentation, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace vimg

#include "formats/check.h"

#include <utility>

namespace vimg {
namespace {

void keep(std::vector<std::string>& findings, std::string finding) {
  if (findings.size() < CheckReport::max_findings) {
    findings.push_back(std::move(finding));
  }
}

}  // namespace

void CheckReport::add_corruption(std::string finding) {
  ++corruptions;
  keep(findings, std::move(finding));
}

void CheckReport::add_leak(std::string finding) {
  ++leaks;
  keep(findings, std::move(finding));
}

}  // namespace vimg

// A walk of a FileSystem in the form of the manifests of tests/images.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "fsdrivers/filesystem.h"

namespace vimg::test {

// Everything that the FileSystem interface shows, as build/walk.py writes what a kernel shows:
// an array of objects, one for each path.  Needs sha256sum.
nlohmann::json walk(const FileSystem& filesystem);

// The differences of two walks, a line each, in what tests/images/check.py compares.
std::vector<std::string> compare_walks(const nlohmann::json& want, const nlohmann::json& got);

}  // namespace vimg::test

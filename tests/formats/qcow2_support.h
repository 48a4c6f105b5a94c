// Opening qcow2 images in tests.
#pragma once

#include <string>
#include <vector>

#include "tests/formats/test_context.h"

namespace vimg {
extern const FormatDriver qcow2_driver;
}

namespace vimg::test {

// As open_format.
DiskPtr open_qcow2(const std::string& path, Access access = Access::read_only);
DiskPtr open_qcow2_snapshot(const std::string& path, const std::string& snapshot);

// As made_by_qemu(format, options).
std::vector<std::byte> made_by_qemu(const std::string& options);

}  // namespace vimg::test

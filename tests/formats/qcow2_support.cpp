#include "tests/formats/qcow2_support.h"

#include <filesystem>

#include "sources/host_file.h"

namespace vimg::test {

DiskPtr open_qcow2(const std::string& path, Access access) {
  return open_format(qcow2_driver, path, access);
}

DiskPtr open_qcow2_snapshot(const std::string& path, const std::string& snapshot) {
  TestContext context(std::filesystem::path(path).parent_path());
  context.snapshot_name = snapshot;
  return qcow2_driver.open(open_host_file(path, Access::read_only, Locking::off, nullptr), context);
}

std::vector<std::byte> made_by_qemu(const std::string& options) {
  return made_by_qemu("qcow2", options);
}

}  // namespace vimg::test

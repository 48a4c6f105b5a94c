#include "tests/formats/qcow2_support.h"

#include <filesystem>

#include "sources/host_file.h"
#include "tests/support/host.h"

namespace vimg::test {

DiskPtr TestContext::open_file(std::string_view name) {
  const auto found = disks.find(name);
  if (found != disks.end()) {
    return found->second;
  }
  return open_host_file(directory_ + "/" + std::string(name), access_, Locking::off, nullptr);
}

DiskPtr TestContext::open_image(std::string_view name, std::string_view format) {
  TestContext below(directory_);
  below.disks = disks;
  DiskPtr file = below.open_file(name);
  return format == "qcow2" ? qcow2_driver.open(std::move(file), below) : file;
}

DiskPtr open_qcow2(const std::string& path, Access access) {
  TestContext context(std::filesystem::path(path).parent_path(), access);
  return qcow2_driver.open(open_host_file(path, access, Locking::off, nullptr), context);
}

DiskPtr open_qcow2_snapshot(const std::string& path, const std::string& snapshot) {
  TestContext context(std::filesystem::path(path).parent_path());
  context.snapshot_name = snapshot;
  return qcow2_driver.open(open_host_file(path, Access::read_only, Locking::off, nullptr), context);
}

std::vector<std::byte> made_by_qemu(const std::string& options) {
  const TemporaryDirectory directory;
  const std::string path = directory / "image.qcow2";
  must_run("cd " + directory.path() + " && qemu-img create -q -f qcow2 " + options +
           " && mv *.qcow2 image.qcow2 2>/dev/null; true");
  return read_file(path);
}

std::vector<std::byte> content_of(const Disk& disk) {
  std::vector<std::byte> content(disk.size());
  // In pieces of an odd size, so that they meet every kind of boundary.
  constexpr std::size_t piece = 1000003;
  for (std::size_t at = 0; at < content.size(); at += piece) {
    const std::size_t length = std::min(piece, content.size() - at);
    disk.read(at, Bytes(content).subspan(at, length));
  }
  return content;
}

}  // namespace vimg::test

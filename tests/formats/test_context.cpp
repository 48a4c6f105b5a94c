#include "tests/formats/test_context.h"

#include <algorithm>
#include <filesystem>

#include "sources/host_file.h"
#include "tests/support/host.h"

namespace vimg::test {

std::vector<std::string> TestContext::file_names(std::string_view prefix) const {
  std::vector<std::string> names = directory_.empty()
                                       ? std::vector<std::string>{}
                                       : names_beside({"", directory_, directory_}, prefix);
  for (const auto& [name, disk] : disks) {
    if (name.starts_with(prefix)) {
      names.push_back(name);
    }
  }
  std::ranges::sort(names);
  return names;
}

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
  below.own_name = name;
  DiskPtr file = below.open_file(name);
  const FormatDriver* const driver = find_format(format);
  return driver != nullptr ? driver->open(std::move(file), below) : file;
}

DiskPtr open_format(const FormatDriver& driver, const std::string& path, Access access) {
  TestContext context(std::filesystem::path(path).parent_path(), access);
  context.own_name = std::filesystem::path(path).filename();
  return driver.open(open_host_file(path, access, Locking::off, nullptr), context);
}

std::vector<std::byte> made_by_qemu(const std::string& format, const std::string& options) {
  const TemporaryDirectory directory;
  const std::string path = directory / ("image." + format);
  must_run("cd " + directory.path() + " && qemu-img create -q -f " + format + " " + options +
           " && mv *." + format + " image." + format + " 2>/dev/null; true");
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

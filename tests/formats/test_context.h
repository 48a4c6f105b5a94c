// Opening images of any format in tests: files of one directory as host files, or disks in memory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "disk/disk.h"
#include "formats/driver.h"

namespace vimg::test {

// Gives the driver what a test set: names are looked up in `disks`, then in `directory`.
class TestContext final : public OpenContext {
 public:
  explicit TestContext(std::string directory = {}, Access access = Access::read_only)
      : directory_(std::move(directory)), access_(access) {}

  Access access() const override { return access_; }
  const std::string& snapshot() const override { return snapshot_name; }
  std::uint64_t cache_bytes() const override { return cache; }
  const std::string& file_name() const override { return own_name; }
  std::vector<std::string> file_names(std::string_view prefix) const override;
  DiskPtr open_file(std::string_view name) override;
  DiskPtr peek_file(std::string_view name) override { return open_file(name); }
  DiskPtr open_image(std::string_view name, std::string_view format) override;
  void warn(const std::string& message) override { warnings.push_back(message); }

  std::string snapshot_name;
  std::string own_name;
  std::uint64_t cache = 24U << 20;
  std::map<std::string, DiskPtr, std::less<>> disks;
  std::vector<std::string> warnings;

 private:
  std::string directory_;
  Access access_;
};

// The decoded disk of the image at `path`; names in it are relative to its directory.
DiskPtr open_format(const FormatDriver& driver, const std::string& path,
                    Access access = Access::read_only);

// An image as qemu-img makes it: `options` is what follows `qemu-img create -q -f FORMAT`.
std::vector<std::byte> made_by_qemu(const std::string& format, const std::string& options);

std::vector<std::byte> content_of(const Disk& disk);

}  // namespace vimg::test

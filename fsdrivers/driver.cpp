#include "fsdrivers/driver.h"

#include <array>

namespace vimg {
namespace {

constexpr std::array<const FileSystemDriver*, 0> drivers{};

}  // namespace

std::span<const FileSystemDriver* const> filesystem_drivers() noexcept { return drivers; }

const FileSystemDriver* find_filesystem_driver(std::string_view type) noexcept {
  for (const FileSystemDriver* driver : drivers) {
    if (type == driver->name) {
      return driver;
    }
  }
  return nullptr;
}

std::optional<ProbedFileSystem> probe_filesystem(const Disk& disk) {
  for (const FileSystemDriver* driver : drivers) {
    if (auto identity = driver->probe(disk)) {
      return ProbedFileSystem{driver, *identity};
    }
  }
  return std::nullopt;
}

}  // namespace vimg

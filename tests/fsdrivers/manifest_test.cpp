#include <cstdlib>
#include <sstream>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "fsdrivers/driver.h"
#include "tests/support/host.h"
#include "tests/support/manifest.h"
#include "tests/support/tree.h"

namespace vimg {
namespace {

using Json = nlohmann::json;

FileSystemOptions options_of(const Json& info) {
  FileSystemOptions options;
  std::istringstream list(info.value("mount_options", "ro"));
  for (std::string option; std::getline(list, option, ',');) {
    options.options.push_back(option);
  }
  return options;
}

// statfs as the manifest has it: "bsize:1024 blocks:25844 files:8192 namelen:255".
std::string statfs_of(const FileSystem& filesystem) {
  const FileSystemStatistics statistics = filesystem.statistics();
  return "bsize:" + std::to_string(statistics.block_size) +
         " blocks:" + std::to_string(statistics.blocks) +
         " files:" + std::to_string(statistics.inodes) +
         " namelen:" + std::to_string(statistics.name_max);
}

void check_filesystem(const DiskPtr& disk, const std::string& name, const Json& manifest) {
  CAPTURE(name);
  const Json& info = manifest.at("info");
  const auto probed = probe_filesystem(*disk);
  REQUIRE(probed);
  if (info.contains("TYPE")) {
    CHECK(probed->identity.type == info.at("TYPE").get<std::string>());
  }
  CHECK(probed->identity.label == info.value("LABEL", ""));
  CHECK(probed->identity.uuid == info.value("UUID", probed->identity.uuid));
  const auto filesystem = probed->driver->open(disk, options_of(info));
  // The kernel's ext2 driver does not count the descriptor blocks reserved for growth, its ext4
  // driver does, and it is that which serves ext2 where most people are.
  if (info.contains("statfs") && probed->identity.type != "ext2") {
    CHECK(statfs_of(*filesystem) == info.at("statfs").get<std::string>());
  }
  auto differences = test::compare_walks(manifest.at("entries"), test::walk(*filesystem));
  if (info.value("mount_options", "") == "rw,noatime") {
    // Fast commits replayed by a kernel: the directories they change get the time of that mount.
    std::erase_if(differences, [](const std::string& line) {
      return line.starts_with(".: mtime") || line.starts_with("names: mtime");
    });
  }
  for (std::size_t i = 0; i < differences.size() && i < 5; ++i) {
    FAIL_CHECK(differences[i]);
  }
  CHECK(differences.empty());
}

TEST_CASE("file systems: every ext image shows what a kernel saw in it") {
  const char* const only = std::getenv("VIMG_TEST_IMAGE");
  for (const std::string& name : test::manifest_names("filesystems", "ext")) {
    if (only != nullptr && name != only) {
      continue;
    }
    CAPTURE(name);
    const test::TemporaryDirectory directory;
    const DiskPtr disk = make_memory_disk(
        test::read_file(test::unpack_image(directory, "filesystems/" + name + ".raw")));
    const Json manifest = test::read_manifest("filesystems/" + name);
    for (const auto& [tree, content] : manifest.at("filesystems").items()) {
      check_filesystem(disk, tree, content);
    }
  }
}

}  // namespace
}  // namespace vimg

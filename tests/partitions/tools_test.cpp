#include <algorithm>
#include <cctype>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "disk/memory_disk.h"
#include "partitions/scheme.h"
#include "partitions/type_names.h"
#include "tests/support/host.h"

using namespace vimg;
using namespace vimg::test;
using nlohmann::json;

namespace {

// A line for each partition, as `sfdisk -J` has it.
std::string lines_of_sfdisk(const std::string& image) {
  const json table = json::parse(must_run("sfdisk -J " + image)).at("partitiontable");
  std::string lines;
  for (const json& node : table.value("partitions", json::array())) {
    const std::string name = node.at("node");
    std::string type = node.at("type");
    std::string uuid = node.value("uuid", "");
    if (table.at("label") == "dos") {
      type = "0x" + type;
    }
    for (std::string* text : {&type, &uuid}) {
      std::ranges::transform(*text, text->begin(), [](unsigned char c) { return std::tolower(c); });
    }
    const bool extended = type == "0x5" || type == "0xf" || type == "0x85";
    lines += fmt::format("{} {}+{} {} {} {} {}\n", name.substr(name.find("image") + 5),
                         node.at("start").get<std::uint64_t>(),
                         extended ? 0 : node.at("size").get<std::uint64_t>(), type,
                         node.value("name", ""), uuid, node.value("bootable", false));
  }
  return lines;
}

std::string lines_of(const PartitionTable& table) {
  std::string lines;
  for (const Partition& partition : table.partitions) {
    const bool extended = partition.type_name.starts_with("Extended");
    const bool gpt = table.scheme == "gpt";
    lines += fmt::format("{} {}+{} {} {} {} {}\n", partition.number,
                         partition.offset / table.sector_size,
                         extended ? 0 : partition.length / table.sector_size, partition.type,
                         partition.label, gpt ? partition.uuid : "", !gpt && partition.bootable);
  }
  return lines;
}

// An image with the table that `script` makes sfdisk write, read by us as by sfdisk.
void check_as_sfdisk(const std::string& script) {
  const TemporaryDirectory directory;
  const std::string image = directory / "image";
  must_run("truncate -s 64M " + image + " && printf '" + script + "' | sfdisk -q " + image);
  const auto table = read_partition_table(*make_memory_disk(read_file(image)));
  REQUIRE(table);
  CHECK(lines_of(*table) == lines_of_sfdisk(image));
  CHECK(table->problems.empty());
  const json expected = json::parse(must_run("sfdisk -J " + image)).at("partitiontable");
  CHECK(table->scheme == expected.at("label").get<std::string>());
}

}  // namespace

TEST_CASE("partitions: sfdisk's MBRs are read as sfdisk reads them") {
  check_as_sfdisk("label: dos\\nsize=1M\\nsize=2M,type=82\\ntype=c,bootable\\n");
  check_as_sfdisk(
      "label: dos\\nsize=1M\\nsize=40M,type=f\\nsize=1M\\ntype=83\\nsize=5M\\nsize=3M\\n");
  check_as_sfdisk("label: dos\\nlabel-id: 0x1\\ntype=83\\n");
}

TEST_CASE("partitions: sfdisk's GPTs are read as sfdisk reads them") {
  check_as_sfdisk(
      "label: gpt\\nsize=1M,type=U,name=\"esp\"\\nsize=2M,name=\"\xc3\xa4 "
      "\xf0\x9f\x92\xbe\"\\ntype=V\\n");
  check_as_sfdisk("label: gpt\\ntable-length: 4\\nsize=1M\\nsize=1M\\n");
  check_as_sfdisk("label: gpt\\ntable-length: 256\\nsize=1M\\n");
}

TEST_CASE("partitions: the types of the disks that people have are named") {
  CHECK(gpt_type_name("c12a7328-f81f-11d2-ba4b-00a0c93ec93b") == "EFI system");
  CHECK(gpt_type_name("e6d6d379-f507-44c2-a23c-238f2a3df928") == "Linux LVM");
  CHECK(gpt_type_name("00000000-0000-0000-0000-000000000001") == "");
  CHECK(mbr_type_name(0x83) == "Linux");
  CHECK(mbr_type_name(0x99) == "");
}

#include <cerrno>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "partitions/scheme.h"
#include "tests/partitions/gpt_image.h"
#include "tests/partitions/table_text.h"
#include "tests/support/fault_disk.h"

using namespace vimg;
using namespace vimg::test;

namespace {

constexpr std::uint64_t primary_offset = 512;
constexpr std::uint64_t backup_offset = 4095 * 512;
constexpr std::uint64_t backup_entries_offset = 4063 * 512;
constexpr char good[] = "1:64+100 2:164+100";

PartitionTable read_table(std::vector<std::byte> content) {
  const auto table = read_partition_table(*make_memory_disk(std::move(content)));
  REQUIRE(table);
  CHECK(table->scheme == "gpt");
  return *table;
}

std::vector<std::byte> poked(std::vector<std::byte> content, std::uint64_t offset) {
  content.at(offset) ^= std::byte{0xff};
  return content;
}

std::string message_of(std::vector<std::byte> content) {
  try {
    read_partition_table(*make_memory_disk(std::move(content)));
  } catch (const Error& error) {
    CHECK(error.code() == EUCLEAN);
    return error.what();
  }
  return "no error";
}

// What is said of a primary header with one field broken; the backup is broken alike.
std::string message_of(const GptImage& image) { return message_of(image.content()); }

}  // namespace

TEST_CASE("gpt: a whole table is read without a problem") {
  const auto table = read_table(GptImage().content());
  CHECK(places(table) == good);
  CHECK(problems(table) == "");
  CHECK(table.uuid == "01020304-0000-0000-0000-000000000000");
  CHECK(table.partitions[1].uuid == "00000002-0000-0000-0000-000000000000");
}

TEST_CASE("gpt: any damaged byte of the primary header makes the backup take over") {
  for (const std::uint64_t at : {0U, 12U, 16U, 24U, 40U, 56U, 72U, 88U, 91U}) {
    CAPTURE(at);
    const auto table = read_table(poked(GptImage().content(), primary_offset + at));
    CHECK(places(table) == good);
    CHECK(table.problems.size() == 1);
    CHECK(problems(table).starts_with("gpt: the primary header in sector 1 cannot be used ("));
  }
}

TEST_CASE("gpt: a damaged backup is said") {
  CHECK(problems(read_table(poked(GptImage().content(), backup_offset))) ==
        "gpt: the backup header in sector 4095 cannot be used: it has no signature\n");
  const auto entries = read_table(poked(GptImage().content(), backup_entries_offset));
  CHECK(problems(entries).starts_with(
      "gpt: the backup header in sector 4095 cannot be used: the CRC of its entries is 0x"));
}

TEST_CASE("gpt: with both copies damaged it is corrupt, and both faults are named") {
  const std::string message =
      message_of(poked(poked(GptImage().content(), primary_offset), backup_offset));
  CHECK(message ==
        "gpt: there is a protective MBR, but neither header can be used: the primary in sector 1: "
        "it has no signature; the backup in sector 4095: it has no signature");
}

TEST_CASE("gpt: a backup that differs is said, and the primary used") {
  auto content = GptImage().content();
  GptImage other;
  other.add(1, 300, 399);
  const auto changed = other.content();
  std::copy(changed.begin() + backup_entries_offset, changed.end(),
            content.begin() + backup_entries_offset);
  const auto table = read_table(content);
  CHECK(places(table) == good);
  CHECK(problems(table) == "gpt: the backup differs from the primary, which is used\n");
}

TEST_CASE("gpt: on an image that was grown the backup is found where it was") {
  auto content = GptImage().content();
  content.resize(content.size() * 2);
  CHECK(problems(read_table(content)) ==
        "gpt: the backup header lies in sector 4095, not in the last, 8191\n");
  const auto table = read_table(poked(content, 1024));
  CHECK(places(table) == good);
  CHECK(problems(table).ends_with("the backup in sector 4095 is used\n"));
}

TEST_CASE("gpt: an image that was cut keeps what is left of its partitions") {
  GptImage image;
  image.add(1, 164, 1999);
  image.add(2, 2000, 2999);
  auto content = image.content();
  content.resize(1000 * 512);
  const auto table = read_table(content);
  CHECK(places(table) == "1:64+100 2:164+836");
  CHECK(table.problems.size() == 3);
}

TEST_CASE("gpt: entries of any size from 128 to 4096 are read") {
  for (const std::uint32_t size : {128U, 256U, 4096U}) {
    GptImage image;
    image.header.entry_size = size;
    image.header.entry_count = 4;
    CHECK(places(read_table(image.content())) == good);
  }
}

TEST_CASE("gpt: entry sizes that are none are corrupt") {
  for (const std::uint32_t size : {0U, 64U, 127U, 129U, 8192U, 0x80000000U}) {
    GptImage image;
    image.header.entry_count = 0;
    image.header.entry_size = size;
    const std::string message = message_of(image);
    CHECK(message.find("is not a power of two from 128 to 4096") != std::string::npos);
  }
}

TEST_CASE("gpt: 1024 entries are read, and not one more or none") {
  GptImage image;
  image.header.entry_size = 128;
  image.header.entry_count = 1024;
  image.backup_lba = 4095;
  image.header.first_usable_lba = 300;
  image.entries.assign(1024, {});
  image.add(1023, 1000, 1099);
  CHECK(places(read_table(image.content())) == "1024:1000+100");
  image.header.entry_count = 1025;
  CHECK(message_of(image).find("its entry count 1025 is not between 1 and 1024") !=
        std::string::npos);
  image.header.entry_count = 0;
  CHECK(message_of(image).find("its entry count 0 is not between 1 and 1024") != std::string::npos);
}

TEST_CASE("gpt: entries that lie beyond the disk are corrupt") {
  GptImage image;
  for (const std::uint64_t lba : {std::uint64_t(4065), std::uint64_t(1) << 55, ~std::uint64_t(0)}) {
    image.header.entries_lba = lba;
    CHECK(message_of(poked(image.content(), backup_offset)).find("lie beyond the disk's end") !=
          std::string::npos);
  }
  image.header.entries_lba = 4063;  // ends with the disk but for the backup header itself
  CHECK_NOTHROW(read_table(image.content()));
}

TEST_CASE("gpt: partitions that cannot be are dropped, each with a word") {
  GptImage image;
  image.add(1, 300, 299);
  image.add(2, ~std::uint64_t(0) - 1, ~std::uint64_t(0));
  image.add(3, 0, ~std::uint64_t(0));
  const auto table = read_table(image.content());
  CHECK(places(table) == "1:64+100 4:0+4096");
  CHECK(problems(table) ==
        "gpt: partition 2 ends at sector 299, before it begins at sector 300\n"
        "gpt: partition 3 begins at sector 18446744073709551614, beyond the disk's end 0x200000\n"
        "gpt: partition 4 (sector 0 +18446744073709551615) ends beyond the disk's end 0x200000; "
        "cut short\n"
        "gpt: partition 4 (sectors 0 to 18446744073709551615) leaves the usable sectors 34 to "
        "4062\n"
        "gpt: partitions 4 and 1 overlap at 0x8000\n");
}

TEST_CASE("gpt: names are cut at the first zero and are always valid UTF-8") {
  GptImage image;
  auto& name = image.entries[0].name;
  const std::vector<std::uint16_t> units = {'a', 0xd83d, 0xdcbe, 0xd800, 'b', 0xdc00, 0, 'c'};
  std::copy(units.begin(), units.end(), name.begin());
  image.entries[1].name.fill(0xd800);
  const auto table = read_table(image.content());
  CHECK(table.partitions[0].label ==
        "a\xf0\x9f\x92\xbe\xef\xbf\xbd"
        "b\xef\xbf\xbd");
  CHECK(table.partitions[1].label.size() == 36 * 3);
}

TEST_CASE("gpt: the legacy BIOS attribute makes a partition bootable") {
  GptImage image;
  image.entries[1].attributes = 4;
  const auto table = read_table(image.content());
  CHECK_FALSE(table.partitions[0].bootable);
  CHECK(table.partitions[1].bootable);
}

TEST_CASE("gpt: sectors of 4096 bytes are detected on disks of either kind, 512 too") {
  GptImage image;
  image.sector_size = 4096;
  image.sectors = 4096;
  for (const std::uint32_t attached : {512U, 4096U}) {
    CHECK(read_partition_table(*image.disk(attached))->sector_size == 4096);
    CHECK(read_partition_table(*GptImage().disk(attached))->sector_size == 512);
    auto without_primary = image.content();
    std::fill_n(without_primary.begin() + 4096, 4096, std::byte{0});
    CHECK(read_partition_table(*make_memory_disk(without_primary, attached))->sector_size == 4096);
  }
}

TEST_CASE("gpt: without an MBR a whole primary is a table, a backup alone is not") {
  auto content = GptImage().content();
  std::fill_n(content.begin(), 512, std::byte{0});
  const auto table = read_table(content);
  CHECK(places(table) == good);
  CHECK(problems(table) == "gpt: there is no protective MBR\n");
  CHECK_FALSE(read_partition_table(*make_memory_disk(poked(content, primary_offset))));
}

TEST_CASE("gpt: an MBR with partitions of its own but no protective one wins") {
  auto content = GptImage().content();
  auto mbr = load<MbrSector>(content);
  mbr.entries[0].type = 0x83;
  store(content, 0, mbr);
  CHECK(read_partition_table(*make_memory_disk(content))->scheme == "dos");
}

TEST_CASE("gpt: every read that fails is an error") {
  FaultDisk counter(GptImage().disk());
  read_partition_table(counter);
  REQUIRE(counter.reads >= 5);
  for (std::uint64_t n = 0; n < counter.reads; ++n) {
    FaultDisk disk(GptImage().disk());
    disk.fail_read = n;
    CHECK_THROWS_AS(read_partition_table(disk), Error);
  }
}

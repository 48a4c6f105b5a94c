// What a qcow2 header may and may not say.
#include "formats/qcow2_header.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "disk/slice.h"
#include "tests/formats/qcow2_support.h"

namespace vimg::test {
namespace {

using qcow2::RawHeader;

constexpr std::size_t extensions_at = 112;

// 1 MiB of disk in clusters of 64 KiB: header, refcount table and block, an L1 table of one entry.
std::vector<std::byte> valid_image() {
  std::vector<std::byte> image(4 * 65536);
  RawHeader header{};
  header.magic = qcow2::magic;
  header.version = 3;
  header.cluster_bits = 16;
  header.size = 1U << 20;
  header.l1_count = 1;
  header.l1_offset = 0x30000;
  header.refcount_table_offset = 0x10000;
  header.refcount_table_clusters = 1;
  header.refcount_order = 4;
  header.header_length = 112;
  store(Bytes(image), 0, header);
  store(Bytes(image), 0x10000, be64(0x20000));
  for (std::size_t cluster = 0; cluster < 4; ++cluster) {
    store(Bytes(image), 0x20000 + 2 * cluster, be16(1));
  }
  return image;
}

using Change = std::function<void(std::vector<std::byte>&)>;

Change header_change(const std::function<void(RawHeader&)>& change) {
  return [change](std::vector<std::byte>& image) {
    auto header = load<RawHeader>(ConstBytes(image));
    change(header);
    store(Bytes(image), 0, header);
  };
}

Change extension(std::uint32_t type, std::uint32_t length, std::string data = {}) {
  return [=](std::vector<std::byte>& image) {
    store(Bytes(image), extensions_at, qcow2::ExtensionHeader{type, length});
    std::ranges::copy(bytes_of(std::string_view(data)),
                      image.begin() + std::ptrdiff_t(extensions_at + 8));
  };
}

struct Refusal {
  int code = 0;
  std::string message;
};

Refusal refusal_of(const Change& change) {
  std::vector<std::byte> image = valid_image();
  change(image);
  TestContext context;
  try {
    const DiskPtr disk = qcow2_driver.open(make_memory_disk(std::move(image)), context);
    content_of(*make_slice(disk, 0, std::min<std::uint64_t>(disk->size(), 4096)));
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

void check_refused(int code, const std::string& message, const Change& change) {
  CAPTURE(message);
  const Refusal refusal = refusal_of(change);
  CHECK(refusal.code == code);
  CHECK(refusal.message == message);
}

void check_accepted(const Change& change) {
  const Refusal refusal = refusal_of(change);
  CHECK_MESSAGE(refusal.code == 0, refusal.message);
}

}  // namespace

TEST_CASE("qcow2 header: the valid image of these tests opens and reads as zeros") {
  check_accepted([](std::vector<std::byte>&) {});
  TestContext context;
  const DiskPtr disk = qcow2_driver.open(make_memory_disk(valid_image()), context);
  CHECK(disk->size() == 1U << 20);
  CHECK(all_zero(content_of(*disk)));
  CHECK(context.warnings.empty());
}

TEST_CASE("qcow2 header: another magic, another version and a short file are refused") {
  check_refused(EUCLEAN, "qcow2: no magic \"QFI\\xfb\" at 0x0",
                header_change([](RawHeader& h) { h.magic[0] = 'q'; }));
  check_refused(EOPNOTSUPP, "qcow2: version 4; 2 and 3 are supported",
                header_change([](RawHeader& h) { h.version = 4; }));
  check_refused(EUCLEAN, "qcow2: file of 71 bytes is too short for a header of 72",
                [](std::vector<std::byte>& image) { image.resize(71); });
}

TEST_CASE("qcow2 header: clusters of 512 bytes to 2 MiB, no others") {
  const auto with_bits = [](std::uint32_t bits) {
    return header_change([bits](RawHeader& h) {
      h.cluster_bits = bits;
      h.l1_count = 4096;
      h.size = 0;
    });
  };
  check_refused(EUCLEAN, "qcow2: log2 of the cluster size is 8, expected 9 to 21", with_bits(8));
  check_refused(EUCLEAN, "qcow2: log2 of the cluster size is 22, expected 9 to 21", with_bits(22));
  check_refused(EUCLEAN, "qcow2: log2 of the cluster size is 4294967295, expected 9 to 21",
                with_bits(~0U));
  check_accepted(with_bits(9));
}

TEST_CASE("qcow2 header: the L1 table lies at a cluster's start, in the file, within 32 MiB") {
  check_refused(EUCLEAN,
                "qcow2: L1 table at 0x30200 is not at a cluster's start below 0x100000000000000",
                header_change([](RawHeader& h) { h.l1_offset = 0x30200; }));
  check_refused(EUCLEAN, "qcow2: L1 table at 0x40000 (+0x8) lies beyond the end 0x40000",
                header_change([](RawHeader& h) { h.l1_offset = 0x40000; }));
  check_refused(EUCLEAN, "qcow2: L1 entry count is 4194305, expected 0 to 4194304",
                header_change([](RawHeader& h) { h.l1_count = (32U << 20) / 8 + 1; }));
  check_refused(EUCLEAN, "qcow2: L1 table at 0x30000 (+0x10008) lies beyond the end 0x40000",
                header_change([](RawHeader& h) { h.l1_count = 8193; }));
  check_accepted(header_change([](RawHeader& h) { h.l1_count = 8192; }));
}

TEST_CASE("qcow2 header: the L1 table must map the whole disk") {
  check_accepted(header_change([](RawHeader& h) { h.size = 512U << 20; }));
  check_refused(EUCLEAN,
                "qcow2: L1 table of 1 entries is too small for 0x20000001 bytes, which need 2",
                header_change([](RawHeader& h) { h.size = (512U << 20) + 1; }));
  check_refused(EUCLEAN,
                "qcow2: virtual size is 18446744073709551615, expected 0 to 9223372036854775807",
                header_change([](RawHeader& h) { h.size = ~std::uint64_t{0}; }));
}

TEST_CASE("qcow2 header: the refcount table stays within 8 MiB") {
  check_accepted(header_change([](RawHeader& h) { h.refcount_table_clusters = 128; }));
  check_refused(EUCLEAN, "qcow2: refcount table cluster count is 129, expected 0 to 128",
                header_change([](RawHeader& h) { h.refcount_table_clusters = 129; }));
  check_refused(EUCLEAN, "qcow2: log2 of the refcount bits is 7, expected 0 to 6",
                header_change([](RawHeader& h) { h.refcount_order = 7; }));
}

TEST_CASE("qcow2 header: a header length of 104 bytes to one cluster") {
  check_accepted(header_change([](RawHeader& h) { h.header_length = 104; }));
  check_refused(EUCLEAN, "qcow2: header length is 103, expected 104 to 65536",
                header_change([](RawHeader& h) { h.header_length = 103; }));
  check_refused(EUCLEAN, "qcow2: header length is 65537, expected 104 to 65536",
                header_change([](RawHeader& h) { h.header_length = 65537; }));
}

TEST_CASE("qcow2 header: unknown incompatible features are refused by the name the image gives") {
  check_refused(
      EOPNOTSUPP, "qcow2: unknown incompatible features: bit 5, bit 63",
      header_change([](RawHeader& h) { h.incompatible_features = 1ULL << 63 | 1U << 5; }));
  check_refused(EOPNOTSUPP, "qcow2: unknown incompatible features: \"teleport\" (bit 5)",
                [](std::vector<std::byte>& image) {
                  header_change([](RawHeader& h) { h.incompatible_features = 1U << 5; })(image);
                  std::string entry("\0\5teleport", 10);
                  entry.resize(48);
                  extension(0x6803f857, 48, entry)(image);
                });
}

TEST_CASE("qcow2 header: unknown compatible and autoclear features do not matter to a reader") {
  check_accepted(header_change([](RawHeader& h) {
    h.compatible_features = ~std::uint64_t{0};
    h.autoclear_features = ~std::uint64_t{2};
  }));
}

TEST_CASE("qcow2 header: encryption is refused by its name") {
  check_refused(EOPNOTSUPP, "qcow2: AES encryption is not supported yet",
                header_change([](RawHeader& h) { h.crypt_method = 1; }));
  check_refused(EOPNOTSUPP, "qcow2: LUKS encryption is not supported yet",
                header_change([](RawHeader& h) { h.crypt_method = 2; }));
  check_refused(EUCLEAN, "qcow2: encryption method is 3, expected 0 to 2",
                header_change([](RawHeader& h) { h.crypt_method = 3; }));
  check_refused(EOPNOTSUPP, "qcow2: a full disk encryption header is not supported yet",
                extension(0x0537be77, 16));
}

TEST_CASE("qcow2 header: compression type and its feature bit go together") {
  check_refused(EUCLEAN, "qcow2: compression type 1 with incompatible bit 3 clear",
                header_change([](RawHeader& h) { h.compression_type = 1; }));
  check_refused(EUCLEAN, "qcow2: compression type 0 with incompatible bit 3 set",
                header_change([](RawHeader& h) { h.incompatible_features = 8; }));
  check_refused(EOPNOTSUPP, "qcow2: compression type 2; 0 (zlib) and 1 (zstd) are supported",
                header_change([](RawHeader& h) {
                  h.incompatible_features = 8;
                  h.compression_type = 2;
                }));
}

TEST_CASE("qcow2 header: a header extension must end in the first cluster") {
  check_accepted(extension(0x12345678, 65536 - 112 - 8));
  check_refused(EUCLEAN, "qcow2: header extension 0x12345678 at 0x78 (+0xff89) lies beyond 0x10000",
                extension(0x12345678, 65536 - 112 - 7));
  check_refused(EUCLEAN,
                "qcow2: header extension 0x12345678 at 0x78 (+0xffffffff) lies beyond 0x10000",
                extension(0x12345678, ~0U));
  check_refused(EUCLEAN, "qcow2: backing format extension of 16 bytes, expected 0 to 15",
                extension(0xe2792aca, 16));
}

TEST_CASE("qcow2 header: the backing file's name lies in the first cluster, within 1023 bytes") {
  const auto backing = [](std::uint64_t offset, std::uint32_t length) {
    return header_change([=](RawHeader& h) {
      h.backing_offset = offset;
      h.backing_length = length;
    });
  };
  check_refused(EUCLEAN, "qcow2: length of the backing file name is 1024, expected 0 to 1023",
                backing(200, 1024));
  check_refused(EUCLEAN, "qcow2: backing file name at 0xff9d (+0x64) leaves the first cluster",
                backing(65536 - 99, 100));
  check_refused(EUCLEAN, "qcow2: offset of the backing file name is 65537, expected 112 to 65536",
                backing(65537, 1));
}

TEST_CASE("qcow2 header: an external data file needs a name and excludes snapshots") {
  check_refused(EUCLEAN, "qcow2: the image has an external data file but does not name it",
                header_change([](RawHeader& h) { h.incompatible_features = 4; }));
  check_refused(EUCLEAN, "qcow2: internal snapshots with an external data file",
                header_change([](RawHeader& h) {
                  h.incompatible_features = 4;
                  h.snapshot_count = 1;
                }));
  check_refused(EUCLEAN, "qcow2: raw external data (autoclear bit 1) without an external data file",
                header_change([](RawHeader& h) { h.autoclear_features = 2; }));
}

TEST_CASE("qcow2 header: extended L2 entries need clusters of 16 KiB") {
  check_refused(EUCLEAN,
                "qcow2: log2 of the cluster size with extended L2 entries is 13, expected 14 to 21",
                header_change([](RawHeader& h) {
                  h.incompatible_features = 16;
                  h.cluster_bits = 13;
                  h.l1_count = 8;
                }));
}

TEST_CASE("qcow2 header: corrupt and dirty images open read-only or with a warning") {
  std::vector<std::byte> image = valid_image();
  header_change([](RawHeader& h) { h.incompatible_features = 2; })(image);
  TestContext context({}, Access::read_write);
  const DiskPtr corrupt = qcow2_driver.open(make_memory_disk(image), context);
  CHECK_FALSE(corrupt->writable());
  REQUIRE(context.warnings.size() == 1);
  CHECK(context.warnings[0] == "qcow2: the image is marked as corrupt and can only be read");
  header_change([](RawHeader& h) { h.incompatible_features = 1; })(image);
  const DiskPtr dirty = qcow2_driver.open(make_memory_disk(image), context);
  CHECK(dirty->writable());
  CHECK(context.warnings.size() == 2);
}

TEST_CASE("qcow2 header: the first write clears the autoclear bits that it makes untrue") {
  std::vector<std::byte> image = valid_image();
  header_change([](RawHeader& h) { h.autoclear_features = 0xfd; })(image);
  const DiskPtr file = make_memory_disk(std::move(image));
  TestContext context({}, Access::read_write);
  const DiskPtr disk = qcow2_driver.open(file, context);
  CHECK(read_object<RawHeader>(*file, 0).autoclear_features == 0xfd);
  disk->write_zeros(0, 512);
  CHECK(read_object<RawHeader>(*file, 0).autoclear_features == 0);
}

TEST_CASE("qcow2 tables: broken L1 and L2 entries are told from where they lie") {
  const auto l1 = [](std::uint64_t entry) {
    return [=](std::vector<std::byte>& image) { store(Bytes(image), 0x30000, be64(entry)); };
  };
  const auto l2 = [&](std::uint64_t entry) {
    return [=](std::vector<std::byte>& image) {
      image.resize(6 * 65536);
      l1(0x40000)(image);
      store(Bytes(image), 0x40000, be64(entry));
    };
  };
  check_refused(EUCLEAN, "qcow2: L1 entry 0, 0x0000000000040200, is not at a cluster's start",
                l1(0x40200));
  check_refused(EUCLEAN, "qcow2: L2 table at 0x40000 lies beyond the file end 0x40000",
                l1(0x40000));
  check_refused(
      EUCLEAN, "qcow2: L2 entry 0x0000000000050200 of guest offset 0x0 is not at a cluster's start",
      l2(0x50200));
  check_refused(EUCLEAN, "qcow2: compressed cluster at 0x50006: deflate: the stream is broken",
                l2(1ULL << 62 | 0x50000 | 0x06));
  check_refused(EUCLEAN, "qcow2: compressed cluster at 0x7000000 lies beyond the file end 0x60000",
                l2(1ULL << 62 | 0x7000000));
  check_accepted(l2(0x50000));
  // As QEMU does: what lies beyond the end of the file reads as zeros.
  check_accepted(l2(0x5000000));
}

TEST_CASE("qcow2 tables: a refcount table that is missing or beyond the end is met when writing") {
  std::vector<std::byte> image = valid_image();
  header_change([](RawHeader& h) { h.refcount_table_clusters = 0; })(image);
  TestContext context({}, Access::read_write);
  CHECK_THROWS_WITH_AS(qcow2_driver.open(make_memory_disk(image), context),
                       "qcow2: the image has no refcount table", Error);
  header_change([](RawHeader& h) {
    h.refcount_table_clusters = 1;
    h.refcount_table_offset = 0x40000;
  })(image);
  CHECK_THROWS_WITH_AS(qcow2_driver.open(make_memory_disk(image), context),
                       "qcow2: refcount table at 0x40000 (+0x10000) lies beyond the end 0x40000",
                       Error);
}

TEST_CASE(
    "qcow2 tables: nothing is written where a table lies, whatever entries and refcounts say") {
  // An L2 table at 0x40000 whose first entry points at the L1 table, and refcounts that call the
  // header's and the tables' clusters free.
  std::vector<std::byte> image = valid_image();
  image.resize(5 * 65536);
  store(Bytes(image), 0x30000, be64(1ULL << 63 | 0x40000));
  store(Bytes(image), 0x40000, be64(1ULL << 63 | 0x30000));
  for (std::size_t cluster = 0; cluster < 5; ++cluster) {
    store(Bytes(image), 0x20000 + 2 * cluster, be16(0));
  }
  const DiskPtr file = make_memory_disk(image);
  TestContext context({}, Access::read_write);
  const DiskPtr disk = qcow2_driver.open(file, context);
  const std::vector<std::byte> data(512, std::byte{1});
  CHECK_THROWS_WITH_AS(disk->write(0, data),
                       "qcow2: data would be written at 0x30000, where a table lies", Error);
  CHECK_THROWS_WITH_AS(disk->discard(0, 65536),
                       "qcow2: data would be written at 0x30000, where a table lies", Error);
  CHECK_THROWS_WITH_AS(disk->write(65536, data),
                       "qcow2: data would be written at 0x0, where a table lies", Error);
  CHECK(content_of(*file) == image);
}

TEST_CASE("qcow2 tables: a cluster far beyond the file's end does not make the file that long") {
  std::vector<std::byte> image = valid_image();
  image.resize(5 * 65536);
  store(Bytes(image), 0x30000, be64(1ULL << 63 | 0x40000));
  store(Bytes(image), 0x40000, be64(1ULL << 63 | 0x10000000000));
  const DiskPtr file = make_memory_disk(image);
  TestContext context({}, Access::read_write);
  const DiskPtr disk = qcow2_driver.open(file, context);
  CHECK_THROWS_WITH_AS(
      disk->write(0, std::vector<std::byte>(512)),
      "qcow2: clusters up to 0x10000000200 are in use, far beyond the file end 0x50000", Error);
  CHECK(file->size() == image.size());
}

TEST_CASE("qcow2 snapshots: broken tables and unknown names are refused") {
  const auto snapshot = [](std::uint32_t extra, std::uint32_t l1_count, std::uint64_t l1_offset) {
    return [=](std::vector<std::byte>& image) {
      image.resize(6 * 65536);
      header_change([](RawHeader& h) {
        h.snapshot_count = 1;
        h.snapshots_offset = 0x40000;
      })(image);
      store(Bytes(image), 0x40000, be64(l1_offset));
      store(Bytes(image), 0x40008, be32(l1_count));
      store(Bytes(image), 0x40024, be32(extra));
    };
  };
  const auto refused = [&](const Change& change, const std::string& message) {
    std::vector<std::byte> image = valid_image();
    change(image);
    TestContext context;
    context.snapshot_name = "one";
    CHECK_THROWS_WITH_AS(qcow2_driver.open(make_memory_disk(image), context), message.c_str(),
                         Error);
  };
  refused([](std::vector<std::byte>&) {}, "qcow2: no snapshot \"one\"; the image has none");
  refused(snapshot(16, 1, 0x30000), "qcow2: no snapshot \"one\"; the image has  ()");
  refused(snapshot(1025, 1, 0x30000),
          "qcow2: snapshot 0 has 1025 bytes of extra data; at most 1024 are possible");
  refused(snapshot(16, 4194305, 0x30000),
          "qcow2: snapshot 0 has an L1 table of 4194305 entries; at most 4194304 are possible");
  refused(snapshot(16, 1, 0x30200),
          "qcow2: L1 table of snapshot 0 at 0x30200 is not at a cluster's start");
  refused(header_change([](RawHeader& h) { h.snapshot_count = 65537; }),
          "qcow2: snapshot count is 65537, expected 0 to 65536");
}

}  // namespace vimg::test

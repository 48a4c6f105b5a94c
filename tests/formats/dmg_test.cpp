#include <cerrno>

#include <doctest/doctest.h>
#include <lzma.h>

#include "disk/error.h"
#include "formats/dmg_decode.h"
#include "tests/formats/format_checks.h"
#include "tests/support/host.h"

namespace vimg {

extern const FormatDriver dmg_driver;

namespace test {
namespace {

struct Chunk {
  std::uint32_t type;
  std::uint64_t sectors;
  std::vector<std::byte> stored;
};

std::string base64(const std::vector<std::byte>& bytes) {
  const TemporaryDirectory directory;
  write_file(directory / "bytes", bytes);
  return must_run("base64 -w 60 " + directory / "bytes");
}

std::vector<std::byte> table_of(const std::vector<Chunk>& chunks) {
  std::vector<std::byte> table(204 + chunks.size() * 40);
  std::ranges::copy(bytes_of("mish"), table.begin());
  store(Bytes(table), 200, be32(std::uint32_t(chunks.size())));
  std::uint64_t sector = 0;
  std::uint64_t offset = 0;
  for (std::size_t index = 0; index < chunks.size(); ++index) {
    const std::size_t at = 204 + index * 40;
    store(Bytes(table), at, be32(chunks[index].type));
    store(Bytes(table), at + 8, be64(sector));
    store(Bytes(table), at + 16, be64(chunks[index].sectors));
    store(Bytes(table), at + 24, be64(offset));
    store(Bytes(table), at + 32, be64(chunks[index].stored.size()));
    sector += chunks[index].sectors;
    offset += chunks[index].stored.size();
  }
  store(Bytes(table), 16, be64(sector));
  return table;
}

// An image of one partition that the chunks make up.
std::vector<std::byte> image_of(const std::vector<Chunk>& chunks, const std::string& data) {
  std::vector<std::byte> image;
  for (const Chunk& chunk : chunks) {
    image.insert(image.end(), chunk.stored.begin(), chunk.stored.end());
  }
  const std::string list =
      "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>resource-fork</key><dict>"
      "<key>blkx</key><array><dict><key>Attributes</key><string>0x50</string><key>Data</"
      "key><data>" +
      data + "</data></dict></array></dict></dict></plist>";
  std::vector<std::byte> trailer(512);
  std::ranges::copy(bytes_of("koly"), trailer.begin());
  store(Bytes(trailer), 4, be32(4));
  store(Bytes(trailer), 8, be32(512));
  store(Bytes(trailer), 32, be64(image.size()));
  store(Bytes(trailer), 0xd8, be64(image.size()));
  store(Bytes(trailer), 0xe0, be64(list.size()));
  std::uint64_t sectors = 0;
  for (const Chunk& chunk : chunks) {
    sectors += chunk.sectors;
  }
  store(Bytes(trailer), 0x1ec, be64(sectors));
  const ConstBytes text = bytes_of(list);
  image.insert(image.end(), text.begin(), text.end());
  image.insert(image.end(), trailer.begin(), trailer.end());
  return image;
}

std::vector<std::byte> image_of(const std::vector<Chunk>& chunks) {
  return image_of(chunks, base64(table_of(chunks)));
}

std::vector<std::byte> plain(std::size_t sectors) {
  std::vector<std::byte> bytes(sectors * 512);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] = std::byte(at / 7);
  }
  return bytes;
}

std::vector<std::byte> lzma_of(const std::vector<std::byte>& bytes) {
  std::vector<std::byte> out(bytes.size() + 1000);
  std::size_t length = 0;
  REQUIRE(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, nullptr,
                                  reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(),
                                  reinterpret_cast<std::uint8_t*>(out.data()), &length,
                                  out.size()) == LZMA_OK);
  out.resize(length);
  return out;
}

std::vector<std::byte> adc(const std::vector<int>& codes) {
  std::vector<std::byte> bytes;
  for (const int code : codes) {
    bytes.push_back(std::byte(code));
  }
  return bytes;
}

std::vector<std::byte> decode_adc(const std::vector<int>& codes, std::size_t length) {
  std::vector<std::byte> out(length);
  dmg::decode_adc(adc(codes), out);
  return out;
}

std::vector<Chunk> chunks() {
  return {{1, 3, plain(3)}, {0, 2, {}}, {0x80000008, 4, lzma_of(plain(4))}, {0xffffffff, 0, {}}};
}

}  // namespace

TEST_CASE("dmg: raw chunks, zeros and lzma stand where the table says") {
  std::vector<std::byte> expected = plain(3);
  expected.resize(5 * 512);
  const std::vector<std::byte> last = plain(4);
  expected.insert(expected.end(), last.begin(), last.end());
  CHECK(decoded(dmg_driver, image_of(chunks())) == expected);
}

TEST_CASE("dmg: QEMU decodes the same") {
  const std::vector<Chunk> simple{
      {1, 3, plain(3)}, {0, 2, {}}, {1, 1, plain(1)}, {0xffffffff, 0, {}}};
  CHECK(decoded(dmg_driver, image_of(simple)) == decoded_by_qemu("dmg", image_of(simple)));
}

TEST_CASE("dmg: ADC has plain bytes, and short and long repeats that may overlap themselves") {
  CHECK(decode_adc({0x81, 'a', 'b', 0x04, 0x01}, 6) == adc({'a', 'b', 'a', 'b', 'a', 'b'}));
  CHECK(decode_adc({0x80, 'x', 0x41, 0x00, 0x00}, 6) == adc({'x', 'x', 'x', 'x', 'x', 'x'}));
}

TEST_CASE("dmg: ADC that leaves its chunk is corrupt") {
  CHECK_THROWS_AS(decode_adc({0x81, 'a'}, 2), Error);
  CHECK_THROWS_AS(decode_adc({0x80, 'a', 0x00, 0x01}, 4), Error);
  CHECK_THROWS_AS(decode_adc({0x80, 'a', 0x7f, 0x00, 0x00}, 6), Error);
  CHECK_THROWS_AS(decode_adc({0x80, 'a'}, 2), Error);
}

TEST_CASE("dmg: LZFSE is refused, and the message says what to do") {
  const auto image = image_of({{0x80000007, 1, plain(1)}});
  CHECK(error_of(dmg_driver, image) == EOPNOTSUPP);
  CHECK(message_of(dmg_driver, image).find("hdiutil convert") != std::string::npos);
}

TEST_CASE("dmg: chunks that lie beyond the file, overlap or are too large are corrupt") {
  const std::vector<std::byte> table = table_of(chunks());
  const auto with = [&](std::size_t offset, std::uint64_t value) {
    return image_of(chunks(), base64(patched(table, offset, be64(value))));
  };
  CHECK(error_of(dmg_driver, with(204 + 24, 1ULL << 40)) == EUCLEAN);
  CHECK(error_of(dmg_driver, with(204 + 24, ~std::uint64_t{0})) == EUCLEAN);
  CHECK(error_of(dmg_driver, with(204 + 80 + 8, 1)) == EUCLEAN);
  CHECK(error_of(dmg_driver, with(204 + 80 + 16, 1U << 20)) == EUCLEAN);
  CHECK(error_of(dmg_driver, with(204 + 8, 1ULL << 60)) == EUCLEAN);
  CHECK(error_of(dmg_driver, with(204 + 16, 4)) == EUCLEAN);
}

TEST_CASE("dmg: a table that is cut short or a list that is no XML is corrupt") {
  CHECK(error_of(dmg_driver, image_of(chunks(), "bWlzaA==")) == EUCLEAN);
  CHECK(error_of(dmg_driver, image_of(chunks(), "</data><data>")) == EUCLEAN);
  CHECK(error_of(dmg_driver, image_of(chunks(), "<!--")) == EUCLEAN);
}

TEST_CASE("dmg: a read that fails is an error, never wrong content") {
  check_read_faults(dmg_driver, image_of(chunks()));
}

}  // namespace test
}  // namespace vimg

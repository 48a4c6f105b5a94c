#include "fsdrivers/sha256.h"

#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/support/host.h"

namespace vimg {
namespace {

std::string digest_of(const std::string& text) {
  std::string digits;
  for (const std::byte byte : sha256(bytes_of(text))) {
    digits += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  }
  return digits;
}

TEST_CASE("sha256: agrees with sha256sum for every length around the block size") {
  const test::TemporaryDirectory directory;
  for (std::size_t length = 0; length <= 130; ++length) {
    test::write_file(directory / fmt::format("{:03}", length),
                     std::vector<std::byte>(length, std::byte{'x'}));
  }
  const std::string sums = test::must_run("cd " + directory.path() + " && sha256sum *");
  std::size_t line = 0;
  for (std::size_t length = 0; length <= 130; ++length) {
    CAPTURE(length);
    CHECK(sums.substr(line, 64) == digest_of(std::string(length, 'x')));
    line = sums.find('\n', line) + 1;
  }
}

}  // namespace
}  // namespace vimg

// VMDK images for tests: files of one directory, made by qemu-img or by hand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/driver.h"
#include "formats/vmdk_layout.h"
#include "tests/formats/test_context.h"
#include "tests/support/host.h"

namespace vimg {
extern const FormatDriver vmdk_driver;
}

namespace vimg::test {

constexpr std::uint64_t mib = 1U << 20;

// `size` bytes of which about half are zero in runs of 4 to 60 KiB; the same for the same seed.
std::vector<std::byte> patchy(std::uint64_t size, unsigned seed);

std::vector<std::byte> bytes_from(std::string_view text);

// What qemu-img decodes the image `name` in `directory` to.
std::vector<std::byte> qemu_content(const TemporaryDirectory& directory, const std::string& name);

// A descriptor with these extent lines.
std::string descriptor_text(const std::string& create_type, const std::string& extent_lines,
                            const std::string& parent_lines = "parentCID=ffffffff\n");

// A file with structures at places, zeros between them.
class FileBuilder {
 public:
  explicit FileBuilder(std::uint64_t size) : bytes(size) {}

  template <OnDisk T>
  void put(std::uint64_t offset, const T& value) {
    store(Bytes(bytes), offset, value);
  }
  void fill(std::uint64_t offset, std::uint64_t length, std::byte value);

  std::vector<std::byte> bytes;
};

// A sparse extent of 1 MiB with grains of 4 KiB: grain 0 holds ones, grain 2 holds twos.  Its
// grain table lies at sector 27, the copy at 22, the directories one before, grains from 64.
std::vector<std::byte> sparse_by_hand();
// The errno and message of opening `image` and reading it all; 0 and nothing when that works.
struct Outcome {
  int code = 0;
  std::string message;
};
Outcome outcome_of(const std::vector<std::byte>& image, TestContext context = TestContext());

}  // namespace vimg::test

// The input is a disk.  Its GPT is read as it is, and once more with checksums made right.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "disk/crc32.h"
#include "fuzz/partition_check.h"
#include "partitions/gpt_header.h"

namespace {

using namespace vimg;

void fix_checksums(std::vector<std::byte>& disk, std::size_t offset) {
  if (!fits(offset, sizeof(GptHeader), disk.size())) {
    return;
  }
  auto header = load<GptHeader>(disk, offset);
  const auto entries = checked_mul(header.entries_lba, 512);
  const std::uint64_t length = std::uint64_t(header.entry_count) * header.entry_size;
  if (entries && fits(*entries, length, disk.size())) {
    header.entries_crc = crc32(ConstBytes(disk).subspan(*entries, length));
  }
  header.header_crc = 0;
  store(disk, offset, header);
  if (fits(offset, header.header_size, disk.size())) {
    header.header_crc = crc32(ConstBytes(disk).subspan(offset, header.header_size));
  }
  store(disk, offset, header);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t max_input = 64U << 10;
  if (size > max_input) {
    return -1;
  }
  const auto bytes = std::as_bytes(std::span(data, size));
  std::vector<std::byte> disk(bytes.begin(), bytes.end());
  check_scheme("gpt", disk);
  fix_checksums(disk, 512);
  fix_checksums(disk, size / 512 * 512 - 512);
  check_scheme("gpt", disk);
  return 0;
}

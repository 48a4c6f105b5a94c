#include "tests/formats/vmdk_support.h"

#include <algorithm>
#include <random>

#include "disk/error.h"
#include "disk/memory_disk.h"

namespace vimg::test {

std::vector<std::byte> patchy(std::uint64_t size, unsigned seed) {
  std::minstd_rand random(seed);
  std::vector<std::byte> content(size);
  for (std::uint64_t at = 0; at < size;) {
    const std::uint64_t end = std::min<std::uint64_t>(size, at + 4096 * (1 + random() % 15));
    const bool is_zero = random() % 2 == 0;
    for (; at < end; ++at) {
      content[at] = is_zero ? std::byte{0} : std::byte(random() >> 8);
    }
  }
  return content;
}

std::vector<std::byte> bytes_from(std::string_view text) {
  const ConstBytes bytes = bytes_of(text);
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> qemu_content(const TemporaryDirectory& directory, const std::string& name) {
  must_run("qemu-img convert -f vmdk -O raw " + directory / name + " " + directory / "decoded");
  return read_file(directory / "decoded");
}

std::string descriptor_text(const std::string& create_type, const std::string& extent_lines,
                            const std::string& parent_lines) {
  return "# Disk DescriptorFile\nversion=1\nCID=1234abcd\n" + parent_lines + "createType=\"" +
         create_type + "\"\n\n# Extent description\n" + extent_lines +
         "\n# The Disk Data Base\n#DDB\nddb.adapterType = \"ide\"\n";
}

void FileBuilder::fill(std::uint64_t offset, std::uint64_t length, std::byte value) {
  std::fill_n(bytes.begin() + std::ptrdiff_t(offset), length, value);
}

std::vector<std::byte> sparse_by_hand() {
  FileBuilder file(80 * vmdk::sector);
  vmdk::SparseHeader header;
  header.version = 1;
  header.flags = vmdk::flag_newline_test | vmdk::flag_redundant_directory;
  header.capacity = 2048;
  header.grain_size = 8;
  header.descriptor_offset = 1;
  header.descriptor_size = 20;
  header.table_entries = 512;
  header.redundant_directory_offset = 21;
  header.directory_offset = 26;
  header.overhead = 64;
  file.put(0, header);
  const std::string text = descriptor_text("monolithicSparse", "RW 2048 SPARSE \"image.vmdk\"\n");
  std::ranges::copy(bytes_of(std::string_view(text)), file.bytes.begin() + vmdk::sector);
  file.put(21 * vmdk::sector, le32(22));
  file.put(26 * vmdk::sector, le32(27));
  for (const std::uint64_t table : {22, 27}) {
    file.put(table * vmdk::sector, le32(64));
    file.put(table * vmdk::sector + 2 * sizeof(le32), le32(72));
  }
  file.fill(64 * vmdk::sector, 4096, std::byte{1});
  file.fill(72 * vmdk::sector, 4096, std::byte{2});
  return file.bytes;
}

Outcome outcome_of(const std::vector<std::byte>& image, TestContext context) {
  try {
    content_of(*vmdk_driver.open(make_memory_disk(image), context));
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

}  // namespace vimg::test

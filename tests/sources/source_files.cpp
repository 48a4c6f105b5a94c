#include "tests/sources/source_files.h"

#include <algorithm>
#include <random>

#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "tests/support/host.h"

namespace vimg::test {

std::vector<std::string> TestSourceContext::file_names(std::string_view prefix) const {
  std::vector<std::string> names;
  for (const auto& [name, disk] : files) {
    if (name.starts_with(prefix)) {
      names.push_back(name);
    }
  }
  return names;
}

DiskPtr TestSourceContext::open_file(std::string_view name) {
  const auto found = files.find(name);
  if (found == files.end()) {
    throw_error(ENOENT, "test", name);
  }
  return found->second;
}

std::vector<std::byte> mixed_content(std::size_t length) {
  std::mt19937 random(1);
  std::vector<std::byte> content(length);
  constexpr std::size_t run = 70'000;
  for (std::size_t begin = 0; begin < length; begin += run) {
    const std::size_t end = std::min(length, begin + run);
    const auto kind = unsigned(random() % 3);
    for (std::size_t i = begin; i < end && kind != 0; ++i) {
      content[i] = kind == 1 ? std::byte(i / 7 % 251) : std::byte(random() & 0xffU);
    }
  }
  return content;
}

std::vector<std::byte> piped(const std::vector<std::byte>& content, const std::string& command) {
  const TemporaryDirectory directory;
  write_file(directory / "in", content);
  must_run("cd " + directory.path() + " && (" + command + ") < in > out");
  return read_file(directory / "out");
}

std::vector<std::byte> content_of(const Disk& disk) {
  std::vector<std::byte> content(disk.size());
  disk.read(0, content);
  return content;
}

DiskPtr open_source(std::vector<std::byte> file, const std::string& name) {
  const DiskPtr disk = make_memory_disk(std::move(file));
  const SourceDriver* const source = detect_source(*disk, name);
  REQUIRE(source != nullptr);
  TestSourceContext context(name);
  std::vector<SourceImage> images = source->open(disk, context);
  REQUIRE(images.size() == 1);
  return images[0].bytes;
}

Error refusal_of(std::vector<std::byte> file, const std::string& name) {
  try {
    content_of(*open_source(std::move(file), name));
  } catch (const Error& error) {
    return error;
  }
  FAIL("the file was not refused");
  return Error(0, "");
}

void check_random_reads(const Disk& disk, const std::vector<std::byte>& content) {
  REQUIRE(disk.size() == content.size());
  std::mt19937 random(2);
  for (int i = 0; i < 50; ++i) {
    const std::size_t offset = random() % content.size();
    const std::size_t length = random() % std::min<std::size_t>(content.size() - offset, 100'000);
    std::vector<std::byte> out(length);
    disk.read(offset, out);
    CHECK(std::ranges::equal(out, ConstBytes(content).subspan(offset, length)));
  }
}

}  // namespace vimg::test

// gzip, xz, zstd and bzip2 against the tools of these names.
#include <algorithm>
#include <array>

#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "tests/sources/source_files.h"
#include "tests/support/fault_disk.h"
#include "tests/support/host.h"

namespace vimg::test {
namespace {

struct Maker {
  const char* command;
  const char* name;
};

// Each of more than one stream, block or frame where the tool can.
constexpr std::array makers{
    Maker{"gzip -6", "a.gz"},
    Maker{"gzip -1", "a.gz"},
    Maker{"head -c 3000000 in | gzip; tail -c +3000001 in | gzip", "a.gz"},
    Maker{"split -b 60000 --filter=gzip in", "a.gz"},  // small members, as bgzip makes them
    Maker{"xz -1 --block-size=300000", "a.xz"},
    Maker{"xz -1 --block-size=300000 --check=sha256", "a.xz"},
    Maker{"head -c 3000000 in | xz -1; tail -c +3000001 in | xz -1", "a.xz"},
    Maker{"xz -1 -T0", "a.xz"},
    Maker{"zstd -1", "a.zst"},
    Maker{"zstd -1 --no-check in -c", "a.zst"},
    Maker{"split -b 500000 --filter='zstd -1' in", "a.zst"},
    Maker{"bzip2 -1", "a.bz2"},
    Maker{"head -c 3000000 in | bzip2; tail -c +3000001 in | bzip2", "a.bz2"},  // as pbzip2
};

const std::vector<std::byte>& content() {
  static const std::vector<std::byte> made = mixed_content(9'000'001);
  return made;
}

std::vector<std::byte> small_content() { return mixed_content(200'000); }

std::vector<std::byte> with(std::vector<std::byte> file, std::string_view text) {
  const ConstBytes more = bytes_of(text);
  file.insert(file.end(), more.begin(), more.end());
  return file;
}

// The command that makes the smallest file of each kind.
constexpr std::array plain_makers{Maker{"gzip", "a.gz"}, Maker{"xz", "a.xz"},
                                  Maker{"zstd", "a.zst"}, Maker{"bzip2", "a.bz2"}};

}  // namespace

TEST_CASE("compressed: what the tools make reads as what was put in, from any place") {
  for (const Maker& maker : makers) {
    CAPTURE(maker.command);
    const DiskPtr disk = open_source(piped(content(), maker.command), maker.name);
    check_random_reads(*disk, content());
    CHECK(content_of(*disk) == content());
    CHECK(!disk->writable());
  }
}

TEST_CASE("compressed: pzstd's frames are read one by one") {
  if (!have("pzstd")) {
    MESSAGE("skipped: there is no pzstd");
    return;
  }
  const auto file = piped(content(), "pzstd -q -p 2 -c in");
  check_random_reads(*open_source(file, "a.zst"), content());
}

TEST_CASE("compressed: an empty image stays empty") {
  for (const Maker& maker : plain_makers) {
    CAPTURE(maker.command);
    CHECK(open_source(piped({}, maker.command), maker.name)->size() == 0);
  }
}

TEST_CASE("compressed: zeros after the last stream are padding") {
  for (const Maker& maker : plain_makers) {
    CAPTURE(maker.command);
    const auto file = with(piped(small_content(), maker.command), std::string(512, '\0'));
    CHECK(content_of(*open_source(file, maker.name)) == small_content());
  }
}

TEST_CASE("compressed: anything else after the last stream is corrupt") {
  for (const Maker& maker : plain_makers) {
    CAPTURE(maker.command);
    const auto file = with(piped(small_content(), maker.command), "what is this");
    CHECK(refusal_of(file, maker.name).code() == EUCLEAN);
  }
}

TEST_CASE("compressed: a file that was cut anywhere is corrupt") {
  for (const Maker& maker : plain_makers) {
    const auto file = piped(small_content(), maker.command);
    for (const std::size_t cut : {std::size_t{1}, std::size_t{9}, file.size() / 2}) {
      CAPTURE(maker.command);
      CAPTURE(cut);
      const std::vector<std::byte> rest(file.begin(), file.end() - std::ptrdiff_t(cut));
      CHECK(refusal_of(rest, maker.name).code() == EUCLEAN);
    }
  }
}

TEST_CASE("compressed: a byte that was changed in the middle is noticed") {
  for (const Maker& maker : plain_makers) {
    CAPTURE(maker.command);
    auto file = piped(small_content(), maker.command);
    file[file.size() / 2] ^= std::byte{0x55};
    CHECK(refusal_of(file, maker.name).code() == EUCLEAN);
  }
}

TEST_CASE("compressed: what had to be unpacked is said aloud, what had not is not") {
  const auto warnings_of = [](const char* command, const char* name) {
    const DiskPtr disk = make_memory_disk(piped(small_content(), command));
    TestSourceContext context(name);
    detect_source(*disk, name)->open(disk, context);
    return context.warnings;
  };
  CHECK(warnings_of("bzip2", "a.bz2").size() == 1);
  CHECK(warnings_of("cat in | zstd", "a.zst").size() == 1);  // its frame does not say its size
  CHECK(warnings_of("zstd -c in", "a.zst").empty());
  CHECK(warnings_of("xz", "a.xz").empty());
  CHECK(warnings_of("gzip", "a.gz").empty());
}

TEST_CASE("compressed: a read of the file that fails is an error, whichever it is") {
  for (const Maker& maker : plain_makers) {
    CAPTURE(maker.command);
    const auto file = piped(small_content(), maker.command);
    bool failed = true;
    for (std::uint64_t n = 0; failed; ++n) {
      const auto disk = std::make_shared<FaultDisk>(make_memory_disk(file));
      disk->fail_read = n;
      TestSourceContext context(maker.name);
      try {
        const auto images = find_source(detect_source(*make_memory_disk(file), maker.name)->name)
                                ->open(disk, context);
        const std::vector<std::byte> read = content_of(*images[0].bytes);
        failed = false;
        CHECK(read == small_content());
      } catch (const Error& error) {
        CHECK(error.code() == EIO);
      }
    }
  }
}

}  // namespace vimg::test

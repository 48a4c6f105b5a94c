// Random changes to images of every kind, held against a model; QEMU judges what is left on disk.
#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "tests/formats/qcow2_support.h"
#include "tests/support/host.h"

namespace vimg::test {
namespace {

struct Kind {
  const char* name;
  // Shell commands that make image.qcow2 and all it needs in the current directory.
  const char* make;
  std::uint64_t largest = 300000;  // bytes changed at a time
};

constexpr char fill[] =
    "qemu-io -f qcow2 -c 'write -P 1 0 700k' -c 'write -P 2 1500k 33k' -c 'write -P 3 2000001 "
    "77777'"
    " image.qcow2 >/dev/null\n";

const std::vector<Kind>& kinds() {
  static const std::string filled =
      std::string("qemu-img create -q -f qcow2 image.qcow2 3000000\n") + fill;
  static const std::string base =
      "qemu-img create -q -f qcow2 base.qcow2 2000k\n"
      "qemu-io -f qcow2 -c 'write -P 9 100k 1500k' -c 'write -z 300k 200k' base.qcow2 >/dev/null\n";
  static const std::string over = base + "qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 ";
  static const std::string backed = over + "image.qcow2 3000000\n";
  static const std::string backed_v2 = over + "-o compat=0.10 image.qcow2 3000000\n";
  static const std::string backed_extended =
      over + "-o extended_l2=on,cluster_size=64k image.qcow2 3000000\n";
  static const std::string longer_base = over + "image.qcow2 1000k\n";
  static const std::string snapshots =
      filled +
      "qemu-img snapshot -c one image.qcow2\n"
      "qemu-io -f qcow2 -c 'write -P 5 300k 600k' -c 'discard 0 64k' image.qcow2 >/dev/null\n"
      "qemu-img snapshot -c two image.qcow2\n";
  static const std::string extended_snapshots =
      "qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=16k image.qcow2 3000000\n" +
      std::string(fill) + "qemu-img snapshot -c one image.qcow2\n";
  static const std::string source = "qemu-img create -q -f qcow2 image.qcow2 3000000\n" +
                                    std::string(fill) + "mv image.qcow2 source.qcow2\n";
  static const std::string zlib =
      source + "qemu-img convert -c -O qcow2 source.qcow2 image.qcow2\n";
  static const std::string zlib_2m =
      source + "qemu-img convert -c -O qcow2 -o cluster_size=2M source.qcow2 image.qcow2\n";
  static const std::string zlib_512 =
      source + "qemu-img convert -c -O qcow2 -o cluster_size=512 source.qcow2 image.qcow2\n";
  static const std::string zstd_snapshots =
      source +
      "qemu-img convert -c -O qcow2 -o compression_type=zstd,cluster_size=4k source.qcow2 "
      "image.qcow2\nqemu-img snapshot -c one image.qcow2\n";
  static const std::string zlib_extended =
      source + "qemu-img convert -c -O qcow2 -o extended_l2=on source.qcow2 image.qcow2\n";
  static const std::vector<Kind> all{
      {"default", filled.c_str()},
      {"version 2", "qemu-img create -q -f qcow2 -o compat=0.10 image.qcow2 3000000"},
      {"512-byte clusters", "qemu-img create -q -f qcow2 -o cluster_size=512 image.qcow2 3000000",
       40000},
      {"4 KiB clusters", "qemu-img create -q -f qcow2 -o cluster_size=4k image.qcow2 3000000"},
      {"2 MiB clusters", "qemu-img create -q -f qcow2 -o cluster_size=2M image.qcow2 9000001"},
      {"1-bit refcounts",
       "qemu-img create -q -f qcow2 -o refcount_bits=1,cluster_size=512 image.qcow2 3000000",
       40000},
      {"2-bit refcounts", "qemu-img create -q -f qcow2 -o refcount_bits=2 image.qcow2 3000000"},
      {"4-bit refcounts", "qemu-img create -q -f qcow2 -o refcount_bits=4 image.qcow2 3000000"},
      {"8-bit refcounts", "qemu-img create -q -f qcow2 -o refcount_bits=8 image.qcow2 3000000"},
      {"32-bit refcounts", "qemu-img create -q -f qcow2 -o refcount_bits=32 image.qcow2 3000000"},
      {"64-bit refcounts",
       "qemu-img create -q -f qcow2 -o refcount_bits=64,cluster_size=512 image.qcow2 3000000",
       40000},
      {"lazy refcounts", "qemu-img create -q -f qcow2 -o lazy_refcounts=on image.qcow2 3000000"},
      {"extended L2", "qemu-img create -q -f qcow2 -o extended_l2=on image.qcow2 3000000"},
      {"preallocated metadata",
       "qemu-img create -q -f qcow2 -o preallocation=metadata image.qcow2 3000000"},
      {"preallocated, extended L2",
       "qemu-img create -q -f qcow2 -o preallocation=metadata,extended_l2=on image.qcow2 3000000"},
      {"backing file", backed.c_str()},
      {"backing file, version 2", backed_v2.c_str()},
      {"backing file, extended L2", backed_extended.c_str()},
      {"longer backing file", longer_base.c_str()},
      {"snapshots", snapshots.c_str()},
      {"snapshots, extended L2", extended_snapshots.c_str()},
      {"zlib", zlib.c_str()},
      {"zlib, 2 MiB clusters", zlib_2m.c_str()},
      {"zlib, 512-byte clusters", zlib_512.c_str(), 40000},
      {"zlib, extended L2", zlib_extended.c_str()},
      {"zstd, snapshots", zstd_snapshots.c_str()},
      {"data file", "qemu-img create -q -f qcow2 -o data_file=image.data image.qcow2 3000000"},
      {"data file, extended L2",
       "qemu-img create -q -f qcow2 -o data_file=image.data,extended_l2=on image.qcow2 3000000"},
      {"raw data file",
       "qemu-img create -q -f qcow2 -o data_file=image.data,data_file_raw=on image.qcow2 3000000"},
  };
  return all;
}

std::vector<std::byte> decoded_by_qemu(const TemporaryDirectory& directory) {
  must_run("cd " + directory.path() + " && qemu-img convert -f qcow2 -O raw image.qcow2 decoded");
  return read_file(directory / "decoded");
}

// Changes a disk and a model of it in the same way.
class Changer {
 public:
  Changer(std::vector<std::byte> model, std::uint64_t largest, unsigned seed)
      : model_(std::move(model)), largest_(largest), random_(seed) {}

  const std::vector<std::byte>& model() const noexcept { return model_; }

  void step(Disk& disk) {
    const std::uint64_t offset = below(model_.size());
    std::uint64_t length = 1 + below(std::min(largest_, model_.size() - offset));
    length = below(3) == 0 ? std::min<std::uint64_t>(length, 5000) : length;
    switch (below(8)) {
      case 0:
        return zero(disk, offset, length);
      case 1:
        return discard(disk, offset, length);
      case 2:
        return compare(disk, offset, length);
      case 3:
        if (below(4) == 0) {
          return disk.flush();
        }
        [[fallthrough]];
      default:
        return write(disk, offset, length);
    }
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  Bytes part(std::uint64_t offset, std::uint64_t length) {
    return Bytes(model_).subspan(offset, length);
  }

  void write(Disk& disk, std::uint64_t offset, std::uint64_t length) {
    const Bytes data = part(offset, length);
    const auto seed = std::byte(below(256));
    for (std::size_t i = 0; i < data.size(); ++i) {
      data[i] = seed ^ std::byte(i * 7 / 64);
    }
    disk.write(offset, data);
  }
  void zero(Disk& disk, std::uint64_t offset, std::uint64_t length) {
    std::ranges::fill(part(offset, length), std::byte{0});
    disk.write_zeros(offset, length);
  }
  // Each byte reads as it was or as zero; which one is taken from the disk.
  void discard(Disk& disk, std::uint64_t offset, std::uint64_t length) {
    disk.discard(offset, length);
    std::vector<std::byte> now(length);
    disk.read(offset, now);
    const Bytes was = part(offset, length);
    REQUIRE(std::ranges::equal(now, was, [](std::byte after, std::byte before) {
      return after == std::byte{0} || after == before;
    }));
    std::ranges::copy(now, was.begin());
  }
  void compare(Disk& disk, std::uint64_t offset, std::uint64_t length) {
    std::vector<std::byte> now(length);
    disk.read(offset, now);
    REQUIRE(std::ranges::equal(now, part(offset, length)));
  }

  std::vector<std::byte> model_;
  const std::uint64_t largest_;
  std::mt19937_64 random_;
};

// The files of one directory in memory, where a flush costs nothing.
class MemoryImage {
 public:
  explicit MemoryImage(const TemporaryDirectory& directory) : directory_(directory) {
    for (const char* name : {"image.qcow2", "image.data", "base.qcow2"}) {
      if (std::filesystem::exists(directory / name)) {
        disks_[name] = make_memory_disk(read_file(directory / name));
      }
    }
  }

  DiskPtr open() const {
    TestContext context({}, Access::read_write);
    context.disks = disks_;
    return qcow2_driver.open(disks_.at("image.qcow2"), context);
  }

  void store() const {
    for (const auto& [name, disk] : disks_) {
      write_file(directory_ / name, content_of(*disk));
    }
  }

 private:
  const TemporaryDirectory& directory_;
  std::map<std::string, DiskPtr, std::less<>> disks_;
};

void check_with_qemu(const TemporaryDirectory& directory, const std::vector<std::byte>& model) {
  const std::string in = "cd " + directory.path() + " && ";
  const CommandResult check = run(in + "qemu-img check -f qcow2 image.qcow2");
  CHECK_MESSAGE(check.exit_code == 0, check.output);
  CHECK_MESSAGE(check.output.find("No errors") != std::string::npos, check.output);
  write_file(directory / "model", model);
  const CommandResult compare = run(in + "qemu-img compare -f raw -F qcow2 model image.qcow2");
  CHECK_MESSAGE(compare.exit_code == 0, compare.output);
}

}  // namespace

TEST_CASE("qcow2: after random changes QEMU finds every kind of image clean and as the model") {
  for (const Kind& kind : kinds()) {
    CAPTURE(kind.name);
    const TemporaryDirectory directory;
    must_run("cd " + directory.path() + "\n" + kind.make);
    Changer changer(decoded_by_qemu(directory), kind.largest, 1);
    const MemoryImage image(directory);
    for (int session = 0; session < 3; ++session) {
      CAPTURE(session);
      const DiskPtr disk = image.open();
      REQUIRE(disk->writable());
      for (int i = 0; i < 60; ++i) {
        changer.step(*disk);
      }
      REQUIRE(content_of(*disk) == changer.model());
    }
    image.store();
    check_with_qemu(directory, changer.model());
  }
}

TEST_CASE("qcow2: writing leaves internal snapshots as they were") {
  for (const char* options : {"cluster_size=64k", "cluster_size=16k,extended_l2=on"}) {
    const TemporaryDirectory directory;
    const std::string in = "cd " + directory.path() + " && ";
    must_run(in + "qemu-img create -q -f qcow2 -o " + options + " image.qcow2 3000000 && " + fill +
             "qemu-img snapshot -c one image.qcow2");
    const std::vector<std::byte> before = decoded_by_qemu(directory);
    {
      Changer changer(before, 300000, 2);
      const DiskPtr disk = open_qcow2(directory / "image.qcow2", Access::read_write);
      for (int i = 0; i < 60; ++i) {
        changer.step(*disk);
      }
    }
    must_run(in + "qemu-img snapshot -a one image.qcow2");
    CHECK(decoded_by_qemu(directory) == before);
    check_with_qemu(directory, before);
  }
}

TEST_CASE("qcow2: an image that is only opened for writing does not change by a byte") {
  const TemporaryDirectory directory;
  for (const char* name : {"qcow2-v3.qcow2", "qcow2-dirty.qcow2"}) {
    const std::string path = unpack_image(directory, std::string("formats/") + name);
    const std::vector<std::byte> before = read_file(path);
    {
      const DiskPtr disk = open_qcow2(path, Access::read_write);
      content_of(*disk);
      disk->flush();
    }
    CHECK(read_file(path) == before);
  }
}

TEST_CASE("qcow2: images that a killed QEMU left without refcounts are written and clean again") {
  for (const char* options :
       {"", "cluster_size=512,refcount_bits=64,", "cluster_size=4k,refcount_bits=1,"}) {
    CAPTURE(options);
    const TemporaryDirectory directory;
    const std::string in = "cd " + directory.path() + " && ";
    must_run(in + "qemu-img create -q -f qcow2 -o " + options + "lazy_refcounts=on image.qcow2 8M");
    // Dies with everything but the refcounts on disk.
    run(in + "qemu-io -c 'write -P 1 0 5M' -c 'write -P 2 7M 3k' -c flush -c abort image.qcow2");
    CHECK(run(in + "qemu-img check image.qcow2").exit_code == 2);
    Changer changer(content_of(*open_qcow2(directory / "image.qcow2")), 30000, 4);
    {
      const DiskPtr disk = open_qcow2(directory / "image.qcow2", Access::read_write);
      for (int i = 0; i < 20; ++i) {
        changer.step(*disk);
      }
    }
    check_with_qemu(directory, changer.model());
    const std::string info = must_run(in + "qemu-img info --output=json image.qcow2");
    CHECK(info.find("\"dirty-flag\": false") != std::string::npos);
  }
}

TEST_CASE("qcow2: the image says that it is dirty while refcounts are written lazily") {
  const DiskPtr file = make_memory_disk(made_by_qemu("-o lazy_refcounts=on image.qcow2 1M"));
  TestContext context({}, Access::read_write);
  DiskPtr disk = qcow2_driver.open(file, context);
  CHECK(read_object<be64>(*file, 72) == 0);
  disk->write(0, std::vector<std::byte>(512, std::byte{1}));
  disk->flush();
  CHECK(read_object<be64>(*file, 72) == 1);
  disk.reset();
  CHECK(read_object<be64>(*file, 72) == 0);
}

TEST_CASE("qcow2: writing to a dirty image rebuilds its refcounts first") {
  const TemporaryDirectory directory;
  const std::string path = unpack_image(directory, "formats/qcow2-dirty.qcow2");
  CHECK(run("qemu-img check " + path).exit_code != 0);
  const std::string copy = directory / "image.qcow2";
  must_run("cp " + path + " " + copy);
  std::vector<std::byte> model = content_of(*open_qcow2(path));
  Changer changer(std::move(model), 300000, 3);
  {
    const DiskPtr disk = open_qcow2(copy, Access::read_write);
    for (int i = 0; i < 30; ++i) {
      changer.step(*disk);
    }
  }
  check_with_qemu(directory, changer.model());
}

}  // namespace vimg::test

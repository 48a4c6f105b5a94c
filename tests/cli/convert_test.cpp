#include <cstdint>
#include <filesystem>
#include <sstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "cli/vimg.h"
#include "sources/host_file.h"
#include "tests/support/host.h"

namespace vimg {
namespace {

using nlohmann::json;
using test::must_run;
using test::run;
using test::TemporaryDirectory;

struct Outcome {
  ExitCode code;
  std::string out;
  std::string err;
};

Outcome vimg(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  const ExitCode code = run_vimg(arguments, {out, err});
  return {code, out.str(), err.str()};
}

void must_succeed(const std::vector<std::string>& arguments) {
  const Outcome outcome = vimg(arguments);
  REQUIRE_MESSAGE(outcome.code == ExitCode::ok, outcome.err);
}

// A sparse disk of an odd length: text that compresses, noise that does not, and single blocks.
std::string make_disk(const TemporaryDirectory& directory) {
  std::string path = directory / "disk.raw";
  must_run("cd " + directory.path() +
           " && truncate -s 12M disk.raw"
           " && seq 1 300000 | dd of=disk.raw bs=1M seek=1 conv=notrunc status=none"
           " && head -c 1000000 /dev/urandom | dd of=disk.raw bs=1M seek=5 conv=notrunc status=none"
           " && printf x | dd of=disk.raw bs=1 seek=9000000 conv=notrunc status=none"
           " && printf end | dd of=disk.raw bs=1 seek=12582400 conv=notrunc status=none");
  return path;
}

void check_same(const std::string& a, const std::string& b, const std::string& formats) {
  const test::CommandResult result = run("qemu-img compare " + formats + " " + a + " " + b);
  CHECK_MESSAGE(result.exit_code == 0, result.output);
}

void check_clean(const std::string& image) {
  const test::CommandResult result = run("qemu-img check -q " + image);
  CHECK_MESSAGE(result.exit_code == 0, result.output);
}

json qemu_info(const std::string& image) {
  return json::parse(must_run("qemu-img info --output=json " + image));
}

TEST_CASE("vimg create: qcow2 images have what was asked for, and QEMU finds them clean") {
  const TemporaryDirectory directory;
  const std::string image = directory / "new.qcow2";
  for (const char* const options :
       {"compat=1.1", "compat=0.10", "compat=v2,cluster_size=512", "cluster_size=2M",
        "extended_l2=on,cluster_size=128k", "refcount_bits=1", "refcount_bits=64,lazy_refcounts=on",
        "compression_type=zstd", "preallocation=metadata", "preallocation=falloc",
        "preallocation=full,cluster_size=4k", "preallocation=metadata,extended_l2=on",
        "preallocation=metadata,refcount_bits=2,cluster_size=1k"}) {
    CAPTURE(options);
    const std::string theirs = directory / "theirs.qcow2";
    must_succeed({"create", "--force", "-f", "qcow2", "-o", options, image, "9M"});
    must_run("qemu-img create -q -f qcow2 -o " + std::string(options) + " " + theirs + " 9M");
    check_clean(image);
    CHECK(qemu_info(image)["virtual-size"] == 9 << 20);
    CHECK(qemu_info(image)["cluster-size"] == qemu_info(theirs)["cluster-size"]);
    CHECK(qemu_info(image)["format-specific"] == qemu_info(theirs)["format-specific"]);
    check_same(image, theirs, "-f qcow2 -F qcow2");
    must_run("qemu-io -c 'write -P 7 1000k 100k' -c 'read -P 7 1000k 100k' " + image);
    check_clean(image);
  }
}

TEST_CASE("vimg create: preallocated images map every cluster, as QEMU's do") {
  const TemporaryDirectory directory;
  const std::string image = directory / "new.qcow2";
  must_succeed({"create", "-f", "qcow2", "-o", "preallocation=full", image, "3M"});
  CHECK(qemu_info(image)["actual-size"] >= 3 << 20);
  const json map = json::parse(must_run("qemu-img map --output=json " + image));
  for (const json& run : map) {
    CHECK(run["present"] == true);
    CHECK(run.contains("offset"));
  }
}

TEST_CASE("vimg create: what contradicts itself is refused as wrong usage") {
  const TemporaryDirectory directory;
  const std::string image = directory / "new.qcow2";
  for (const char* const options :
       {"compat=0.10,extended_l2=on", "compat=0.10,refcount_bits=8", "cluster_size=100",
        "cluster_size=4M", "extended_l2=on,cluster_size=8k", "refcount_bits=3", "shape=round",
        "compat=0.10,compression_type=zstd", "preallocation=some", "compat=2"}) {
    CAPTURE(options);
    const Outcome outcome = vimg({"create", "-f", "qcow2", "-o", options, image, "9M"});
    CHECK(outcome.code == ExitCode::usage);
    CHECK_FALSE(std::filesystem::exists(image));
  }
  CHECK(vimg({"create", "-f", "qcow2", image}).code == ExitCode::usage);
  CHECK(vimg({"create", "-f", "qcow2", image, "big"}).code == ExitCode::usage);
  CHECK(vimg({"create", "-f", "nothing", image, "1M"}).code == ExitCode::usage);
}

TEST_CASE("vimg create: an overlay takes its size from its backing file beside it") {
  const TemporaryDirectory directory;
  must_run("truncate -s 5M " + directory / "base.raw");
  const std::string image = directory / "overlay.qcow2";
  CHECK(vimg({"create", "-f", "qcow2", "-b", "base.raw", image}).code == ExitCode::usage);
  must_succeed({"create", "-f", "qcow2", "-b", "base.raw", "-F", "raw", image});
  check_clean(image);
  CHECK(qemu_info(image)["virtual-size"] == 5 << 20);
  CHECK(qemu_info(image)["backing-filename"] == "base.raw");
  CHECK(qemu_info(image)["backing-filename-format"] == "raw");
  CHECK(vimg({"create", "-f", "qcow2", "-b", "none", "-F", "raw", directory / "b.qcow2"}).code ==
        ExitCode::cannot_open);
  must_succeed(
      {"create", "-u", "-f", "qcow2", "-b", "none", "-F", "raw", directory / "b.qcow2", "1M"});
}

TEST_CASE("vimg create: a file that exists is replaced with --force only") {
  const TemporaryDirectory directory;
  const std::string image = directory / "disk.raw";
  must_run("printf precious > " + image);
  const Outcome refused = vimg({"create", image, "1M"});
  CHECK(refused.code == ExitCode::usage);
  CHECK(refused.err.find("--force") != std::string::npos);
  CHECK(must_run("cat " + image) == "precious");
  must_succeed({"create", "--force", image, "1M"});
  CHECK(std::filesystem::file_size(image) == 1 << 20);
  CHECK(must_run("ls -A " + directory.path()) == "disk.raw\n");
}

TEST_CASE("vimg create: an image that somebody holds locked is not replaced") {
  const TemporaryDirectory directory;
  const std::string image = directory / "disk.raw";
  must_run("printf precious > " + image);
  const DiskPtr held = open_host_file(image, Access::read_only, Locking::on, nullptr);
  CHECK(vimg({"create", "--force", image, "1M"}).code == ExitCode::locked);
  CHECK(must_run("cat " + image) == "precious");
}

TEST_CASE("vimg convert: raw to every kind of qcow2 and back") {
  const TemporaryDirectory directory;
  const std::string disk = make_disk(directory);
  const std::string image = directory / "disk.qcow2";
  const std::string back = directory / "back.raw";
  for (const char* const options :
       {"compat=1.1", "compat=0.10,cluster_size=512", "cluster_size=2M", "extended_l2=on",
        "refcount_bits=1,cluster_size=4k", "preallocation=metadata", "lazy_refcounts=on"}) {
    CAPTURE(options);
    must_succeed({"convert", "--force", "-O", "qcow2", "-o", options, disk, image});
    check_clean(image);
    check_same(disk, image, "-f raw -F qcow2");
    must_succeed({"convert", "--force", image, back});
    must_run("cmp " + disk + " " + back);
  }
}

TEST_CASE("vimg convert: compressed qcow2, every kind of it, and back") {
  const TemporaryDirectory directory;
  const std::string disk = make_disk(directory);
  const std::string image = directory / "disk.qcow2";
  const std::string back = directory / "back.raw";
  for (const char* const options :
       {"compat=1.1", "compression_type=zstd", "compat=0.10", "cluster_size=512", "cluster_size=2M",
        "extended_l2=on", "refcount_bits=1", "refcount_bits=2",
        "compression_type=zstd,cluster_size=4k,refcount_bits=64", "lazy_refcounts=on"}) {
    CAPTURE(options);
    must_succeed({"convert", "--force", "-c", "-O", "qcow2", "-o", options, disk, image});
    check_clean(image);
    check_same(disk, image, "-f raw -F qcow2");
    must_succeed({"convert", "--force", image, back});
    must_run("cmp " + disk + " " + back);
  }
}

TEST_CASE("vimg convert: a compressed image is hardly larger than QEMU's") {
  const TemporaryDirectory directory;
  const std::string disk = make_disk(directory);
  for (const char* const type : {"zlib", "zstd"}) {
    const std::string options = std::string("compression_type=") + type;
    must_succeed({"convert", "--force", "-c", "-O", "qcow2", "-o", options, disk, directory / "a"});
    must_run("qemu-img convert -c -f raw -O qcow2 -o " + options + " " + disk + " " +
             directory / "b");
    CHECK(double(std::filesystem::file_size(directory / "a")) <
          1.05 * double(std::filesystem::file_size(directory / "b")));
  }
}

TEST_CASE("vimg convert: the same content gives the same file") {
  const TemporaryDirectory directory;
  const std::string disk = make_disk(directory);
  for (const char* const compress : {"-W", "-c"}) {
    CAPTURE(compress);
    const bool in_order = std::string(compress) == "-c";
    std::vector<std::string> arguments{"convert", "--force", "-m", "4", "-O", "qcow2", disk};
    if (in_order) {
      arguments.insert(arguments.begin() + 1, compress);
    }
    arguments.push_back(directory / "a");
    must_succeed(arguments);
    arguments.back() = directory / "b";
    must_succeed(arguments);
    must_run("cmp " + directory / "a" + " " + directory / "b");
  }
}

TEST_CASE("vimg convert: holes and zeros take no space") {
  const TemporaryDirectory directory;
  const std::string sparse = directory / "sparse.raw";
  must_run("truncate -s 64M " + sparse + " && printf x | dd of=" + sparse +
           " bs=1 seek=50000000 conv=notrunc status=none");
  must_run("cp --sparse=never " + sparse + " " + directory / "full.raw");
  must_succeed({"convert", directory / "full.raw", directory / "out.raw"});
  must_run("cmp " + sparse + " " + directory / "out.raw");
  CHECK(std::stoul(must_run("stat -c %b " + directory / "out.raw")) * 512 <= 8192);
  must_succeed({"convert", "-O", "qcow2", directory / "full.raw", directory / "out.qcow2"});
  CHECK(std::stoul(must_run("stat -c %s " + directory / "out.qcow2")) <= 6 * 65536);
}

TEST_CASE("vimg convert: with a backing file only what differs is written") {
  const TemporaryDirectory directory;
  const std::string disk = make_disk(directory);
  // Changed data, data that became zeros, and zeros that became data.
  must_run("cp " + disk + " " + directory / "base.raw" + " && cd " + directory.path() +
           " && printf change | dd of=disk.raw bs=1 seek=2000000 conv=notrunc status=none"
           " && dd if=/dev/zero of=disk.raw bs=64k seek=90 count=3 conv=notrunc status=none"
           " && printf new | dd of=disk.raw bs=1 seek=11000000 conv=notrunc status=none");
  const std::string image = directory / "top.qcow2";
  for (const bool compress : {false, true}) {
    std::vector<std::string> arguments{"convert",  "--force", "-O",  "qcow2", "-B",
                                       "base.raw", "-F",      "raw", disk,    image};
    if (compress) {
      arguments.insert(arguments.begin() + 1, "-c");
    }
    must_succeed(arguments);
    check_clean(image);
    check_same(disk, image, "-f raw -F qcow2");
    CHECK(std::filesystem::file_size(image) <= 14 * 65536);
  }
}

TEST_CASE("vimg convert: a shorter disk on a longer backing file ends where it ends") {
  const TemporaryDirectory directory;
  must_run("cd " + directory.path() + " && head -c 1000000 /dev/urandom > base.raw" +
           " && head -c 500100 base.raw > disk.raw && cp disk.raw padded.raw" +
           " && truncate -s 500224 padded.raw");
  must_succeed({"convert", "-O", "qcow2", "-B", "base.raw", "-F", "raw", directory / "disk.raw",
                directory / "top.qcow2"});
  check_same(directory / "padded.raw", directory / "top.qcow2", "-f raw -F qcow2");
}

TEST_CASE("vimg convert: one volume of a disk") {
  const TemporaryDirectory directory;
  must_run("cd " + directory.path() +
           " && truncate -s 20M disk.raw && printf 'label: gpt\\nsize=4M\\nsize=8M\\n' | "
           "sfdisk -q disk.raw && truncate -s 8M part && mke2fs -q part && "
           "dd if=part of=disk.raw bs=1M seek=5 conv=notrunc status=none");
  must_succeed({"convert", "--volume", "p2", directory / "disk.raw", directory / "p2.raw"});
  must_run("cmp " + directory / "part" + " " + directory / "p2.raw");
  const Outcome none =
      vimg({"convert", "--volume", "p9", directory / "disk.raw", directory / "p9"});
  CHECK(none.code == ExitCode::usage);
  CHECK_FALSE(std::filesystem::exists(directory / "p9"));
}

TEST_CASE("vimg convert: a snapshot, and an overlay with all beneath it") {
  const TemporaryDirectory directory;
  const std::string disk = make_disk(directory);
  const std::string image = directory / "disk.qcow2";
  must_run("qemu-img convert -f raw -O qcow2 " + disk + " " + image +
           " && qemu-img snapshot -c one " + image + " && qemu-io -c 'write -P 3 1M 2M' " + image);
  must_succeed({"convert", "--snapshot", "one", image, directory / "one.raw"});
  must_run("cmp " + disk + " " + directory / "one.raw");
  must_run("qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 " + directory / "top.qcow2" +
           " && qemu-io -c 'write -P 4 7M 100k' -c 'write -z 2M 1M' " + directory / "top.qcow2");
  must_succeed({"convert", directory / "top.qcow2", directory / "top.raw"});
  check_same(directory / "top.qcow2", directory / "top.raw", "-f qcow2 -F raw");
}

TEST_CASE("vimg convert: what fails leaves nothing behind") {
  const TemporaryDirectory directory;
  const std::string disk = make_disk(directory);
  // A data cluster's L2 entry points far beyond the end.
  const std::string image = directory / "broken.qcow2";
  must_run("qemu-img convert -c -f raw -O qcow2 " + disk + " " + image +
           " && dd if=/dev/urandom of=" + image +
           " bs=64k seek=6 count=2 conv=notrunc status=none");
  const Outcome outcome = vimg({"convert", image, directory / "out.raw"});
  CHECK(outcome.code == ExitCode::cannot_open);
  CHECK(must_run("ls -A " + directory.path()) == "broken.qcow2\ndisk.raw\n");
  CHECK(vimg({"convert", "-c", disk, directory / "out.raw"}).code == ExitCode::cannot_open);
  CHECK(must_run("ls -A " + directory.path()) == "broken.qcow2\ndisk.raw\n");
}

// The runs for which `member` is true, as [begin, end), whatever they were cut into.
std::vector<std::pair<std::uint64_t, std::uint64_t>> runs_with(const json& map,
                                                               const char* member) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> runs;
  for (const json& run : map) {
    const std::uint64_t begin = run["start"];
    const std::uint64_t end = begin + run["length"].get<std::uint64_t>();
    if (run[member] == false) {
      continue;
    }
    if (!runs.empty() && runs.back().second == begin) {
      runs.back().second = end;
    } else {
      runs.emplace_back(begin, end);
    }
  }
  return runs;
}

// Ours also sees the holes within a qcow2 file's clusters, QEMU calls all of a raw file present.
TEST_CASE("vimg map: tells what reads as zeros, and what is there, as qemu-img does") {
  const TemporaryDirectory directory;
  const std::string disk = make_disk(directory);
  const std::string image = directory / "disk.qcow2";
  must_run("qemu-img convert -f raw -O qcow2 " + disk + " " + image +
           " && qemu-io -c 'write -z 3M 1M' " + image);
  const auto ours = [](const std::string& path) {
    return json::parse(vimg({"map", "--json", path}).out)["extents"];
  };
  const auto theirs = [](const std::string& path) {
    return json::parse(must_run("qemu-img map --output=json " + path));
  };
  CHECK(runs_with(ours(disk), "zero") == runs_with(theirs(disk), "zero"));
  CHECK(runs_with(ours(image), "present") == runs_with(theirs(image), "present"));
}

TEST_CASE("vimg map: the places it names hold the data") {
  const TemporaryDirectory directory;
  const std::string disk = make_disk(directory);
  const std::string image = directory / "disk.qcow2";
  must_run("qemu-img convert -f raw -O qcow2 " + disk + " " + image);
  const json map = json::parse(vimg({"map", "--json", image}).out);
  unsigned places = 0;
  for (const json& run : map["extents"]) {
    if (run.contains("offset")) {
      ++places;
      CHECK(run["file"] == image);
      must_run("cmp -i " + run["offset"].dump() + ":" + run["start"].dump() + " -n " +
               run["length"].dump() + " " + image + " " + disk);
    }
  }
  CHECK(places > 0);
}

}  // namespace
}  // namespace vimg

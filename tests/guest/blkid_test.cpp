#include "guest/blkid.h"

#include <algorithm>
#include <memory>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "tests/support/fault_disk.h"
#include "tests/support/host.h"

namespace vimg {
namespace {

using test::must_run;
using test::TemporaryDirectory;

// A Disk of what `command`, in which $F is a file of 64 MiB, makes of it.
DiskPtr made_by(const std::string& command) {
  const TemporaryDirectory directory;
  const std::string file = directory / "disk";
  must_run("truncate -s 64M " + file + "; F=" + file + "; " + command);
  return make_memory_disk(test::read_file(file));
}

// All zeros and of any size.
class EmptyDisk final : public Disk {
 public:
  explicit EmptyDisk(std::uint64_t size) : size_(size) {}
  std::uint64_t size() const noexcept override { return size_; }

 private:
  void do_read(std::uint64_t, Bytes out) const override {
    std::fill(out.begin(), out.end(), std::byte{0});
  }
  Extent do_extent(std::uint64_t, std::uint64_t max) const override {
    return {max, Extent::Kind::hole};
  }
  std::uint64_t size_;
};

TEST_CASE("blkid: swap is told with its label and UUID") {
  const auto found =
      identify_foreign(*made_by("mkswap -q -L sw -U 11111111-2222-3333-4444-555555555555 $F"));
  REQUIRE(found);
  CHECK(found->type == "swap");
  CHECK(found->label == "sw");
  CHECK(found->uuid == "11111111-2222-3333-4444-555555555555");
}

TEST_CASE("blkid: superblocks far from the start are seen") {
  const auto found = identify_foreign(*made_by("mkfs.btrfs -q -f -M -L far $F"));
  REQUIRE(found);
  CHECK(found->type == "btrfs");
  CHECK(found->label == "far");
}

// Intel's RAID metadata begin two sectors before the end (mdadm super-intel.c).
TEST_CASE("blkid: what lies at the end of a disk is seen") {
  const DiskPtr disk = make_memory_disk(std::vector<std::byte>(64U << 20));
  disk->write(disk->size() - 1024, bytes_of(std::string_view("Intel Raid ISM Cfg Sig. 1.1.00")));
  const auto found = identify_foreign(*disk);
  REQUIRE(found);
  CHECK(found->type == "isw_raid_member");
}

TEST_CASE("blkid: nothing is found on an empty disk, however large") {
  CHECK_FALSE(identify_foreign(EmptyDisk(0)));
  CHECK_FALSE(identify_foreign(EmptyDisk(1)));
  CHECK_FALSE(identify_foreign(EmptyDisk(513)));
  CHECK_FALSE(identify_foreign(EmptyDisk(std::uint64_t(64) << 40)));
}

TEST_CASE("blkid: a read that fails is an error, whichever it is") {
  const auto disk = std::make_shared<test::FaultDisk>(made_by("mkswap -q $F"));
  CHECK(identify_foreign(*disk));
  const std::uint64_t reads = disk->reads;
  REQUIRE(reads > 0);
  for (std::uint64_t n = 0; n < reads; ++n) {
    disk->reads = 0;
    disk->fail_read = n;
    CHECK_THROWS_AS(identify_foreign(*disk), Error);
  }
}

}  // namespace
}  // namespace vimg

#include "fsdrivers/ext4_names.h"

#include <string>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "fsdrivers/ext4_nokey.h"
#include "fsdrivers/ext4_options.h"
#include "tests/fsdrivers/ext4_sample.h"

namespace vimg {
namespace {

using test::error_of;
using test::Ext4Sample;

TEST_CASE("ext4 names: a casefolded directory ignores case and the form of accents") {
  Ext4Sample image("-t ext4 -b 1024 -O casefold -E encoding=utf8", "4M", "mkdir dir");
  image.debugfs("sif /dir flags 0x40080000");
  for (const std::string name : {"README.txt", "nfc-\xc3\xa9", "bad-\xe9\xff"}) {
    image.debugfs("write /dev/null /dir/" + name);
  }
  const auto filesystem = image.open();
  const InodeNumber dir = filesystem->lookup(filesystem->root(), "dir").value();
  CHECK(filesystem->lookup(dir, "README.txt"));
  CHECK(filesystem->lookup(dir, "readme.TXT") == filesystem->lookup(dir, "README.txt"));
  CHECK(filesystem->lookup(dir, "NFC-e\xcc\x81"));
  CHECK_FALSE(filesystem->lookup(dir, "nfc-e"));
  CHECK(filesystem->lookup(dir, "bad-\xe9\xff"));
  CHECK_FALSE(filesystem->lookup(dir, "BAD-\xe9\xff"));
  CHECK(filesystem->lookup(filesystem->root(), "dir"));
  CHECK_FALSE(filesystem->lookup(filesystem->root(), "DIR"));
}

TEST_CASE("ext4 names: an encoding that is not known is not supported") {
  Ext4Sample image("-t ext4 -b 1024 -O casefold,^metadata_csum -E encoding=utf8", "4M", "");
  auto superblock = image.superblock();
  superblock.encoding = 77;
  image.set_superblock(superblock);
  CHECK(error_of([&] { image.open(); }) ==
        "95 ext4: superblock: encoding 77 of names is not known");
}

TEST_CASE("ext4 nokey names: every length of ciphertext is told apart and found again") {
  for (const std::size_t length : {1, 16, 148, 149, 150, 255}) {
    const std::string stored(length, '\xa5');
    const std::string name = ext4::nokey_name({0x12345678, 0x9abcdef0}, stored);
    CHECK(name.size() <= 252);
    const auto parsed = ext4::parse_nokey_name(name);
    REQUIRE(parsed);
    CHECK(parsed->hash.major == 0x12345678);
    CHECK(parsed->hash.minor == 0x9abcdef0);
    CHECK(parsed->matches(stored));
    CHECK_FALSE(parsed->matches(stored + "x"));
    CHECK_FALSE(parsed->matches(stored.substr(1)));
    std::string other = stored;
    other.back() = 'x';
    CHECK_FALSE(parsed->matches(other));
  }
}

TEST_CASE("ext4 nokey names: what the kernel would not have made is no such name") {
  const std::string name = ext4::nokey_name({1, 2}, "ciphertext");
  CHECK_FALSE(ext4::parse_nokey_name(""));
  CHECK_FALSE(ext4::parse_nokey_name("README.txt"));
  CHECK_FALSE(ext4::parse_nokey_name("AAAAAAAAAAA"));  // a hash alone
  CHECK_FALSE(ext4::parse_nokey_name(name + "!"));
  CHECK_FALSE(ext4::parse_nokey_name(std::string(250, 'A')));
}

TEST_CASE("ext4 nokey names: an encrypted link must hold as much as it says") {
  const std::string whole(
      "\x03\x00"
      "abc",
      5);
  CHECK(ext4::nokey_symlink(whole) == ext4::nokey_name({}, "abc"));
  CHECK(error_of([&] { ext4::nokey_symlink(whole.substr(0, 4)); }).starts_with("117 "));
  CHECK(error_of([&] { ext4::nokey_symlink(whole.substr(0, 2)); }).starts_with("117 "));
  CHECK(error_of([&] { ext4::nokey_symlink(""); }).starts_with("117 "));
}

ext4::Options parse(std::vector<std::string> options) { return ext4::parse_options(options); }

TEST_CASE("ext4 options: those that matter are understood, harmless ones are taken") {
  CHECK(parse({}).recovery == ext4::Recovery::replay);
  CHECK(parse({"ro", "noload"}).recovery == ext4::Recovery::skip);
  CHECK(parse({"norecovery"}).recovery == ext4::Recovery::skip);
  CHECK(parse({"minixdf"}).counted_blocks == ext4::CountedBlocks::all);
  CHECK(parse({"sb=8193"}).superblock_offset == 8193 * 1024);
  CHECK_NOTHROW(parse({"errors=remount-ro", "data=ordered", "noatime", "x-systemd.automount", ""}));
}

TEST_CASE("ext4 options: what the kernel does not know is refused by name") {
  CHECK(error_of([] { parse({"subvol=x"}); }) == "22 ext4: unknown option 'subvol=x'");
  CHECK(error_of([] { parse({"noloads"}); }) == "22 ext4: unknown option 'noloads'");
  CHECK(error_of([] { parse({"noload=1"}); }) == "22 ext4: unknown option 'noload=1'");
  CHECK(error_of([] { parse({"sb=12x"}); }) == "22 ext4: bad option 'sb=12x'");
  CHECK(error_of([] { parse({"sb="}); }) == "22 ext4: bad option 'sb='");
  CHECK(error_of([] { parse({"sb=18446744073709551615"}); }).starts_with("22 "));
}

}  // namespace
}  // namespace vimg

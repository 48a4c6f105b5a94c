#include <doctest/doctest.h>

#include <cerrno>
#include <functional>

#include "disk/endian.h"
#include "disk/error.h"
#include "tests/fsdrivers/ext4_image.h"

using namespace vimg;
using vimg::test::Ext4Image;

namespace {

int code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

void set(Ext4Image& image, InodeNumber inode, std::string_view name, std::string_view value,
         XattrMode mode = XattrMode::set) {
  image.writer().set_xattr(inode, name, bytes_of(value), mode);
}

std::string get(Ext4Image& image, InodeNumber inode, std::string_view name) {
  const auto value = image.fs().xattr(inode, name);
  return value ? std::string(text_of(*value)) : "(none)";
}

struct AclEntry {
  std::uint16_t tag;
  std::uint16_t permissions;
  std::uint32_t id;
};
constexpr std::uint32_t nobody = 0xFFFFFFFF;

std::string acl(const std::vector<AclEntry>& entries) {
  std::string text;
  const auto append = [&](ConstBytes bytes) { text += text_of(bytes); };
  append(bytes_of(le32(2)));
  for (const AclEntry& entry : entries) {
    append(bytes_of(le16(entry.tag)));
    append(bytes_of(le16(entry.permissions)));
    append(bytes_of(le32(entry.id)));
  }
  return text;
}

}  // namespace

TEST_CASE("ext4 attributes: times, owners and modes are kept as far as the inode has room") {
  for (const char* kind : {"-t ext4", "-t ext4 -I 128"}) {
    CAPTURE(kind);
    const bool wide = std::string(kind) == "-t ext4";
    Ext4Image image(kind);
    const InodeNumber file = image.make(image.root(), "file").inode;
    AttributeChange change;
    change.permissions = 04751;
    change.uid = 100'000;
    change.gid = 200'000;
    change.atime = timespec{-5, 1};
    change.mtime = timespec{std::int64_t(1) << 33, 999'999'999};
    image.writer().change(file, change);
    CHECK(image.fsck() == "");
    image.open();
    const Attributes found = image.fs().attributes(file);
    CHECK(found.mode == (S_IFREG | 04751));
    CHECK(found.uid == 100'000);
    CHECK(found.gid == 200'000);
    CHECK(found.atime.tv_sec == -5);
    CHECK(found.mtime.tv_sec == (wide ? std::int64_t(1) << 33 : 0x7FFFFFFF));
    CHECK(found.mtime.tv_nsec == (wide ? 999'999'999 : 0));
  }
}

TEST_CASE("ext4 attributes: extended attributes live in the inode, its block, or an inode") {
  for (const char* kind : {"-t ext4", "-t ext4 -I 128", "-t ext4 -O ea_inode", "-t ext2",
                           "-t ext4 -O ea_inode,bigalloc -C 16384", "-t ext4 -O inline_data"}) {
    CAPTURE(kind);
    const bool has_inodes = std::string(kind).find("ea_inode") != std::string::npos;
    Ext4Image image(kind);
    const InodeNumber file = image.put(image.root(), "file", "content");
    set(image, file, "user.small", "s");
    set(image, file, "security.selinux", std::string(40, 'l'));
    set(image, file, "trusted.middle", std::string(700, 'm'));
    set(image, file, "user.empty", "");
    const std::string large(20'000, 'L');
    CHECK(code_of([&] { set(image, file, "user.large", large); }) == (has_inodes ? 0 : ENOSPC));
    set(image, file, "user.small", "again");
    image.writer().remove_xattr(file, "security.selinux");
    CHECK(image.fsck() == "");
    image.open();
    CHECK(get(image, file, "user.small") == "again");
    CHECK(get(image, file, "trusted.middle") == std::string(700, 'm'));
    CHECK(get(image, file, "user.empty").empty());
    CHECK(get(image, file, "user.large") == (has_inodes ? large : "(none)"));
    CHECK(get(image, file, "security.selinux") == "(none)");
    if (has_inodes) {
      image.writer().remove_xattr(file, "user.large");
      CHECK(image.fsck() == "");
    }
  }
}

TEST_CASE("ext4 attributes: setting obeys its modes and limits") {
  Ext4Image image("-t ext4");
  const InodeNumber file = image.make(image.root(), "file").inode;
  CHECK(code_of([&] { set(image, file, "user.a", "1", XattrMode::replace); }) == ENODATA);
  set(image, file, "user.a", "1", XattrMode::create);
  CHECK(code_of([&] { set(image, file, "user.a", "2", XattrMode::create); }) == EEXIST);
  CHECK(code_of([&] { image.writer().remove_xattr(file, "user.b"); }) == ENODATA);
  CHECK(code_of([&] { set(image, file, "nothing.a", "1"); }) == EOPNOTSUPP);
  CHECK(code_of([&] { set(image, file, "user.", "1"); }) == EOPNOTSUPP);
  CHECK(code_of([&] { set(image, file, "user." + std::string(255, 'a'), "1"); }) == 0);
  CHECK(code_of([&] { set(image, file, "user." + std::string(256, 'a'), "1"); }) == ERANGE);
  CHECK(code_of([&] { set(image, file, "user.c", std::string(65537, 'c')); }) == E2BIG);
  CHECK(image.fsck() == "");
}

TEST_CASE("ext4 attributes: a block that inodes share is copied before it is changed") {
  Ext4Image image("-t ext4 -I 128");
  const std::string value(100, 'v');
  for (const char* name : {"one", "two"}) {
    set(image, image.make(image.root(), name).inode, "user.shared", value);
  }
  image.close();
  // Two equal blocks become one, as the kernel would have made them.
  test::must_run(
      "f=" + image.path() +
      "; b=$(debugfs -R 'stat one' $f 2>/dev/null | sed -n 's/.*File ACL: \\([0-9]*\\).*/"
      "\\1/p'); debugfs -w -R \"sif two file_acl $b\" $f; printf 2 >/dev/null; e2fsck -fy $f"
      " >/dev/null; test $? -le 1");
  Ext4Image again(image, image.path());
  const InodeNumber one = again.find("one");
  const InodeNumber two = again.find("two");
  set(again, one, "user.shared", "changed");
  CHECK(get(again, one, "user.shared") == "changed");
  CHECK(get(again, two, "user.shared") == value);
  again.writer().remove_xattr(two, "user.shared");
  CHECK(again.fsck() == "");
}

TEST_CASE("ext4 attributes: an ACL changes the mode, and the mode the ACL") {
  Ext4Image image("-t ext4");
  const InodeNumber file = image.make(image.root(), "file", S_IFREG | 0644).inode;
  const std::string wanted =
      acl({{1, 7, nobody}, {2, 6, 1000}, {4, 5, nobody}, {16, 6, nobody}, {32, 1, nobody}});
  set(image, file, "system.posix_acl_access", wanted);
  CHECK(image.fs().attributes(file).mode == (S_IFREG | 0761));
  CHECK(get(image, file, "system.posix_acl_access") == wanted);
  AttributeChange change;
  change.permissions = 0640;
  image.writer().change(file, change);
  CHECK(get(image, file, "system.posix_acl_access") ==
        acl({{1, 6, nobody}, {2, 6, 1000}, {4, 5, nobody}, {16, 4, nobody}, {32, 0, nobody}}));
  set(image, file, "system.posix_acl_access",
      acl({{1, 7, nobody}, {4, 5, nobody}, {32, 5, nobody}}));
  CHECK(image.fs().attributes(file).mode == (S_IFREG | 0755));
  CHECK(get(image, file, "system.posix_acl_access") == "(none)");
  CHECK(code_of([&] {
          set(image, file, "system.posix_acl_access", acl({{1, 7, nobody}}));
        }) == EINVAL);
  CHECK(code_of([&] { set(image, file, "system.posix_acl_default", wanted); }) == EACCES);
  CHECK(image.fsck() == "");
}

TEST_CASE("ext4 attributes: a default ACL is inherited") {
  Ext4Image image("-t ext4");
  const InodeNumber directory = image.make_directory(image.root(), "directory");
  const std::string wanted =
      acl({{1, 7, nobody}, {2, 7, 1000}, {4, 5, nobody}, {16, 7, nobody}, {32, 5, nobody}});
  set(image, directory, "system.posix_acl_default", wanted);
  const Attributes file = image.make(directory, "file", S_IFREG | 0660);
  CHECK(file.mode == (S_IFREG | 0660));
  CHECK(get(image, file.inode, "system.posix_acl_access") ==
        acl({{1, 6, nobody}, {2, 7, 1000}, {4, 5, nobody}, {16, 6, nobody}, {32, 0, nobody}}));
  const InodeNumber below = image.make_directory(directory, "below");
  CHECK(get(image, below, "system.posix_acl_default") == wanted);
  CHECK(image.fsck() == "");
}

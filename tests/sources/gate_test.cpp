// What names inside an image may refer to: FEATURES.md 5e, DESIGN.md section 6.1.
#include "sources/gate.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "tests/support/host.h"

namespace vimg {
namespace {

// images/top is the image; images/sub/base, store/base and secret lie around it.
struct Tree {
  test::TemporaryDirectory directory;
  HostLocation top = locate(directory / "images/top");

  Tree() {
    std::filesystem::create_directories(directory / "images/sub");
    std::filesystem::create_directories(directory / "store/deep");
    for (const char* const name : {"images/top", "images/sub/base", "images/near", "store/base",
                                   "store/deep/leaf", "secret"}) {
      test::write_file(directory / name, content_of(name));
    }
  }
  static std::vector<std::byte> content_of(const std::string& name) {
    const ConstBytes bytes = bytes_of(std::string_view(name));
    return {bytes.begin(), bytes.end()};
  }

  // The file that `name` leads to, as its path in the tree.
  std::string reach(const std::string& name, const std::vector<std::string>& allowed = {}) const {
    const ReferencedFile file =
        open_reference(top, name, allowed, Access::read_only, Locking::on, nullptr);
    std::vector<std::byte> content(file.disk->size());
    file.disk->read(0, content);
    return std::string(text_of(content));
  }

  Error refusal(const std::string& name, const std::vector<std::string>& allowed = {}) const {
    try {
      return {0, "reached " + reach(name, allowed)};
    } catch (const Error& error) {
      return error;
    }
  }
};

bool contains(const Error& error, const std::string& text) {
  return std::string(error.what()).find(text) != std::string::npos;
}

TEST_CASE("gate: files beside the image and below its directory are let in") {
  const Tree tree;
  CHECK(tree.reach("near") == "images/near");
  CHECK(tree.reach("sub/base") == "images/sub/base");
  CHECK(tree.reach("./sub/../near") == "images/near");
  CHECK(tree.reach("file:near") == "images/near");
  CHECK(tree.reach("../images/near") == "images/near");
}

TEST_CASE("gate: an absolute name is let in when it lies below the image's directory") {
  const Tree tree;
  CHECK(tree.reach(tree.directory / "images/near") == "images/near");
  CHECK(tree.reach(tree.directory / "images/../images/sub/base") == "images/sub/base");
}

TEST_CASE("gate: an absolute name elsewhere is refused with its name and the way out") {
  const Tree tree;
  const Error error = tree.refusal("/etc/passwd");
  CHECK(error.code() == EACCES);
  CHECK(exit_code_for(error) == ExitCode::refused);
  CHECK(error.what() ==
        "reference: \"/etc/passwd\" refused: it lies outside \"" + tree.top.directory +
            "\", the directory of the image that names it; --allow-refs DIR lets an "
            "image refer to files below DIR");
}

TEST_CASE("gate: a name that climbs out of the image's directory is refused") {
  const Tree tree;
  for (const char* const name : {"../secret", "sub/../../secret", "../imagesX/near", "..", "."}) {
    CAPTURE(name);
    const Error error = tree.refusal(name);
    CHECK(error.code() == EACCES);
    CHECK(contains(error, "--allow-refs"));
  }
}

TEST_CASE("gate: a sibling whose name begins alike is not below the directory") {
  const Tree tree;
  std::filesystem::create_directory(tree.directory / "images-more");
  test::write_file(tree.directory / "images-more/x", Tree::content_of("x"));
  CHECK(tree.refusal(tree.directory / "images-more/x").code() == EACCES);
}

TEST_CASE("gate: json: descriptions are refused") {
  const Tree tree;
  const std::string name = R"(json:{"driver":"file","filename":"/etc/passwd"})";
  const Error error = tree.refusal(name, {"/"});
  CHECK(error.code() == EACCES);
  CHECK(contains(error, R"("json:{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}" refused)"));
  CHECK(contains(error, "json: descriptions are not followed"));
}

TEST_CASE("gate: protocols are refused, whoever allows what") {
  const Tree tree;
  for (const char* const name :
       {"nbd://host/export", "http://host/x", "host_device:/dev/sda", "ssh:x", "fd:3",
        "file:file:near", "C:\\near", "HTTP://x", "nbd+unix:///x?socket=y", "a.b-c+d:x"}) {
    CAPTURE(name);
    const Error error = tree.refusal(name, {"/"});
    CHECK(error.code() == EACCES);
    CHECK(contains(error, "it names a protocol"));
  }
}

TEST_CASE("gate: a colon after a slash is part of a file's name") {
  const Tree tree;
  test::write_file(tree.directory / "images/a:b", Tree::content_of("colon"));
  CHECK(tree.reach("./a:b") == "colon");
  CHECK(tree.refusal("a:b").code() == EACCES);
}

TEST_CASE("gate: network shares are refused, whoever allows what") {
  const Tree tree;
  for (const char* const name :
       {"\\\\host\\share\\x", "//host/share/x", "file:////host/x", "file:\\\\host\\x"}) {
    CAPTURE(name);
    const Error error = tree.refusal(name, {"/"});
    CHECK(error.code() == EACCES);
    CHECK(contains(error, "it names a network share"));
  }
}

TEST_CASE("gate: empty names and NULs are refused") {
  const Tree tree;
  CHECK(contains(tree.refusal(""), "it is empty"));
  CHECK(contains(tree.refusal("file:"), "it is empty"));
  const Error error = tree.refusal(std::string("near\0/../../secret", 18));
  CHECK(error.code() == EACCES);
  CHECK(contains(error, "there is a NUL in it"));
}

TEST_CASE("gate: symbolic links are refused even where they lead to what is let in") {
  const Tree tree;
  std::filesystem::create_symlink("near", tree.directory / "images/link");
  std::filesystem::create_symlink("../secret", tree.directory / "images/escape");
  std::filesystem::create_symlink("/", tree.directory / "images/root");
  for (const std::string name : {"link", "escape", "root/etc/passwd"}) {
    CAPTURE(name);
    const Error error = tree.refusal(name);
    CHECK(error.code() == EACCES);
    CHECK(contains(error, "a symbolic link is on its way"));
  }
}

TEST_CASE("gate: only regular files are let in, and a FIFO is not waited for") {
  const Tree tree;
  REQUIRE(mkfifo((tree.directory / "images/fifo").c_str(), 0600) == 0);
  for (const char* const name : {"fifo", "sub"}) {
    CAPTURE(name);
    const Error error = tree.refusal(name);
    CHECK(error.code() == EACCES);
    CHECK(contains(error, "is not a regular file"));
  }
  CHECK(contains(tree.refusal("/dev/null", {"/dev"}), "is not a regular file"));
}

TEST_CASE("gate: a missing file is not found, which is no refusal") {
  const Tree tree;
  const Error error = tree.refusal("gone.qcow2");
  CHECK(error.code() == ENOENT);
  CHECK(error.what() == "reference: \"gone.qcow2\" cannot be opened in \"" + tree.top.directory +
                            "\": No such file or directory");
  CHECK(tree.refusal("near/x").code() == ENOENT);
}

TEST_CASE("gate: an allowed directory lets in what lies below it, by any name") {
  const Tree tree;
  const std::vector<std::string> allowed{tree.directory / "store"};
  CHECK(tree.reach(tree.directory / "store/base", allowed) == "store/base");
  CHECK(tree.reach("../store/deep/leaf", allowed) == "store/deep/leaf");
  CHECK(tree.reach("deep/leaf", allowed) == "store/deep/leaf");
  CHECK(tree.refusal("../secret", allowed).code() == EACCES);
  CHECK(tree.refusal(tree.directory / "secret", allowed).code() == EACCES);
}

TEST_CASE("gate: the image's own directory comes before allowed ones") {
  const Tree tree;
  test::write_file(tree.directory / "store/near", Tree::content_of("store/near"));
  CHECK(tree.reach("near", {tree.directory / "store"}) == "images/near");
}

TEST_CASE("gate: directories may be named through symbolic links, as the user chose them") {
  Tree tree;
  std::filesystem::create_directory_symlink(tree.directory / "images", tree.directory / "alias");
  tree.top = locate(tree.directory / "alias/top");
  CHECK(tree.reach("near") == "images/near");
  CHECK(tree.reach(tree.directory / "alias/near") == "images/near");
  CHECK(tree.reach(tree.directory / "images/near") == "images/near");
  CHECK(tree.reach("../store/base", {tree.directory / "store/"}) == "store/base");
}

TEST_CASE("gate: a file that was let in names its own directory for what it refers to") {
  const Tree tree;
  const ReferencedFile file =
      open_reference(tree.top, "sub/base", {}, Access::read_only, Locking::on, nullptr);
  CHECK(file.location.directory == tree.directory / "images/sub");
  CHECK(file.location.path == tree.directory / "images/sub/base");
  try {
    open_reference(file.location, "../near", {}, Access::read_only, Locking::on, nullptr);
    FAIL("let in");
  } catch (const Error& error) {
    CHECK(error.code() == EACCES);
  }
}

TEST_CASE("gate: a directory that an image led to is not followed when it has become a link") {
  const Tree tree;
  const ReferencedFile file =
      open_reference(tree.top, "sub/base", {}, Access::read_only, Locking::on, nullptr);
  std::filesystem::rename(tree.directory / "images/sub", tree.directory / "images/old");
  std::filesystem::create_directory_symlink("../store", tree.directory / "images/sub");
  try {
    open_reference(file.location, "base", {}, Access::read_only, Locking::on, nullptr);
    FAIL("let in");
  } catch (const Error& error) {
    CHECK(error.code() == EACCES);
    CHECK(contains(error, "a symbolic link is on its way"));
  }
}

TEST_CASE("gate: relative locations stay relative") {
  const Tree tree;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(tree.directory / "images");
  const GatedFile file = pass_gate(locate("top"), "sub/base", {}, Access::read_only);
  CHECK_NOTHROW(pass_gate(file.location, "base", {}, Access::read_only));
  std::filesystem::current_path(before);
  CHECK(file.location.path == "sub/base");
  CHECK(file.location.directory == "sub");
  CHECK(file.location.root == ".");
}

TEST_CASE("gate: a file is opened with the access asked for, under the locks") {
  const Tree tree;
  const ReferencedFile writer =
      open_reference(tree.top, "near", {}, Access::read_write, Locking::on, nullptr);
  CHECK(writer.disk->writable());
  try {
    open_reference(tree.top, "near", {}, Access::read_write, Locking::on, nullptr);
    FAIL("let in");
  } catch (const Error& error) {
    CHECK(error.code() == EBUSY);
  }
}

TEST_CASE("gate: names are shown without the bytes that a terminal would act on") {
  const Tree tree;
  const Error error = tree.refusal("/\x1b]0;gotcha\x07");
  CHECK(contains(error, R"("/\x1b]0;gotcha\x07")"));
  CHECK_FALSE(contains(error, "\x1b"));
}

}  // namespace
}  // namespace vimg

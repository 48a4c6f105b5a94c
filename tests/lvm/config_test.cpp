#include <cerrno>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "lvm/config.h"
#include "lvm/config_guard.h"

using namespace vimg;

namespace {

std::string repeated(const std::string& piece, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += piece;
  }
  return text;
}

std::string message_of(const std::string& text) {
  try {
    const Config config(text);
  } catch (const Error& error) {
    CHECK(error.code() == EUCLEAN);
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("lvm config: sections come in the order of the text, with their settings") {
  const Config config("a {\nx = 1\nb { y = \"q\\\"\\\\\" }\n}\nc {}\nz = [\"s\", 2, -0]\n# end");
  const auto sections = config.root().sections();
  REQUIRE(sections.size() == 2);
  CHECK(sections[0].name() == "a");
  CHECK(sections[1].name() == "c");
  CHECK(sections[0].number("x", 1) == 1);
  CHECK(sections[0].find_section("b")->text("y") == "q\"\\");
  CHECK(config.root().list("z") ==
        std::vector<ConfigValue>{"s", std::uint64_t(2), std::uint64_t(0)});
  CHECK(config.root().lists("z", "s"));
  CHECK_FALSE(config.root().lists("z", "t"));
  CHECK_FALSE(config.root().find_section("z"));
  CHECK_FALSE(config.root().find_number("nothing"));
}

TEST_CASE("lvm config: an empty list has no values") {
  CHECK(Config("a = []").root().list("a").empty());
}

TEST_CASE("lvm config: a setting of another kind is corrupt") {
  const Config config("a { n = 5\ns = \"x\"\nm = -1\nf = 1.5\nb {}\n}");
  const Section a = *config.root().find_section("a");
  CHECK_THROWS_WITH_AS(a.find_number("s"), "lvm: metadata text: 's' of 'a' is not a number", Error);
  CHECK_THROWS_WITH_AS(a.find_number("m"), "lvm: metadata text: 'm' of 'a' is not a number", Error);
  CHECK_THROWS_AS(a.find_number("f"), Error);
  CHECK_THROWS_AS(a.find_number("b"), Error);
  CHECK_THROWS_WITH_AS(a.text("n"), "lvm: metadata text: 'n' of 'a' is not a string", Error);
  CHECK_THROWS_WITH_AS(a.text("t"), "lvm: metadata text: 't' of 'a' is not there", Error);
  CHECK(a.number("n", 5) == 5);
  CHECK_THROWS_WITH_AS(a.number("n", 4), "lvm: metadata text: 'n' of 'a' is not a number up to 4",
                       Error);
}

TEST_CASE("lvm config: a number may have 18 digits, and not one more") {
  CHECK(Config("a = 999999999999999999").root().find_number("a") == 999999999999999999);
  CHECK(message_of("a = 1000000000000000000") ==
        "lvm: metadata text, byte 0x17: a number of more than 18 digits");
}

TEST_CASE("lvm config: sections may be nested 64 deep, and not one more") {
  CHECK_NOTHROW(Config(repeated("a{", 64) + repeated("}", 64)));
  CHECK(message_of(repeated("a{", 65) + repeated("}", 65)) ==
        "lvm: metadata text, byte 0x82: sections are nested more than 64 deep");
  CHECK(message_of(repeated("a{", 200000)).ends_with("nested more than 64 deep"));
}

TEST_CASE("lvm config: paths, which would nest without braces, are no names") {
  CHECK(message_of(repeated("a/", 200000) + "a = 1") ==
        "lvm: metadata text, byte 0x1: expected '{' or '='");
  CHECK(message_of("\"a/b\" = 1") == "lvm: metadata text, byte 0x0: expected a name");
}

TEST_CASE("lvm config: what only looks like a string to one of two readers is refused") {
  CHECK(message_of("a\"b{ = 1\"") == "lvm: metadata text, byte 0x1: expected '{' or '='");
  CHECK(message_of("a = 'b'") == "lvm: metadata text, byte 0x4: expected a value");
  CHECK(message_of("a = b") == "lvm: metadata text, byte 0x4: expected a value");
  CHECK(message_of("a = [b,\"c\"]") == "lvm: metadata text, byte 0x5: expected a value");
  CHECK(message_of("a = [[1]]") == "lvm: metadata text, byte 0x5: expected a value");
  CHECK(message_of("a[\"b{\"") == "lvm: metadata text, byte 0x1: expected '{' or '='");
}

TEST_CASE("lvm config: braces, brackets and strings must be closed") {
  CHECK(message_of("a {") == "lvm: metadata text, byte 0x3: 1 sections are not closed");
  CHECK(message_of("a {}}") == "lvm: metadata text, byte 0x5: a '}' closes nothing");
  CHECK(message_of("a = [1") == "lvm: metadata text, byte 0x6: expected ',' or ']'");
  CHECK(message_of("a = [1,]") == "lvm: metadata text, byte 0x7: expected a value");
  CHECK(message_of("a = \"x") == "lvm: metadata text, byte 0x6: a string is not closed");
  CHECK(message_of("a = \"x\\\"") == "lvm: metadata text, byte 0x8: a string is not closed");
  CHECK(message_of("a = \"x\\") == "lvm: metadata text, byte 0x7: a string is not closed");
  CHECK(message_of("a") == "lvm: metadata text, byte 0x1: expected '{' or '='");
  CHECK(message_of("a =") == "lvm: metadata text, byte 0x3: expected a value");
}

TEST_CASE("lvm config: an empty text, and one of comments, has nothing to parse") {
  CHECK(message_of("") == "lvm: metadata text: libdevmapper cannot parse it");
  CHECK(message_of("# only this") == "lvm: metadata text: libdevmapper cannot parse it");
}

TEST_CASE("lvm config: a NUL inside is corrupt") {
  CHECK(message_of(std::string("a = 1\0b = 2", 11)) ==
        "lvm: metadata text, byte 0x5: a NUL inside");
}

TEST_CASE("lvm config: more than a million settings or 32 MiB are refused") {
  CHECK_NOTHROW(check_metadata_text(repeated("a=1 ", 1U << 19)));
  CHECK(message_of(repeated("a=1 ", (1U << 19) + 1))
            .ends_with("more than 1048576 settings and values"));
  CHECK(message_of("a = [" + repeated("1,", 1U << 20) + "1]")
            .ends_with("more than 1048576 settings and values"));
  CHECK_NOTHROW(check_metadata_text("a = 1" + std::string(max_metadata_bytes - 5, ' ')));
  CHECK(message_of("a = 1" + std::string(max_metadata_bytes - 4, ' ')) ==
        "lvm: metadata text of 33554433 bytes is larger than the limit of 33554432");
}

TEST_CASE("lvm config: a hundred thousand sections beside each other take no quadratic time") {
  const Config config(repeated("a{b=1 c=2}", 100000));
  CHECK(config.root().sections().size() == 100000);
}

#include "disk/in_quotes.h"

#include <doctest/doctest.h>

namespace vimg {
namespace {

TEST_CASE("in_quotes: plain text stays readable") {
  CHECK(in_quotes("base.qcow2") == "\"base.qcow2\"");
}

TEST_CASE("in_quotes: quotes and backslashes cannot end the text") {
  CHECK(in_quotes("a\"b\\c") == R"("a\"b\\c")");
}

TEST_CASE("in_quotes: nothing reaches a terminal that it would act on") {
  CHECK(in_quotes("\x1b[31m\r\n") == R"("\x1b[31m\x0d\x0a")");
  CHECK(in_quotes("\xc2\x9b\x7f") == R"("\xc2\x9b\x7f")");
  CHECK(in_quotes(std::string_view("a\0b", 3)) == R"("a\x00b")");
}

TEST_CASE("in_quotes: 256 bytes are shown, the next is cut") {
  CHECK(in_quotes(std::string(256, 'x')) == "\"" + std::string(256, 'x') + "\"");
  CHECK(in_quotes(std::string(257, 'x')) == "\"" + std::string(256, 'x') + "\"...");
}

}  // namespace
}  // namespace vimg

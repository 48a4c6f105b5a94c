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

TEST_CASE("printable: letters of every script stay, in two, three and four bytes") {
  CHECK(printable("jörg/日本.qcow2 \xf0\x9f\x92\xbe") == "jörg/日本.qcow2 \xf0\x9f\x92\xbe");
}

TEST_CASE("printable: what is no UTF-8 is shown byte by byte") {
  CHECK(printable("\xff") == R"(\xff)");
  CHECK(printable("\xc3") == R"(\xc3)");
  CHECK(printable("\xc3(") == R"(\xc3()");
  CHECK(printable("\xc0\xaf") == R"(\xc0\xaf)");
  CHECK(printable("\xe0\x80\xaf") == R"(\xe0\x80\xaf)");
  CHECK(printable("\xf0\x80\x80\xaf") == R"(\xf0\x80\x80\xaf)");
  CHECK(printable("\xed\xa0\x80") == R"(\xed\xa0\x80)");
  CHECK(printable("\xf4\x90\x80\x80") == R"(\xf4\x90\x80\x80)");
}

TEST_CASE("printable: nothing turns the direction of writing") {
  CHECK(printable("a\u202eb") == R"(a\xe2\x80\xaeb)");
}

TEST_CASE("in_quotes: 256 bytes are shown, the next is cut") {
  CHECK(in_quotes(std::string(256, 'x')) == "\"" + std::string(256, 'x') + "\"");
  CHECK(in_quotes(std::string(257, 'x')) == "\"" + std::string(256, 'x') + "\"...");
}

}  // namespace
}  // namespace vimg

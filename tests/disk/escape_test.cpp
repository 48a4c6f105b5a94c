#include "disk/escape.h"

#include <doctest/doctest.h>

namespace vimg {
namespace {

TEST_CASE("valid_utf8: what is valid stays") {
  CHECK(valid_utf8("") == "");
  CHECK(valid_utf8("a\tb\n") == "a\tb\n");
  CHECK(valid_utf8("d\xc3\xa4 \xe6\x97\xa5 \xf0\x9f\x98\x80") ==
        "d\xc3\xa4 \xe6\x97\xa5 \xf0\x9f\x98\x80");
  CHECK(valid_utf8("\xf4\x8f\xbf\xbf") == "\xf4\x8f\xbf\xbf");
}

TEST_CASE("valid_utf8: each byte that is not valid is written out") {
  CHECK(valid_utf8("\xff") == "\\xff");
  CHECK(valid_utf8("a\x80z") == "a\\x80z");
  CHECK(valid_utf8("\xc3") == "\\xc3");
  CHECK(valid_utf8("\xc3(") == "\\xc3(");
  CHECK(valid_utf8("\xe6\x97") == "\\xe6\\x97");
  CHECK(valid_utf8("\xc0\xaf") == "\\xc0\\xaf");           // not the shortest form
  CHECK(valid_utf8("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");  // not the shortest form
  CHECK(valid_utf8("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // a surrogate
  CHECK(valid_utf8("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
  CHECK(valid_utf8("\xf5\x80\x80\x80") == "\\xf5\\x80\\x80\\x80");
}

TEST_CASE("printable: nothing that steers a terminal is left") {
  CHECK(printable("a\x1b[2Jb\r\n\x7f") == "a\\x1b[2Jb\\x0d\\x0a\\x7f");
  CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");
  CHECK(printable("\xe2\x80\xae") == "\\xe2\\x80\\xae");
  CHECK(printable("\xe2\x80\xa8") == "\\xe2\\x80\\xa8");
  CHECK(printable("\x9b") == "\\x9b");
  CHECK(printable(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(printable("d\xc3\xa4 \xe6\x97\xa5") == "d\xc3\xa4 \xe6\x97\xa5");
}

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

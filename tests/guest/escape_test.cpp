#include "guest/escape.h"

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

}  // namespace
}  // namespace vimg

#include "cli/table.h"

#include <sstream>

#include <doctest/doctest.h>

namespace vimg {
namespace {

std::string printed(const Table& table) {
  std::ostringstream out;
  table.print(out);
  return out.str();
}

TEST_CASE("table: columns are as wide as their widest cell") {
  Table table({{"NAME"}, {"SIZE", Align::right}});
  table.add({"a", "1"});
  table.add({"long-name", "12345"});
  CHECK(printed(table) ==
        "NAME       SIZE\n"
        "a             1\n"
        "long-name 12345\n");
}

TEST_CASE("table: a column without a cell is left out") {
  Table table({{"A"}, {"NEVER"}, {"B"}});
  table.add({"1", "", "2"});
  CHECK(printed(table) == "A B\n1 2\n");
}

TEST_CASE("table: letters of several bytes take one place") {
  Table table({{"A"}, {"B"}});
  table.add({"\xc3\xa4\xc3\xb6", "1"});
  table.add({"ab", "2"});
  CHECK(printed(table) == "A  B\n\xc3\xa4\xc3\xb6 1\nab 2\n");
}

TEST_CASE("table: nothing in a cell can steer the terminal") {
  Table table({{"A"}});
  table.add({"a\x1b[2J\nb"});
  CHECK(printed(table) == "A\na\\x1b[2J\\x0ab\n");
}

}  // namespace
}  // namespace vimg

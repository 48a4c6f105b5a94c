#include "fuse/problem_log.h"

#include <doctest/doctest.h>

using namespace vimg;

TEST_CASE("problem log: a message is kept once") {
  ProblemLog log(ProblemLog::Echo::off);
  log.add("p1: broken");
  log.add("p2: broken");
  log.add("p1: broken");
  CHECK(log.messages() == std::vector<std::string>{"p1: broken", "p2: broken"});
}

TEST_CASE("problem log: the hundredth message is kept, later ones are counted") {
  ProblemLog log(ProblemLog::Echo::off);
  for (int i = 0; i < 100; ++i) {
    log.add(std::to_string(i));
  }
  CHECK(log.messages().size() == 100);
  log.add("another");
  log.add("and another");
  CHECK(log.messages().size() == 101);
  CHECK(log.messages().back() == "and 2 more");
}

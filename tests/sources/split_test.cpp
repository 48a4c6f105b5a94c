#include <doctest/doctest.h>

#include "disk/memory_disk.h"
#include "tests/sources/source_files.h"

namespace vimg::test {
namespace {

// Parts of "abcdefgh" beside the first, which is called `first`.
TestSourceContext context_with(const std::string& first, const std::vector<std::string>& later) {
  TestSourceContext context(first);
  context.files[first] = nullptr;
  for (const std::string& name : later) {
    const ConstBytes text = bytes_of(std::string_view("efgh"));
    context.files[name] = make_memory_disk({text.begin(), text.end()});
  }
  return context;
}

std::vector<SourceImage> open(SourceContext& context) {
  const ConstBytes text = bytes_of(std::string_view("abcd"));
  return find_source("split")->open(make_memory_disk({text.begin(), text.end()}), context);
}

}  // namespace

TEST_CASE("split: parts from .001 on are one after the other, and other files are no parts") {
  TestSourceContext context =
      context_with("a.001", {"a.002", "a.003", "a.0040", "a.txt", "ab.002"});
  const std::vector<SourceImage> images = open(context);
  REQUIRE(images.size() == 1);
  CHECK(images[0].name == "a");
  CHECK(text_of(content_of(*images[0].bytes)) == "abcdefghefgh");
  std::vector<std::byte> across(3);
  images[0].bytes->read(3, across);
  CHECK(text_of(across) == "def");
}

TEST_CASE("split: parts may begin with .000") {
  TestSourceContext context = context_with("a.000", {"a.001"});
  CHECK(text_of(content_of(*open(context)[0].bytes)) == "abcdefgh");
}

TEST_CASE("split: a part that is missing is named") {
  TestSourceContext context = context_with("a.001", {"a.002", "a.004"});
  CHECK_THROWS_WITH_AS(open(context), doctest::Contains("\"a.003\" is missing"), Error);
}

TEST_CASE("split: a part that is not the first is refused") {
  TestSourceContext context = context_with("a.002", {"a.003"});
  CHECK_THROWS_WITH_AS(open(context), doctest::Contains("named by its first"), Error);
}

}  // namespace vimg::test

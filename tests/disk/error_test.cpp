#include "disk/error.h"

#include <cerrno>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "disk/bytes.h"

namespace vimg {
namespace {

std::pair<int, std::string> thrown(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {0, ""};
}

TEST_CASE("error: the layer comes first, the errno says what kind it is") {
  CHECK(thrown([] { throw_corrupt("gpt", "bad"); }) == std::pair(EUCLEAN, std::string("gpt: bad")));
  CHECK(thrown([] { throw_unsupported("qcow2", "bit 7"); }) ==
        std::pair(EOPNOTSUPP, std::string("qcow2: bit 7")));
  CHECK(thrown([] { throw_errno(ENOENT, "a.raw", "cannot be opened"); }) ==
        std::pair(ENOENT, std::string("a.raw: cannot be opened: No such file or directory")));
}

TEST_CASE("within: puts its context first and keeps the errno and the result") {
  CHECK(within("top", [] { return 5; }) == 5);
  CHECK(thrown([] { within("top", [] { throw_corrupt("gpt", "bad"); }); }) ==
        std::pair(EUCLEAN, std::string("top: gpt: bad")));
}

TEST_CASE("error: refusals, locks and the rest have exit codes of their own") {
  CHECK(exit_code_for(Error(EACCES, "")) == ExitCode::refused);
  CHECK(exit_code_for(Error(ELOOP, "")) == ExitCode::refused);
  CHECK(exit_code_for(Error(EBUSY, "")) == ExitCode::locked);
  CHECK(exit_code_for(Error(EPERM, "")) == ExitCode::cannot_open);
  CHECK(exit_code_for(Error(EUCLEAN, "")) == ExitCode::cannot_open);
}

TEST_CASE("bytes: a literal is its characters without the end") {
  CHECK(bytes_of("abc").size() == 3);
  CHECK(text_of(bytes_of("abc")) == "abc");
  const std::uint32_t number = 0;
  CHECK(bytes_of(number).size() == 4);
}

TEST_CASE("all_zero: one byte anywhere makes the difference") {
  std::vector<std::byte> data(33);
  CHECK(all_zero(data));
  CHECK(all_zero({}));
  for (std::byte& byte : data) {
    byte = std::byte{1};
    CHECK_FALSE(all_zero(data));
    byte = std::byte{0};
  }
}

}  // namespace
}  // namespace vimg

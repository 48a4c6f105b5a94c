// Random: the one source of choices of a stress process; the same seed gives the same choices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace vimg::stress {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  // 0 to limit - 1; `limit` is positive.
  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
  // from to to, both included.
  std::uint64_t between(std::uint64_t from, std::uint64_t to) {
    return from + below(to - from + 1);
  }
  bool percent(unsigned chance) { return below(100) < chance; }
  // Small numbers often, large ones up to `limit` seldom.
  std::uint64_t skewed(std::uint64_t limit) { return below(below(limit) + 1); }

  template <typename Container>
  auto& pick(Container& container) {
    return container[below(container.size())];
  }

  std::vector<std::byte> bytes(std::size_t count) {
    std::vector<std::byte> out(count);
    for (std::byte& byte : out) {
      byte = std::byte(engine_());
    }
    return out;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace vimg::stress

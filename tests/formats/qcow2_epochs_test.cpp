#include "formats/qcow2_epochs.h"

#include <memory>

#include <doctest/doctest.h>

namespace vimg::qcow2 {

TEST_CASE("qcow2 epochs: two go by at once when nobody is inside") {
  Epochs epochs;
  const std::uint64_t retired = epochs.now();
  epochs.advance();
  epochs.advance();
  CHECK(epochs.now() == retired + 2);
}

TEST_CASE("qcow2 epochs: who is inside holds up the second one until he leaves") {
  Epochs epochs;
  auto inside = std::make_unique<Epochs::Guard>(&epochs);
  const std::uint64_t retired = epochs.now();
  for (int i = 0; i < 5; ++i) {
    epochs.advance();
  }
  CHECK(epochs.now() == retired + 1);
  inside.reset();
  epochs.advance();
  CHECK(epochs.now() == retired + 2);
}

TEST_CASE("qcow2 epochs: who entered afterwards does not hold up what was retired before") {
  Epochs epochs;
  const std::uint64_t retired = epochs.now();
  epochs.advance();
  const Epochs::Guard inside(&epochs);
  epochs.advance();
  CHECK(epochs.now() == retired + 2);
}

}  // namespace vimg::qcow2

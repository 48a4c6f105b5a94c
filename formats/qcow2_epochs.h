// Epochs: tells when nobody can still be using what was taken out of use.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace vimg::qcow2 {

// Who reads or writes host clusters that it found in the map is inside for that long.  What was
// taken out of the map in epoch E is unused once the epoch is E + 2: to go on from E + 1 everybody
// who had entered in E must have left.
//
// Threads: enter() and leave() from any, advance() from one at a time.
class Epochs {
 public:
  // Inside from construction to destruction; of nothing when `epochs` is null.
  class Guard {
   public:
    explicit Guard(Epochs* epochs) noexcept
        : epochs_(epochs), epoch_(epochs != nullptr ? epochs->enter() : 0) {}
    ~Guard() {
      if (epochs_ != nullptr) {
        epochs_->leave(epoch_);
      }
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Epochs* const epochs_;
    const std::uint64_t epoch_;
  };

  std::uint64_t now() const noexcept { return epoch_.load(); }
  // Goes on to the next epoch if everybody from the one before has left; never waits.
  void advance() noexcept {
    const std::uint64_t epoch = epoch_.load();
    if (inside_[(epoch + 1) % 2].load() == 0) {
      epoch_.store(epoch + 1);
    }
  }

 private:
  // Ends unless the epoch changes again every time.
  std::uint64_t enter() noexcept {
    for (;;) {
      const std::uint64_t epoch = epoch_.load();
      ++inside_[epoch % 2];
      if (epoch_.load() == epoch) {
        return epoch;
      }
      --inside_[epoch % 2];
    }
  }
  void leave(std::uint64_t epoch) noexcept { --inside_[epoch % 2]; }

  std::atomic<std::uint64_t> epoch_ = 0;
  std::array<std::atomic<std::uint64_t>, 2> inside_{};  // how many entered in even and odd epochs
};

}  // namespace vimg::qcow2

#include "cli/interrupt.h"

namespace vimg {
namespace {

std::atomic<bool> interrupted = false;
std::atomic<int> received = 0;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void note(int signal) {
  received = signal;
  interrupted = true;
}

}  // namespace

// What is ignored stays so: nohup(1) relies on it.
Interrupt::Interrupt() {
  interrupted = false;
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = int(SA_RESETHAND) | SA_RESTART;
  for (std::size_t i = 0; i < signals_.size(); ++i) {
    sigaction(signals_[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) {
      sigaction(signals_[i], &action, nullptr);
    }
  }
}

Interrupt::~Interrupt() {
  for (std::size_t i = 0; i < signals_.size(); ++i) {
    sigaction(signals_[i], &before_[i], nullptr);
  }
  if (interrupted) {
    raise(received);
  }
}

const std::atomic<bool>& Interrupt::flag() const noexcept { return interrupted; }

}  // namespace vimg

#include "cli/progress.h"

#include <unistd.h>

#include <ostream>

#include <fmt/format.h>

namespace vimg {

Progress::Progress(const Streams& streams, ShowProgress show, std::uint64_t total)
    : out_(streams.err),
      shown_(show == ShowProgress::always ||
             (show == ShowProgress::on_terminal && isatty(STDERR_FILENO) == 1)),
      total_(total) {}

Progress::~Progress() {
  if (begun_) {
    out_ << '\n';
  }
}

void Progress::update(std::uint64_t done) {
  using namespace std::chrono_literals;
  const auto now = std::chrono::steady_clock::now();
  if (!shown_ || (done < total_ && now - printed_at_ < 100ms)) {
    return;
  }
  printed_at_ = now;
  print(total_ == 0 ? 100.0 : 100.0 * double(done) / double(total_));
}

// As qemu-img shows it.
void Progress::print(double percent) {
  begun_ = true;
  out_ << fmt::format("\r    ({:.2f}/100%)", percent) << std::flush;
}

}  // namespace vimg

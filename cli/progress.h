// Progress: how far long work has got, in one line on a terminal.
#pragma once

#include <chrono>
#include <cstdint>

#include "cli/verb.h"

namespace vimg {

enum class ShowProgress {
  on_terminal,  // where stderr is one
  always,
  never,
};

// One thread at a time.
class Progress {
 public:
  Progress(const Streams& streams, ShowProgress show, std::uint64_t total);
  // Ends the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::uint64_t done);

 private:
  void print(double percent);

  std::ostream& out_;
  const bool shown_;
  const std::uint64_t total_;
  std::chrono::steady_clock::time_point printed_at_{};
  bool begun_ = false;
};

}  // namespace vimg

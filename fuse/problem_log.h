// ProblemLog: what went wrong while the mount was served, in words, for .vimg/info.json.
#pragma once

#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <vector>

namespace vimg {

// Keeps the first 100 different messages.  All members may be called from any thread.
class ProblemLog {
 public:
  // echo: each new message also goes to stderr at once.
  enum class Echo { off, on };
  explicit ProblemLog(Echo echo) noexcept : echo_(echo) {}

  void add(const std::string& message) noexcept;
  std::vector<std::string> messages() const;

 private:
  bool is_new(const std::string& message);

  const Echo echo_;
  mutable std::mutex mutex_;  // guards the two members below
  std::vector<std::string> messages_;
  std::uint64_t left_out_ = 0;
};

// Runs `action`; what it throws is noted in `problems`, as there is nobody to be told.
template <typename Action>
void note_errors(ProblemLog& problems, Action&& action) noexcept {
  try {
    action();
  } catch (const std::exception& error) {
    problems.add(error.what());
  }
}

}  // namespace vimg

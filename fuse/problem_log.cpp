#include "fuse/problem_log.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

namespace vimg {
namespace {

// A damaged image can fail in any number of ways; the first ones tell the story.
constexpr std::size_t max_messages = 100;

}  // namespace

void ProblemLog::add(const std::string& message) noexcept {
  try {
    if (is_new(message) && echo_ == Echo::on) {
      std::fputs(fmt::format("vimgmount: {}\n", message).c_str(), stderr);
    }
  } catch (...) {
    // No memory to remember it: the caller's own error still reaches the user.
  }
}

std::vector<std::string> ProblemLog::messages() const {
  const std::lock_guard lock(mutex_);
  auto messages = messages_;
  if (left_out_ > 0) {
    messages.push_back(fmt::format("and {} more", left_out_));
  }
  return messages;
}

bool ProblemLog::is_new(const std::string& message) {
  const std::lock_guard lock(mutex_);
  if (std::find(messages_.begin(), messages_.end(), message) != messages_.end()) {
    return false;
  }
  if (messages_.size() == max_messages) {
    ++left_out_;
    return false;
  }
  messages_.push_back(message);
  return true;
}

}  // namespace vimg

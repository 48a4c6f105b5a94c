#include "lvm/config_guard.h"

#include <algorithm>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {
namespace {

constexpr char layer[] = "lvm";
constexpr std::size_t max_depth = 64;  // LVM writes 4
// libdevmapper takes some 100 bytes of memory for each.  LVM's take 30 bytes of text or more.
constexpr std::size_t max_items = std::size_t(1) << 20;
constexpr std::size_t max_digits = 18;  // libdevmapper's are of 64 bits, LVM's of 32

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
         c == '+' || c == '-';
}

// One pass, no recursion.  The grammar is narrower than libdevmapper's, so that both divide the
// text into the same tokens: names and numbers are never quoted, bare words are no values, and
// paths, which libdevmapper makes nested sections of, are no names.
//
//   text  = { name "{" | name "=" value | "}" }
//   value = item | "[" [ item { "," item } ] "]"
//   item  = number | string
class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}

  void check() {
    for (skip_space(); at_ < text_.size(); skip_space()) {
      if (take('}')) {
        leave_section();
      } else {
        check_setting();
      }
    }
    if (depth_ != 0) {
      fail(fmt::format("{} sections are not closed", depth_));
    }
  }

 private:
  void check_setting() {
    take_all(is_name, "a name");
    count_item();
    skip_space();
    if (take('{')) {
      enter_section();
      return;
    }
    if (!take('=')) {
      fail("expected '{' or '='");
    }
    skip_space();
    if (take('[')) {
      check_array();
      return;
    }
    check_item();
  }

  void check_array() {
    skip_space();
    if (take(']')) {
      return;
    }
    do {
      skip_space();
      check_item();
      skip_space();
    } while (take(','));
    if (!take(']')) {
      fail("expected ',' or ']'");
    }
  }

  void check_item() {
    count_item();
    if (take('"')) {
      check_string();
      return;
    }
    if (!take('-')) {
      take('+');
    }
    if (take_all(is_digit, "a value") > max_digits) {
      fail(fmt::format("a number of more than {} digits", max_digits));
    }
    if (take('.')) {
      take_all(is_digit, "a digit");
    }
  }

  void check_string() {
    while (at_ < text_.size() && text_[at_] != '"') {
      at_ += text_[at_] == '\\' ? 2 : 1;
    }
    if (at_ >= text_.size()) {
      at_ = text_.size();
      fail("a string is not closed");
    }
    ++at_;
  }

  void skip_space() {
    while (at_ < text_.size() && (is_space(text_[at_]) || text_[at_] == '#')) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size() - 1);
      }
      ++at_;
    }
  }

  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) {
      return false;
    }
    ++at_;
    return true;
  }

  // Returns how many.
  std::size_t take_all(bool (*belongs)(char), const char* what) {
    const std::size_t start = at_;
    while (at_ < text_.size() && belongs(text_[at_])) {
      ++at_;
    }
    if (at_ == start) {
      fail(fmt::format("expected {}", what));
    }
    return at_ - start;
  }

  void enter_section() {
    if (++depth_ > max_depth) {
      fail(fmt::format("sections are nested more than {} deep", max_depth));
    }
  }

  void leave_section() {
    if (depth_ == 0) {
      fail("a '}' closes nothing");
    }
    --depth_;
  }

  void count_item() {
    if (++items_ > max_items) {
      fail(fmt::format("more than {} settings and values", max_items));
    }
  }

  [[noreturn]] void fail(std::string_view what) const {
    throw_corrupt(layer, fmt::format("metadata text, byte {:#x}: {}", at_, what));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::size_t items_ = 0;
};

}  // namespace

void check_metadata_text(std::string_view text) {
  if (text.size() > max_metadata_bytes) {
    throw_corrupt(layer, fmt::format("metadata text of {} bytes is larger than the limit of {}",
                                     text.size(), max_metadata_bytes));
  }
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    throw_corrupt(layer, fmt::format("metadata text, byte {:#x}: a NUL inside", nul));
  }
  Checker(text).check();
}

}  // namespace vimg

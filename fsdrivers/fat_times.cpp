#include "fsdrivers/fat_times.h"

#include <algorithm>
#include <chrono>

namespace vimg::fat {
namespace {

using std::chrono::day;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr std::time_t seconds_per_day = 86400;
constexpr std::time_t first_second = 315532800;  // 1980-01-01
constexpr std::time_t last_second = 4354819199;  // 2107-12-31 23:59:59

}  // namespace

timespec time_of(std::uint16_t date, std::uint16_t time, std::uint8_t hundredths) noexcept {
  const unsigned months = std::clamp(date >> 5 & 0xfU, 1U, 12U);
  const unsigned days = std::max(date & 0x1fU, 1U);
  const year_month_day first{year(1980 + (date >> 9)), month(months), day(1)};
  const std::time_t whole_days = sys_days(first).time_since_epoch().count() + days - 1;
  const std::time_t seconds = (time >> 11) * 3600 + (time >> 5 & 0x3f) * 60 + (time & 0x1f) * 2;
  return {whole_days * seconds_per_day + seconds + hundredths / 100,
          (hundredths % 100) * 10'000'000L};
}

StoredTime stored_time(const timespec& time) noexcept {
  const std::time_t seconds = std::clamp(time.tv_sec, first_second, last_second);
  const year_month_day date{sys_days(std::chrono::days(seconds / seconds_per_day))};
  const std::time_t left = seconds % seconds_per_day;
  const auto days =
      (unsigned(int(date.year()) - 1980) << 9) | unsigned(date.month()) << 5 | unsigned(date.day());
  const auto clock = left / 3600 << 11 | left / 60 % 60 << 5 | left % 60 / 2;
  const bool exact = seconds == time.tv_sec;
  return {std::uint16_t(days), std::uint16_t(clock),
          std::uint8_t(left % 2 * 100 + (exact ? time.tv_nsec / 10'000'000 : 0))};
}

}  // namespace vimg::fat

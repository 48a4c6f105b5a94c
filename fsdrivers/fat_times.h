// Times as FAT and exFAT store them: a date and a time of day of 16 bits each.
#pragma once

#include <cstdint>
#include <ctime>

namespace vimg::fat {

// Seconds since 1970; `time` counts in 2 seconds, `hundredths` (0-199) is added.  What is no date
// is taken for the nearest one.
timespec time_of(std::uint16_t date, std::uint16_t time, std::uint8_t hundredths) noexcept;

struct StoredTime {
  std::uint16_t date;
  std::uint16_t time;
  std::uint8_t hundredths;
};
// What lies outside of 1980 to 2107 becomes the first or the last that can be stored.
StoredTime stored_time(const timespec& time) noexcept;

}  // namespace vimg::fat

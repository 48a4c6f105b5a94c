#include "guest/device_name.h"

#include <array>
#include <charconv>

namespace vimg {
namespace {

// Drivers that call disks by letters: a … z, aa ….
constexpr std::array<std::string_view, 5> lettered{"xvd", "ubd", "sd", "vd", "hd"};
// Drivers that call disks by numbers, and what stands between a disk's number and the partition's.
constexpr std::array<std::string_view, 2> numbered{"nvme", "mmcblk"};
// Three letters; more disks than any guest has.
constexpr std::size_t max_disk = 26 + 26 * 26 + 26 * 26 * 26;

bool is_letter(char c) noexcept { return c >= 'a' && c <= 'z'; }

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

// The decimal number that `text` begins with, without a leading zero unless it is 0.
std::optional<unsigned> take_number(std::string_view& text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto digits = std::size_t(end - text.data());
  if (error != std::errc() || (digits > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  text.remove_prefix(digits);
  return value;
}

// "a" is 0, "z" is 25, "aa" is 26.
std::optional<std::size_t> take_letters(std::string_view& text) {
  std::size_t count = 0;
  while (!text.empty() && is_letter(text.front()) && count <= max_disk) {
    count = count * 26 + std::size_t(text.front() - 'a') + 1;
    text.remove_prefix(1);
  }
  return count == 0 || count > max_disk ? std::nullopt : std::optional(count - 1);
}

// What is left after the disk: nothing, or a partition's number.
std::optional<DeviceName> with_partition(std::size_t disk, std::string_view rest) {
  if (rest.empty()) {
    return DeviceName{disk, std::nullopt};
  }
  const auto partition = take_number(rest);
  if (!partition || *partition == 0 || !rest.empty()) {
    return std::nullopt;
  }
  return DeviceName{disk, partition};
}

std::optional<DeviceName> parse_lettered(std::string_view name) {
  const auto disk = take_letters(name);
  return disk ? with_partition(*disk, name) : std::nullopt;
}

// "0n1p2" of NVMe (controller, namespace), "0p2" of memory cards.  Each controller is taken to have
// one namespace, as QEMU's have.
std::optional<DeviceName> parse_numbered(std::string_view name) {
  const auto disk = take_number(name);
  if (!disk) {
    return std::nullopt;
  }
  if (take(name, "n") && take_number(name) != 1U) {
    return std::nullopt;
  }
  if (take(name, "p") && name.empty()) {
    return std::nullopt;
  }
  return with_partition(*disk, name);
}

std::string doubled_hyphens(std::string_view text) {
  std::string result;
  for (const char c : text) {
    result.append(c == '-' ? 2 : 1, c);
  }
  return result;
}

}  // namespace

std::optional<DeviceName> parse_device_name(std::string_view path) {
  if (!take(path, "/dev/")) {
    return std::nullopt;
  }
  for (const std::string_view prefix : lettered) {
    if (take(path, prefix)) {
      return parse_lettered(path);
    }
  }
  for (const std::string_view prefix : numbered) {
    if (take(path, prefix)) {
      return parse_numbered(path);
    }
  }
  return std::nullopt;
}

std::string mapper_name(std::string_view group, std::string_view volume) {
  return doubled_hyphens(group) + "-" + doubled_hyphens(volume);
}

std::string decode_udev(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    unsigned char byte = 0;
    const char* digits = text.data() + 2;
    if (text.size() >= 4 && text.starts_with("\\x") &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      decoded += static_cast<char>(byte);
      text.remove_prefix(4);
    } else {
      decoded += text.front();
      text.remove_prefix(1);
    }
  }
  return decoded;
}

}  // namespace vimg

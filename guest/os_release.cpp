#include "guest/os_release.h"

#include <array>
#include <cctype>
#include <optional>

#include "disk/error.h"

namespace vimg {
namespace {

// Far more than any of these files has.
constexpr std::size_t max_bytes = 64U << 10;

std::optional<std::string> text_of_file(const GuestTree& tree, std::string_view path) {
  try {
    return read_text(tree, path, max_bytes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t start = text.find_first_not_of(blanks);
  if (start == std::string_view::npos) {
    return {};
  }
  return text.substr(start, text.find_last_not_of(blanks) - start + 1);
}

// Cuts the first line off `text`.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

// The first line that is neither empty nor a comment.
std::string first_line(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = trimmed(take_line(text));
    if (!line.empty() && !line.starts_with('#')) {
      return std::string(line);
    }
  }
  return {};
}

// A value without its quotes; within double quotes and outside of any, a backslash makes the next
// character plain.
std::string unquoted(std::string_view value) {
  std::string result;
  char quote = 0;
  for (std::size_t at = 0; at < value.size(); ++at) {
    const char c = value[at];
    if (c == quote || (quote == 0 && (c == '"' || c == '\''))) {
      quote = quote == 0 ? c : '\0';
    } else if (c == '\\' && quote != '\'' && at + 1 < value.size()) {
      result += value[++at];
    } else {
      result += c;
    }
  }
  return result;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.find_first_not_of(
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

// The first number in `text`: "6.10" of "CentOS release 6.10 (Final)".
std::string first_number(std::string_view text) {
  const std::size_t start = text.find_first_of("0123456789");
  if (start == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = text.substr(start);
  return std::string(rest.substr(0, rest.find_first_not_of("0123456789.")));
}

struct ReleaseFile {
  std::string_view path;
  std::string_view id;
  std::string_view name;  // before the content, where that is a version only
};
// Those whose files others have, too (for compatibility) come last.
constexpr std::array<ReleaseFile, 8> release_files{{
    {"/etc/alpine-release", "alpine", "Alpine Linux "},
    {"/etc/arch-release", "arch", "Arch Linux"},
    {"/etc/gentoo-release", "gentoo", ""},
    {"/etc/SuSE-release", "suse", ""},
    {"/etc/fedora-release", "fedora", ""},
    {"/etc/centos-release", "centos", ""},
    {"/etc/redhat-release", "rhel", ""},
    {"/etc/debian_version", "debian", "Debian GNU/Linux "},
}};

std::optional<Release> from_release_files(const GuestTree& tree) {
  for (const ReleaseFile& file : release_files) {
    if (const auto text = text_of_file(tree, file.path)) {
      const std::string line = first_line(*text);
      const std::string id = line.starts_with("CentOS") ? "centos" : std::string(file.id);
      return Release{id, std::string(file.name) + line, first_number(line)};
    }
  }
  return std::nullopt;
}

std::optional<Release> from_variables(const GuestTree& tree, std::string_view path,
                                      const std::array<const char*, 3>& keys) {
  const auto text = text_of_file(tree, path);
  if (!text) {
    return std::nullopt;
  }
  auto variables = parse_os_release(*text);
  Release release{variables[keys[0]], variables[keys[1]], variables[keys[2]]};
  for (char& c : release.id) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return release.id.empty() && release.name.empty() ? std::nullopt : std::optional(release);
}

}  // namespace

std::map<std::string, std::string> parse_os_release(std::string_view text) {
  std::map<std::string, std::string> variables;
  while (!text.empty()) {
    const std::string_view line = trimmed(take_line(text));
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos && is_name(line.substr(0, equals))) {
      variables[std::string(line.substr(0, equals))] = unquoted(line.substr(equals + 1));
    }
  }
  return variables;
}

Release read_release(const GuestTree& tree) {
  constexpr std::array os_release{"ID", "PRETTY_NAME", "VERSION_ID"};
  constexpr std::array lsb_release{"DISTRIB_ID", "DISTRIB_DESCRIPTION", "DISTRIB_RELEASE"};
  for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
    if (auto release = from_variables(tree, path, os_release)) {
      return *release;
    }
  }
  if (auto release = from_variables(tree, "/etc/lsb-release", lsb_release)) {
    return *release;
  }
  return from_release_files(tree).value_or(Release{});
}

std::string read_hostname(const GuestTree& tree) {
  for (const char* path : {"/etc/hostname", "/etc/HOSTNAME"}) {
    std::string name = first_line(text_of_file(tree, path).value_or(""));
    if (!name.empty()) {
      return name;
    }
  }
  const auto network = text_of_file(tree, "/etc/sysconfig/network");
  return network ? parse_os_release(*network)["HOSTNAME"] : std::string();
}

}  // namespace vimg

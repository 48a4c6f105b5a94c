// What OS a tree holds, by the files that distributions leave in /etc.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "guest/path.h"

namespace vimg {

// The variables of an os-release file, as a shell would read them; lines that assign nothing are
// left out.  See os-release(5).
std::map<std::string, std::string> parse_os_release(std::string_view text);

struct Release {
  std::string id;       // "debian"; empty when unknown
  std::string name;     // "Debian GNU/Linux 12 (bookworm)"
  std::string version;  // "12"
};

// From /etc/os-release or /usr/lib/os-release, else from what older distributions have.
// A file that cannot be read counts as missing.
Release read_release(const GuestTree& tree);

// From /etc/hostname, else from what older distributions have; empty when unknown.
std::string read_hostname(const GuestTree& tree);

}  // namespace vimg

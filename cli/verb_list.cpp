// vimg list: what images hold, as a table or as JSON.
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/image_arguments.h"
#include "cli/messages.h"
#include "cli/verb.h"
#include "cli/volume_table.h"
#include "disk/escape.h"
#include "guest/describe.h"

namespace vimg {
namespace {

struct Arguments {
  ImageArguments image;
  std::vector<std::string> paths;
  bool json = false;
  bool bytes = false;
};

void warn(const Guest& guest, const GuestDetails& details, const Streams& streams) {
  for (const Image& image : guest.images()) {
    for (const std::string& warning : image.warnings) {
      print_warning(streams, warning);
    }
  }
  for (const std::string& problem : guest.problems()) {
    print_warning(streams, problem);
  }
  for (const OperatingSystem& system : details.systems) {
    for (const std::string& problem : system.problems) {
      print_warning(streams, fmt::format("{}: {}", system.root->name, problem));
    }
  }
}

// "vg0/root: Debian GNU/Linux 12 (bookworm), host name web1"
std::string system_line(const OperatingSystem& system) {
  const std::string name = !system.name.empty() ? system.name
                           : !system.id.empty() ? system.id
                                                : "an operating system";
  const std::string host =
      system.hostname.empty() ? "" : fmt::format(", host name {}", system.hostname);
  return printable(fmt::format("{}: {}{}", system.root->name, name, host));
}

void print_text(const Guest& guest, const GuestDetails& details, SizeUnit unit, std::ostream& out) {
  volume_table(guest, details, unit).print(out);
  for (const OperatingSystem& system : details.systems) {
    out << system_line(system) << '\n';
  }
}

ExitCode list(const Arguments& arguments, const Streams& streams) {
  const auto guest = Guest::open(arguments.paths, arguments.image.guest_options());
  const GuestDetails details = examine(*guest);
  if (arguments.json) {
    streams.out << describe(*guest, details).dump(2) << '\n';
  } else {
    const SizeUnit unit = arguments.bytes ? SizeUnit::bytes : SizeUnit::for_people;
    print_text(*guest, details, unit, streams.out);
  }
  warn(*guest, details, streams);
  return ExitCode::ok;
}

Verb::Action declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  command.add_option("IMAGE", arguments->paths, "The images of one machine, in its order of disks")
      ->required();
  arguments->image.declare(command);
  command.add_flag("--json", arguments->json, "Print JSON, with \"schema\": 1");
  command.add_flag("-b,--bytes", arguments->bytes, "Print sizes in bytes");
  return [arguments](const Streams& streams) { return list(*arguments, streams); };
}

}  // namespace

extern const Verb list_verb;
const Verb list_verb{"list", "Show disks, partitions, volumes and file systems", declare};

}  // namespace vimg

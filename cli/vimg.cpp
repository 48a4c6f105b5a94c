#include "cli/vimg.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <ostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/messages.h"

namespace vimg {
namespace {

constexpr const char* description =
    "Looks into virtual machine images without mounting them.  See vimg(1).";

// The whole command line, and the action of the verb that it chose.
class CommandLine {
 public:
  CommandLine() : app_(description, "vimg") {
    app_.set_version_flag("--version", "vimg " VIMG_VERSION);
    app_.require_subcommand(1);
    for (const Verb* verb : verbs()) {
      CLI::App* command = app_.add_subcommand(verb->name, verb->summary);
      actions_.push_back({command, verb->declare(*command)});
    }
  }

  // The exit code when there is nothing left to do: --help, --version, wrong usage.
  std::optional<ExitCode> parse(std::vector<std::string> arguments, const Streams& streams) {
    std::ranges::reverse(arguments);  // as CLI11 wants them
    try {
      app_.parse(std::move(arguments));
      return std::nullopt;
    } catch (const CLI::ParseError& error) {
      const int code = app_.exit(error, streams.out, streams.err);
      return code == 0 ? ExitCode::ok : ExitCode::usage;
    }
  }

  ExitCode run(const Streams& streams) {
    const auto chosen = std::ranges::find_if(
        actions_, [](const Choice& choice) { return choice.command->parsed(); });
    return chosen->action(streams);
  }

 private:
  struct Choice {
    CLI::App* command;
    Verb::Action action;
  };

  CLI::App app_;
  std::vector<Choice> actions_;
};

ExitCode run(const std::vector<std::string>& arguments, const Streams& streams) {
  CommandLine line;
  if (const auto done = line.parse(arguments, streams)) {
    return *done;
  }
  return line.run(streams);
}

}  // namespace

ExitCode run_vimg(const std::vector<std::string>& arguments, const Streams& streams) {
  try {
    const ExitCode code = run(arguments, streams);
    if (!streams.out.flush()) {
      print_error(streams, "cannot write the output");
      return ExitCode::cannot_open;
    }
    return code;
  } catch (const Error& error) {
    print_error(streams, error.what());
    return exit_code_for(error);
  } catch (const std::exception& error) {
    print_error(streams, error.what());
    return ExitCode::cannot_open;
  }
}

}  // namespace vimg

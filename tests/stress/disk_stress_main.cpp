// vimg_disk_stress: random writes, zeros and discards on an image, checked against a model; with
// --kill the process that writes is killed again and again.
#include <cstdlib>
#include <iostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "disk/error.h"
#include "tests/stress/disk_options.h"

namespace vimg::stress {

Image open_for_stress(const DiskStressOptions& options, Access access) {
  ImageOptions opening;
  opening.format = options.format;
  opening.access = access;
  // Small, so that tables leave the caches.
  opening.cache_bytes = 4U << 20;
  return open_image(options.image, opening);
}

void check_structure(const DiskStressOptions& options, Repair repair) {
  ImageOptions opening;
  opening.format = options.format;
  const std::optional<CheckReport> report = check_image(options.image, opening, repair);
  if (!report) {
    return;
  }
  const std::uint64_t leaks = report->leaks - report->leaks_fixed;
  if (report->corruptions > 0 || leaks > 0) {
    std::string text = fmt::format("{} corruptions, {} leaks", report->corruptions, leaks);
    for (const std::string& finding : report->findings) {
      text += "\n  " + finding;
    }
    throw_corrupt("check", text);
  }
}

}  // namespace vimg::stress

namespace {

using vimg::stress::DiskStressOptions;

DiskStressOptions parse_options(int argc, char** argv) {
  DiskStressOptions options;
  CLI::App app("Random operations on an image, checked against a model.");
  app.add_option("IMAGE", options.image, "an image that may be written to")->required();
  app.add_option("MODEL", options.model, "is made anew: what the disk holds, raw")->required();
  app.add_option("--format", options.format, "of the image");
  app.add_option("--seconds", options.seconds, "how long");
  app.add_option("--threads", options.threads, "how many at once")->check(CLI::Range(1, 64));
  app.add_option("--seed", options.seed, "the same seed makes the same choices");
  app.add_option("--kill", options.kills, "kill the process that writes so many times");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const DiskStressOptions options = parse_options(argc, argv);
    options.kills > 0 ? run_kills(options) : run_random(options);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "vimg_disk_stress: " << error.what() << "\n";
    return 1;
  }
}

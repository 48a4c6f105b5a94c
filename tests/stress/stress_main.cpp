// vimg_stress: random operations on a mounted file system by several processes, each checked
// against a model of what it has done.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "tests/stress/manifest.h"
#include "tests/stress/operations.h"
#include "tests/stress/verify.h"
#include "tests/stress/worker.h"

namespace {

using namespace vimg::stress;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string directory;
  unsigned seconds = 60;
  unsigned processes = 4;
  std::uint64_t seed = 1;
  std::uint64_t steps = 0;  // 0: as many as there is time for
  std::uint64_t megabytes = 48;
  std::uint64_t max_offset = std::uint64_t(1) << 31;
  unsigned verify_seconds = 20;
  bool no_xattr = false;
  bool sync_before_seek = false;
  std::vector<std::string> skipped;
  std::string save;
  std::string verify_only;
};

Options parse_options(int argc, char** argv) {
  Options options;
  CLI::App app("Random operations on a file system, checked against a model.");
  app.add_option("--dir", options.directory, "a directory on it; pN and shared are made there")
      ->required();
  app.add_option("--seconds", options.seconds, "how long");
  app.add_option("--processes", options.processes, "how many at once");
  app.add_option("--seed", options.seed, "the same seed makes the same choices");
  app.add_option("--steps", options.steps, "end each process after so many operations");
  app.add_option("--megabytes", options.megabytes, "data that all processes may hold together");
  app.add_option("--max-offset", options.max_offset, "where the longest sparse file ends");
  app.add_option("--verify-seconds", options.verify_seconds, "time between whole verifications");
  app.add_flag("--no-xattr", options.no_xattr, "leave extended attributes alone");
  app.add_flag("--sync-before-seek", options.sync_before_seek,
               "fsync a file before SEEK_DATA and SEEK_HOLE");
  app.add_option("--skip", options.skipped, "an operation to leave out; may be given again")
      ->allow_extra_args(false);
  app.add_option("--save", options.save, "write what the tree holds at the end to this file");
  app.add_option("--verify-only", options.verify_only, "compare the tree with such a file");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

void make_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0777) != 0) {
    throw std::runtime_error(path + ": " + std::strerror(errno));
  }
}

// The body of a child: ends the process with 0, or with 1 at the first difference.
[[noreturn]] void run_worker(const WorkerOptions& worker_options, const Options& options) {
  Worker worker(worker_options);
  const auto end = Clock::now() + std::chrono::seconds(options.seconds);
  auto next_verification = Clock::now() + std::chrono::seconds(options.verify_seconds);
  std::uint64_t operations = 0;
  const auto choices = weighted_operations(options.skipped);
  while (Clock::now() < end && (options.steps == 0 || operations < options.steps)) {
    worker.random().pick(choices)->run(worker);
    ++operations;
    if (Clock::now() >= next_verification) {
      verify_tree(worker);
      next_verification = Clock::now() + std::chrono::seconds(options.verify_seconds);
    }
  }
  verify_tree(worker);
  fmt::print("process {}: {} operations, {} nodes, no difference\n", worker_options.number,
             operations, worker.model().count());
  std::fflush(stdout);
  _exit(0);
}

std::vector<pid_t> start_workers(const Options& options) {
  Abilities abilities = probe_abilities(options.directory);
  abilities.xattrs = abilities.xattrs && !options.no_xattr;
  fmt::print("seed {}: xattrs {}, nanoseconds {}, times after 2038 {}\n", options.seed,
             abilities.xattrs, abilities.nanoseconds, abilities.times_after_2038);
  std::fflush(stdout);
  const std::string shared = options.directory + "/shared";
  make_directory(shared);
  std::vector<pid_t> children;
  for (unsigned number = 0; number < options.processes; ++number) {
    const std::string directory = fmt::format("{}/p{}", options.directory, number);
    make_directory(directory);
    const pid_t child = fork();
    if (child == 0) {
      run_worker(
          {directory, shared, options.seed, number, options.megabytes * 256 / options.processes,
           options.max_offset, abilities, options.sync_before_seek},
          options);
    }
    children.push_back(child);
  }
  return children;
}

// How many of the children have not ended well.
int wait_for(const std::vector<pid_t>& children) {
  int failed = 0;
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      fmt::print(stderr, "process {} ended with status {:#x}\n", child, status);
      ++failed;
    }
  }
  return failed;
}

int verify_manifest(const Options& options) {
  const auto found = differences(load_manifest(options.verify_only), scan_tree(options.directory));
  for (const std::string& difference : found) {
    fmt::print(stderr, "{}\n", difference);
  }
  fmt::print("{} differences\n", found.size());
  return found.empty() ? 0 : 1;
}

int run(const Options& options) {
  if (!options.verify_only.empty()) {
    return verify_manifest(options);
  }
  umask(0);
  if (wait_for(start_workers(options)) != 0) {
    return 1;
  }
  if (!options.save.empty()) {
    save_manifest(scan_tree(options.directory), options.save);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(parse_options(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << "vimg_stress: " << error.what() << "\n";
    return 3;
  }
}

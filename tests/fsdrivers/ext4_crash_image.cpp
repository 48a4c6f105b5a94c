#include "tests/fsdrivers/ext4_crash_image.h"

#include <span>

#include <doctest/doctest.h>

#include "tests/support/host.h"

namespace vimg::test {
namespace {

constexpr const char* orphan_commands = R"(write DIR/data dead
write DIR/data cut
write DIR/data kept
unlink dead
sif <12> links_count 0
sif <12> dtime 13
sif <13> size 1500
sif <13> dtime 0
ssv last_orphan 12
)";

constexpr const char* journal_commands = R"(jo OPTIONS
jw -b 3000-3002 DIR/j
jw -b 3001 DIR/k
jw -r 3002
jc
)";

std::vector<std::byte> bytes(const std::string& text) {
  const auto* const start = std::as_bytes(std::span(text)).data();
  return {start, start + text.size()};
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    text.replace(at, what.size(), with);
  }
  return text;
}

void run_debugfs(const TemporaryDirectory& directory, const std::string& commands) {
  write_file(directory / "commands", bytes(replaced(commands, "DIR", directory.path())));
  must_run("debugfs -w -f " + (directory / "commands") + " " + (directory / "image"));
}

}  // namespace

bool have_e2fsprogs() {
  const bool found = have("mke2fs") && have("debugfs") && have("e2fsck");
  if (!found) {
    MESSAGE("skipped: no mke2fs, debugfs or e2fsck");
  }
  return found;
}

std::vector<std::byte> make_crash_image(const std::string& features,
                                        const std::string& journal_options) {
  const TemporaryDirectory directory;
  write_file(directory / "data", bytes(std::string(30000, 'D')));
  write_file(directory / "j", bytes(std::string(3072, 'J')));
  write_file(directory / "k", bytes("\xC0\x3B\x39\x98" + std::string(1020, 'K')));
  must_run("truncate -s 4M " + (directory / "image") +
           " && mke2fs -q -F -t ext4 -b 1024 -J size=1 -O ^resize_inode," + features + " " +
           (directory / "image"));
  run_debugfs(directory, orphan_commands);
  run_debugfs(directory, replaced(journal_commands, "OPTIONS", journal_options));
  return read_file(directory / "image");
}

Verdict check_with_e2fsck(const std::vector<std::byte>& image) {
  const TemporaryDirectory directory;
  write_file(directory / "image", image);
  const CommandResult result = run("e2fsck -fn " + (directory / "image"));
  return {result.exit_code, result.output};
}

}  // namespace vimg::test

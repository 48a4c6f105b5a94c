// Sources opened on files that the usual tools have made.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "disk/error.h"
#include "sources/source.h"

namespace vimg::test {

// Files in memory beside the one that is opened.
class TestSourceContext final : public SourceContext {
 public:
  explicit TestSourceContext(std::string name) : name_(std::move(name)) {}

  const std::string& file_name() const override { return name_; }
  std::vector<std::string> file_names(std::string_view prefix) const override;
  DiskPtr open_file(std::string_view name) override;
  std::uint64_t cache_bytes() const override { return 16U << 20; }
  void warn(const std::string& message) override { warnings.push_back(message); }

  std::map<std::string, DiskPtr, std::less<>> files;
  std::vector<std::string> warnings;

 private:
  const std::string name_;
};

// `length` bytes with runs of zeros, of text and of noise; always the same.
std::vector<std::byte> mixed_content(std::size_t length);

// What `command`, a shell command from stdin to stdout, makes of `content`.
std::vector<std::byte> piped(const std::vector<std::byte>& content, const std::string& command);

std::vector<std::byte> content_of(const Disk& disk);

// The one image in `file`, which is called `name`, as the source found by its content has it.
DiskPtr open_source(std::vector<std::byte> file, const std::string& name);

// The error of opening and reading all of it.  Fails the test when there is none.
Error refusal_of(std::vector<std::byte> file, const std::string& name);

// Reads at many places and compares with `content`.
void check_random_reads(const Disk& disk, const std::vector<std::byte>& content);

}  // namespace vimg::test

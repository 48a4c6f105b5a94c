#include "sources/unpack.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/file_io.h"
#include "disk/temporary_file.h"
#include "sources/host_disk.h"

namespace vimg {
namespace {

constexpr std::size_t input_size = 256U << 10;
constexpr std::size_t output_size = 256U << 10;
constexpr std::size_t hole_size = 4096;  // bytes, of what is left out when it is zeros
constexpr char file_name[] = "temporary file";

// The file as the decoder sees it: in large reads.
class Input {
 public:
  explicit Input(const Disk& file) : file_(file), buffer_(input_size) {}

  ConstBytes next() {
    if (rest_.empty()) {
      const auto length = std::min<std::uint64_t>(buffer_.size(), file_.size() - read_);
      file_.read(read_, Bytes(buffer_).first(length));
      read_ += length;
      rest_ = ConstBytes(buffer_).first(length);
    }
    return rest_;
  }
  void take(std::size_t count) { rest_ = rest_.subspan(count); }
  std::uint64_t offset() const noexcept { return read_ - rest_.size(); }

  bool only_zeros_follow() {
    while (!next().empty()) {
      if (!all_zero(next())) {
        return false;
      }
      take(rest_.size());
    }
    return true;
  }

 private:
  const Disk& file_;
  std::vector<std::byte> buffer_;
  ConstBytes rest_;
  std::uint64_t read_ = 0;
};

void write_data(int fd, std::uint64_t offset, ConstBytes data) {
  while (!data.empty()) {
    const ConstBytes part = data.first(std::min(hole_size, data.size()));
    if (!all_zero(part)) {
      write_file_range(fd, offset, part, file_name);
    }
    data = data.subspan(part.size());
    offset += part.size();
  }
}

// Every step consumes or produces something and no byte is consumed twice, so this ends; what comes
// of a byte is bounded by the compression.
std::uint64_t unpack_to(int fd, const Disk& file, StreamDecoder& decoder, std::string_view layer) {
  Input input(file);
  std::vector<std::byte> output(output_size);
  std::uint64_t size = 0;
  bool at_end = false;
  while (true) {
    const ConstBytes in = input.next();
    if (at_end && (in.empty() || (in[0] == std::byte{0} && input.only_zeros_follow()))) {
      return size;
    }
    const std::uint64_t offset = input.offset();
    const StreamDecoder::Step step = within(fmt::format("{}: at {:#x}", layer, offset),
                                            [&] { return decoder.decode(in, output); });
    if (step.consumed == 0 && step.produced == 0 && !step.at_end) {
      throw_corrupt(layer, fmt::format("file ends at {:#x}, within a compressed stream", offset));
    }
    write_data(fd, size, ConstBytes(output).first(step.produced));
    size += step.produced;
    input.take(step.consumed);
    at_end = step.at_end;
  }
}

}  // namespace

DiskPtr unpack(const Disk& file, StreamDecoder& decoder, std::string_view layer) {
  FileDescriptor fd = make_temporary_file();
  const std::uint64_t size = unpack_to(fd.get(), file, decoder, layer);
  if (ftruncate(fd.get(), off_t(size)) != 0) {
    throw_errno(errno, file_name, fmt::format("cannot be made {:#x} bytes long", size));
  }
  return make_host_disk(std::move(fd), file_name, Access::read_only);
}

}  // namespace vimg

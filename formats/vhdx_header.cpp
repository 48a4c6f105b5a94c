#include "formats/vhdx_header.h"

#include <limits>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/crc32c.h"
#include "disk/error.h"

namespace vimg::vhdx {
namespace {

// Throws Error unless the log that `header` names can be one.
void validate_log(const Header& header, std::uint64_t file_size) {
  const std::uint64_t offset = header.log_offset;
  const std::uint64_t length = header.log_length;
  if (length == 0 && is_zero(header.log_guid)) {
    return;
  }
  if (offset < header_section_size || offset % mib != 0 || length % mib != 0 || length == 0) {
    throw_corrupt(layer, fmt::format("log at {:#x} (+{:#x}) is not aligned to 1 MiB behind the "
                                     "headers",
                                     offset, length));
  }
  if (!fits(offset, length, file_size)) {
    throw_corrupt(layer, fmt::format("log at {:#x} (+{:#x}) lies beyond the file end {:#x}", offset,
                                     length, file_size));
  }
}

void validate(const Header& header, std::uint64_t file_size) {
  if (header.version != 1) {
    throw_unsupported(
        layer, fmt::format("version {} is not supported, only 1 is", header.version.value()));
  }
  if (header.log_version != 0) {
    throw_unsupported(layer, fmt::format("log version {} is not supported, only 0 is",
                                         header.log_version.value()));
  }
  validate_log(header, file_size);
}

}  // namespace

std::uint32_t checksum_of(ConstBytes object, std::size_t checksum_offset) {
  constexpr std::array<std::byte, sizeof(le32)> zeros{};
  std::uint32_t crc = crc32c_update(0xffffffff, object.first(checksum_offset));
  crc = crc32c_update(crc, zeros);
  return ~crc32c_update(crc, object.subspan(checksum_offset + zeros.size()));
}

bool has_signature(const Disk& file) {
  return file.size() >= file_signature.size() &&
         read_object<std::array<char, 8>>(file, 0) == file_signature;
}

std::optional<Header> read_header(const Disk& file, unsigned copy) {
  if (!fits(header_offsets[copy], sizeof(Header), file.size())) {
    return std::nullopt;
  }
  const auto header = read_object<Header>(file, header_offsets[copy]);
  if (header.signature != header_signature ||
      header.checksum != checksum_of(bytes_of(header), offsetof(Header, checksum))) {
    return std::nullopt;
  }
  return header;
}

CurrentHeader read_current_header(const Disk& file) {
  if (!has_signature(file)) {
    throw_corrupt(layer, "the signature \"vhdxfile\" is missing");
  }
  const std::array copies{read_header(file, 0), read_header(file, 1)};
  if (!copies[0] && !copies[1]) {
    throw_corrupt(layer, "neither header has a valid signature and checksum");
  }
  // Disk2vhd writes both copies with one sequence number; they are the same then.
  if (copies[0] && copies[1] && copies[0]->sequence_number == copies[1]->sequence_number &&
      copies[0]->checksum != copies[1]->checksum) {
    throw_corrupt(layer, fmt::format("both headers have the sequence number {} and differ",
                                     copies[0]->sequence_number.value()));
  }
  const bool first = copies[0] && (!copies[1] || copies[0]->sequence_number.value() >=
                                                     copies[1]->sequence_number.value());
  const CurrentHeader current{first ? *copies[0] : *copies[1], first ? 0U : 1U};
  validate(current.header, file.size());
  return current;
}

void update_headers(Disk& file, CurrentHeader& current, const Header& wanted) {
  file.flush();
  for (int i = 0; i < 2; ++i) {
    const std::uint64_t sequence = current.header.sequence_number;
    if (sequence == std::numeric_limits<std::uint64_t>::max()) {
      throw_corrupt(layer, "the headers' sequence number cannot be raised any more");
    }
    Header next = wanted;
    next.sequence_number = sequence + 1;
    next.checksum = checksum_of(bytes_of(next), offsetof(Header, checksum));
    const unsigned copy = 1 - current.copy;
    file.write(header_offsets[copy], bytes_of(next));
    file.flush();
    current = {next, copy};
  }
}

}  // namespace vimg::vhdx

// What holds for every format's driver.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/driver.h"

namespace vimg::test {

// A small image as QEMU writes it: made by `qemu-img create`, then changed by each of the qemu-io
// commands ("write -P 1 0 64k").
std::vector<std::byte> written_by_qemu(const std::string& format, const std::string& create,
                                       const std::vector<std::string>& commands);

// The content that qemu-img decodes the image to.
std::vector<std::byte> decoded_by_qemu(const std::string& format,
                                       const std::vector<std::byte>& image);

// The content that the driver decodes the image to.
std::vector<std::byte> decoded(const FormatDriver& driver, const std::vector<std::byte>& image);

// The n-th read of the image fails, for every n until none does: each time an Error comes of it, or
// the right content.
void check_read_faults(const FormatDriver& driver, const std::vector<std::byte>& image);

// The errno of opening the image and reading all of it; 0 when that works.
int error_of(const FormatDriver& driver, const std::vector<std::byte>& image);

// The message of the same; empty when that works.
std::string message_of(const FormatDriver& driver, const std::vector<std::byte>& image);

// A new image in memory; `options` as CreateOptions takes them.
DiskPtr new_image(const FormatDriver& driver, std::uint64_t size, const char* options = "");

// What the driver's check says of `file`.
CheckReport check(const FormatDriver& driver, const DiskPtr& file, Repair repair = Repair::nothing);

// `image` with the bytes of `value` at `offset`.
template <OnDisk T>
std::vector<std::byte> patched(std::vector<std::byte> image, std::size_t offset, T value) {
  store(Bytes(image), offset, value);
  return image;
}

}  // namespace vimg::test

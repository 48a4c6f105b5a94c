// The places at which a gzip file can be entered, found by decoding it once.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/disk.h"
#include "disk/file_descriptor.h"

namespace vimg {

struct GzipPoint {
  std::uint64_t offset;  // of the content
  std::uint64_t place;   // in the file
  unsigned bits;         // of the byte before `place` that belong to what follows: 0 to 7
  unsigned window;       // bytes of content before `offset` that are referred to, kept aside
  bool is_member;        // a gzip header stands at `place`; else a deflate block begins there
};

struct GzipIndex {
  std::vector<GzipPoint> points;
  std::uint64_t size = 0;     // bytes, of the content
  std::uint64_t largest = 0;  // bytes between two points
  FileDescriptor windows;     // point n's window at n * gzip_window_size, in a temporary file
};

constexpr std::uint64_t gzip_window_size = 32U << 10;  // RFC 1951
constexpr std::uint64_t gzip_spacing = 2U << 20;       // bytes of content between points, or more

// Zeros may follow the last member.  Throws Error(EUCLEAN) where the file is broken or ends within
// a member; every checksum was verified.
GzipIndex read_gzip_index(const Disk& file);

// Fills `out` with the content from point `index` on.  Threads: any.
void decode_gzip(const Disk& file, const GzipIndex& index, std::size_t point, Bytes out);

}  // namespace vimg

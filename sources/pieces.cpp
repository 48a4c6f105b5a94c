#include "sources/pieces.h"

#include <algorithm>
#include <utility>

#include "disk/decoded_blocks.h"
#include "disk/read_ahead.h"

namespace vimg {
namespace {

class PieceDisk final : public Disk {
 public:
  PieceDisk(std::vector<std::uint64_t> starts, std::uint64_t size, std::uint64_t largest,
            std::unique_ptr<const PieceDecoder> decoder, std::uint64_t cache_bytes)
      : starts_(std::move(starts)),
        size_(size),
        decoder_(std::move(decoder)),
        decode_([this](std::uint64_t index, Bytes out) {
          decoder_->decode(index, out.first(end_of(index) - starts_[index]));
        }),
        blocks_(largest, cache_bytes),
        read_ahead_(blocks_.window()) {}

  std::uint64_t size() const noexcept override { return size_; }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override {
    fetch_ahead(offset, out.size());
    while (!out.empty()) {
      const std::size_t index = index_at(offset);
      const std::uint64_t skip = offset - starts_[index];
      const std::size_t length = std::min<std::uint64_t>(out.size(), end_of(index) - offset);
      const BlockCache::Block block = blocks_.get(index, decode_);
      std::ranges::copy(ConstBytes(*block).subspan(skip, length), out.begin());
      out = out.subspan(length);
      offset += length;
    }
  }

  // The piece that holds `offset`, which lies on the disk.
  std::size_t index_at(std::uint64_t offset) const noexcept {
    return std::size_t(std::ranges::upper_bound(starts_, offset) - starts_.begin()) - 1;
  }
  std::uint64_t end_of(std::size_t index) const noexcept {
    return index + 1 < starts_.size() ? starts_[index + 1] : size_;
  }

  // Every piece of the range but the first, which the caller needs at once.
  void fetch_ahead(std::uint64_t offset, std::uint64_t length) const {
    const ReadAhead::Range range = read_ahead_.note(offset, offset + length);
    const std::uint64_t end = std::min(range.end, size_);
    if (range.begin >= end) {
      return;
    }
    for (std::size_t i = index_at(std::max(range.begin, offset)); i < starts_.size(); ++i) {
      if (starts_[i] >= end) {
        return;
      }
      if (starts_[i] > offset) {
        blocks_.prefetch(i, decode_);
      }
    }
  }

  const std::vector<std::uint64_t> starts_;
  const std::uint64_t size_;
  const std::unique_ptr<const PieceDecoder> decoder_;
  const DecodedBlocks::Decode decode_;
  mutable DecodedBlocks blocks_;  // refers to what stands above it
  mutable ReadAhead read_ahead_;
};

}  // namespace

DiskPtr make_piece_disk(std::vector<std::uint64_t> starts, std::uint64_t size,
                        std::unique_ptr<const PieceDecoder> decoder, std::uint64_t cache_bytes) {
  std::uint64_t largest = 1;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    largest = std::max(largest, (i + 1 < starts.size() ? starts[i + 1] : size) - starts[i]);
  }
  return std::make_shared<PieceDisk>(std::move(starts), size, largest, std::move(decoder),
                                     cache_bytes);
}

}  // namespace vimg

#include "formats/qcow2_stream.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "formats/qcow2_create.h"
#include "formats/qcow2_encoder.h"
#include "formats/qcow2_map.h"
#include "formats/qcow2_reader.h"
#include "formats/qcow2_writer.h"

namespace vimg::qcow2 {
namespace {

constexpr std::uint64_t map_cache_bytes = 4U << 20;
constexpr std::uint64_t writer_cache_bytes = 2U << 20;

class CompressedStream final : public ImageStream {
 public:
  CompressedStream(const Header& header, const DiskPtr& file)
      : compression_(header.compression),
        cluster_size_(header.cluster_size()),
        size_(header.size),
        map_(Geometry(header), file, header.l1_offset,
             read_l1(*file, header.l1_offset, header.l1_count), map_cache_bytes),
        reader_(header, {file, file, nullptr}, map_, header.size, HostExtents::unnamed, 0),
        writer_(header, {file, file, nullptr}, map_, reader_, writer_cache_bytes) {}

  std::uint64_t block_size() const noexcept override { return cluster_size_; }
  std::vector<std::byte> encode(ConstBytes block) const override;
  void append(std::uint64_t offset, ConstBytes encoded) override;
  void finish() override { writer_.close(); }

 private:
  std::unique_ptr<Encoder> take_encoder() const;
  void give_back(std::unique_ptr<Encoder> encoder) const;

  const Compression compression_;
  const std::uint64_t cluster_size_;
  const std::uint64_t size_;
  ClusterMap map_;
  const Reader reader_;
  Writer writer_;
  mutable std::mutex mutex_;  // guards the spare encoders; never held while encoding
  mutable std::vector<std::unique_ptr<Encoder>> encoders_;
};

// A whole cluster, as it is, stands for one that does not become smaller.
std::vector<std::byte> CompressedStream::encode(ConstBytes block) const {
  std::vector<std::byte> padded;
  if (block.size() < cluster_size_) {
    padded.assign(block.begin(), block.end());
    padded.resize(cluster_size_);
    block = padded;
  }
  std::vector<std::byte> encoded(cluster_size_);
  std::unique_ptr<Encoder> encoder = take_encoder();
  const std::size_t length = encoder->encode(block, Bytes(encoded).first(cluster_size_ - 1));
  give_back(std::move(encoder));
  if (length == 0) {
    std::ranges::copy(block, encoded.begin());
    return encoded;
  }
  encoded.resize(length);
  return encoded;
}

void CompressedStream::append(std::uint64_t offset, ConstBytes encoded) {
  if (encoded.size() < cluster_size_) {
    writer_.append_compressed(offset, encoded);
  } else {
    writer_.write(offset, encoded.first(std::min(cluster_size_, size_ - offset)));
  }
}

std::unique_ptr<Encoder> CompressedStream::take_encoder() const {
  {
    const std::lock_guard lock(mutex_);
    if (!encoders_.empty()) {
      std::unique_ptr<Encoder> encoder = std::move(encoders_.back());
      encoders_.pop_back();
      return encoder;
    }
  }
  return std::make_unique<Encoder>(compression_);
}

void CompressedStream::give_back(std::unique_ptr<Encoder> encoder) const {
  const std::lock_guard lock(mutex_);
  encoders_.push_back(std::move(encoder));
}

}  // namespace

std::unique_ptr<ImageStream> open_stream(DiskPtr file, NewImage image) {
  if (!image.compress) {
    return nullptr;
  }
  create(*file, std::move(image));
  return std::make_unique<CompressedStream>(read_header(*file), file);
}

}  // namespace vimg::qcow2

#include "formats/block_disk.h"

#include <exception>
#include <utility>

#include "formats/block_reader.h"
#include "formats/block_writer.h"

namespace vimg {
namespace {

class BlockDisk final : public Disk {
 public:
  BlockDisk(std::unique_ptr<const BlockMap> map, BlockDiskParts parts)
      : map_(std::move(map)), reader_(*map_, std::move(parts), BlockReader::HostExtents::named) {}

  std::uint64_t size() const noexcept override { return reader_.parts().size; }
  std::uint32_t sector_size() const noexcept override { return reader_.parts().sector_size; }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override { reader_.read(offset, out); }
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override {
    return reader_.extent(offset, max);
  }

  const std::unique_ptr<const BlockMap> map_;
  const BlockReader reader_;
};

class WritableBlockDisk final : public Disk {
 public:
  WritableBlockDisk(std::unique_ptr<WritableBlockMap> map, BlockDiskParts parts)
      : map_(std::move(map)),
        reader_(*map_, std::move(parts), BlockReader::HostExtents::unnamed),
        writer_(*map_, reader_) {}

  // Who wants to know whether it worked has called flush().
  ~WritableBlockDisk() override {
    try {
      writer_.close();
    } catch (const std::exception&) {
      // Nobody can be told any more.
    }
  }

  std::uint64_t size() const noexcept override { return reader_.parts().size; }
  std::uint32_t sector_size() const noexcept override { return reader_.parts().sector_size; }
  bool writable() const noexcept override { return true; }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override { reader_.read(offset, out); }
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override {
    return reader_.extent(offset, max);
  }
  void do_write(std::uint64_t offset, ConstBytes data) override { writer_.write(offset, data); }
  void do_write_zeros(std::uint64_t offset, std::uint64_t length) override {
    writer_.write_zeros(offset, length);
  }
  void do_discard(std::uint64_t offset, std::uint64_t length) override {
    writer_.discard(offset, length);
  }
  void do_flush() override { writer_.flush(); }

  const std::unique_ptr<WritableBlockMap> map_;
  const BlockReader reader_;
  BlockWriter writer_;
};

}  // namespace

void BlockMap::decode(std::uint64_t, Bytes) const {}

void WritableBlockMap::mark_written(std::uint64_t, std::uint64_t) {}

bool WritableBlockMap::publish_zero(std::uint64_t) { return false; }

DiskPtr make_block_disk(std::unique_ptr<const BlockMap> map, BlockDiskParts parts) {
  return std::make_shared<BlockDisk>(std::move(map), std::move(parts));
}

DiskPtr make_writable_block_disk(std::unique_ptr<WritableBlockMap> map, BlockDiskParts parts) {
  return std::make_shared<WritableBlockDisk>(std::move(map), std::move(parts));
}

}  // namespace vimg

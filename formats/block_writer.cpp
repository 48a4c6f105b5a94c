#include "formats/block_writer.h"

#include <algorithm>
#include <array>

#include "disk/checked.h"

namespace vimg {
namespace {

constexpr std::uint64_t copy_size = 64U << 10;

}  // namespace

// One thread's right to allocate a block.
class BlockWriter::Claim {
 public:
  Claim(BlockWriter& writer, std::uint64_t block) : writer_(writer), block_(block) {
    std::unique_lock lock(writer_.mutex_);
    writer_.released_.wait(lock, [&] { return !writer_.claimed_.contains(block_); });
    writer_.claimed_.insert(block_);
  }
  ~Claim() {
    const std::lock_guard lock(writer_.mutex_);
    writer_.claimed_.erase(block_);
    writer_.released_.notify_all();
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

 private:
  BlockWriter& writer_;
  const std::uint64_t block_;
};

BlockWriter::BlockWriter(WritableBlockMap& map, const BlockReader& reader)
    : map_(map), reader_(reader), file_(*reader.parts().file) {}

void BlockWriter::begin() {
  const std::lock_guard lock(mutex_);
  if (!begun_) {
    map_.begin();
    begun_ = true;
  }
}

BlockWriter::Range BlockWriter::block_at(std::uint64_t offset) const noexcept {
  const std::uint64_t begin = round_down(offset, map_.block_size());
  return {begin, std::min(begin + map_.block_size(), reader_.parts().size)};
}

void BlockWriter::write(std::uint64_t offset, ConstBytes data) {
  begin();
  while (!data.empty()) {
    const BlockRun run = map_.find(offset, data.size());
    if (run.kind == BlockRun::Kind::data) {
      write_in_place(run, offset, data.first(run.length));
      data = data.subspan(run.length);
      offset += run.length;
      continue;
    }
    const std::uint64_t length =
        std::min<std::uint64_t>(block_at(offset).end - offset, data.size());
    allocate(offset, data.first(length));
    data = data.subspan(length);
    offset += length;
  }
}

void BlockWriter::write_in_place(const BlockRun& run, std::uint64_t offset, ConstBytes data) {
  map_.mark_written(offset, data.size());
  file_.write(run.place, data);
}

// Somebody else may have allocated the block since it was found unmapped; allocate() then gives the
// same place again or the map says that it is data, and only `data` is left to write.
void BlockWriter::allocate(std::uint64_t offset, ConstBytes data) {
  const Range block = block_at(offset);
  const Claim claim(*this, block.begin);
  if (const BlockRun run = map_.find(offset, data.size());
      run.kind == BlockRun::Kind::data && run.length == data.size()) {
    write_in_place(run, offset, data);
    return;
  }
  const std::uint64_t place = [&] {
    const std::lock_guard lock(mutex_);
    return map_.allocate(block.begin);
  }();
  copy_old({block.begin, offset}, place);
  file_.write(place + (offset - block.begin), data);
  const std::uint64_t end = offset + data.size();
  copy_old({end, block.end}, place + (end - block.begin));
  const std::lock_guard lock(mutex_);
  map_.publish(block.begin, place);
}

// Copies what the disk holds in `range` to `place`, where zeros are, but for what lies there
// already.
void BlockWriter::copy_old(Range range, std::uint64_t place) {
  std::array<std::byte, copy_size> buffer;
  while (range.begin < range.end) {
    const BlockRun run = map_.find(range.begin, range.end - range.begin);
    const std::uint64_t length = std::min(run.length, copy_size);
    const bool is_unmapped = run.kind == BlockRun::Kind::unmapped && reader_.parts().backing;
    if (is_unmapped || run.kind == BlockRun::Kind::encoded) {
      const Bytes old = Bytes(buffer).first(length);
      reader_.read_run(run, range.begin, old);
      file_.write(place, old);
    }
    const std::uint64_t done =
        is_unmapped || run.kind == BlockRun::Kind::encoded ? length : run.length;
    place += done;
    range.begin += done;
  }
}

void BlockWriter::write_zeros(std::uint64_t offset, std::uint64_t length) {
  begin();
  while (length > 0) {
    const BlockRun run = map_.find(offset, length);
    zero_run(run, offset);
    offset += run.length;
    length -= run.length;
  }
}

void BlockWriter::zero_run(const BlockRun& run, std::uint64_t offset) {
  switch (run.kind) {
    case BlockRun::Kind::data:
      file_.write_zeros(run.place, run.length);
      break;
    case BlockRun::Kind::encoded:
      zero_unmapped(offset, run.length);
      break;
    case BlockRun::Kind::unmapped:
      if (reader_.parts().backing) {
        zero_unmapped(offset, run.length);
      }
      break;
    case BlockRun::Kind::zero:
      break;
  }
}

void BlockWriter::zero_unmapped(std::uint64_t offset, std::uint64_t length) {
  static constexpr std::array<std::byte, copy_size> zeros{};
  while (length > 0) {
    const Range block = block_at(offset);
    std::uint64_t done = std::min({block.end - offset, length, copy_size});
    if (offset == block.begin && length >= block.end - block.begin && publish_zero(block)) {
      done = block.end - block.begin;
    } else {
      write(offset, ConstBytes(zeros).first(done));
    }
    offset += done;
    length -= done;
  }
}

bool BlockWriter::publish_zero(Range block) {
  const Claim claim(*this, block.begin);
  const std::lock_guard lock(mutex_);
  return is_unmapped(block) && map_.publish_zero(block.begin);
}

bool BlockWriter::is_unmapped(Range block) const {
  const BlockRun run = map_.find(block.begin, block.end - block.begin);
  return run.kind == BlockRun::Kind::unmapped && run.length == block.end - block.begin;
}

// What is not mapped stays as it was.
void BlockWriter::discard(std::uint64_t offset, std::uint64_t length) {
  begin();
  while (length > 0) {
    const BlockRun run = map_.find(offset, length);
    if (run.kind == BlockRun::Kind::data) {
      file_.write_zeros(run.place, run.length);
    }
    offset += run.length;
    length -= run.length;
  }
}

void BlockWriter::flush() {
  {
    const std::lock_guard lock(mutex_);
    map_.flush();
  }
  file_.flush();
}

void BlockWriter::close() {
  if (begun_) {
    flush();
    map_.end();
    file_.flush();
  }
}

}  // namespace vimg

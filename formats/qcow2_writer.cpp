#include "formats/qcow2_writer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::qcow2 {
namespace {

constexpr std::size_t copy_step = 65536;

}  // namespace

// An allocation's clusters, closed to others until the end of the scope; new host clusters are
// given back unless it was linked.
class Writer::Claim {
 public:
  // Under the lock.
  Claim(Writer& writer, const Allocation& allocation)
      : writer_(writer),
        allocation_(allocation),
        place_(writer.allocating_.insert(writer.allocating_.end(), allocation.clusters)) {}
  ~Claim() {
    const std::lock_guard lock(writer_.mutex_);
    writer_.allocating_.erase(place_);
    writer_.allocated_.notify_all();
    if (!linked_ && allocation_.need == Need::allocate && !writer_.geometry_.external_data()) {
      give_back();
    }
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  void set_linked() noexcept { linked_ = true; }

 private:
  void give_back() {
    // Nobody else has seen these clusters, yet they wait like others: it cannot fail here.
    writer_.retired_.push_back(
        {allocation_.host, allocation_.before.size(), writer_.epochs_.now(), no_compressed, false});
  }

  Writer& writer_;
  const Allocation& allocation_;
  const std::list<GuestRange>::iterator place_;
  bool linked_ = false;
};

Writer::Writer(const Header& header, Files files, ClusterMap& map, const Reader& reader,
               std::uint64_t cache_bytes)
    : header_(header),
      geometry_(header),
      files_(std::move(files)),
      map_(map),
      reader_(reader),
      max_changed_bytes_(cache_bytes),
      metadata_(header.cluster_bits),
      refcounts_(header, files_.file, cache_bytes),
      space_(files_.file, refcounts_, metadata_) {}

// Each round writes something, or another thread has allocated what this one wanted to; then the
// next can write in place.
void Writer::write(std::uint64_t offset, ConstBytes data) {
  begin();
  while (!data.empty()) {
    std::uint64_t written = 0;
    {
      const Epochs::Guard inside(&epochs_);
      written = write_in_place(offset, data);
      if (written == 0) {
        written = write_allocating(offset, data);
      }
    }
    offset += written;
    data = data.subspan(written);
  }
}

std::uint64_t Writer::write_in_place(std::uint64_t offset, ConstBytes data) {
  const Mapping run = map_.find(offset, data.size());
  if (run.kind != Mapping::Kind::data || !run.copied) {
    return 0;
  }
  write_host(run.host_offset, data.first(run.length));
  return run.length;
}

void Writer::check_no_table(std::uint64_t host_offset, std::uint64_t length) const {
  if (!geometry_.external_data()) {
    metadata_.check_no_table(host_offset, length);
  }
}

// The file may end before the cluster does.
void Writer::write_host(std::uint64_t host_offset, ConstBytes data) {
  check_no_table(host_offset, data.size());
  if (!fits(host_offset, data.size(), files_.data->size())) {
    const std::lock_guard lock(mutex_);
    grow_data_to(host_offset + data.size());
  }
  files_.data->write(host_offset, data);
}

void Writer::grow_data_to(std::uint64_t end) {
  if (!geometry_.external_data()) {
    space_.check_near_end(end);
    space_.grow_to(end);
  } else if (files_.data->size() < end) {
    // At once to where QEMU has it.
    files_.data->resize(std::max(end, header_.size));
  }
}

std::uint64_t Writer::write_allocating(std::uint64_t offset, ConstBytes data) {
  std::unique_lock lock(mutex_);
  const std::uint64_t cluster_size = geometry_.cluster_size();
  wait_for(lock, {round_down(offset, cluster_size), round_up(offset + data.size(), cluster_size)});
  const Allocation allocation = plan(offset, data.size());
  if (allocation.need == Need::nothing) {
    return 0;
  }
  Claim claim(*this, allocation);
  lock.unlock();
  const GuestRange range = allocation.data;
  copy_old(allocation, {allocation.filled.begin, range.begin});
  write_host(allocation.host + (range.begin - allocation.clusters.begin),
             data.first(range.end - range.begin));
  copy_old(allocation, {range.end, allocation.filled.end});
  const std::lock_guard relock(mutex_);
  link(allocation);
  claim.set_linked();
  limit_changes();
  return range.end - range.begin;
}

// Ends: allocations do not wait for others once they are entered.
void Writer::wait_for(std::unique_lock<std::mutex>& lock, GuestRange range) {
  allocated_.wait(lock, [&] {
    return std::ranges::none_of(allocating_, [&](const GuestRange& other) {
      return range.begin < other.end && other.begin < range.end;
    });
  });
}

// What reads as zeros is not copied, so a sparse backing file does not fill the image.
void Writer::copy_old(const Allocation& allocation, GuestRange range) {
  std::array<std::byte, copy_step> buffer;
  while (range.begin < std::min(range.end, header_.size)) {
    const std::uint64_t length = std::min(range.end, header_.size) - range.begin;
    const Extent extent = reader_.extent(range.begin, length);
    if (extent.kind != Extent::Kind::data) {
      zero_host(allocation, {range.begin, range.begin + extent.length});
      range.begin += extent.length;
      continue;
    }
    const Bytes piece = Bytes(buffer).first(std::min<std::uint64_t>(extent.length, copy_step));
    reader_.read(range.begin, piece);
    write_host(allocation.host + (range.begin - allocation.clusters.begin), piece);
    range.begin += piece.size();
  }
  if (range.begin < range.end) {
    zero_host(allocation, range);
  }
}

void Writer::zero_host(const Allocation& allocation, GuestRange range) {
  if (!allocation.reads_zero) {
    const std::uint64_t host = allocation.host + (range.begin - allocation.clusters.begin);
    check_no_table(host, range.end - range.begin);
    files_.data->write_zeros(host, range.end - range.begin);
  }
}

void Writer::link(const Allocation& allocation) {
  std::vector<Entry> after(allocation.before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    after[i].word = (allocation.host + i * geometry_.cluster_size()) | entry_copied;
    after[i].bitmap = geometry_.extended() ? linked_bitmap(allocation, i) : 0;
  }
  map_.set_entries(allocation.clusters.begin, after);
  if (allocation.need == Need::allocate) {
    for (const Entry& entry : allocation.before) {
      retire(entry, Unused::keep);
    }
  }
}

void Writer::retire(const Entry& entry, Unused unused) {
  const std::uint64_t epoch = epochs_.now();
  if (entry.compressed()) {
    const Mapping stored = geometry_.unit(entry, 0);
    const std::uint64_t first = round_down(stored.host_offset, geometry_.cluster_size());
    const std::uint64_t end = stored.host_offset + stored.stored_length;
    retired_.push_back({first, divide_up(end - first, geometry_.cluster_size()), epoch,
                        stored.host_offset, unused == Unused::discard});
  } else if (geometry_.has_host_cluster(entry) && !geometry_.external_data()) {
    retired_.push_back({entry.host_offset(), 1, epoch, no_compressed, unused == Unused::discard});
  }
}

}  // namespace vimg::qcow2

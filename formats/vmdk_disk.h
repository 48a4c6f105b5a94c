// The disk of a VMDK image: its extents one behind the other.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "disk/disk.h"
#include "formats/vmdk_descriptor.h"

namespace vimg::vmdk {

// The CID in a descriptor, by which children know that the content is what it was.
class ContentId {
 public:
  // `descriptor` is the text's place in `file`; nothing changes when it has no CID.
  ContentId(DiskPtr file, DescriptorPlace descriptor);

  // Writes another one, with as many digits, and flushes it.
  void renew();

 private:
  const DiskPtr file_;
  const DescriptorPlace descriptor_;
};

// Threads: any.
class VmdkDisk final : public Disk {
 public:
  struct Parts {
    std::vector<DiskPtr> extents;      // not empty
    std::optional<std::uint32_t> cid;  // of the content when it was opened
    // Only where it is written: gets a new CID before the first change.
    std::unique_ptr<ContentId> content_id;
  };
  explicit VmdkDisk(Parts parts);

  std::uint64_t size() const noexcept override { return size_; }
  bool writable() const noexcept override { return content_id_ != nullptr; }
  std::optional<std::uint32_t> cid() const noexcept { return cid_; }

 private:
  struct Part {
    std::uint64_t begin;
    DiskPtr disk;
  };
  using Action = std::function<void(Disk&, std::uint64_t offset, std::uint64_t length)>;

  const Part& part_at(std::uint64_t offset) const noexcept;
  void for_each_part(std::uint64_t offset, std::uint64_t length, const Action& action) const;
  void begin_writing();

  void do_read(std::uint64_t offset, Bytes out) const override;
  void do_write(std::uint64_t offset, ConstBytes data) override;
  void do_write_zeros(std::uint64_t offset, std::uint64_t length) override;
  void do_discard(std::uint64_t offset, std::uint64_t length) override;
  void do_flush() override;
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override;

  std::vector<Part> parts_;
  std::uint64_t size_ = 0;
  const std::optional<std::uint32_t> cid_;
  const std::unique_ptr<ContentId> content_id_;
  std::atomic<bool> is_changed_ = false;
  std::mutex mutex_;  // one thread renews the CID
};

}  // namespace vimg::vmdk

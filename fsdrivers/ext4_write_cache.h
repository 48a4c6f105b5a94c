// MetadataCache: the metadata blocks of a file system that is being written, written back late.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "disk/disk.h"

namespace vimg::ext4 {

using Block = std::shared_ptr<const std::vector<std::byte>>;

// Blocks by number over a Disk.  A block's bytes never change: a new version replaces it as a
// whole, so a reader sees one version or the other.  Changed blocks stay in memory until there are
// `dirty_limit` bytes of them or flush() is called; then they go to the Disk in ascending order,
// neighbours in one write.
//
// All members may be called from any thread, but publish() and forget() of one block by one thread
// at a time.
class MetadataCache {
 public:
  MetadataCache(DiskPtr disk, std::uint32_t block_size, std::size_t clean_limit,
                std::size_t dirty_limit);

  std::uint32_t block_size() const noexcept { return block_size_; }
  const DiskPtr& disk() const noexcept { return disk_; }

  // Throws to refuse a block that was just read from the Disk.
  using Verify = std::function<void(ConstBytes)>;
  // The block's newest version.  Throws Error(EUCLEAN) when the block lies beyond the disk.
  Block get(std::uint64_t number, const Verify& verify = {});
  // The block's newest version if it is here.
  Block peek(std::uint64_t number);
  // How often changed blocks became clean ones.
  std::uint64_t write_backs() const noexcept { return write_backs_; }
  // Puts into `data`, which was read from the Disk at `offset`, what is newer here.
  void overlay(std::uint64_t offset, Bytes data) const;

  void publish(std::uint64_t number, Block block);
  // The block holds no metadata any more: what was not written never will be.
  void forget(std::uint64_t number);
  bool wants_write_back() const noexcept;
  // Writes every changed block.  What could not be written stays changed; throws what the Disk
  // throws.
  void write_back();
  // write_back(), and the Disk is flushed.
  void flush();

 private:
  enum class State { clean, dirty, writing };
  struct Entry {
    Block block;
    State state;
    std::list<std::uint64_t>::iterator used;  // valid when clean
  };
  using Batch = std::vector<std::pair<std::uint64_t, Block>>;

  Block find(std::uint64_t number);
  void insert_clean(std::uint64_t number, Block block, std::uint64_t version);
  void evict();
  Batch take_dirty();
  void write(const Batch& batch);
  void settle(const Batch& batch, State state);

  const DiskPtr disk_;
  const std::uint32_t block_size_;
  const std::size_t clean_limit_;  // blocks
  const std::size_t dirty_limit_;  // blocks
  std::atomic<std::size_t> dirty_count_ = 0;
  std::atomic<std::uint64_t> write_backs_ = 0;

  std::mutex write_back_mutex_;  // one write-back at a time; taken before mutex_

  mutable std::mutex mutex_;  // guards the members below; never held across I/O
  std::unordered_map<std::uint64_t, Entry> entries_;
  std::list<std::uint64_t> used_;  // clean blocks, the most recently used first
  std::uint64_t version_ = 0;      // counts publish() and forget()
};

// The Disk beneath `cache` as it will be after the next write-back, for reading and for the few
// writers that know nothing of the cache.
DiskPtr make_metadata_view(std::shared_ptr<MetadataCache> cache);

}  // namespace vimg::ext4

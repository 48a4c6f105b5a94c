// Writer: changes the content of a qcow2 image's disk.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <vector>

#include "disk/disk.h"
#include "formats/qcow2_epochs.h"
#include "formats/qcow2_host_space.h"
#include "formats/qcow2_map.h"
#include "formats/qcow2_metadata.h"
#include "formats/qcow2_reader.h"
#include "formats/qcow2_refcounts.h"

namespace vimg::qcow2 {

// Data goes to the file at once and outside the lock; tables change in memory and are written by
// flush(), or when too much of them has changed, in an order that leaves a usable image wherever
// it is cut short: what is referred to is durable before what refers to it, and nothing is used
// anew before the tables that no longer refer to it are durable.
//
// Threads: any.  Guest clusters that are being allocated are closed to other changes of the map.
class Writer {
 public:
  // `map` and `reader` outlive this.  Throws Error(EUCLEAN) when the refcount table is broken.
  Writer(const Header& header, Files files, ClusterMap& map, const Reader& reader,
         std::uint64_t cache_bytes);

  // As Disk::do_write and so on.
  void write(std::uint64_t offset, ConstBytes data);
  void write_zeros(std::uint64_t offset, std::uint64_t length);
  void discard(std::uint64_t offset, std::uint64_t length);
  // Makes the whole guest cluster at `offset`, which nothing was allocated for, a compressed one of
  // the bytes `stored`, fewer than a cluster.  One caller at a time.
  void append_compressed(std::uint64_t offset, ConstBytes stored);
  void flush();
  // flush(), and then everything that waited for readers, too.  Nobody else may be inside.
  void close();

  // To be inside of while the host clusters that the map names are read.
  Epochs& epochs() const noexcept { return epochs_; }

 private:
  enum class Need {
    nothing,   // all there: write in place
    fill,      // the host cluster is there, but not all of its content
    allocate,  // a new host cluster
  };
  struct GuestRange {
    std::uint64_t begin;
    std::uint64_t end;
  };
  // An allocation under way, of clusters that lie in one L2 slice and, in the file, in a row.
  struct Allocation {
    Need need = Need::nothing;
    std::vector<Entry> before;  // one for each cluster
    std::uint64_t host = 0;     // offset of the first cluster in the data file
    bool reads_zero = false;    // so does the host there
    GuestRange clusters{};      // from a cluster's start
    GuestRange data{};          // what is written
    GuestRange filled{};        // that and what is copied around it
  };
  // Host clusters out of use, but perhaps still being read.
  struct Retired {
    std::uint64_t offset;
    std::uint64_t count;
    std::uint64_t epoch;
    std::uint64_t compressed;  // where a compressed cluster began, else no_compressed
    bool discard;              // tell the file beneath
  };
  class Claim;
  enum class Unused { keep, discard };
  static constexpr std::uint64_t no_compressed = ~std::uint64_t{0};

  void begin();
  void prepare_header();
  void note_tables();
  void write_features(std::uint64_t incompatible, std::uint64_t autoclear);

  std::uint64_t write_in_place(std::uint64_t offset, ConstBytes data);
  std::uint64_t write_allocating(std::uint64_t offset, ConstBytes data);
  void write_host(std::uint64_t host_offset, ConstBytes data);
  void grow_data_to(std::uint64_t end);
  void check_no_table(std::uint64_t host_offset, std::uint64_t length) const;
  Allocation plan(std::uint64_t offset, std::uint64_t length);
  Entry sound_entry(std::uint64_t offset) const;
  bool follows(const Allocation& allocation, Need need, const Entry& entry) const;
  Need need_of(const Entry& entry, GuestRange range) const;
  bool has_content(const Entry& entry) const noexcept;
  std::uint64_t unit_mask(GuestRange range) const noexcept;
  std::uint64_t edge_size(const Allocation& allocation, const Entry& entry,
                          std::uint64_t offset) const;
  void place(Allocation& allocation);
  void set_filled(Allocation& allocation) const;
  void copy_old(const Allocation& allocation, GuestRange range);
  void zero_host(const Allocation& allocation, GuestRange range);
  void link(const Allocation& allocation);
  std::uint64_t linked_bitmap(const Allocation& allocation, std::size_t index) const;

  void make_table_writable(std::uint64_t offset);
  void copy_table(std::uint64_t from, std::uint64_t to);
  void retire(const Entry& entry, Unused unused);

  // Changes what one entry says of `range`, which lies in its cluster; false when it cannot.
  using ChangeEntry = bool (Writer::*)(Entry&, GuestRange) const;
  std::vector<GuestRange> change_entries(GuestRange range, ChangeEntry change);
  void change_slice(GuestRange range, ChangeEntry change, std::vector<GuestRange>& refused);
  bool discard_entry(Entry& entry, GuestRange range) const;
  bool zero_entry(Entry& entry, GuestRange range) const;
  bool zero_subclusters(Entry& entry, GuestRange range) const;
  GuestRange whole_pieces(std::uint64_t offset, std::uint64_t length, std::uint64_t piece) const;
  std::uint64_t zero_length(std::uint64_t offset, std::uint64_t max) const;
  void write_zero_data(GuestRange range);

  void wait_for(std::unique_lock<std::mutex>& lock, GuestRange range);
  bool anything_changed() const;
  void flush_files();
  void write_back();
  void write_refcounts();
  void reclaim();
  void release(const Retired& retired);
  void limit_changes();

  Header header_;
  const Geometry geometry_;
  const Files files_;
  ClusterMap& map_;
  const Reader& reader_;
  const std::uint64_t max_changed_bytes_;
  mutable Epochs epochs_;
  std::atomic<bool> begun_ = false;  // the header says that the image is being written
  std::mutex mutex_;                 // guards all below and the map's changes; never held over data
  std::condition_variable allocated_;
  std::list<GuestRange> allocating_;
  Metadata metadata_;
  Refcounts refcounts_;
  HostSpace space_;
  std::vector<Retired> retired_;
};

}  // namespace vimg::qcow2

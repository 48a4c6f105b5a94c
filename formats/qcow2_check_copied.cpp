#include "formats/qcow2_check_copied.h"

#include <optional>

#include <fmt/format.h>

#include "formats/qcow2_map.h"
#include "formats/qcow2_reference_walk.h"

namespace vimg::qcow2 {
namespace {

class CopiedFlags {
 public:
  CopiedFlags(const Header& header, Disk& file, Refcounts& refcounts, Repair repair,
              CheckReport& report)
      : header_(header),
        geometry_(header),
        file_(file),
        refcounts_(refcounts),
        repair_(repair),
        report_(report) {}

  void run() {
    const auto l1 = read_l1(file_, header_.l1_offset, header_.l1_count);
    for (std::size_t index = 0; index < l1.size(); ++index) {
      const std::uint64_t table = l1[index] & offset_mask;
      if (table == 0 || table % header_.cluster_size() != 0 || table >= file_.size()) {
        continue;
      }
      check_flag(l1[index], refcount(table), header_.l1_offset + index * sizeof(be64), "L2 table");
      check_table(table);
    }
  }

 private:
  void check_table(std::uint64_t table) {
    const auto entries = read_l2_table(file_, geometry_, table);
    for (std::size_t index = 0; index < entries.size(); ++index) {
      const Entry& entry = entries[index];
      if (geometry_.has_host_cluster(entry)) {
        const auto count = geometry_.external_data() ? 1U : refcount(entry.host_offset());
        check_flag(entry.word, count, table + index * geometry_.entry_size(), "data cluster");
      }
    }
  }

  // Nothing when it cannot be told.
  std::optional<std::uint64_t> refcount(std::uint64_t offset) {
    return refcounts_.find(offset / header_.cluster_size());
  }

  // `place` is that of `word` in the file.
  void check_flag(std::uint64_t word, std::optional<std::uint64_t> count, std::uint64_t place,
                  const char* what) {
    if (!count || (count == 1U) == ((word & entry_copied) != 0)) {
      return;
    }
    if (repair_ == Repair::leaks) {
      file_.write(place, bytes_of(be64(word ^ entry_copied)));
      return;
    }
    report_.add_corruption(
        fmt::format("OFLAG_COPIED {}: entry={:x} refcount={}", what, word, *count));
  }

  const Header& header_;
  const Geometry geometry_;
  Disk& file_;
  Refcounts& refcounts_;
  const Repair repair_;
  CheckReport& report_;
};

}  // namespace

void check_copied_flags(const Header& header, Disk& file, Refcounts& refcounts, Repair repair,
                        CheckReport& report) {
  CopiedFlags(header, file, refcounts, repair, report).run();
}

}  // namespace vimg::qcow2

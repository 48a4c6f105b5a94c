#include "formats/vhdx_bat.h"

#include <algorithm>
#include <array>
#include <optional>

namespace vimg::vhdx {
namespace {

constexpr std::uint64_t entries_per_page = log_sector / sizeof(le64);
constexpr std::size_t max_read = 64;  // entries that are looked up at once

}  // namespace

// Changed entries are looked up before the file is read: one that is not among them any more has
// been written before that.
void Bat::read(std::uint64_t first, std::span<BatEntry> out) const {
  while (!out.empty()) {
    const std::size_t count = std::min(out.size(), max_read);
    std::array<std::optional<std::uint64_t>, max_read> changed{};
    if (any_changed_) {
      const std::lock_guard lock(mutex_);
      const auto end = changed_.lower_bound(first + count);
      for (auto i = changed_.lower_bound(first); i != end; ++i) {
        changed[i->first - first] = i->second;
      }
    }
    std::array<le64, max_read> stored;
    tables_->read(region_.offset + first * sizeof(le64),
                  std::as_writable_bytes(std::span(stored).first(count)));
    for (std::size_t i = 0; i < count; ++i) {
      out[i].value = changed[i] ? *changed[i] : stored[i].value();
    }
    first += count;
    out = out.subspan(count);
  }
}

BatEntry Bat::read(std::uint64_t index) const {
  BatEntry entry;
  read(index, std::span(&entry, 1));
  return entry;
}

void Bat::set(std::uint64_t index, BatEntry entry) {
  const std::lock_guard lock(mutex_);
  changed_[index] = entry.value;
  any_changed_ = true;
}

std::uint64_t Bat::changed_entries() const {
  const std::lock_guard lock(mutex_);
  return changed_.size();
}

// Only who calls this changes entries, so that the copy is as good as the original.
std::vector<TablePage> Bat::changed_pages(std::uint64_t count) const {
  const std::map<std::uint64_t, std::uint64_t> changed = [&] {
    const std::lock_guard lock(mutex_);
    return changed_;
  }();
  std::vector<TablePage> pages;
  for (const auto& [index, value] : changed) {
    const std::uint64_t offset = region_.offset + index / entries_per_page * log_sector;
    if (pages.empty() || pages.back().offset != offset) {
      if (pages.size() == count) {
        break;
      }
      pages.push_back({offset, std::vector<std::byte>(log_sector)});
      tables_->read(offset, pages.back().content);
    }
    store(pages.back().content, index % entries_per_page * sizeof(le64), le64(value));
  }
  return pages;
}

void Bat::write(const std::vector<TablePage>& pages) {
  for (const TablePage& page : pages) {
    tables_->write(page.offset, page.content);
    const std::uint64_t first = (page.offset - region_.offset) / sizeof(le64);
    const std::lock_guard lock(mutex_);
    changed_.erase(changed_.lower_bound(first), changed_.lower_bound(first + entries_per_page));
    any_changed_ = !changed_.empty();
  }
}

}  // namespace vimg::vhdx

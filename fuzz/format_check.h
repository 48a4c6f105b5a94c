// Any format's driver on hostile images: info, every snapshot's and the current state's content, a
// check, and a few changes.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "formats/driver.h"

namespace vimg::fuzz {

constexpr std::size_t max_input = 1U << 17;
constexpr std::size_t sample = 4096;
constexpr std::uint64_t max_file = 8U << 20;

// A host with little room, so that no input is slow for the memory it takes.
class SmallHost final : public Disk {
 public:
  explicit SmallHost(DiskPtr disk) : disk_(std::move(disk)) {}
  std::uint64_t size() const noexcept override { return disk_->size(); }
  bool writable() const noexcept override { return true; }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override { disk_->read(offset, out); }
  void do_write(std::uint64_t offset, ConstBytes data) override { disk_->write(offset, data); }
  void do_write_zeros(std::uint64_t offset, std::uint64_t length) override {
    disk_->write_zeros(offset, length);
  }
  void do_resize(std::uint64_t size) override {
    if (size > max_file) {
      throw_error(ENOSPC, "host", "full");
    }
    disk_->resize(size);
  }

  DiskPtr disk_;
};

class Context final : public OpenContext {
 public:
  Access access() const override { return Access::read_write; }
  const std::string& snapshot() const override { return snapshot_name; }
  const std::string& file_name() const override { return own_name; }
  std::vector<std::string> file_names(std::string_view) const override { return {own_name}; }
  std::uint64_t cache_bytes() const override { return 1U << 20; }
  DiskPtr open_file(std::string_view) override {
    return make_memory_disk(std::vector<std::byte>(sample));
  }
  DiskPtr peek_file(std::string_view name) override { return open_file(name); }
  DiskPtr open_image(std::string_view, std::string_view) override { return open_file({}); }
  void warn(const std::string&) override {}

  std::string snapshot_name;
  std::string own_name = "fuzz";
};

// Both ends and some places between them.
inline void read_samples(const Disk& disk) {
  std::vector<std::byte> buffer(sample);
  for (std::uint64_t part = 0; part <= 8; ++part) {
    const std::uint64_t offset = disk.size() > sample ? (disk.size() - sample) / 8 * part : 0;
    try {
      disk.extent(offset, disk.size());
      disk.read(offset, Bytes(buffer).first(std::min<std::uint64_t>(sample, disk.size())));
    } catch (const Error&) {
      // One broken cluster does not make the others unreadable.
    }
  }
}

inline void change_samples(Disk& disk) {
  if (!disk.writable() || disk.size() < 4 * sample) {
    return;
  }
  const std::vector<std::byte> data(sample, std::byte{1});
  disk.write(100, data);
  disk.write_zeros(disk.size() / 2, sample);
  disk.discard(0, std::min<std::uint64_t>(disk.size(), 1U << 20));
  disk.flush();
  disk.write(disk.size() - sample, data);
  disk.flush();
}

template <typename Action>
void tolerate(Action&& action) {
  try {
    action();
  } catch (const Error&) {
    // Refusing is what a hostile image is owed.
  }
}

// One image for `driver`, which may read it, check it and write to it.
inline void run_image(const FormatDriver& driver, DiskPtr image) {
  const DiskPtr file = std::make_shared<SmallHost>(std::move(image));
  Context context;
  ImageInfo info;
  tolerate([&] { info = driver.info(*file); });
  for (std::size_t i = 0; i < std::min<std::size_t>(info.snapshots.size(), 3); ++i) {
    context.snapshot_name = info.snapshots[i].id;
    tolerate([&] { read_samples(*driver.open(file, context)); });
  }
  context.snapshot_name.clear();
  if (driver.check != nullptr) {
    tolerate([&] { driver.check(file, context, Repair::nothing); });
  }
  tolerate([&] {
    const DiskPtr disk = driver.open(file, context);
    read_samples(*disk);
    change_samples(*disk);
  });
  if (driver.check != nullptr) {
    tolerate([&] { driver.check(file, context, Repair::leaks); });
  }
}

// The same for an input that is the image itself.
inline void run_format(const FormatDriver& driver, const std::uint8_t* data, std::size_t size) {
  const auto content = std::as_bytes(std::span(data, std::min(size, max_input)));
  run_image(driver, make_memory_disk(std::vector<std::byte>(content.begin(), content.end())));
}

}  // namespace vimg::fuzz

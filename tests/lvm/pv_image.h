// PvImage: a disk that is a physical volume with a text of the test's own.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "disk/endian.h"
#include "disk/memory_disk.h"
#include "lvm/checksum.h"
#include "lvm/lvm.h"

namespace vimg::test {

// What LVM writes, in places a test can reach: the label in sector 1, one metadata area of 28 KiB
// at 4 KiB, extents of 4 KiB from 64 KiB on.
struct PvImage {
  static constexpr std::uint64_t label_offset = 512;
  static constexpr std::uint64_t area_offset = 4096;
  static constexpr std::uint64_t area_size = 28672;

  std::string uuid = "000000000000000000000000000000pA";
  std::string text;                 // empty: the area holds none
  std::uint64_t text_offset = 512;  // in the area
  std::uint32_t text_flags = 0;
  std::vector<std::byte> content = std::vector<std::byte>(256 * 1024);

  // The pieces as they stand, with right checksums.
  void seal() {
    seal_label();
    seal_area();
  }

  void seal_label() {
    const Bytes sector = Bytes(content).subspan(label_offset, 512);
    put(sector, 0, "LABELONE");
    store(sector, 8, le64(label_offset / 512));
    store(sector, 20, le32(32));
    put(sector, 24, "LVM2 001");
    put(sector, 32, uuid);
    store(sector, 64, le64(content.size()));
    store(sector, 72, le64(65536));  // one data area, then the closing one
    store(sector, 104, le64(area_offset));
    store(sector, 112, le64(area_size));
    store(sector, 16, le32(lvm_checksum(sector.subspan(20))));
  }

  void seal_area() {
    const Bytes area = Bytes(content).subspan(area_offset, area_size);
    const std::string stored = text + '\0';
    for (std::size_t i = 0; i < stored.size(); ++i) {
      const std::size_t at = text_offset + i;
      area[at < area_size ? at : at - area_size + 512] = std::byte(stored[i]);
    }
    put(area, 4, " LVM2 x[5A%r0N*>");
    store(area, 20, le32(1));
    store(area, 24, le64(area_offset));
    store(area, 32, le64(area_size));
    store(area, 40, le64(text.empty() ? 0 : text_offset));
    store(area, 48, le64(stored.size()));
    store(area, 56, le32(lvm_checksum(bytes_of(std::string_view(stored)))));
    store(area, 60, le32(text_flags));
    reseal_area();
  }

  // After a test has changed the area's header.
  void reseal_area() {
    const Bytes area = Bytes(content).subspan(area_offset, area_size);
    store(area, 0, le32(lvm_checksum(area.first(512).subspan(4))));
  }

  DiskPtr disk() const { return make_memory_disk(content); }

 private:
  static void put(Bytes out, std::size_t offset, std::string_view what) {
    std::memcpy(out.data() + offset, what.data(), what.size());
  }
};

// A volume group "vg" of extents of 4 KiB on the PV of PvImage, whose `volumes` are text.
inline std::string vg_text(const std::string& volumes, unsigned seqno = 1) {
  return "vg {\nid = \"000000-0000-0000-0000-0000-0000-0000vg\"\nseqno = " + std::to_string(seqno) +
         "\nstatus = [\"RESIZEABLE\", \"READ\", \"WRITE\"]\nextent_size = 8\n"
         "physical_volumes {\npv0 {\nid = \"000000-0000-0000-0000-0000-0000-0000pA\"\n"
         "pe_start = 128\npe_count = 48\n}\npv1 {\n"
         "id = \"000000-0000-0000-0000-0000-0000-0000pB\"\npe_start = 128\npe_count = 48\n}\n}\n"
         "logical_volumes {\n" +
         volumes + "}\n}\ncontents = \"Text Format Volume Group\"\nversion = 1\n";
}

// A linear volume `name` with `segments`, which are text.
inline std::string lv_text(const std::string& name, unsigned segment_count,
                           const std::string& segments) {
  return name + " {\nid = \"000000-0000-0000-0000-0000-0000-0000lv\"\n" +
         "status = [\"READ\", \"WRITE\", \"VISIBLE\"]\nsegment_count = " +
         std::to_string(segment_count) + "\n" + segments + "}\n";
}

// `count` extents from `start` of the volume, which lie on `pv` from `first` on.
inline std::string segment_text(unsigned number, const std::string& start, const std::string& count,
                                const std::string& pv, const std::string& first) {
  return "segment" + std::to_string(number) + " {\nstart_extent = " + start +
         "\nextent_count = " + count + "\ntype = \"striped\"\nstripe_count = 1\nstripes = [\"" +
         pv + "\", " + first + "]\n}\n";
}

inline std::string lv_text(const std::string& name, const std::string& count, const std::string& pv,
                           const std::string& first) {
  return lv_text(name, 1, segment_text(1, "0", count, pv, first));
}

inline PvImage pv_image(const std::string& text) {
  PvImage image;
  image.text = text;
  image.seal();
  return image;
}

}  // namespace vimg::test

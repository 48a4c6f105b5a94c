#include "tests/formats/vhdx_image.h"

#include <algorithm>

#include "disk/crc32c.h"
#include "disk/memory_disk.h"

namespace vimg::test {

using namespace vhdx;

namespace {

constexpr std::uint64_t mib_of_test = 1U << 20;

// As the specification words it: over all bytes, with the checksum field as 0.
std::uint32_t sealed(std::vector<std::byte> object) {
  store(Bytes(object), 4, le32(0));
  return crc32c(object);
}

std::vector<std::byte> utf16_of(const std::u16string& text) {
  std::vector<std::byte> out(2 * text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    store(Bytes(out), 2 * i, le16(text[i]));
  }
  return out;
}

}  // namespace

VhdxImage::VhdxImage(const Options& options)
    : bytes(4 * mib_of_test),
      chunk_ratio_((std::uint64_t{1} << 23) * options.sector_size / options.block_size) {
  put(0, file_signature);
  Header header{};
  header.signature = header_signature;
  header.file_write_guid = random_guid();
  header.data_write_guid = vhdx_test_guid;
  header.version = 1;
  header.log_length = mib_of_test;
  header.log_offset = vhdx_log_at;
  header.sequence_number = 7;
  put(64U << 10, header);
  header.sequence_number = 8;
  put(128U << 10, header);
  change_headers([](Header&) {});
  for (const std::uint64_t table : {192U << 10, 256U << 10}) {
    put(table, RegionTableHeader{region_signature, 0, 2, 0});
    put(table + 16, RegionTableEntry{bat_region, vhdx_bat_at, mib_of_test, 1});
    put(table + 48, RegionTableEntry{metadata_region, vhdx_metadata_at, mib_of_test, 1});
  }
  seal_region_tables();
  put_metadata(options);
}

void VhdxImage::put_metadata(const Options& options) {
  const auto count = std::uint16_t(options.parent.empty() ? 5 : 6);
  put(vhdx_metadata_at, MetadataTableHeader{metadata_signature, 0, count, {}});
  const std::uint32_t begin = 64U << 10;
  const std::vector<MetadataTableEntry> entries{
      {file_parameters_item, begin, 8, 4, 0},      {disk_size_item, begin + 8, 8, 6, 0},
      {disk_id_item, begin + 16, 16, 6, 0},        {logical_sector_item, begin + 32, 4, 6, 0},
      {physical_sector_item, begin + 36, 4, 6, 0}, {parent_locator_item, begin + 64, 4096, 4, 0},
  };
  for (std::size_t i = 0; i < count; ++i) {
    put(vhdx_metadata_at + 32 + 32 * i, entries[i]);
  }
  const std::uint32_t flags = options.parameter_flags | (options.parent.empty() ? 0U : 2U);
  put(vhdx_items_at, FileParameters{options.block_size, flags});
  put(vhdx_items_at + 8, le64(options.disk_size));
  put(vhdx_items_at + 16, vhdx_test_guid);
  put(vhdx_items_at + 32, le32(options.sector_size));
  put(vhdx_items_at + 36, le32(options.sector_size));
  if (!options.parent.empty()) {
    put_parent_locator(options);
  }
}

void VhdxImage::put_parent_locator(const Options& options) {
  const std::uint64_t at = vhdx_items_at + 64;
  put(at, ParentLocatorHeader{vhdx_parent_type, 0, std::uint16_t(options.parent.size())});
  std::uint64_t entry = 20;
  std::uint64_t text = 20 + 12 * options.parent.size();
  for (const auto& [key, value] : options.parent) {
    const std::vector<std::byte> key_text = utf16_of(key);
    const std::vector<std::byte> value_text = utf16_of(value);
    put(at + entry,
        ParentLocatorEntry{std::uint32_t(text), std::uint32_t(text + key_text.size()),
                           std::uint16_t(key_text.size()), std::uint16_t(value_text.size())});
    std::ranges::copy(key_text, bytes.begin() + std::ptrdiff_t(at + text));
    text += key_text.size();
    std::ranges::copy(value_text, bytes.begin() + std::ptrdiff_t(at + text));
    text += value_text.size();
    entry += 12;
  }
}

std::uint64_t VhdxImage::append(std::vector<std::byte> content) {
  const std::uint64_t place = bytes.size();
  content.resize((content.size() + mib_of_test - 1) / mib_of_test * mib_of_test);
  bytes.insert(bytes.end(), content.begin(), content.end());
  return place;
}

void VhdxImage::set_entry(std::uint64_t index, std::uint64_t place, unsigned state) {
  put(vhdx_bat_at + 8 * index, le64(place | state));
}

std::uint64_t VhdxImage::add_block(std::uint64_t block, std::byte fill) {
  const std::uint64_t block_size = get<le32>(vhdx_items_at);
  const std::uint64_t place = append(std::vector<std::byte>(block_size, fill));
  set_entry(block, place, 6);
  return place;
}

void VhdxImage::set_bitmap(std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t place = append(std::vector<std::byte>(mib_of_test));
  for (std::uint64_t bit = begin; bit < end; ++bit) {
    bytes[place + bit / 8] |= std::byte(1U << (bit % 8));
  }
  set_entry(chunk_ratio_, place, 6);
}

void VhdxImage::change_headers(const std::function<void(Header&)>& change) {
  for (const std::uint64_t at : {64U << 10, 128U << 10}) {
    auto header = get<Header>(at);
    change(header);
    const ConstBytes content = bytes_of(header);
    header.checksum = sealed({content.begin(), content.end()});
    put(at, header);
  }
}

void VhdxImage::seal_region_tables() {
  for (const std::uint64_t at : {192U << 10, 256U << 10}) {
    const auto begin = bytes.begin() + std::ptrdiff_t(at);
    put(at + 4, le32(sealed({begin, begin + (64 << 10)})));
  }
}

void VhdxImage::change_region(std::size_t index,
                              const std::function<void(RegionTableEntry&)>& change) {
  for (const std::uint64_t table : {192U << 10, 256U << 10}) {
    const std::uint64_t at = table + 16 + 32 * index;
    auto entry = get<RegionTableEntry>(at);
    change(entry);
    put(at, entry);
  }
  seal_region_tables();
}

void VhdxImage::add_region(const RegionTableEntry& entry) {
  const auto count = get<RegionTableHeader>(192U << 10).entry_count.value();
  for (const std::uint64_t table : {192U << 10, 256U << 10}) {
    put(table, RegionTableHeader{region_signature, 0, count + 1, 0});
    put(table + 16 + 32 * count, entry);
  }
  seal_region_tables();
}

void VhdxImage::change_item(std::size_t index,
                            const std::function<void(MetadataTableEntry&)>& change) {
  const std::uint64_t at = vhdx_metadata_at + 32 + 32 * index;
  auto entry = get<MetadataTableEntry>(at);
  change(entry);
  put(at, entry);
}

void VhdxImage::add_item(const MetadataTableEntry& entry) {
  auto header = get<MetadataTableHeader>(vhdx_metadata_at);
  put(vhdx_metadata_at + 32 + 32 * header.entry_count, entry);
  header.entry_count = std::uint16_t(header.entry_count + 1);
  put(vhdx_metadata_at, header);
}

void VhdxImage::begin_log() {
  change_headers([](Header& header) { header.log_guid = vhdx_test_guid; });
}

std::uint64_t VhdxImage::add_log_entry(std::uint64_t place, std::uint64_t tail,
                                       std::uint64_t sequence,
                                       const std::vector<VhdxLogWrite>& writes,
                                       const std::function<void(LogEntryHeader&)>& change) {
  const std::uint64_t data = (64 + 32 * writes.size() + 4095) / 4096 * 4096;
  std::vector<std::byte> entry(data);
  for (std::size_t i = 0; i < writes.size(); ++i) {
    const VhdxLogWrite& write = writes[i];
    LogDescriptor descriptor{zero_signature, {}, {}, write.offset, sequence};
    store(Bytes(descriptor.leading), 0, le64(write.zero_length));
    if (!write.content.empty()) {
      descriptor.signature = data_signature;
      std::copy_n(write.content.begin(), 8, descriptor.leading.begin());
      std::copy_n(write.content.begin() + 4092, 4, descriptor.trailing.begin());
      LogDataSector sector{
          sector_signature, std::uint32_t(sequence >> 32), {}, std::uint32_t(sequence)};
      std::copy_n(write.content.begin() + 8, 4084, sector.data.begin());
      const ConstBytes content = bytes_of(sector);
      entry.insert(entry.end(), content.begin(), content.end());
    }
    store(Bytes(entry), 64 + 32 * i, descriptor);
  }
  LogEntryHeader header{log_signature,
                        0,
                        std::uint32_t(entry.size()),
                        std::uint32_t(tail),
                        sequence,
                        std::uint32_t(writes.size()),
                        0,
                        vhdx_test_guid,
                        4 * mib_of_test,
                        bytes.size()};
  if (change) {
    change(header);
    entry.resize(header.length <= mib_of_test ? header.length.value() : entry.size());
  }
  store(Bytes(entry), 0, header);
  store(Bytes(entry), 4, le32(sealed(entry)));
  for (std::size_t i = 0; i < entry.size(); ++i) {
    bytes[vhdx_log_at + (place + i) % mib_of_test] = entry[i];
  }
  return entry.size();
}

DiskPtr open_vhdx(const std::vector<std::byte>& bytes, Access access) {
  TestContext context({}, access);
  return vhdx_driver.open(make_memory_disk(bytes), context);
}

}  // namespace vimg::test

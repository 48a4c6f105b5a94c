// Writing ext4 on a disk that fails, by several threads, and in images that lie.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <thread>

#include "disk/error.h"
#include "disk/memory_disk.h"
#include "fsdrivers/driver.h"
#include "tests/fsdrivers/ext4_image.h"
#include "tests/support/fault_disk.h"

using namespace vimg;
using vimg::test::Ext4Image;
using vimg::test::FaultDisk;

namespace {

int code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

// A little of everything.
void work(FileSystem& fs) {
  WritableFileSystem& writer = *fs.writer();
  const NewFile file{S_IFREG | 0644, 0, 0};
  const InodeNumber directory =
      writer.make_directory(fs.root(), "directory", {S_IFDIR | 0755, 0, 0}).inode;
  for (int index = 0; index < 120; ++index) {
    writer.create(directory, "a rather long name for a file " + std::to_string(index), file);
  }
  const InodeNumber written = writer.create(fs.root(), "written", file).inode;
  const std::string text(50'000, 'w');
  writer.write(written, 1000, bytes_of(std::string_view(text)));
  writer.set_xattr(written, "user.large", bytes_of(std::string_view(text)).first(800),
                   XattrMode::set);
  writer.flush();
  writer.fallocate(written, FallocateMode::punch_hole, 10'000, 20'000);
  writer.unlink(fs.root(), "written");
  writer.release(written);
  writer.finish();
}

}  // namespace

TEST_CASE("ext4 faults: a write that fails is reported, and e2fsck can mend what is there") {
  Ext4Image image("-t ext4 -b 1024 -O ^has_journal", 4);
  const std::string clean = image.path();
  image.close();
  const std::vector<std::byte> content = test::read_file(clean);
  bool failed = true;
  for (std::uint64_t count = 0; failed; ++count) {
    CAPTURE(count);
    const DiskPtr memory = make_memory_disk(content);
    const auto disk = std::make_shared<FaultDisk>(memory);
    disk->fail_write = count;
    FileSystemOptions options;
    options.access = MountAccess::read_write;
    const int code = code_of([&] {
      const auto fs = find_filesystem_driver("ext4")->open(disk, options);
      work(*fs);
    });
    failed = disk->writes > count;
    CHECK(code == (failed ? EIO : 0));
    std::vector<std::byte> after(memory->size());
    memory->read(0, after);
    test::write_file(clean, after);
    CHECK(test::run("e2fsck -fy " + clean).exit_code <= 1);
    CHECK(test::run("e2fsck -fn " + clean).exit_code == 0);
  }
}

TEST_CASE("ext4 faults: after a failed write-back the next flush writes what is missing") {
  Ext4Image image("-t ext4", 8);
  image.close();
  const DiskPtr memory = make_memory_disk(test::read_file(image.path()));
  const auto disk = std::make_shared<FaultDisk>(memory);
  image.wrap(disk);
  image.open();
  image.make(image.root(), "file");
  disk->fail_write = disk->writes.load();
  CHECK(code_of([&] { image.writer().flush(); }) == EIO);
  CHECK(image.fsck() == "");
  image.open();
  CHECK(image.fs().lookup(image.root(), "file").has_value());
}

TEST_CASE("ext4 faults: a read that fails leaves the operation undone") {
  Ext4Image image("-t ext4 -b 1024", 8);
  const InodeNumber directory = image.make_directory(image.root(), "directory");
  for (int index = 0; index < 300; ++index) {
    image.make(directory, "a rather long name for a file " + std::to_string(index));
  }
  image.close();
  const std::vector<std::byte> content = test::read_file(image.path());
  int code = EIO;
  for (std::uint64_t count = 0; code == EIO; ++count) {
    CAPTURE(count);
    const DiskPtr memory = make_memory_disk(content);
    const auto disk = std::make_shared<FaultDisk>(memory);
    image.wrap(disk);
    image.open();
    disk->fail_read = disk->reads + count;
    code = code_of([&] { image.put(directory, "new", "content"); });
    disk->fail_read = FaultDisk::never;
    CHECK((code == 0 || code == EIO));
    CHECK(image.fsck() == "");
  }
}

TEST_CASE("ext4 threads: an inode number may be nameless again as soon as it is free") {
  Ext4Image image("-t ext4 -b 1024", 32);
  const auto churn = [&](const std::string& name) {
    for (int round = 0; round < 1500; ++round) {
      const InodeNumber file = image.put(image.root(), name, "content");
      image.writer().unlink(image.root(), name);
      image.writer().release(file);
    }
  };
  std::vector<std::thread> threads;
  for (const char* name : {"a", "b", "c", "d"}) {
    threads.emplace_back(churn, name);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(image.fsck() == "");
}

TEST_CASE("ext4 threads: several writers and readers end with a clean file system") {
  Ext4Image image("-t ext4 -b 1024", 32);
  constexpr int writers = 4;
  constexpr int rounds = 120;
  std::vector<InodeNumber> homes;
  for (int index = 0; index < writers; ++index) {
    homes.push_back(image.make_directory(image.root(), "home" + std::to_string(index)));
  }
  const InodeNumber shared = image.put(image.root(), "shared", std::string(100'000, '\0'));
  std::atomic<bool> wrong = false;
  std::atomic<bool> done = false;
  const auto write = [&](int number) {
    WritableFileSystem& writer = image.writer();
    const std::string text(5'000, char('a' + number));
    for (int round = 0; round < rounds; ++round) {
      const std::string name = "file" + std::to_string(round);
      const InodeNumber file = image.put(homes[std::size_t(number)], name, text);
      writer.write(shared, std::uint64_t(number) * 20'000, bytes_of(std::string_view(text)));
      AttributeChange cut;
      cut.size = 90'000 + std::uint64_t(number);
      writer.change(shared, cut);
      wrong = wrong || image.content(file) != text;
      if (round % 3 == 0) {
        writer.rename(homes[std::size_t(number)], name, homes[std::size_t(number + 1) % writers],
                      "moved" + std::to_string(number) + "-" + name, RenameMode::replace);
      } else if (round % 3 == 1) {
        writer.unlink(homes[std::size_t(number)], name);
        writer.release(file);
      }
    }
  };
  const auto read = [&] {
    while (!done) {
      for (const InodeNumber home : homes) {
        image.fs().list(home, 0, [](const DirectoryEntry&) { return true; });
      }
      const std::string text = image.content(shared);
      wrong = wrong || std::any_of(text.begin(), text.end(), [](char character) {
                return character != '\0' && (character < 'a' || character > 'd');
              });
      std::this_thread::yield();
    }
  };
  std::vector<std::thread> threads;
  for (int number = 0; number < writers; ++number) {
    threads.emplace_back(write, number);
  }
  std::thread reader(read);
  for (std::thread& thread : threads) {
    thread.join();
  }
  done = true;
  reader.join();
  CHECK_FALSE(wrong);
  CHECK(image.fsck() == "");
}

TEST_CASE("ext4 writing: features that are only for reading are refused by name") {
  struct Case {
    const char* features;
    const char* named;
  };
  for (const Case& each : {Case{"-O quota", "quota"}}) {
    try {
      const Ext4Image image(std::string("-t ext4 ") + each.features);
      FAIL("opened");
    } catch (const Error& error) {
      CHECK(error.code() == EROFS);
      CHECK(std::string(error.what()).find(each.named) != std::string::npos);
    }
  }
}

TEST_CASE("ext4 writing: multi-mount protection is honoured and left clean") {
  Ext4Image image("-t ext4 -O mmp");
  image.make(image.root(), "file");
  image.writer().flush();
  const DiskPtr disk = image.disk();
  FileSystemOptions options;
  options.access = MountAccess::read_write;
  CHECK(code_of([&] { find_filesystem_driver("ext4")->open(disk, options); }) == EBUSY);
  CHECK(image.fsck() == "");
}

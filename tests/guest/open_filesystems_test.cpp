#include "guest/open_filesystems.h"

#include <cerrno>

#include <doctest/doctest.h>

#include "disk/error.h"
#include "disk/memory_disk.h"

namespace vimg {
namespace {

// What the fake driver below does, and did.
struct Script {
  int finished = 0;
  int opened = 0;
  bool finish_fails = false;
};
Script script;

class FakeFileSystem final : public FileSystem, public WritableFileSystem {
 public:
  explicit FakeFileSystem(MountAccess access) : access_(access) {}

  FileSystemInfo info() const override { return {"fake", {}, {}, {}, {}, {"was dirty"}}; }
  FileSystemStatistics statistics() const override { return {}; }
  InodeNumber root() const noexcept override { return 1; }
  Attributes attributes(InodeNumber) const override { return {}; }
  std::optional<InodeNumber> lookup(InodeNumber, std::string_view) const override { return {}; }
  void list(InodeNumber, std::uint64_t,
            const std::function<bool(const DirectoryEntry&)>&) const override {}
  std::size_t read(InodeNumber, std::uint64_t, Bytes) const override { return 0; }
  std::optional<std::uint64_t> seek(InodeNumber, std::uint64_t, SeekTarget) const override {
    return {};
  }
  std::string symlink_target(InodeNumber) const override { return {}; }
  std::vector<std::string> xattr_names(InodeNumber) const override { return {}; }
  std::optional<std::vector<std::byte>> xattr(InodeNumber, std::string_view) const override {
    return {};
  }
  WritableFileSystem* writer() noexcept override {
    return access_ == MountAccess::read_write ? this : nullptr;
  }

  Attributes create(InodeNumber, std::string_view, const NewFile&) override { return {}; }
  Attributes make_directory(InodeNumber, std::string_view, const NewFile&) override { return {}; }
  Attributes make_symlink(InodeNumber, std::string_view, std::string_view, uid_t, gid_t) override {
    return {};
  }
  Attributes link(InodeNumber, InodeNumber, std::string_view) override { return {}; }
  void unlink(InodeNumber, std::string_view) override {}
  void remove_directory(InodeNumber, std::string_view) override {}
  void rename(InodeNumber, std::string_view, InodeNumber, std::string_view, RenameMode) override {}
  void write(InodeNumber, std::uint64_t, ConstBytes, TimeUpdate) override {}
  void fallocate(InodeNumber, FallocateMode, std::uint64_t, std::uint64_t, TimeUpdate) override {}
  Attributes change(InodeNumber, const AttributeChange&) override { return {}; }
  void set_xattr(InodeNumber, std::string_view, ConstBytes, XattrMode) override {}
  void remove_xattr(InodeNumber, std::string_view) override {}
  void release(InodeNumber) override {}
  void flush() override {}
  void finish() override {
    ++script.finished;
    if (script.finish_fails) {
      throw_error(EIO, "fake", "told to fail");
    }
  }

 private:
  MountAccess access_;
};

std::unique_ptr<FileSystem> open_fake(DiskPtr, const FileSystemOptions& options) {
  ++script.opened;
  return std::make_unique<FakeFileSystem>(options.access);
}

const FileSystemDriver fake_driver{"fake", "for tests", nullptr, open_fake};

Volume valid_volume(const std::string& name) {
  script = {};
  Volume volume;
  volume.name = name;
  volume.kind = VolumeKind::disk;
  volume.disk = make_memory_disk(std::vector<std::byte>(4096));
  volume.size = 4096;
  volume.filesystem = ProbedFileSystem{&fake_driver, {"fake", "", ""}};
  return volume;
}

const FileSystemOptions writing{MountAccess::read_write, {}};

TEST_CASE("open file systems: who reads shares with who writes") {
  const Volume volume = valid_volume("disk0");
  OpenFileSystems all(1);
  const auto writer = all.open(0, volume, writing, {});
  CHECK(all.open(0, volume, {}, {}) == writer);
  CHECK(all.open(0, volume, writing, {}) == writer);
  CHECK(script.opened == 1);
}

TEST_CASE("open file systems: a reader that was there before the writer is not shared any more") {
  const Volume volume = valid_volume("disk0");
  OpenFileSystems all(1);
  const auto reader = all.open(0, volume, {}, {});
  const auto writer = all.open(0, volume, writing, {});
  CHECK(writer != reader);
  CHECK(all.open(0, volume, {}, {}) == writer);
}

TEST_CASE("open file systems: a second writer on one volume is refused") {
  const Volume volume = valid_volume("disk0");
  OpenFileSystems all(1);
  const auto writer = all.open(0, volume, writing, {});
  CHECK_THROWS_WITH_AS(all.open(0, volume, {MountAccess::read_write, {"x"}}, {}),
                       "disk0: is open for writing with other options", Error);
  CHECK(all.open(0, volume, {MountAccess::read_only, {"x"}}, {}) != writer);
}

TEST_CASE("open file systems: each writer is finished once, whether others fail or not") {
  const Volume volume = valid_volume("disk0");
  OpenFileSystems all(3);
  all.open(0, volume, writing, {});
  all.open(1, volume, {MountAccess::read_write, {"x"}}, {});
  all.open(2, volume, {}, {});
  script.finish_fails = true;
  CHECK(all.finish() != nullptr);
  CHECK(script.finished == 2);
  CHECK(all.finish() == nullptr);
  CHECK(script.finished == 2);
}

TEST_CASE("open file systems: warnings are kept with the volume's name, each once") {
  const Volume volume = valid_volume("disk0");
  OpenFileSystems all(1);
  all.open(0, volume, {}, {});
  all.open(0, volume, {MountAccess::read_only, {"x"}}, {});
  CHECK(all.warnings() == std::vector<std::string>{"disk0: was dirty"});
}

TEST_CASE("open file systems: a volume that cannot be read says why") {
  Volume volume = valid_volume("vg0/r5");
  volume.disk = nullptr;
  volume.problem = "segment type raid5 is not supported yet";
  OpenFileSystems all(1);
  CHECK_THROWS_WITH_AS(all.open(0, volume, {}, {}),
                       "vg0/r5: segment type raid5 is not supported yet", Error);
}

}  // namespace
}  // namespace vimg

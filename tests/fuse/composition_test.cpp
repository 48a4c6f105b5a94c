#include "fuse/composition.h"

#include <sys/stat.h>

#include <doctest/doctest.h>

#include "fuse/attributes.h"
#include "tests/fuse/served_memory.h"

using namespace vimg;
using namespace vimg::test;

namespace {

constexpr InodeNumber root = MemoryFileSystem::root_inode;

struct Guest {
  std::shared_ptr<MemoryFileSystem> filesystem = std::make_shared<MemoryFileSystem>();

  InodeNumber make_directory(InodeNumber parent, const std::string& name) const {
    return filesystem->make_directory(parent, name, {.mode = S_IFDIR | 0755, .uid = 0, .gid = 0})
        .inode;
  }
};

void no_problem(const std::string& mountpoint, const Error& error) {
  FAIL(mountpoint << ": " << error.what());
}

}  // namespace

TEST_CASE("composition: a file system covers the directory it is mounted on") {
  Guest base, boot;
  const InodeNumber directory = base.make_directory(root, "boot");
  add_file(*boot.filesystem, root, "vmlinuz", "kernel");
  Tree tree;
  ServedFileSystem& served_base = tree.add_filesystem(source_of(base.filesystem));
  ServedFileSystem& served_boot = tree.add_filesystem(source_of(boot.filesystem));
  const View& view = compose(tree,
                             {{.mountpoint = "/boot", .filesystem = &served_boot},
                              {.mountpoint = "/", .filesystem = &served_base}},
                             no_problem);
  CHECK(view.filesystem == &served_base);
  const Seen seen = cross(tree, view, directory);
  CHECK(seen.view->filesystem == &served_boot);
  CHECK(seen.inode == root);
}

TEST_CASE("composition: a mount point behind a symlink is found inside the guest") {
  Guest base, other;
  const InodeNumber real = base.make_directory(root, "real");
  base.filesystem->make_symlink(root, "link", "/real", 0, 0);
  Tree tree;
  ServedFileSystem& served_base = tree.add_filesystem(source_of(base.filesystem));
  ServedFileSystem& served_other = tree.add_filesystem(source_of(other.filesystem));
  const View& view = compose(tree,
                             {{.mountpoint = "/", .filesystem = &served_base},
                              {.mountpoint = "/link", .filesystem = &served_other}},
                             no_problem);
  CHECK(cross(tree, view, real).view->filesystem == &served_other);
}

TEST_CASE("composition: a bind mount shows a directory again, without what is mounted in it") {
  Guest base, other;
  const InodeNumber source = base.make_directory(root, "source");
  const InodeNumber inner = base.make_directory(source, "inner");
  const InodeNumber target = base.make_directory(root, "target");
  Tree tree;
  ServedFileSystem& served_base = tree.add_filesystem(source_of(base.filesystem));
  ServedFileSystem& served_other = tree.add_filesystem(source_of(other.filesystem));
  const View& view = compose(tree,
                             {{.mountpoint = "/", .filesystem = &served_base},
                              {.mountpoint = "/target", .bind_path = "/source"},
                              {.mountpoint = "/source/inner", .filesystem = &served_other}},
                             no_problem);
  const Seen bound = cross(tree, view, target);
  CHECK(bound.view->filesystem == &served_base);
  CHECK(bound.view != &view);
  CHECK(bound.inode == source);
  CHECK(cross(tree, view, inner).view->filesystem == &served_other);
  CHECK(cross(tree, *bound.view, inner).view == bound.view);
}

TEST_CASE("composition: what has no mount point is told and left out") {
  Guest base, other;
  Tree tree;
  ServedFileSystem& served_base = tree.add_filesystem(source_of(base.filesystem));
  ServedFileSystem& served_other = tree.add_filesystem(source_of(other.filesystem));
  std::string told;
  const View& view = compose(tree,
                             {{.mountpoint = "/", .filesystem = &served_base},
                              {.mountpoint = "/absent", .filesystem = &served_other}},
                             [&](const std::string& where, const Error&) { told = where; });
  CHECK(told == "/absent");
  CHECK(view.crossings.empty());
}

TEST_CASE("composition: without a file system at / there is nothing to show") {
  Guest other;
  Tree tree;
  ServedFileSystem& served = tree.add_filesystem(source_of(other.filesystem));
  CHECK_THROWS_AS(compose(tree, {{.mountpoint = "/boot", .filesystem = &served}}, no_problem),
                  Error);
  CHECK_THROWS_AS(compose(tree, {}, no_problem), Error);
}

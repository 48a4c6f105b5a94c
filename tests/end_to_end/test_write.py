"""Trees written through the mount: read back by the kernel's own driver, and clean for e2fsck."""
import json
import os
import subprocess
import sys

from mounting import (IMAGES, MOUNT, NOBODY, OFFSET, UMOUNT, MountTest, alive, as_nobody, digest,
                      main, must, run, skip_unless, wait_until)

WALK = os.path.join(IMAGES, "build", "walk.py")


def walk(top):
    return {entry.get("path", entry.get("path_hex")): entry
            for entry in json.loads(must(sys.executable, WALK, top))}


class Write(MountTest):
    def partition(self, image):
        """The partition's bytes, taken out of the image by qemu-img."""
        raw, partition = self.path("after.raw"), self.path("after.p1")
        must("qemu-img", "convert", "-O", "raw", image, raw)
        must("dd", f"if={raw}", f"of={partition}", "bs=1M", f"skip={OFFSET >> 20}",
             "conv=sparse", "status=none")
        return partition

    def assertClean(self, image):
        if image.endswith(".qcow2"):
            must("qemu-img", "check", image)
        must("e2fsck", "-fn", self.partition(image))

    def kernel_walk(self, image):
        """What the kernel's own driver sees in the partition; None where it cannot be asked."""
        where = self.path("kernel")
        os.makedirs(where, exist_ok=True)
        if os.geteuid() != 0 or run("mount", "-o", "loop,ro,noload", self.partition(image),
                                    where).returncode != 0:
            print("skipped: no loop mount to compare with", file=sys.stderr)
            return None
        try:
            return walk(where)
        finally:
            must("umount", where)

    def assertSameTree(self, want, got, keys):
        self.assertEqual(want.keys(), got.keys())
        for path, entry in want.items():
            for key in keys:
                if entry["type"] == "dir" and key == "size":
                    continue
                self.assertEqual(entry.get(key), got[path].get(key), f"{key} of {path}")

    def unpack_debian(self):
        """The root file system of a Debian, as a tar file."""
        image, source = self.unpack("guest/debian.qcow2"), self.path("source")
        os.mkdir(source)
        must(MOUNT, "--volume", "debian-vg/root", image, source)
        try:
            must("tar", "--xattrs", "-C", source, "-cf", self.path("tree.tar"), ".")
            return walk(source)
        finally:
            must(UMOUNT, source)

    def test_a_debian_extracted_by_root(self):
        skip_unless(os.geteuid() == 0, "only root extracts with all owners")
        wanted = self.unpack_debian()
        image = self.new_disk("qcow2", size="1G")
        self.mount("-w", "--volume", "p1", image)
        must("tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-C", self.mountpoint,
             "-xpf", self.path("tree.tar"))
        keys = ["type", "mode", "uid", "gid", "size", "sha256", "target", "rdev", "xattrs",
                "mtime", "nlink"]
        self.assertSameTree(wanted, walk(self.mountpoint), keys)
        self.must_umount()
        self.assertClean(image)
        seen = self.kernel_walk(image)
        if seen is not None:
            self.assertSameTree(wanted, seen, keys)

    def test_a_debian_extracted_by_a_user(self):
        self.skip_without_nobody()
        wanted = self.unpack_debian()
        image = self.new_disk("qcow2", size="1G")
        os.chown(image, NOBODY, NOBODY)
        must(*as_nobody(MOUNT, "-w", "--pid-file", self.pid_file, "--volume", "p1", image,
                        self.mountpoint))
        must(*as_nobody("tar", "--exclude=./dev/*", "--no-same-owner", "-C", self.mountpoint,
                        "-xf", self.path("tree.tar")))
        must(*as_nobody(UMOUNT, self.mountpoint))
        self.assertClean(image)
        seen = self.kernel_walk(image)
        if seen is not None:
            wanted = {path: entry for path, entry in wanted.items()
                      if not path.startswith("dev/")}
            self.assertSameTree(wanted, seen, ["type", "sha256", "target"])
            # Whoever mounts acts as the guest's root.
            self.assertEqual({(e["uid"], e["gid"]) for e in seen.values()}, {(0, 0)})

    def test_an_overlay_takes_the_writes(self):
        image, overlay = self.new_disk("qcow2"), self.path("overlay.qcow2")
        before = digest(image)
        self.mount("--overlay", overlay, "--volume", "p1", image)
        with open(self.at("f"), "w") as file:
            file.write("in the overlay")
        self.must_umount()
        self.assertEqual(digest(image), before)
        self.assertClean(overlay)
        self.mount("--volume", "p1", overlay)
        with open(self.at("f")) as file:
            self.assertEqual(file.read(), "in the overlay")

    def test_scratch_throws_the_writes_away(self):
        image = self.new_disk("qcow2")
        before = digest(image)
        self.mount("--scratch", "--volume", "p1", image)
        with open(self.at("f"), "w") as file:
            file.write("nowhere")
        with open(self.at("f")) as file:
            self.assertEqual(file.read(), "nowhere")
        self.must_umount()
        self.assertEqual(digest(image), before)

    def test_a_signal_loses_nothing(self):
        image = self.new_disk("qcow2")
        self.mount("-w", "--volume", "p1", image)
        with open(self.at("f"), "wb") as file:
            file.write(b"x" * 5000000)
        os.kill(self.pid(), 15)
        wait_until(lambda: not alive(self.pid()), "the end of vimgmount")
        self.assertClean(image)
        self.mount("--volume", "p1", image)
        with open(self.at("f"), "rb") as file:
            self.assertEqual(file.read(), b"x" * 5000000)

    def test_two_views_of_one_file_system_agree(self):
        image = self.unpack("guest/debian.qcow2")
        self.mount("-w", image)
        one, other = self.at("filesystems/debian-vg/root/etc"), self.at("root/etc")
        os.listdir(other)
        self.assertFalse(os.path.exists(f"{other}/new"))
        with open(f"{one}/new", "w") as file:
            file.write("seen by both")
        with open(f"{other}/new") as file:
            self.assertEqual(file.read(), "seen by both")
        os.unlink(f"{other}/new")
        self.assertFalse(os.path.exists(f"{one}/new"))
        self.assertNotIn("new", os.listdir(one))
        self.must_umount()
        must("qemu-img", "check", image)

    def test_names_that_differ_in_case_only(self):
        image = self.new_disk(mkfs=("mke2fs", "-q", "-t", "ext4", "-O", "casefold"))
        for command in ("mkdir d", "set_inode_field d flags 0x40080000"):
            must("debugfs", "-w", "-R", command, f"{image}?offset={OFFSET}")
        self.mount("-w", "--volume", "p1", image)
        with open(self.at("d/Name"), "w") as file:
            file.write("x")
        self.assertTrue(os.path.exists(self.at("d/NAME")))
        self.assertTrue(os.path.exists(self.at("d/name")))
        os.unlink(self.at("d/naMe"))
        for name in ("Name", "NAME", "name"):
            self.assertFalse(os.path.exists(self.at(f"d/{name}")))
        with open(self.at("d/NAME"), "w") as file:
            file.write("y")
        self.assertTrue(os.path.exists(self.at("d/name")))
        self.must_umount()
        self.assertClean(image)

    def test_what_is_unlinked_while_open_frees_its_space(self):
        image = self.new_disk("qcow2")
        self.mount("-w", "--volume", "p1", image)
        free = os.statvfs(self.mountpoint).f_bfree
        with open(self.at("f"), "w+b") as file:
            file.write(b"x" * 1000000)
            file.flush()
            os.unlink(self.at("f"))
            file.seek(0)
            self.assertEqual(len(file.read()), 1000000)
        self.must_umount()
        self.assertClean(image)
        self.mount("--volume", "p1", image)
        self.assertEqual(os.statvfs(self.mountpoint).f_bfree, free)

    def test_programs_in_several_processes_write_one_directory(self):
        image = self.new_disk("qcow2", size="256M")
        self.mount("-w", "--volume", "p1", image)
        script = "for i in $(seq 200); do echo $0-$i >$0-$i; ln $0-$i l$0-$i; rm $0-$i; done"
        workers = [subprocess.Popen(["sh", "-c", script, str(n)], cwd=self.mountpoint)
                   for n in range(4)]
        self.assertEqual([worker.wait() for worker in workers], [0] * 4)
        self.assertEqual(len(os.listdir(self.mountpoint)), 4 * 200 + 1)
        self.must_umount()
        self.assertClean(image)


if __name__ == "__main__":
    main()

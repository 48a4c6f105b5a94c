"""Volumes as files: read, sparse, written with -w, and kept apart from their file systems' trees."""
import errno
import json
import os

from mounting import MountTest, digest, main, must, run


def bytes_at(path, offset, count):
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(count)


class Volumes(MountTest):
    def write(self, name, offset, data):
        file = os.open(self.at(name), os.O_WRONLY)
        try:
            return os.pwrite(file, data, offset)
        finally:
            os.close(file)

    def assertErrno(self, code, action):
        with self.assertRaises(OSError) as caught:
            action()
        self.assertEqual(errno.errorcode[caught.exception.errno], errno.errorcode[code])

    def test_disk_and_partition_have_the_image_s_bytes(self):
        raw = self.new_disk()
        self.mount(raw)
        self.assertEqual(digest(self.at("disks/disk0")), digest(raw))
        size = os.path.getsize(self.at("volumes/p1"))
        self.assertEqual(bytes_at(self.at("volumes/p1"), 0, size), bytes_at(raw, 1 << 20, size))

    def test_holes_are_holes(self):
        self.mount(self.new_disk("qcow2", size="1G"))
        copy = self.path("copy")
        must("cp", "--sparse=auto", self.at("disks/disk0"), copy)
        self.assertLess(os.stat(copy).st_blocks * 512, 64 << 20)
        self.assertEqual(digest(copy), digest(self.at("disks/disk0")))

    def test_without_w_nothing_is_written(self):
        image = self.new_disk()
        before = digest(image)
        self.mount(image)
        self.assertErrno(errno.EROFS, lambda: self.write("volumes/p1", 0, b"x"))
        self.assertErrno(errno.EROFS, lambda: open(self.at("filesystems/p1/f"), "w"))
        self.must_umount()
        self.assertEqual(digest(image), before)

    def test_what_is_written_is_in_the_image(self):
        image = self.new_disk("qcow2")
        self.mount("-w", image)
        self.assertEqual(self.write("volumes/p1", 4096, b"written"), 7)
        self.assertEqual(bytes_at(self.at("disks/disk0"), (1 << 20) + 4096, 7), b"written")
        self.must_umount()
        must("qemu-img", "check", image)
        must("qemu-img", "convert", "-O", "raw", image, self.path("after"))
        self.assertEqual(bytes_at(self.path("after"), (1 << 20) + 4096, 7), b"written")

    def test_a_volume_does_not_grow(self):
        self.mount("-w", self.new_disk())
        size = os.path.getsize(self.at("volumes/p1"))
        self.assertEqual(self.write("volumes/p1", size - 3, b"12345"), 3)
        self.assertErrno(errno.ENOSPC, lambda: self.write("volumes/p1", size, b"x"))
        self.assertErrno(errno.EPERM, lambda: os.truncate(self.at("volumes/p1"), size + 1))
        os.truncate(self.at("volumes/p1"), size)

    def test_punching_makes_zeros(self):
        self.mount("-w", self.new_disk("qcow2"))
        self.write("volumes/p1", 1 << 20, b"x" * (1 << 20))
        must("fallocate", "-p", "-o", str(1 << 20), "-l", str(1 << 20), self.at("volumes/p1"))
        self.assertEqual(bytes_at(self.at("volumes/p1"), 1 << 20, 1 << 20), bytes(1 << 20))

    def test_mkfs_on_a_volume(self):
        image = self.new_disk("qcow2")
        self.mount("-w", image)
        must("mke2fs", "-q", "-F", "-t", "ext4", "-L", "fresh", self.at("volumes/p1"))
        must("e2fsck", "-fn", self.at("volumes/p1"))
        # What is there now may be another file system than the one that was found.
        self.assertErrno(errno.ESTALE, lambda: os.listdir(self.at("filesystems/p1")))
        self.must_umount()
        self.mount(image)
        with open(self.at(".vimg/info.json")) as file:
            self.assertEqual(json.load(file)["filesystems"][0]["label"], "fresh")
        self.assertEqual(os.listdir(self.at("filesystems/p1")), ["lost+found"])

    def test_dd_truncating_at_open_changes_only_what_it_writes(self):
        self.mount("-w", self.new_disk())
        before = bytes_at(self.at("volumes/p1"), 512, 4096)
        must("dd", "if=/dev/zero", f"of={self.at('volumes/p1')}", "bs=512", "count=1")
        self.assertEqual(bytes_at(self.at("volumes/p1"), 512, 4096), before)

    def test_a_volume_open_for_writing_makes_its_tree_busy(self):
        self.mount("-w", self.new_disk())
        file = os.open(self.at("disks/disk0"), os.O_RDWR)
        self.assertErrno(errno.EBUSY, lambda: os.listdir(self.at("filesystems/p1")))
        os.close(file)

    def test_a_tree_that_was_written_makes_its_volume_busy(self):
        self.mount("-w", self.new_disk())
        self.assertEqual(os.listdir(self.at("filesystems/p1")), ["lost+found"])
        os.close(os.open(self.at("volumes/p1"), os.O_RDWR))
        with open(self.at("filesystems/p1/f"), "w") as file:
            file.write("x")
        for name in ("volumes/p1", "disks/disk0"):
            self.assertErrno(errno.EBUSY, lambda: os.open(self.at(name), os.O_RDWR))
            os.close(os.open(self.at(name), os.O_RDONLY))

    def test_a_tree_on_a_logical_volume_makes_all_below_it_busy(self):
        self.mount("-w", self.unpack("lvm/two-disks-a.raw"), self.unpack("lvm/two-disks-b.raw"))
        group = os.listdir(self.at("filesystems"))[0]
        volume = os.listdir(self.at(f"filesystems/{group}"))[0]
        with open(self.at(f"filesystems/{group}/{volume}/f"), "w") as file:
            file.write("x")
        for name in (f"volumes/{group}/{volume}", "disks/disk0", "disks/disk1"):
            self.assertErrno(errno.EBUSY, lambda: os.open(self.at(name), os.O_RDWR))

    def test_looking_at_a_writable_tree_changes_no_byte(self):
        image = self.new_disk()
        before = digest(image)
        self.mount("-w", image)
        must("find", self.mountpoint)
        self.must_umount()
        self.assertEqual(digest(image), before)

    def test_listing_opens_no_file_system(self):
        image = self.new_disk()
        with open(image, "r+b") as file:  # the group descriptors, so that opening fails
            file.seek((1 << 20) + 1024 + 0x2C)
            file.write(b"\xff\xff\xff\xff")
        self.mount(image)
        self.assertEqual(os.listdir(self.at("filesystems")), ["p1"])


if __name__ == "__main__":
    main()

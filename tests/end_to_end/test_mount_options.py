"""vimgmount's command line: layouts, mount(8) and fstab, messages and exit codes."""
import json
import os
import subprocess

from mounting import (BIN, MOUNT, UMOUNT, MountTest, as_nobody, digest, main, must, run,
                      skip_unless, wait_until)


class Layouts(MountTest):
    def test_everything(self):
        self.mount(self.unpack("guest/debian.qcow2"))
        self.assertEqual(sorted(os.listdir(self.mountpoint)),
                         [".vimg", "disks", "filesystems", "root", "volumes"])
        self.assertEqual(sorted(os.listdir(self.at("volumes"))), ["debian-vg", "p1", "p2", "p3"])
        self.assertIn("root", os.listdir(self.at("filesystems/debian-vg")))
        with open(self.at("root/etc/hostname")) as file:
            self.assertEqual(file.read().strip(), "corpus-debian-1")
        with open(self.at(".vimg/info.json")) as file:
            info = json.load(file)
        self.assertEqual(info["schema"], 1)
        self.assertEqual(info["systems"][0]["hostname"], "corpus-debian-1")

    def test_the_guest_s_own_tree_has_its_file_systems_mounted(self):
        self.mount("-i", self.unpack("guest/debian.qcow2"))
        self.assertTrue(os.path.exists(self.at("etc/fstab")))
        self.assertTrue(os.path.isdir(self.at("var/lib/dpkg")))
        self.assertIn("lost+found", os.listdir(self.at("boot")))

    def test_one_volume(self):
        self.mount("--volume", "debian-vg/var", self.unpack("guest/debian.qcow2"))
        self.assertTrue(os.path.isdir(self.at("lib/dpkg")))

    def test_several_volumes_put_together(self):
        image = self.unpack("guest/debian.qcow2")
        self.mount("-a", image, "-m", "/dev/debian-vg/root", "-m", "/dev/sda2:/boot",
                   "-m", "/dev/mapper/debian--vg-var:/var:noload")
        self.assertTrue(os.path.isdir(self.at("var/lib/dpkg")))
        self.assertIn("lost+found", os.listdir(self.at("boot")))
        self.assertNotEqual(os.stat(self.at("boot")).st_ino, os.stat(self.mountpoint).st_ino)

    def test_an_unknown_volume_is_answered_with_those_there_are(self):
        done = run(MOUNT, "--volume", "p9", self.unpack("guest/debian.qcow2"), self.mountpoint)
        self.assertEqual(done.returncode, 3)
        self.assertIn("debian-vg/root", done.stdout)

    def test_a_mount_point_that_the_guest_has_not(self):
        done = run(MOUNT, "-a", self.unpack("guest/debian.qcow2"), "-m", "debian-vg/root",
                   "-m", "p2:/nowhere", self.mountpoint)
        self.assertEqual(done.returncode, 3)
        self.assertIn("nowhere", done.stdout)

    def test_a_disk_without_an_operating_system(self):
        done = run(MOUNT, "-i", self.new_disk(), self.mountpoint)
        self.assertEqual(done.returncode, 3)
        self.assertIn("no operating system found", done.stdout)


class Commands(MountTest):
    def in_mount_namespace(self, script):
        """Runs a shell script where /usr/local/bin, as mount(8) uses no PATH, holds this build."""
        skip_unless(os.geteuid() == 0 and os.path.exists("/sbin/mount.fuse3"), "no mount.fuse3")
        return must("unshare", "-m", "sh", "-ec",
                    f"mount --bind {os.path.abspath(BIN)} /usr/local/bin; {script}")

    def test_mount_8(self):
        said = self.in_mount_namespace(
            f"mount -t fuse.vimgmount {self.new_disk()} {self.mountpoint}"
            " -o ro,volume=p1,nofail,x-systemd.automount;"
            f"ls {self.mountpoint}; findmnt -no FSTYPE,SOURCE,OPTIONS {self.mountpoint};"
            f"vimgumount {self.mountpoint}").split()
        self.assertEqual(said[:3], ["lost+found", "fuse.vimgmount", self.path("disk.raw")])
        self.assertLessEqual({"ro", "nosuid", "nodev"}, set(said[3].split(",")))

    def test_fstab(self):
        with open(self.path("fstab"), "w") as file:
            file.write(f"{self.new_disk()} {self.mountpoint} fuse.vimgmount "
                       "ro,volume=p1,noauto 0 0\n")
        said = self.in_mount_namespace(
            f"mount -T {self.path('fstab')} {self.mountpoint}; ls {self.mountpoint};"
            f"vimgumount {self.mountpoint}")
        self.assertEqual(said.split(), ["lost+found"])

    def test_df_shows_the_file_system_s_size(self):
        self.mount("--volume", "p1", self.new_disk())
        self.assertGreater(os.statvfs(self.mountpoint).f_blocks, 1000)

    def test_usage(self):
        for arguments in ([], ["--nonsense"], [self.mountpoint], ["-r", "-w", "x", "y"]):
            with self.subTest(arguments):
                self.assertEqual(run(MOUNT, *arguments).returncode, 2)
        self.assertEqual(run(MOUNT, "--help").returncode, 0)
        self.assertEqual(run(UMOUNT, "--version").returncode, 0)

    def test_an_image_that_is_not_there(self):
        done = run(MOUNT, self.path("absent"), self.mountpoint)
        self.assertEqual(done.returncode, 3)
        self.assertIn("absent", done.stdout)
        self.assertEqual(len(done.stdout.splitlines()), 1)

    def test_mount_points_that_cannot_be(self):
        image = self.new_disk()
        for point in (self.path("absent"), image):
            with self.subTest(point):
                done = run(MOUNT, image, point)
                self.assertEqual(done.returncode, 3)
                self.assertIn(point, done.stdout)
                self.assertEqual(len(done.stdout.splitlines()), 1)

    def test_an_image_inside_its_own_mount_point(self):
        done = run(MOUNT, self.new_disk(), self.directory)
        self.assertEqual(done.returncode, 2)
        self.assertIn("hidden under its own mount", done.stdout)

    def test_a_locked_image_is_not_written(self):
        image = self.new_disk("qcow2")
        holder = subprocess.Popen(["qemu-io", image], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        try:
            holder.stdin.write(b"read 0 512\n")
            holder.stdin.flush()
            holder.stdout.readline()
            done = run(MOUNT, "-w", image, self.mountpoint)
            self.assertEqual(done.returncode, 5, done.stdout)
            self.assertIn(image, done.stdout)
        finally:
            holder.communicate(b"quit\n")
        self.mount("-w", image)

    def test_a_reference_outside_is_refused(self):
        base = self.new_disk()
        inner = self.path("inner")
        os.mkdir(inner)
        top = os.path.join(inner, "top.qcow2")
        must("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, top)
        done = run(MOUNT, top, self.mountpoint)
        self.assertEqual(done.returncode, 4)
        self.assertIn("allow-refs", done.stdout)
        self.mount("--allow-refs", self.directory, "--volume", "p1", top)

    def test_ready_descriptor(self):
        reader, writer = os.pipe()
        process = subprocess.Popen([MOUNT, "--no-fork", f"--fd={writer}", self.new_disk(),
                                    self.mountpoint], pass_fds=[writer])
        os.close(writer)
        self.assertEqual(os.read(reader, 2), b"\0")
        os.close(reader)
        must(UMOUNT, self.mountpoint)
        self.assertEqual(process.wait(), 0)

    def test_no_words_when_all_is_well(self):
        self.assertEqual(self.mount(self.new_disk()), "")


if __name__ == "__main__":
    main()

"""vimgumount is a barrier: behind it all is written, unlocked and gone."""
import contextlib
import os
import signal
import subprocess

from mounting import (MOUNT, OFFSET, UMOUNT, MountTest, alive, as_nobody, main, must, run,
                      skip_unless, wait_until)


class Umount(MountTest):
    def setUp(self):
        super().setUp()
        self.image = self.new_disk()

    def test_process_is_gone_and_the_lock_is_free(self):
        self.mount("-w", self.image)
        self.assertEqual(run("qemu-io", "-f", "raw", "-c", "write 0 512", self.image).returncode, 1)
        self.must_umount()
        must("qemu-io", "-r", "-f", "raw", "-c", "read 0 512", self.image)

    def test_busy_mount_is_named_and_stays(self):
        self.mount(self.image)
        with open(self.at("disks/disk0"), "rb"):
            done = self.umount("--no-retry")
            self.assertEqual(done.returncode, 6)
            self.assertIn("in use", done.stdout)
            self.assertTrue(self.mounted())
        self.must_umount()

    def test_quiet_says_nothing(self):
        self.mount(self.image)
        with open(self.at("disks/disk0"), "rb"):
            done = self.umount("--no-retry", "-q")
            self.assertEqual((done.returncode, done.stdout), (6, ""))

    def test_retry_waits_for_the_last_user(self):
        self.mount(self.image)
        user = subprocess.Popen(["sleep", "0.3"], cwd=self.mountpoint)
        self.assertEqual(self.umount("--retry=8").returncode, 0)
        user.wait()

    def test_lazy_goes_out_of_sight_at_once(self):
        self.mount(self.image)
        pid = self.pid()
        with open(self.at("disks/disk0"), "rb") as file:
            self.assertEqual(self.umount("--lazy").returncode, 0)
            self.assertFalse(self.mounted())
            self.assertEqual(len(file.read(512)), 512)
            self.assertTrue(alive(pid))
        wait_until(lambda: not alive(pid), "the end of vimgmount")

    def test_nothing_is_mounted(self):
        done = self.umount()
        self.assertEqual(done.returncode, 3)
        self.assertIn("nothing is mounted there by vimgmount", done.stdout)

    def test_another_file_system_is_left_alone(self):
        skip_unless(os.geteuid() == 0, "only root mounts tmpfs")
        must("mount", "-t", "tmpfs", "none", self.mountpoint)
        self.assertEqual(self.umount().returncode, 3)
        self.assertTrue(self.mounted())

    def test_problems_met_on_the_way_are_said_at_the_end(self):
        with open(self.image, "r+b") as file:  # the first inodes of group 0, "lost+found" with them
            file.seek(OFFSET + 1024 * int(must(
                "sh", "-c", f"dumpe2fs {self.image}?offset={OFFSET} 2>/dev/null |"
                " sed -n 's/.*Inode table at \\([0-9]*\\)-.*/\\1/p' | head -1")) + 10 * 256)
            file.write(b"\xff" * 256)
        self.mount("--volume", "p1", self.image)
        with self.assertRaises(OSError):
            os.stat(self.at("lost+found"))
        done = self.umount()
        self.assertEqual(done.returncode, 0)
        self.assertIn("warning: ext4: ", done.stdout)

    def test_a_process_that_was_killed_is_an_error(self):
        self.mount(self.image)
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid), "the end of vimgmount")
        done = self.umount()
        self.assertEqual(done.returncode, 6)
        self.assertFalse(self.mounted())

    def test_plain_fusermount_is_safe(self):
        self.mount("-w", self.image)
        pid = self.pid()
        must("fusermount3", "-u", self.mountpoint)
        wait_until(lambda: not alive(pid), "the end of vimgmount")

    def test_signals_end_the_mount(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number):
                self.mount("-w", self.image)
                pid = self.pid()
                os.kill(pid, number)
                wait_until(lambda: not alive(pid), "the end of vimgmount")
                self.assertFalse(self.mounted())

    def test_a_signal_ends_a_mount_that_is_in_use(self):
        self.mount(self.image)
        pid = self.pid()
        file = os.open(self.at("disks/disk0"), os.O_RDONLY)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not alive(pid), "the end of vimgmount")
        self.assertFalse(self.mounted())
        with self.assertRaises(OSError):
            os.read(file, 1)
        with contextlib.suppress(OSError):
            os.close(file)

    def test_foreground(self):
        process = subprocess.Popen([MOUNT, "--no-fork", self.image, self.mountpoint])
        wait_until(self.mounted, "the mount")
        self.assertEqual(self.umount().returncode, 0)
        self.assertEqual(process.wait(), 0)

    def test_as_nobody(self):
        self.skip_without_nobody()
        os.chmod(self.image, 0o666)
        must(*as_nobody(MOUNT, "-w", "--pid-file", self.pid_file, self.image, self.mountpoint))
        pid = self.pid()
        must(*as_nobody(UMOUNT, self.mountpoint))
        self.assertFalse(alive(pid))
        self.assertFalse(self.mounted())

    def test_root_unmounts_what_nobody_mounted(self):
        self.skip_without_nobody()
        must(*as_nobody(MOUNT, "--pid-file", self.pid_file, self.image, self.mountpoint))
        self.must_umount()


if __name__ == "__main__":
    main()

"""vimg convert is seen complete or not at all, on file systems of every kind."""
import os
import signal
import subprocess

from mounting import BIN, MountTest, digest, main, must, run

VIMG = os.path.join(BIN, "vimg")


class Convert(MountTest):
    def begin_long_conversion(self):
        """A conversion that is under way, and has seconds of compressing before it."""
        with open(self.path("disk.raw"), "wb") as file:
            for block in range(1 << 9):
                file.write(b"%08d abcdefgh %d\n" % (block, block * block) * 20000)
        process = subprocess.Popen([VIMG, "convert", "-p", "-c", "-O", "qcow2", "disk.raw", "out.qcow2"],
                                   cwd=self.directory, stderr=subprocess.PIPE)
        self.assertIn(b"/100%", process.stderr.read(20))
        return process

    def test_a_signal_leaves_nothing_and_ends_the_process(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number), self.begin_long_conversion() as process:
                process.send_signal(number)
                process.stderr.read()
                self.assertEqual(process.wait(), -number)
                self.assertEqual(sorted(os.listdir(self.directory)), ["disk.raw", "mnt"])

    def test_a_file_that_appears_meanwhile_is_kept(self):
        with self.begin_long_conversion() as process:
            with open(self.path("out.qcow2"), "w") as file:
                file.write("precious")
            process.stderr.read()
            self.assertEqual(process.wait(), 2)
        with open(self.path("out.qcow2")) as file:
            self.assertEqual(file.read(), "precious")

    def test_a_file_system_without_nameless_files(self):
        """Ours has none: its own trees are written to."""
        image = self.new_disk()
        must("sh", "-c", f"seq 1 100000 > {self.path('source.raw')}")
        self.mount("-w", "--volume", "p1", image)
        must(VIMG, "convert", self.path("source.raw"), self.at("out.raw"))
        self.assertEqual(digest(self.at("out.raw")), digest(self.path("source.raw")))
        done = run(VIMG, "convert", self.path("source.raw"), self.at("out.raw"))
        self.assertEqual(done.returncode, 2, done.stdout)
        must(VIMG, "convert", "--force", "-O", "qcow2", self.path("source.raw"), self.at("out.raw"))
        must("qemu-img", "compare", "-f", "raw", "-F", "qcow2", self.path("source.raw"),
             self.at("out.raw"))
        self.assertNotEqual(run(VIMG, "convert", "-c", self.path("source.raw"),
                                self.at("none.raw")).returncode, 0)
        self.assertEqual(sorted(os.listdir(self.mountpoint)), ["lost+found", "out.raw"])
        self.must_umount()
        must("e2fsck", "-fn", f"{image}?offset=1048576")


if __name__ == "__main__":
    main()

"""Random operations by several processes through the mount, held against a model and against e2fsck and the kernel.

VIMG_STRESS_SECONDS says how long each test runs (default 15), VIMG_STRESS_SEED with which seed (default: the day).
"""
import os
import subprocess
import sys
import time

import mounting
from mounting import BIN, MountTest, must, run, skip_unless

SECONDS = int(os.environ.get("VIMG_STRESS_SECONDS", "15"))
SEED = os.environ.get("VIMG_STRESS_SEED", str(int(time.time()) // 86400))
STRESS = os.path.join(BIN, "vimg_stress")


class StressTest(MountTest):
    def stress(self, directory=".", prefix=()):
        """Runs vimg_stress in `directory` of the mount; its manifest of the end is in the file `manifest`."""
        self.directory_used = directory
        done = subprocess.run([*prefix, STRESS, "--dir", self.at(directory), "--seconds", str(SECONDS), "--seed", SEED,
                               "--processes", "4", "--save", self.path("manifest")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS * 3 + 300)
        self.assertEqual(done.returncode, 0, f"seed {SEED}: {done.stdout[-8000:]}")
        print(done.stdout.splitlines()[0], file=sys.stderr)

    def verify(self):
        done = run(STRESS, "--dir", self.at(self.directory_used), "--verify-only", self.path("manifest"))
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])

    def check_image(self, image):
        """qemu-img and e2fsck find nothing, and both we and the kernel read what the model holds."""
        must("qemu-img", "check", image)
        raw = self.path("after.raw")
        must("qemu-img", "convert", "-O", "raw", image, raw)
        checked = run("e2fsck", "-fn", f"{raw}?offset=1048576")
        self.assertEqual(checked.returncode, 0, checked.stdout[-4000:])
        self.mount("--volume", "p1", image)
        self.verify()
        self.must_umount()
        self.verify_by_kernel(raw)

    def verify_by_kernel(self, raw):
        skip_unless(os.geteuid() == 0 and os.path.exists("/dev/loop-control"), "no loop mounts here: not verified by the kernel")
        must("mount", "-o", "ro,noload,loop,offset=1048576", raw, self.mountpoint)
        try:
            self.verify()
        finally:
            must("umount", self.mountpoint)

    def test_root_on_qcow2(self):
        image = self.new_disk("qcow2", "1G")
        self.mount("-w", "--volume", "p1", image)
        self.stress()
        self.must_umount()
        self.check_image(image)

    def test_small_blocks_on_qcow2(self):
        image = self.new_disk("qcow2", "768M", ("mke2fs", "-q", "-t", "ext4", "-b", "1024", "-O", "inline_data"))
        self.mount("-w", "--volume", "p1", image)
        self.stress()
        self.must_umount()
        self.check_image(image)

    def test_user_on_qcow2(self):
        """Who makes himself a home as the guest's root, and then lives there under the kernel's permission checks."""
        self.skip_without_nobody()
        nobody = mounting.as_nobody()
        image = self.new_disk("qcow2", "768M")
        os.chown(image, mounting.NOBODY, mounting.NOBODY)
        mount = [*nobody, mounting.MOUNT, "-w", "--pid-file", self.pid_file, "--volume", "p1", image, self.mountpoint]
        must(*mount)
        must(*nobody, "mkdir", self.at("home"))
        must(*nobody, "chown", str(mounting.NOBODY), self.at("home"))
        must(*nobody, mounting.UMOUNT, self.mountpoint)
        must(*mount, "-o", "default_permissions")
        self.stress("home", nobody)
        must(*nobody, mounting.UMOUNT, self.mountpoint)
        self.check_image(image)


mounting.main()

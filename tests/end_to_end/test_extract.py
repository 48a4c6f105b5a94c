"""6,000 real files extracted through the mount, by root and by a user, and read back through the kernel's own driver."""
import os
import subprocess
import sys

import mounting
from mounting import MountTest, must, run, skip_unless

FILES = 6000
# Where a Debian keeps many small files, some large ones, links and capabilities.
SOURCES = ("etc", "usr/bin", "usr/sbin", "usr/share/zoneinfo", "usr/share/doc", "usr/share/man", "usr/lib")


def real_files():
    """About FILES paths of this system, spread over SOURCES, and the directories above them; relative to /."""
    found = subprocess.run(["find", *SOURCES, "-xdev", "(", "-type", "f", "-size", "-4M", "-readable", "-o", "-type", "d", "-o", "-type", "l", ")",
                            "-print0"], cwd="/", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.split(b"\0")[:-1]
    step = max(1, len(found) // FILES)
    chosen = set(found[::step][:FILES])
    for path in list(chosen):
        while path := os.path.dirname(path):
            chosen.add(path)
    # By components, as tar sets a directory's time when it leaves it.
    return sorted(chosen, key=lambda path: path.split(b"/"))


def listing(top):
    """What rsync would compare: path, type and mode, owner, size, time, link target, SHA-256."""
    lines = must("find", ".", "-mindepth", "1", "-name", "lost+found", "-prune", "-o", "-type", "f", "-printf", r"%p %M %U:%G %s %T@\n", "-o", "-type", "l",
                 "-printf", r"%p %M %U:%G %l\n", "-o", "-mindepth", "1", "-printf", r"%p %M %U:%G %T@\n", cwd=top)
    sums = must("bash", "-c", "find . -type f -print0 | sort -z | xargs -0r sha256sum", cwd=top)
    return sorted(lines.splitlines()) + sums.splitlines()


class ExtractTest(MountTest):
    def setUp(self):
        super().setUp()
        self.tar = self.path("tree.tar")
        subprocess.run(["tar", "--xattrs", "--xattrs-include=*", "--null", "--no-recursion", "-T", "-", "-cf", self.tar], cwd="/", input=b"\0".join(real_files()), check=True)

    def extract_beside(self, prefix=()):
        """The same tar extracted on the host, for comparison; returns the directory."""
        beside = self.path("beside")
        os.mkdir(beside)
        if prefix:
            os.chown(beside, mounting.NOBODY, mounting.NOBODY)
        must(*prefix, "tar", "-xf", self.tar, "-C", beside)
        return beside

    def compare(self, image, want):
        must("qemu-img", "check", image)
        raw = self.path("after.raw")
        must("qemu-img", "convert", "-O", "raw", image, raw)
        checked = run("e2fsck", "-fn", f"{raw}?offset=1048576")
        self.assertEqual(checked.returncode, 0, checked.stdout[-4000:])
        skip_unless(os.geteuid() == 0 and os.path.exists("/dev/loop-control"), "no loop mounts here: not compared through the kernel")
        must("mount", "-o", "ro,noload,loop,offset=1048576", raw, self.mountpoint)
        try:
            got = listing(f"{self.mountpoint}/new")
        finally:
            must("umount", self.mountpoint)
        differences = sorted(set(want).symmetric_difference(got))
        self.assertEqual(differences[:10], [])
        print(f"{len(want)} lines of listing agree", file=sys.stderr)

    def test_by_root(self):
        skip_unless(os.geteuid() == 0, "not root")
        image = self.new_disk("qcow2", "2G")
        self.mount("-w", "--volume", "p1", image)
        os.mkdir(self.at("new"))
        must("tar", "-xf", self.tar, "-C", self.at("new"))
        self.must_umount()
        self.compare(image, listing(self.extract_beside()))

    def test_by_a_user(self):
        """Who acts as the guest's root, so all is owned by it."""
        self.skip_without_nobody()
        image = self.new_disk("qcow2", "2G")
        os.chown(image, mounting.NOBODY, mounting.NOBODY)
        nobody = mounting.as_nobody()
        must(*nobody, mounting.MOUNT, "-w", "--pid-file", self.pid_file, "--volume", "p1", image, self.mountpoint)
        must(*nobody, "mkdir", self.at("new"))
        must(*nobody, "tar", "-xf", self.tar, "-C", self.at("new"))
        must(*nobody, mounting.UMOUNT, self.mountpoint)
        want = [line.replace("65534:65534", "0:0") for line in listing(self.extract_beside(nobody))]
        self.compare(image, want)


mounting.main()

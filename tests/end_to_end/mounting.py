"""What the end-to-end tests share: images unpacked, mounted and unmounted, programs run.

The commands are found through the environment variable VIMG_BIN, the directory they lie in.
"""
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BIN = os.environ.get("VIMG_BIN", "")
IMAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "images")
MOUNT = os.path.join(BIN, "vimgmount")
UMOUNT = os.path.join(BIN, "vimgumount")
TIMEOUT = 120
NOBODY = 65534
OFFSET = 1 << 20  # of the partition that new_disk() makes


def run(*command, **options):
    """Runs a command; its stdout and stderr are in .stdout together."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=TIMEOUT, **options)


def must(*command, **options):
    """The same; anything but exit code 0 fails the test."""
    done = run(*command, **options)
    assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}: {done.stdout}"
    return done.stdout


def as_nobody(*command):
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") \
            else hashlib.sha256(file.read()).hexdigest()


def wait_until(condition, what, seconds=20):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, f"{what} did not come to pass in {seconds} s"
        time.sleep(0.01)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def skip_unless(condition, reason):
    if not condition:
        print(f"skipped: {reason}", file=sys.stderr, flush=True)
        raise unittest.SkipTest(reason)


class MountTest(unittest.TestCase):
    """A directory for each test, with a mount point in it; nothing is left mounted."""

    def setUp(self):
        skip_unless(os.access("/dev/fuse", os.R_OK | os.W_OK), "/dev/fuse cannot be used here")
        self.directory = tempfile.mkdtemp(prefix="vimg-e2e-")
        self.mountpoint = os.path.join(self.directory, "mnt")
        os.mkdir(self.mountpoint)
        self.pid_file = os.path.join(self.directory, "pid")

    def tearDown(self):
        pid = self.pid() if os.path.exists(self.pid_file) else None
        run("umount", "-lq", self.mountpoint)
        if pid and alive(pid):
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not alive(pid), "the end of vimgmount")
        shutil.rmtree(self.directory)

    def skip_without_nobody(self):
        """Skips unless a user without rights can be made to mount here."""
        skip_unless(os.geteuid() == 0, "only root becomes nobody")
        skip_unless(run(*as_nobody("test", "-w", "/dev/fuse")).returncode == 0,
                    "/dev/fuse is closed to users")
        os.chmod(self.directory, 0o777)
        os.chown(self.mountpoint, NOBODY, NOBODY)

    def path(self, name):
        return os.path.join(self.directory, name)

    def at(self, name):
        return os.path.join(self.mountpoint, name)

    def unpack(self, name):
        """The sample image "formats/qcow2-v3.qcow2", unpacked."""
        target = self.path(os.path.basename(name))
        must("zstd", "-dqf", "--long=31", "--sparse", f"{IMAGES}/{name}.zst", "-o", target)
        return target

    def new_disk(self, format="raw", size="64M", mkfs=("mke2fs", "-q", "-t", "ext4")):
        """A disk with one partition, p1, that holds an empty file system."""
        raw = self.path("disk.raw")
        must("truncate", "-s", size, raw)
        must("sfdisk", "-q", raw, input="label: gpt\nstart=1MiB\n", stdin=None)
        must(*mkfs, "-E", "offset=1048576,root_owner=0:0", raw,
             f"{(os.path.getsize(raw) >> 10) - 2048}")
        if format == "raw":
            return raw
        image = self.path(f"disk.{format}")
        must("qemu-img", "convert", "-O", format, raw, image)
        return image

    def mount(self, *arguments):
        """Mounts, and fails the test when that fails; returns what vimgmount said."""
        return must(MOUNT, "--pid-file", self.pid_file, *arguments, self.mountpoint)

    def pid(self):
        with open(self.pid_file) as file:
            return int(file.read())

    def mounted(self):
        return os.path.ismount(self.mountpoint)

    def umount(self, *arguments):
        return run(UMOUNT, *arguments, self.mountpoint)

    def must_umount(self):
        must(UMOUNT, self.mountpoint)
        self.assertFalse(self.mounted())
        self.assertFalse(alive(self.pid()))


def main():
    unittest.main(verbosity=2)

"""Random writes to images of every format that can be written, held against a model and against qemu-img.

VIMG_FORMAT_SECONDS says how long for each image (default 2), VIMG_FORMAT_KILLS how often the process that writes to it is killed
(default 6), VIMG_FORMAT_SEED with which seed (default: the day).
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from mounting import BIN, must, run

SECONDS = int(os.environ.get("VIMG_FORMAT_SECONDS", "2"))
KILLS = int(os.environ.get("VIMG_FORMAT_KILLS", "6"))
SEED = os.environ.get("VIMG_FORMAT_SEED", str(int(time.time()) // 86400))
STRESS = os.path.join(BIN, "vimg_disk_stress")
SIZE = 24 << 20  # of each disk

# Name, format, the options of qemu-img create, and what is done with the image before: see prepare_*.
WRITABLE = [
    ("raw", "raw", "", None),
    ("qcow2_v2", "qcow2", "compat=0.10", None),
    ("qcow2_v3", "qcow2", "", None),
    ("qcow2_lazy_refcounts", "qcow2", "lazy_refcounts=on", None),
    ("qcow2_extended_l2", "qcow2", "extended_l2=on,cluster_size=32k", None),
    ("qcow2_small_clusters", "qcow2", "cluster_size=512", None),
    ("qcow2_large_clusters", "qcow2", "cluster_size=2M", None),
    ("qcow2_one_bit_refcounts", "qcow2", "refcount_bits=1,cluster_size=4k", None),
    ("qcow2_v2_with_backing", "qcow2", "compat=0.10", "backing"),
    ("qcow2_with_backing", "qcow2", "", "backing"),
    ("qcow2_extended_l2_with_backing", "qcow2", "extended_l2=on", "backing"),
    ("qcow2_with_snapshots", "qcow2", "cluster_size=4k", "snapshots"),
    ("qcow2_compressed", "qcow2", "", "compressed"),
    ("vhdx", "vhdx", "", None),
    ("vhdx_small_blocks", "vhdx", "block_size=1M,block_state_zero=off", None),
    ("vhdx_fixed", "vhdx", "subformat=fixed,block_size=2M,log_size=2M", None),
    ("vdi", "vdi", "", None),
    ("vpc_dynamic", "vpc", "force_size=on", None),
    ("vpc_fixed", "vpc", "subformat=fixed,force_size=on", None),
]


class FormatWritingTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="vimg-e2e-")

    def tearDown(self):
        shutil.rmtree(self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def make(self, format, options, preparation):
        image = self.path("image")
        with_options = ("-o", options) if options else ()
        getattr(self, f"make_{preparation or 'empty'}")(image, format, with_options)
        return image

    def make_content(self):
        """A raw file of the disk's size with some content here and there."""
        raw = self.path("content.raw")
        with open(raw, "wb") as file:
            for at in range(0, SIZE, 1 << 20):
                file.seek(at + 12345)
                file.write(os.urandom(1 << 16) + b"vimg" * (1 << 16))
            file.truncate(SIZE)
        return raw

    def make_empty(self, image, format, options):
        must("qemu-img", "create", "-q", "-f", format, *options, image, str(SIZE))

    def make_backing(self, image, format, options):
        must("qemu-img", "create", "-q", "-f", format, *options, "-b", self.make_content(), "-F", "raw", image)

    def make_snapshots(self, image, format, options):
        must("qemu-img", "convert", "-O", format, *options, self.make_content(), image)
        must("qemu-img", "snapshot", "-c", "first", image)
        must("qemu-io", "-f", format, "-c", "write -P 7 1M 3M", "-c", "discard 9M 2M", image)
        must("qemu-img", "snapshot", "-c", "second", image)

    def make_compressed(self, image, format, options):
        must("qemu-img", "convert", "-c", "-O", format, *options, self.make_content(), image)

    def snapshot_digests(self, image, format):
        """What each internal snapshot reads as, by qemu-img."""
        if format != "qcow2":
            return {}
        listed = must("qemu-img", "snapshot", "-l", image).splitlines()[2:]
        found = {}
        for name in (line.split()[1] for line in listed):
            raw = self.path("snapshot.raw")
            must("qemu-img", "convert", "-f", format, "-l", f"snapshot.name={name}", "-O", "raw", image, raw)
            found[name] = must("sha256sum", raw).split()[0]
        return found

    def stress(self, image, format, *arguments):
        model = self.path("model.raw")
        before = self.snapshot_digests(image, format)
        done = subprocess.run([STRESS, "--format", format, "--seed", SEED, *arguments, image, model],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS * 3 + KILLS * 20 + 300)
        self.assertEqual(done.returncode, 0, f"seed {SEED}: {done.stdout[-8000:]}")
        print(done.stdout, end="", file=sys.stderr)
        if format != "raw":
            self.check(image, format, (3,) if "--kill" in arguments else ())
        must("qemu-img", "compare", "-f", format, "-F", "raw", image, model)
        self.assertEqual(self.snapshot_digests(image, format), before)

    def check(self, image, format, allowed):
        """Formats that qemu-img cannot check say so with exit code 63; leaks alone are 3."""
        checked = run("qemu-img", "check", "-f", format, image)
        self.assertIn(checked.returncode, (0, 63, *allowed), checked.stdout[-4000:])


def add_tests(name, format, options, preparation):
    def test_random(self):
        image = self.make(format, options, preparation)
        self.stress(image, format, "--seconds", str(SECONDS))

    def test_kills(self):
        image = self.make(format, options, preparation)
        self.stress(image, format, "--kill", str(KILLS))

    setattr(FormatWritingTest, f"test_random_on_{name}", test_random)
    setattr(FormatWritingTest, f"test_kills_on_{name}", test_kills)


for row in WRITABLE:
    add_tests(*row)

if __name__ == "__main__":
    unittest.main(verbosity=2)

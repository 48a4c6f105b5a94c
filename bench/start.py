#!/usr/bin/env python3
"""Times from the command to a complete listing of a guest's root, and measures memory while reading.

usage: bench/start.py [--vimgmount PATH] [--runs N] [--limit-ms 30] [--limit-mib 64] DIRECTORY

Builds in DIRECTORY, once, a 4 GiB and a 64 TiB qcow2 image, each a GPT disk with one ext4 file system that fills it (the
64 TiB one is made by mke2fs through vimgmount itself), and a 256 MiB file in both. Then, with the page cache warm:
  start    median of N runs of: vimgmount --volume p1, listdir of the mount point; and the same of `true`, beside it
  memory   the daemon's peak resident set (VmHWM) after reading the file through
Exits with 1 when a limit is missed.
"""
import argparse, os, statistics, subprocess, sys, time

ap = argparse.ArgumentParser()
ap.add_argument("directory")
ap.add_argument("--vimgmount", default="vimgmount")
ap.add_argument("--runs", type=int, default=11)
ap.add_argument("--limit-ms", type=float, default=30)
ap.add_argument("--limit-mib", type=float, default=64)
a = ap.parse_args()
umount = os.path.join(os.path.dirname(a.vimgmount), "vimgumount") if "/" in a.vimgmount else "vimgumount"
mnt = os.path.join(a.directory, "mnt")
os.makedirs(mnt, exist_ok=True)


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def build(image, size):
    """A qcow2 of `size` with a GPT, one ext4 in it, and a file big.bin there."""
    run("qemu-img", "create", "-q", "-f", "qcow2", image, size)
    run(a.vimgmount, "-w", image, mnt)
    try:
        subprocess.run(["sfdisk", "-q", "--no-reread", "--no-tell-kernel", f"{mnt}/disks/disk0"], input=b"label: gpt\ntype=L\n", check=True)
    finally:
        run(umount, mnt)
    run(a.vimgmount, "-w", image, mnt)
    try:
        run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^resize_inode,64bit", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
            "-i", "1048576", f"{mnt}/volumes/p1")
    finally:
        run(umount, mnt)
    run(a.vimgmount, "-w", "--volume", "p1", image, mnt)
    try:
        with open(f"{mnt}/big.bin", "wb") as f:
            for _ in range(256):
                f.write(os.urandom(1 << 20))
        for name in ("etc", "usr", "var"):
            os.mkdir(f"{mnt}/{name}")
    finally:
        run(umount, mnt)


def daemon():
    return int(subprocess.check_output(["pgrep", "-nx", "vimgmount"], text=True))


def peak_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM"))


missed = False
for name, size in (("4 GiB", "4G"), ("64 TiB", "64T")):
    image = os.path.join(a.directory, f"start-{size}.qcow2")
    if not os.path.exists(image):
        build(image + ".part", size)
        os.rename(image + ".part", image)
    run("cat", image)
    times, bare = [], []
    for _ in range(a.runs):
        t = time.monotonic()
        run(a.vimgmount, "--ro", "--volume", "p1", image, mnt)
        names = os.listdir(mnt)
        times.append((time.monotonic() - t) * 1000)
        assert "usr" in names, names
        run(umount, mnt)
        t = time.monotonic()
        run("true")
        bare.append((time.monotonic() - t) * 1000)
    run(a.vimgmount, "--ro", "--volume", "p1", image, mnt)
    run("dd", f"if={mnt}/big.bin", "of=/dev/null", "bs=1M", "status=none")
    memory = peak_mib(daemon())
    run(umount, mnt)
    start = statistics.median(times)
    print(f"{name}: start {start:.1f} ms (min {min(times):.1f}, max {max(times):.1f}; `true` alone {statistics.median(bare):.1f}), peak memory {memory:.1f} MiB")
    missed |= start > a.limit_ms or memory > a.limit_mib
sys.exit(missed)

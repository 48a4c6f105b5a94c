#!/usr/bin/env python3
"""Reads one file of a compressed qcow2 through vimgmount with one core and with two, in turns, and prints the ratio.

usage: bench/cores.py [--vimgmount PATH] [--runs N] [--limit 1.6] FIXTURE_DIR

FIXTURE_DIR is what bench/fixture.sh built. Daemon and reader are held to one core, or to two, by taskset. Exits with 1 when two
cores are less than LIMIT times as fast as one, for zlib or for zstd.
"""
import argparse, os, statistics, subprocess, sys, tempfile, time

ap = argparse.ArgumentParser()
ap.add_argument("fixture")
ap.add_argument("--vimgmount", default="vimgmount")
ap.add_argument("--runs", type=int, default=3)
ap.add_argument("--limit", type=float, default=1.6)
a = ap.parse_args()
umount = os.path.join(os.path.dirname(a.vimgmount), "vimgumount") if "/" in a.vimgmount else "vimgumount"


def seconds(image, cpus):
    with tempfile.TemporaryDirectory() as mnt:
        subprocess.run(["taskset", "-c", cpus, a.vimgmount, "--ro", "--volume", "p2", image, mnt], check=True)
        try:
            t = time.monotonic()
            subprocess.run(["taskset", "-c", cpus, "dd", f"if={mnt}/srv/big.bin", "of=/dev/null", "bs=1M", "status=none"], check=True)
            return time.monotonic() - t
        finally:
            subprocess.run([umount, mnt], check=True)


missed = False
for name in ("disk-z.qcow2", "disk-zstd.qcow2"):
    image = os.path.join(a.fixture, name)
    subprocess.run(["cat", image], check=True, stdout=subprocess.DEVNULL)
    one, two = [], []
    for _ in range(a.runs):
        one.append(seconds(image, "0"))
        two.append(seconds(image, "0,1"))
    ratio = statistics.median(one) / statistics.median(two)
    print(f"{name}: one core {statistics.median(one):.2f} s, two cores {statistics.median(two):.2f} s: {ratio:.2f} times as fast")
    missed |= ratio < a.limit
sys.exit(missed)

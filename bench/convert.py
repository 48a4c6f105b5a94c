#!/usr/bin/env python3
"""vimg convert beside qemu-img convert: time and memory, interleaved, as ratios.

usage: bench/convert.py --vimg build/release/bin/vimg [--runs N] DIR

Makes DIR/disk.raw once: a 4 GiB ext4 with about 1.2 GiB of what is below /usr.  Both write with nothing flushed
(qemu-img's default), so that the disk's own speed is not what is measured; the page cache is warm.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time

LIMIT = 1200 << 20  # bytes of files


def make_disk(path):
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as tree:
        total = 0
        for directory, _, names in os.walk("/usr"):
            for name in names:
                source = os.path.join(directory, name)
                if os.path.islink(source) or not os.path.isfile(source) or total > LIMIT:
                    continue
                target = tree + source
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(source, target)
                total += os.path.getsize(source)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, path + ".new", "4G"], check=True)
    os.rename(path + ".new", path)


def measure(command):
    """Seconds and the peak of resident memory in KiB."""
    start = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"{' '.join(command)}: status {status}"
    return time.monotonic() - start, usage.ru_maxrss


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--vimg", required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("directory")
    arguments = parser.parse_args()
    at = lambda name: os.path.join(arguments.directory, name)
    os.makedirs(arguments.directory, exist_ok=True)
    if not os.path.exists(at("disk.raw")):
        make_disk(at("disk.raw"))
    kinds = {"qcow2": ["-O", "qcow2"],
             "zlib": ["-c", "-O", "qcow2"],
             "zstd": ["-c", "-O", "qcow2", "-o", "compression_type=zstd"]}
    work = [("raw to " + kind, "disk.raw", "raw", options) for kind, options in kinds.items()]
    work += [(kind + " to raw", kind + ".qcow2", "qcow2", ["-O", "raw"]) for kind in kinds]
    for kind, options in kinds.items():
        if not os.path.exists(at(kind + ".qcow2")):
            subprocess.run(["qemu-img", "convert", "-f", "raw", *options, at("disk.raw"), at(kind + ".qcow2")],
                           check=True)
    print(f"{'':14}{'qemu-img':>10}{'vimg':>10}{'ratio':>8}{'MiB':>6}{'MiB':>6}")
    for name, source, format, options in work:
        theirs, ours = [], []
        for _ in range(arguments.runs):
            for program, results in ((["qemu-img", "convert"], theirs),
                                     ([arguments.vimg, "convert", "--no-flush", "--force"], ours)):
                results.append(measure([*program, "-f", format, *options, at(source), at("out")]))
                os.unlink(at("out"))
        seconds = [statistics.median(run[0] for run in runs) for runs in (theirs, ours)]
        memory = [max(run[1] for run in runs) >> 10 for runs in (theirs, ours)]
        print(f"{name:14}{seconds[0]:9.2f}s{seconds[1]:9.2f}s{seconds[0] / seconds[1]:7.2f}x"
              f"{memory[0]:6}{memory[1]:6}", flush=True)


if __name__ == "__main__":
    main()

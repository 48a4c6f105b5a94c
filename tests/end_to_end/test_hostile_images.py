#!/usr/bin/env python3
"""Images that attack: each is built here, mounted or listed, and must be refused, or shown, as promised.

usage: VIMG_BIN=BIN_DIRECTORY test_hostile_images.py [REGEX]

A case is a function named attack_*. It gets an empty directory and returns what it expects: (command words, exit code, words that the
message must hold). After every case no mount may be left.
"""
import os, re, struct, subprocess, sys, tempfile, zlib

BIN = os.environ["VIMG_BIN"]
MOUNT, UMOUNT, VIMG = (f"{BIN}/{name}" for name in ("vimgmount", "vimgumount", "vimg"))
HEADER = 112  # bytes of the version 3 header that qemu-img writes


def run(*words, **more):
    return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, **more)


def qemu(*words):
    subprocess.run(["qemu-img", *words], check=True, stdout=subprocess.DEVNULL)


def patch(path, offset, data):
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(data)


def image(directory, name="image.qcow2", size="64M", options=()):
    qemu("create", "-q", "-f", "qcow2", *options, f"{directory}/{name}", size)
    return f"{directory}/{name}"


def with_backing(directory, backing, backing_format="raw"):
    """A qcow2 whose header names `backing`, whatever that is."""
    path = image(directory)
    with open(path, "r+b") as f:
        name = backing.encode()
        extension = struct.pack(">II", 0xE2792ACA, len(backing_format)) + backing_format.encode().ljust(-(-len(backing_format) // 8) * 8, b"\0")
        if not backing_format:
            extension = b""
        f.seek(HEADER)
        f.write(extension + struct.pack(">II", 0, 0) + name)
        f.seek(8)
        f.write(struct.pack(">QI", HEADER + len(extension) + 8, len(name)))
    return path


def with_data_file(directory, name):
    path = image(directory)
    with open(path, "r+b") as f:
        f.seek(72)
        f.write(struct.pack(">Q", 4))  # incompatible: external data file
        f.seek(HEADER)
        padded = name.encode().ljust(-(-len(name) // 8) * 8, b"\0")
        f.write(struct.pack(">II", 0x44415441, len(name)) + padded + struct.pack(">II", 0, 0))
    return path


def gpt(directory, entries=128, entry_size=128):
    """A 16 MiB GPT disk with one partition, whose primary header is then given other counts and a right CRC."""
    path = f"{directory}/gpt.raw"
    with open(path, "wb") as f:
        f.truncate(16 << 20)
    subprocess.run(["sfdisk", "-q", path], input=b"label: gpt\nsize=8M\n", check=True, stderr=subprocess.DEVNULL)
    for lba in (1, (16 << 11) - 1):
        with open(path, "r+b") as f:
            f.seek(lba * 512)
            header = bytearray(f.read(92))
            struct.pack_into("<II", header, 80, entries, entry_size)
            struct.pack_into("<I", header, 16, 0)
            struct.pack_into("<I", header, 16, zlib.crc32(header))
            f.seek(lba * 512)
            f.write(header)
    return path


# References (M1): opened only inside the image's own directory, regular files only, each refusal named.

def attack_absolute_backing_file(d):
    return [with_backing(d, "/etc/passwd")], 4, ["/etc/passwd", "--allow-refs"]


def attack_parent_directory_backing_file(d):
    os.mkdir(f"{d}/in")
    open(f"{d}/secret", "w").close()
    return [with_backing(f"{d}/in", "../secret")], 4, ["../secret", "--allow-refs"]


def attack_backing_file_through_a_symlink(d):
    os.symlink("/etc/passwd", f"{d}/link")
    return [with_backing(d, "link")], 4, ["link"]


def attack_backing_file_through_a_symlinked_directory(d):
    os.symlink("/etc", f"{d}/dir")
    return [with_backing(d, "dir/passwd")], 4, ["dir/passwd"]


def attack_backing_file_in_proc(d):
    return [with_backing(d, "/proc/self/fd/0")], 4, ["/proc/self/fd/0"]


def attack_backing_device(d):
    return [with_backing(d, "/dev/zero")], 4, ["/dev/zero"]


def attack_backing_fifo(d):
    os.mkfifo(f"{d}/fifo")
    return [with_backing(d, "fifo")], 4, ["fifo", "regular file"]


def attack_json_backing_file(d):
    return [with_backing(d, 'json:{"driver":"file","filename":"/etc/passwd"}')], 4, ["json:"]


def attack_nbd_backing_file(d):
    return [with_backing(d, "nbd://127.0.0.1:10809")], 4, ["nbd:"]


def attack_unc_backing_file(d):
    return [with_backing(d, "\\\\host\\share\\x")], 4, ["host"]


def attack_absolute_data_file(d):
    return [with_data_file(d, "/etc/shadow")], 4, ["/etc/shadow", "--allow-refs"]


def attack_data_file_in_parent_directory(d):
    os.mkdir(f"{d}/in")
    open(f"{d}/secret", "w").close()
    return [with_data_file(f"{d}/in", "../secret")], 4, ["../secret"]


def attack_backing_chain_loop(d):
    a = with_backing(d, "b.qcow2", "qcow2")
    os.rename(a, f"{d}/b.qcow2")  # it names itself
    return [with_backing(d, "b.qcow2", "qcow2")], 4, ["b.qcow2"]


def attack_backing_chain_too_deep(d):
    qemu("create", "-q", "-f", "raw", f"{d}/0", "1M")
    template = with_backing(d, "000", "qcow2")
    content = open(template, "rb").read()
    at = content.index(b"000", HEADER)
    for i in range(1, 205):
        layer = bytearray(content)
        layer[at:at + 3] = b"%03d" % (i - 1)
        with open(f"{d}/{i:03d}", "wb") as f:
            f.write(layer)
    os.rename(f"{d}/0", f"{d}/000")
    layer = bytearray(open(f"{d}/001", "rb").read())
    layer[HEADER + 8:HEADER + 13] = b"raw\0\0"
    layer[HEADER + 4:HEADER + 8] = struct.pack(">I", 3)
    with open(f"{d}/001", "wb") as f:
        f.write(layer)
    return [f"{d}/204"], 4, ["200"]


def attack_unfound_backing_file(d):
    return [with_backing(d, "missing.raw")], 3, ["missing.raw"]


# Format confusion (M2, M3): what is declared is obeyed, what is not declared is raw, nothing inside raw is probed.

def attack_undeclared_backing_is_raw(d):
    """A backing file without a declared format that looks like qcow2 is read as raw, and that is said."""
    inner = with_backing(d, "/etc/passwd")
    os.rename(inner, f"{d}/inner")
    return [with_backing(d, "inner", "")], 0, ["raw", "inner"]


def attack_format_raw_is_obeyed(d):
    return ["--format", "raw", with_backing(d, "/etc/passwd")], 0, []


def attack_wrong_format_is_refused(d):
    path = f"{d}/zeros.raw"
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    return ["--format", "qcow2", path], 3, ["qcow2"]


def attack_unknown_format(d):
    return ["--format", "nonsense", image(d)], 2, ["nonsense"]


# Header lies and resource bombs (M5): QEMU's limits, before anything is allocated.

def header_lie(d, offset, data):
    path = image(d)
    patch(path, offset, data)
    return path


def attack_cluster_bits_63(d):
    return [header_lie(d, 20, struct.pack(">I", 63))], 3, ["cluster"]


def attack_cluster_bits_8(d):
    return [header_lie(d, 20, struct.pack(">I", 8))], 3, ["cluster"]


def attack_virtual_size_2_62(d):
    return [header_lie(d, 24, struct.pack(">Q", 1 << 62))], 3, ["qcow2"]


def attack_l1_table_of_2_31_entries(d):
    return [header_lie(d, 36, struct.pack(">I", 1 << 31))], 3, ["L1"]


def attack_l1_table_beyond_the_file(d):
    return [header_lie(d, 40, struct.pack(">Q", 1 << 40))], 3, ["L1 table", "0x10000000000"]


def attack_unaligned_l1_table(d):
    return [header_lie(d, 40, struct.pack(">Q", 0x30001))], 3, ["L1 table"]


def attack_refcount_table_of_2_31_clusters(d):
    return [header_lie(d, 56, struct.pack(">I", 1 << 31))], 3, ["refcount table"]


def attack_snapshot_table_of_2_31(d):
    return [header_lie(d, 60, struct.pack(">IQ", 1 << 31, 0x50000))], 3, ["snapshot"]


def attack_refcount_order_7(d):
    return [header_lie(d, 96, struct.pack(">I", 7))], 3, ["refcount"]


def attack_unknown_incompatible_bit(d):
    return [header_lie(d, 72, struct.pack(">Q", 1 << 40))], 3, ["40", "incompatible"]


def attack_unknown_compression(d):
    path = image(d)
    patch(path, 72, struct.pack(">Q", 1 << 3))
    patch(path, 104, b"\x77")
    return [path], 3, ["compression"]


def attack_header_length_beyond_the_cluster(d):
    return [header_lie(d, 100, struct.pack(">I", 0x7FFFFFF8))], 3, ["header"]


def attack_extension_longer_than_the_header(d):
    return [header_lie(d, HEADER, struct.pack(">II", 0x6803F857, 0x7FFFFFFF))], 3, ["extension"]


def attack_truncated_header(d):
    path = image(d)
    os.truncate(path, 50)
    return [path], 3, ["qcow2"]


def attack_corrupt_bit_for_writing(d):
    """It is shown, but nothing can be written."""
    return ["-w", header_lie(d, 72, struct.pack(">Q", 2))], 0, ["corrupt", "only be read"]


# Partition tables: what can be used is used, the rest is a problem that is said; nothing loops or allocates by a lie.

def attack_gpt_of_2_32_entries(d):
    return [gpt(d, entries=0xFFFFFFFF)], 0, ["gpt"]


def attack_gpt_entries_of_2_31_bytes(d):
    return [gpt(d, entry_size=1 << 31)], 0, ["gpt"]


def attack_endless_ebr_chain(d):
    path = f"{d}/mbr.raw"
    with open(path, "wb") as f:
        f.truncate(16 << 20)
    subprocess.run(["sfdisk", "-q", path], input=b"label: dos\nsize=1M\ntype=5\ntype=83,size=1M\n", check=True, stderr=subprocess.DEVNULL)
    with open(path, "r+b") as f:
        f.seek(446)
        start = struct.unpack_from("<I", f.read(64), 16 + 8)[0]
        f.seek(start * 512 + 446 + 16)
        f.write(struct.pack("<BBBBBBBBII", 0, 0, 0, 0, 5, 0, 0, 0, 0, 4096))  # the next link is this one
    return [path], 0, ["logical partitions"]


# LVM's text.

def attack_lvm_metadata_nested_200000_deep(d):
    """The library's parser is recursive; the text must not reach it."""
    path = f"{d}/pv.raw"
    uuid = b"0123456789abcdefghijklmnopqrstuv"
    text = b"vg { id = \"x\" seqno = 1 " + b"a{" * 200000
    crc = lambda data: lvm_crc(data)
    with open(path, "wb") as f:
        f.truncate(16 << 20)
        pv = uuid + struct.pack("<Q", 16 << 20) + struct.pack("<QQQQ", 1 << 20, 0, 0, 0) + struct.pack("<QQQQ", 4096, (1 << 20) - 4096, 0, 0) + struct.pack("<II", 0, 0)
        label = struct.pack("<8sQII8s", b"LABELONE", 1, 0, 32, b"LVM2 001") + pv
        sector = bytearray(label.ljust(512, b"\0"))
        struct.pack_into("<I", sector, 16, crc(bytes(sector[20:])))
        f.seek(512)
        f.write(sector)
        header = b"\x20LVM2\x20x[5A%r0N*>" + struct.pack("<IQQ", 1, 4096, (1 << 20) - 4096) + struct.pack("<QQII", 512, len(text), crc(text), 0)
        mda = bytearray(4 + len(header)) 
        mda[4:] = header
        mda = bytearray(bytes(mda).ljust(512, b"\0"))
        struct.pack_into("<I", mda, 0, crc(bytes(mda[4:])))
        f.seek(4096)
        f.write(mda)
        f.seek(4096 + 512)
        f.write(text)
    return [path], 0, ["lvm", "nest"]


def lvm_crc(data):
    table = [0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
             0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c]
    crc = 0xf597a6cf
    for byte in data:
        crc ^= byte
        crc = (crc >> 4) ^ table[crc & 0xf]
        crc = (crc >> 4) ^ table[crc & 0xf]
    return crc


# File systems.

def ext4(d, *more):
    path = f"{d}/fs.raw"
    with open(path, "wb") as f:
        f.truncate(8 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", *more, path], check=True)
    return path


def attack_ext4_block_size_2_41(d):
    path = ext4(d, "-O", "^metadata_csum")
    patch(path, 1024 + 24, struct.pack("<I", 31))
    return ["--volume", "disk0", path], 3, ["ext4"]


def attack_ext4_unknown_incompatible_feature(d):
    path = ext4(d, "-O", "^metadata_csum")
    patch(path, 1024 + 96, struct.pack("<I", 0x80000242))
    return ["--volume", "disk0", path], 3, ["ext4"]


def attack_ext4_zero_inodes_per_group(d):
    path = ext4(d, "-O", "^metadata_csum")
    patch(path, 1024 + 40, struct.pack("<I", 0))
    return ["--volume", "disk0", path], 3, ["ext4"]


def attack_ext4_groups_beyond_the_disk(d):
    path = ext4(d, "-O", "^metadata_csum")
    patch(path, 1024 + 4, struct.pack("<I", 0x7FFFFFFF))
    return ["--volume", "disk0", path], 3, ["ext4"]


def attack_unknown_volume(d):
    return ["--volume", "p9", ext4(d)], 3, ["p9", "disk0"]


def check(name, attack):
    with tempfile.TemporaryDirectory(prefix="hostile-") as d:
        os.mkdir(f"{d}/work")
        words, code, wanted = attack(f"{d}/work")
        os.mkdir(f"{d}/mnt")
        result = run(MOUNT, *words, f"{d}/mnt")
        text = result.stdout.decode(errors="replace")
        failures = []
        if result.returncode == 0:
            listed = run("find", f"{d}/mnt", "-maxdepth", "3")
            if listed.returncode:
                failures.append(f"find: {listed.stdout.decode(errors='replace')[-300:]}")
            unmounted = run(UMOUNT, f"{d}/mnt")
            if unmounted.returncode:
                failures.append(f"vimgumount: exit {unmounted.returncode}: {unmounted.stdout.decode(errors='replace')}")
        if result.returncode != code:
            failures.append(f"exit {result.returncode}, expected {code}")
        failures += [f"the message does not say '{word}'" for word in wanted if word.lower() not in text.lower()]
        if code and len(text.strip().splitlines()) > 3:
            failures.append("more than one clear error")
        if os.path.ismount(f"{d}/mnt"):
            failures.append("a mount is left behind")
            run("umount", "-l", f"{d}/mnt")
        print(("ok    " if not failures else "FAIL  ") + name + ("" if not failures else f"\n      said: {text.strip()[-600:]}"))
        for failure in failures:
            print(f"      {failure}")
        return not failures


if not os.access("/dev/fuse", os.R_OK | os.W_OK):
    print("skipped: /dev/fuse cannot be opened")
    sys.exit(77)
attacks = {name[7:].replace("_", " "): f for name, f in sorted(globals().items()) if name.startswith("attack_")}
only = sys.argv[1] if len(sys.argv) > 1 else ""
results = [check(name, f) for name, f in attacks.items() if re.search(only, name)]
print(f"{sum(results)} of {len(results)} attacks were met as promised")
sys.exit(not all(results))

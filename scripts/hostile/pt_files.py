# pt_files.py: malformed containers of torch.save: zip archives that lie, are cut, or are something else.
#
# SPDX-License-Identifier: MIT
import io
import pickle
import struct
import tarfile
import zlib

from hostile.zip_bytes import HONEST, NUMBERS, Entry, build, end, end64, honest, one, storage, tensor

SYSTEM = b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R."
LINK = 0o120777 << 16
OWN = "is not the same in the archive's table and in its own header"
BEHIND = "is not the same in the archive's table and behind its content"
END = "does not end with its table; it is cut off"


def deflated(name, data, **more):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    return Entry(name, packed, method=8, crc=zlib.crc32(data), size=len(data), packed=len(packed), **more)


def names(c):
    good = build(honest())
    c.add("good.pt", good, 0, "", why="what the others are damaged copies of")
    bad = {
        "parent": "../data.pkl",
        "parent_inside": "m/../../etc/passwd",
        "parent_last": "m/..",
        "absolute": "/etc/passwd",
        "backslash": "m\\..\\data.pkl",
        "double_slash": "m//data.pkl",
    }
    for key, name in bad.items():
        c.add("name_%s.pt" % key, build(honest() + [Entry(name, b"x")]), 65, "leads out of the archive", "import" if key == "parent" else "-")
    c.add("name_empty.pt", build(honest() + [Entry("", b"x")]), 65, "leads out of the archive")
    c.add("name_twice.pt", build(honest() + [Entry("m/data.pkl", SYSTEM)]), 65, "is there twice", "import,convert")
    c.add("name_of_two_records.pt", build(honest() + [Entry("m/data/0", b"\0" * 24)]), 65, "is there twice")
    c.add("name_with_nul.pt", build(honest() + [Entry(b"m/data.pkl\0x", b"x")]), 65, "leads out of the archive")
    c.add("name_past_the_end.pt", build(honest() + [Entry("m/x", b"x", central={"name_length": 65535})]), 65, "an entry of its table is cut off")
    c.add("name_differs_locally.pt", build(honest(numbers=Entry("m/data/0", NUMBERS, local={"name": b"m/data/1"}))), 65, "is not the same in the archive's table and in its own header")
    two = lambda a, b: [Entry("m/data.pkl", one(tensor(storage(key="a")))), *honest()[1:], Entry(a, NUMBERS), Entry(b, NUMBERS[::-1])]
    CASE = "is there twice, in other capitals: to torch that is one record"
    c.add("case_of_two_records.pt", build(two("m/data/A", "m/data/a")), 65, CASE, "import,convert")
    c.add("case_of_two_records_turned.pt", build(two("m/data/a", "m/data/A")), 65, CASE)
    c.add("case_of_two_pickles.pt", build(honest() + [Entry("m/DATA.PKL", SYSTEM)]), 65, CASE, "import")
    c.add("case_of_two_versions.pt", build(honest() + [Entry("m/VERSION", b"99")]), 65, CASE)
    c.add("case_of_the_pickle.pt", build(honest(data_pkl=Entry("m/Data.pkl", HONEST))), 65, "its record data.pkl is spelt in other capitals")
    c.add("case_of_the_byteorder.pt", build(honest(order=Entry("m/BYTEORDER", b"big"))), 65, "its record byteorder is spelt in other capitals", "import")
    c.add("case_of_the_version.pt", build(honest(version=Entry("m/VERSION", b"99"))), 65, "its record version is spelt in other capitals")
    c.add("case_of_the_data_version.pt", build(honest() + [Entry("m/.DATA/version", b"99")]), 65, "its record .data/version is spelt in other capitals")
    c.add("case_of_the_alignment.pt", build(honest() + [Entry("m/.Storage_alignment", b"x")]), 65, "its record .storage_alignment is spelt in other capitals")
    c.add("case_of_the_numbers.pt", build(honest(numbers=Entry("m/DATA/0", NUMBERS))), 65, "its record data/0 is spelt in other capitals")
    c.add("case_of_the_folder.pt", build(honest(numbers=Entry("M/data/0", NUMBERS))), 65, "its entry 'M/data/0' is not in the folder of the first")
    c.add("folder_of_another_first.pt", build([Entry("x/foo")] + honest()), 65, "its entry 'm/data.pkl' is not in the folder of the first", "import,convert")
    c.add("folder_that_begins_alike.pt", build([Entry("m.x/foo")] + honest()), 65, "its entry 'm/data.pkl' is not in the folder of the first")
    c.add("folder_of_none.pt", build(honest() + [Entry("constants.pkl")]), 65, "its entry 'constants.pkl' is not in the folder of the first")
    c.add("folder_of_none_first.pt", build([Entry("readme")] + honest()), 65, "without data.pkl in the folder of its first entry")
    slash = honest(data_pkl=Entry("m/data.pkl", one(tensor(storage(key="0/")))), numbers=Entry("m/data/0/", NUMBERS))
    c.add("folder_with_numbers.pt", build(slash), 65, "its entry 'm/data/0/' is marked as a folder, but has bytes", "import,convert")
    c.add("folders_empty.pt", build([Entry("m/")] + honest() + [Entry("m/data/")]), 0, "", why="folders as entries, which torch passes over")
    c.add("folder_too_long.pt", build([Entry("m" * 600 + "/data.pkl", HONEST)]), 65, "no torch.save file")
    c.add("symbolic_link.pt", build(honest(numbers=Entry("m/data/0", b"/etc/passwd", attributes=LINK))), 65, "is a symbolic link", "import")
    c.add("symbolic_link_of_the_size.pt", build(honest(numbers=Entry("m/data/0", b"/proc/self/fd/0/../../..", attributes=LINK))), 65, "is a symbolic link")


def sizes(c):
    def numbers(name, message, data=NUMBERS, **more):
        c.add(name, build(honest(numbers=Entry("m/data/0", data, **more))), 65, message)

    numbers("crc_wrong.pt", "its entry 'm/data/0' is damaged: its checksum does not fit", crc=1)
    numbers("crc_wrong_locally.pt", OWN, local={"crc": 1})
    numbers("crc_wrong_in_the_directory.pt", OWN, central={"crc": 1})
    numbers("data_changed.pt", "is damaged: its checksum", data=NUMBERS[:-1] + b"\x01", crc=zlib.crc32(NUMBERS))
    numbers("size_too_large.pt", "two sizes", size=25)
    numbers("size_too_small.pt", "two sizes", size=23)
    numbers("sizes_too_large.pt", "lies partly where another does: they overlap", size=25, packed=25)
    numbers("sizes_huge.pt", "reaches past the end of the file", size=0xFFFFFFF0, packed=0xFFFFFFF0)
    numbers("size_differs_locally.pt", OWN, local={"size": 23, "packed": 23})
    numbers("size_zero_in_the_directory.pt", OWN, central={"size": 0, "packed": 0})
    numbers("method_differs_locally.pt", OWN, local={"method": 8})
    numbers("method_unknown.pt", "is compressed", method=77)
    numbers("method_bzip2.pt", "is compressed", method=12)
    numbers("encrypted.pt", "is encrypted", flags=1)
    numbers("encrypted_strongly.pt", "is encrypted", flags=0x41)
    numbers("encrypted_locally.pt", OWN, local={"flags": 1})
    numbers("descriptor_lies.pt", BEHIND, flags=8, local={"crc": 0, "size": 0, "packed": 0, "descriptor": b"PK\7\10" + struct.pack("<III", 1, 2, 3)})
    c.add("compressed.pt", build(honest(data_pkl=deflated("m/data.pkl", HONEST))), 65, "is compressed, which torch.save never does", "import")
    c.add("compressed_numbers.pt", build(honest(numbers=deflated("m/data/0", NUMBERS))), 65, "is compressed")
    c.add("bomb.pt", build(honest(data_pkl=deflated("m/data.pkl", bytes(30_000_000)))), 65, "is compressed", "import,convert")
    c.add("bomb_of_a_record.pt", build(honest(numbers=deflated("m/data/0", bytes(30_000_000)))), 65, "is compressed")


def places(c):
    def at(name, message, offset, **more):
        c.add(name, build(honest(numbers=Entry("m/data/0", NUMBERS, central={"offset": offset}))), 65, message, **more)

    at("offset_beyond.pt", "lies outside of the file", 1 << 30)
    at("offset_largest.pt", "an entry of its table is cut off, or its ZIP64 sizes are", 0xFFFFFFFF)
    at("offset_of_another.pt", "lies partly where another does: they overlap", 0)
    at("offset_into_data.pt", "lies partly where another does: they overlap", 45)
    good = honest()
    inside = Entry("m/data/0", NUMBERS)
    twin = Entry("m/data/1", NUMBERS)
    outer = Entry("m/data/2", twin.local_bytes() + NUMBERS)
    whole = build([good[0], good[1], inside, outer])
    body = whole[: whole.index(b"PK\1\2")]
    twin.at = body.index(b"m/data/1") - 30
    directory = b"".join(e.central_bytes() for e in (good[0], good[1], inside, outer, twin))
    c.add("overlap_inside.pt", body + directory + end(5, len(directory), len(body)), 65, "overlap", "import")
    shared = Entry("m/data/0", NUMBERS)
    base = build(honest(numbers=shared))
    body = base[: base.index(b"PK\1\2")]
    for i in range(2):
        again = honest(numbers=shared)
    directory = base[base.index(b"PK\1\2") : base.index(b"PK\5\6")] + shared.central_bytes()
    c.add("overlap_same_entry.pt", body + directory + end(5, len(directory), len(body)), 65, "lies partly where another does: they overlap")
    quoted = [Entry("q/%d" % i, b"") for i in range(8)]
    body = b""
    for e in reversed(quoted):  # each entry's content is all entries behind it, as in the zip bomb of that kind
        e.data = body
        body = e.local_bytes() + body
    place = 0
    for e in quoted:
        e.at = place
        place += len(e.local_bytes())
    directory = b"".join(e.central_bytes() for e in quoted)
    c.add("overlap_quoted.pt", body + directory + end(8, len(directory), len(body)), 65, "overlap")
    c.add("prefix.pt", build(honest(), before=b"PK\3\4 and whatever a reader from the front would see"), 65, "it begins with bytes that no entry holds")
    c.add("prefix_archive.pt", build(honest(), before=build([Entry("m/data.pkl", SYSTEM)])), 65, "it begins with bytes that no entry holds", "import")
    c.add("prefix_not_counted.pt", build([Entry("m/data.pkl", SYSTEM)]) + build(honest()), 65, "is not where its end says")
    c.add("gap.pt", build(honest(), between=b"\0" * 100), 65, "has bytes that no entry holds behind it")
    c.add("hidden_entry.pt", build(honest(), between=Entry("m/data.pkl", SYSTEM).local_bytes() + SYSTEM), 65, "has bytes that no entry holds behind it")


def many(c):
    """Tables that claim the same bytes again and again: each of a million entries cost a read of 64 KB."""
    extra = struct.pack("<HH", 0x9999, 65531) + bytes(65531)
    one_entry = Entry("a", local={"extra": extra})
    at = one_entry.local_bytes()
    directory = one_entry.central_bytes() * 500
    tail = end64(500, len(directory), len(at), len(at) + len(directory)) + end(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    c.add("many_of_one_place.pt", at + directory + tail, 65, "lies partly where another does: they overlap", "import,convert")
    near = [Entry("%04x" % i, local={"extra_length": 65535}) for i in range(1000)]
    c.add("many_with_long_fields.pt", build(near), 65, "reaches past the end of the file")


def ends(c):
    def lie(name, message, commands="-", **lies):
        c.add(name, build(honest(), **lies), 65, message, commands)

    lie("count_more.pt", "counts more entries than its table has room for", count=5)
    lie("count_less.pt", "has more entries than its end counts", count=3)
    names = [Entry("m/" + letter * 60, b"") for letter in "abcd"]
    c.add("count_one_more.pt", build(names, count=5), 65, "fewer entries than its end counts")
    c.add("directory_entry_damaged.pt", build(honest()).replace(b"PK\1\2", b"PK\1\3", 1), 65, "fewer entries than its end counts")
    lie("count_most.pt", "counts more entries than its table has room for", count=65535)
    lie("count_zero.pt", "has more entries than its end counts", count=0)
    lie("count_of_the_disk.pt", "says that it is one of several parts", disk_count=3)
    lie("directory_size_more.pt", "its table of entries is not where its end says", size=9999)
    lie("directory_size_less.pt", "its table of entries is not where its end says", size=10)
    lie("directory_size_largest.pt", "its table of entries is not where its end says", size=0xFFFFFFF0)
    lie("directory_beyond.pt", "its table of entries is not where its end says", offset=0x7FFFFFFF)
    lie("directory_at_0.pt", "its table of entries is not where its end says", offset=0)
    lie("disk_1.pt", "says that it is one of several parts", disk=1, start_disk=1)
    lie("comment_length.pt", "or something was put behind", comment_length=10)
    lie("comment.pt", "or something was put behind", comment=b"a comment", tail=b"")
    lie("comment_with_an_end.pt", "its table of entries is not where its end says", "convert", comment=end(0, 0, 0))
    lie("comment_with_an_archive.pt", "its table of entries is not where its end says", comment=build([Entry("m/data.pkl", SYSTEM)]))
    lie("tail.pt", "or something was put behind", tail=b"tail")
    lie("two_ends.pt", "its table of entries is not where its end says", tail=end(0, 0, 0))
    whole = build(honest())
    at = whole.index(b"PK\1\2")
    cuts = {"local_header": 10, "name": 33, "pickle": 60, "numbers": at - 40, "directory": at + 20, "directory_name": at + 50, "last_entry": len(whole) - 40, "end": len(whole) - 10, "last_byte": len(whole) - 1}
    for key, n in cuts.items():
        c.add("cut_in_%s.pt" % key, whole[:n], 65, "cut off", "import" if key == "numbers" else "-")
    c.add("cut_front.pt", whole[4:], 65, "neither a torch.save file")
    c.add("cut_middle.pt", whole[:100] + whole[120:], 65, "is not where its end says")
    c.add("empty.pt", b"", 65, "neither a torch.save file", "import,convert")
    c.add("magic_only.pt", b"PK\3\4", 65, "cut off")
    c.add("end_only.pt", end(0, 0, 0), 65, "without data.pkl")


def zip64(c):
    def lie(name, message, **lies):
        c.add(name, build(honest(), zip64=lies, count=65535, size=0xFFFFFFFF, offset=0xFFFFFFFF), 65, message)

    c.add("zip64_good.pt", build(honest(), zip64={}, count=65535, size=0xFFFFFFFF, offset=0xFFFFFFFF), 0, "", why="ZIP64, as torch.save writes what is large, and honest")
    lie("zip64_count.pt", "counts more entries than its table has room for", count=1 << 40)
    lie("zip64_count_largest.pt", "counts more entries than its table has room for", count=(1 << 64) - 1)
    lie("zip64_size.pt", "its table of entries is not where its end says", size=1 << 62)
    lie("zip64_size_wraps.pt", "its table of entries is not where its end says", size=(1 << 64) - 100)
    lie("zip64_offset.pt", "its table of entries is not where its end says", offset=1 << 62)
    lie("zip64_offset_wraps.pt", "its table of entries is not where its end says", offset=(1 << 64) - 1)
    lie("zip64_where.pt", "its ZIP64 end record and the pointer to it do not fit together", where=1 << 50)
    lie("zip64_where_wraps.pt", "its ZIP64 end record and the pointer to it do not fit together", where=(1 << 64) - 8)
    lie("zip64_record.pt", "its ZIP64 end record and the pointer to it do not fit together", record=1 << 60)
    lie("zip64_disks.pt", "its ZIP64 end record and the pointer to it do not fit together", disks=2)

    whole = build(honest(), zip64={}, count=65535, size=0xFFFFFFFF, offset=0xFFFFFFFF)
    record, locator = whole.index(b"PK\6\6"), whole.index(b"PK\6\7")
    unlike = "its ZIP64 end record and the pointer to it do not fit together"
    for name, at in (("mark", record), ("disk", record + 16), ("count_of_disk", record + 24), ("locator_disk", locator + 4)):
        c.add("zip64_%s.pt" % name, whole[:at] + bytes([whole[at] ^ 9]) + whole[at + 1 :], 65, unlike)
    for name, lies in (("count", {"count": 3}), ("size", {"size": 7}), ("offset", {"offset": 7})):
        c.add("zip64_other_%s.pt" % name, build(honest(), zip64={}, **lies), 65, "its two end records say different things")
    padding = struct.pack("<HH4s", 0x4246, 4, b"ZZZZ")
    wide = {"extra": padding + struct.pack("<HHQQ", 1, 16, 24, 24), "size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}
    c.add("zip64_good_sizes.pt", build(honest(numbers=Entry("m/data/0", NUMBERS, **wide))), 0, "", why="sizes of 64 bits behind another extra field, and honest")
    for n in range(3):
        few = {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF, "offset": 0xFFFFFFFF, "extra": struct.pack("<HH", 1, 8 * n) + struct.pack("<Q", 24) * n}
        c.add("zip64_extra_of_%d.pt" % n, build(honest(numbers=Entry("m/data/0", NUMBERS, central=few))), 65, "an entry of its table is cut off, or its ZIP64 sizes are")
    only = {"extra": padding, "size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}
    c.add("zip64_extra_of_another_kind.pt", build(honest(numbers=Entry("m/data/0", NUMBERS, **only))), 65, "an entry of its table is cut off, or its ZIP64 sizes are")
    local = {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}
    c.add("zip64_missing_locally.pt", build(honest(numbers=Entry("m/data/0", NUMBERS, local=local))), 65, OWN)
    c.add("disk_of_an_entry.pt", build(honest(numbers=Entry("m/data/0", NUMBERS, central={"disk": 1}))), 65, "is said to begin on another disk of several")

    def described(name, descriptor, status, message, **why):
        number = Entry("m/data/0", NUMBERS, flags=8, local={"crc": 0, "size": 0, "packed": 0, "descriptor": descriptor})
        c.add(name, build(honest(numbers=number)), status, message, **why)

    crc = zlib.crc32(NUMBERS)
    described("descriptor_16.pt", b"PK\7\10" + struct.pack("<III", crc, 24, 24), 0, "", why="a descriptor as torch.save writes it")
    described("descriptor_24.pt", b"PK\7\10" + struct.pack("<IQQ", crc, 24, 24), 0, "", why="the same in ZIP64's form")
    described("descriptor_12.pt", struct.pack("<III", crc, 24, 24), 0, "", why="the same without its mark")
    described("descriptor_mark.pt", b"PK\7\11" + struct.pack("<III", crc, 24, 24), 65, BEHIND)
    described("descriptor_packed.pt", b"PK\7\10" + struct.pack("<III", crc, 23, 24), 65, BEHIND)
    described("descriptor_size.pt", b"PK\7\10" + struct.pack("<III", crc, 24, 23), 65, BEHIND)
    described("descriptor_missing.pt", b"", 65, BEHIND)
    described("descriptor_long.pt", b"PK\7\10" + bytes(60), 65, BEHIND)

    def extra(name, message, content, **more):
        fields = {"extra": content, "size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}
        c.add(name, build(honest(numbers=Entry("m/data/0", NUMBERS, **{**fields, **more}))), 65, message)

    extra("zip64_sizes.pt", "reaches past the end of the file", struct.pack("<HHQQ", 1, 16, 1 << 62, 1 << 62))
    extra("zip64_sizes_wrap.pt", "reaches past the end of the file", struct.pack("<HHQQ", 1, 16, (1 << 64) - 1, (1 << 64) - 1))
    extra("zip64_extra_cut.pt", "an entry of its table is cut off, or its ZIP64 sizes are", struct.pack("<HHI", 1, 16, 24))
    extra("zip64_extra_missing.pt", "an entry of its table is cut off, or its ZIP64 sizes are", b"")
    extra("zip64_extra_length.pt", "an entry of its table is cut off, or its ZIP64 sizes are", struct.pack("<HHQQ", 1, 65000, 24, 24))


def contents(c):
    c.add("no_pickle.pt", build([Entry("m/data/0", NUMBERS)]), 65, "without data.pkl", "import")
    c.add("pickle_at_the_top.pt", build([Entry("data.pkl", HONEST)]), 65, "without data.pkl")
    c.add("two_pickles.pt", build(honest() + [Entry("n/data.pkl", SYSTEM)]), 65, "its entry 'n/data.pkl' is not in the folder of the first")
    c.add("pickle_is_a_folder.pt", build([Entry("m/data.pkl/"), Entry("m/data/0", NUMBERS)]), 65, "without data.pkl")
    c.add("pickle_empty.pt", build(honest(data_pkl=Entry("m/data.pkl"))), 65, "does not begin with a protocol")
    c.add("byteorder_big.pt", build(honest(order=Entry("m/byteorder", b"big"))), 65, "big-endian", "import")
    c.add("byteorder_empty.pt", build(honest(order=Entry("m/byteorder"))), 65, "big-endian")
    c.add("byteorder_nul.pt", build(honest(order=Entry("m/byteorder", b"little\0big"))), 65, "big-endian")
    c.add("byteorder_long.pt", build(honest(order=Entry("m/byteorder", b"little" * 20))), 65, "64 are the limit")
    c.add("byteorder_other.pt", build(honest(order=Entry("m/byteorder", b"middle"))), 65, "big-endian")
    for name, number in (("empty", b""), ("word", b"three"), ("cut", b"3 "), ("behind", b"3\nx"), ("0", b"0"), ("11", b"11"), ("long", b"1" * 19)):
        c.add("version_%s.pt" % name, build(honest(version=Entry("m/version", number))), 65, "its record version is not a number from 1 to 10")
        c.add("version_of_data_%s.pt" % name, build(honest() + [Entry("m/.data/version", number)]), 65, "its record .data/version is not a number from 1 to 10")
    c.add("version_missing.pt", build(honest()[:3]), 65, "has no record version", "import,convert")
    c.add("version_of_data_only.pt", build(honest(version=Entry("m/.data/version", b"3\n"))), 0, "", why="the other place of a version")
    serial = lambda digits: build(honest() + [Entry("m/.data/serialization_id", digits)])
    c.add("serial_word.pt", serial(b"12ab"), 65, "its record .data/serialization_id is not of digits")
    c.add("serial_nul.pt", serial(b"12\0" + b"3"), 65, "its record .data/serialization_id is not of digits")
    c.add("serial_digits.pt", serial(b"0123456789" * 4), 0, "", why="as PyTorch writes it")
    c.add("storage_short.pt", build(honest(numbers=Entry("m/data/0", NUMBERS[:20]))), 65, "has 20 bytes, but its pickle says 6 items of F32", "import")
    c.add("storage_long.pt", build(honest(numbers=Entry("m/data/0", NUMBERS + b"\0"))), 65, "has 25 bytes")
    c.add("storage_empty.pt", build(honest(numbers=Entry("m/data/0"))), 65, "has 0 bytes")
    c.add("storage_missing.pt", build(honest(numbers=Entry("m/data/1", NUMBERS))), 65, "names the record data/0, which is not there")
    c.add("npz.pt", build([Entry("x.npy", b"\x93NUMPY")]), 65, "(.npz)")


def cves(c):
    """CVE-2025-32434: weights_only=True did not hold for tars of old and for what was taken for TorchScript. CVE-2026-24747:
    items set on what is no dict, a storage of another size than its record (more of it in pickle_files.py)."""
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in (("storages", pickle.dumps(0, 2)), ("tensors", pickle.dumps(0, 2)), ("pickle", SYSTEM)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    c.add("cve_2025_32434_tar.pt", to.getvalue().rstrip(b"\0") + b"\0" * 1024, 65, "is a tar, as PyTorch before 0.1.10 saved", "import,convert")
    script = [Entry("m/constants.pkl", b"\x80\x02)."), Entry("m/data.pkl", SYSTEM), Entry("m/code/__torch__.py", b"def forward(self): pass\n")]
    c.add("cve_2025_32434_script.pt", build(script), 65, "is a TorchScript program", "import,convert")
    c.add("cve_2025_32434_reduce.pt", build(honest(data_pkl=Entry("m/data.pkl", SYSTEM))), 65, "asks for os.system, a class or function that is no part of a tensor; nothing of it is run", "import")
    legacy = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + SYSTEM
    c.add("cve_2025_32434_legacy.pt", legacy, 65, "by a PyTorch before 1.6", "import")
    c.add("cve_2026_24747_set_item.pt", build(honest(data_pkl=Entry("m/data.pkl", b"\x80\x02" + tensor() + b"K\x00K\x01s."))), 65, "adds to something that is no dict", "import,convert")
    huge = one(tensor(storage(items=b"\x8a\x05\x00\x00\x00\x00\x10"), size=b"\x8a\x05\x00\x00\x00\x00\x10\x85"))
    c.add("cve_2026_24747_storage_size.pt", build(honest(data_pkl=Entry("m/data.pkl", huge))), 65, "has 24 bytes, but its pickle says 68719476736 items", "import")


def cases(c):
    for part in (names, sizes, places, ends, zip64, contents, cves, many):
        part(c)

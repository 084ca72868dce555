# hdf5_headers.py: files cut short, and headers that lie: the file's first, and those of datasets.
#
# SPDX-License-Identifier: MIT
import os
import struct
import tempfile

import h5py
import numpy as np

from hostile.hdf5_bytes import CHUNK, ROWS, WIDTH, addresses, both, dump, half, label, lookup3, opened, piece, raw, setting, x


def cuts(c):
    whole = dump(lambda f: f.__setitem__("id", ["row %d" % i for i in range(ROWS)]))
    for n in (0, 4, 8, 40, 95, 96, 300, 800, 1500, 2048, len(whole) - 600, len(whole) - 16, len(whole) - 1):
        c.add("cut_%d.h5" % n, bytes(whole[:n]), 65, "not a readable HDF5 file" if n else "the file is empty", "inspect" if n in (0, 800) else "-")
    c.add("not_text.h5", b"row,label\n0,1\n", 65, "not a readable HDF5 file")
    c.add("not_zeros.h5", bytes(whole[:8]) + bytes(2000), 65, "not a readable HDF5 file")
    c.add("not_ones.h5", bytes(whole[:8]) + b"\xff" * 2000, 65, "not a readable HDF5 file")
    no = "not a readable HDF5 file"
    c.patched("super_version", whole, 8, b"\x09", no)
    c.patched("super_address_bytes", whole, 13, b"\xff", no)
    c.patched("super_length_bytes", whole, 14, b"\x03", no)
    c.patched("super_leaf", whole, 16, b"\0\0", no)
    c.patched("super_end", whole, 40, struct.pack("<Q", 2**50), no)
    c.patched("super_base", whole, 24, struct.pack("<Q", 2**50), no)
    c.patched("super_root", whole, 64, struct.pack("<Q", 2**50), no)
    c.patched("super_no_root", whole, 64, b"\xff" * 8, no)
    for version in 2, 3:
        new = dump(libver="latest" if version == 3 else ("v108", "v108"))
        assert new[8] == version
        c.patched("super_%d_checksum" % version, new, 44, b"\1\2\3\4", no)
        c.patched("super_%d_end" % version, new, 28, struct.pack("<Q", 2**50), no)
    new = dump(libver="latest")
    new[11] |= 1 | 4  # being written, by SWMR
    new[44:48] = lookup3(new[:44])
    c.add("super_3_swmr.h5", bytes(new), 65, no, "inspect,train", None)
    c.fine("super_user_block", None, "bytes of somebody else in front of the file", userblock_size=512)
    c.fine("super_user_block_chunks", setting("features", data=x, chunks=(CHUNK, WIDTH)), "and of chunks, whose places may not count them (test_data_forms.c)",
           ("features",), userblock_size=512)


def layouts(c):
    data, at = piece("features")
    c.patched("layout_version_9", data, at - 2, b"\x09", "/features is not a readable dataset (HDF5:", "inspect,eval")
    data, at = piece("about/x", lambda f: f.create_group("about").create_dataset("x", data=np.arange(5)))
    c.patched("layout_version_9_inside", data, at - 2, b"\x09", "/about/x cannot be opened (HDF5:", "repack")


def message(data, at, kind):
    """Where the message of that kind begins in a header of the first version."""
    m = at + 16
    while struct.unpack_from("<H", data, m)[0] != kind:
        m += 8 + struct.unpack_from("<H", data, m + 2)[0]
    return m


def damaged(name):
    return name + " has a header that is damaged, and is not read"


def attributes(c):
    """Parts of an attribute that are longer than it; HDF5 1.10 reads on behind it."""
    def on_root(f):
        f.attrs["note"] = "words"

    def on_features(f):
        f["features"].attrs["note"] = 0.5

    def of_named_type(f):
        f["kind"] = np.dtype("f8")
        f["features"].attrs.create("note", 0.5, dtype=f["kind"])
    long = struct.pack("<H", 2056)
    for part, back in ("name", 6), ("type", 4), ("space", 2):
        data = dump(on_root)
        c.patched("attribute_long_%s" % part, data, data.index(b"note\0") - back, long, damaged("/"), "inspect,repack")
        data = dump(on_features)
        c.patched("attribute_long_%s_of_features" % part, data, data.index(b"note\0") - back, long, damaged("/features"))
        data = dump(on_features, libver="latest")
        c.patched("attribute_new_long_%s" % part, data, data.index(b"note\0") - back - 1, long, damaged("/features"))
    data = dump(on_root)
    at = data.index(b"note\0") - 8
    c.patched("attribute_version_9", data, at, b"\x09", "HDF5 cannot tell what is in it; the file may be damaged", "inspect,repack")
    c.fine("attribute_of_a_named_type", of_named_type, "an attribute whose type is elsewhere", commands="inspect")
    c.fine("attribute_of_a_named_type_new", of_named_type, "and in the later format", libver="latest")


def edges(c):
    """Parts of an attribute that are one too long for it, and those that fill it."""
    def on_features(f):
        f["features"].attrs["note"] = 0.5
    data = dump(on_features, libver="latest")
    at = data.index(b"note\0") - 9  # version, flags, the bytes of name, type and space, an encoding
    size, = struct.unpack_from("<H", data, at - 3)
    name, kind, space = struct.unpack_from("<HHH", data, at + 2)
    assert data[at] == 3 and (name, size) == (5, 9 + name + kind + space + 8), (name, kind, space, size)
    c.patched("attribute_new_long_by_1", data, at + 2, struct.pack("<H", name + 9), damaged("/features"))
    data = dump(on_features)
    at = data.index(b"note\0") - 8
    size, = struct.unpack_from("<H", data, at - 6)
    name, kind, space = struct.unpack_from("<HHH", data, at + 2)
    assert data[at] == 1 and size == 8 + 8 + (kind + 7) // 8 * 8 + space + 8, (name, kind, space, size)
    room = size - 8 - space  # of name and type, each filled up to 8
    c.patched("attribute_long_by_filling", data, at + 2, struct.pack("<HH", 9, room - 15), damaged("/features"))

    def empty(f):
        f["features"].attrs["note"] = h5py.Empty("f8")
        f["features"].attrs["words"] = h5py.Empty(h5py.string_dtype())
    c.fine("attribute_empty", empty, "attributes of no values", commands="repack")
    c.fine("attribute_empty_new", empty, "and in the later format", libver="latest")


def checked(data, sign, inside):
    """Bytes of a block of a heap that begins with the sign and has those inside: where it begins, and where its checksum is."""
    begin = data.rindex(sign, 0, data.index(inside))
    for size in (512 << i for i in range(8)):
        block = bytearray(data[begin:begin + size])
        for at in range(13, 30):
            said = bytes(block[at:at + 4])
            if said == lookup3(block[:at] + bytes(4) + block[at + 4:]):
                return begin, begin + at, size
    raise AssertionError("no block")


def apart(c):
    """Links and attributes that are stored apart from their object, in blocks with a checksum."""
    unknown = "HDF5 cannot tell what is in it; the file may be damaged"

    def many(f):
        f["X"] = np.zeros_like(x)
        for i in range(10):
            f["more%d" % i] = i

    def within(f):
        f["g/features"] = x
        for i in range(10):
            f["g/more%d" % i] = i
    data = dump(within, ("features",), libver="v108")
    begin, at, size = checked(data, b"FHDB", b"features")
    c.patched("under_links_apart_checksum", data, at, b"\1\2\3\4", unknown)
    data = dump(many, libver="v108")
    begin, at, size = checked(data, b"FHDB", b"features")
    c.patched("links_apart_checksum", data, at, b"\1\2\3\4", unknown, "inspect,repack,convert")
    link = data.index(b"features") - 3
    assert data[link] == 1
    while data[link - 1] == 1 or data[link:link + 2] == b"\1\1":
        link -= 1
    data[link] = 9
    data[at:at + 4] = bytes(4)
    data[at:at + 4] = lookup3(data[begin:begin + size])
    c.add("links_apart_version_9.h5", bytes(data), 65, unknown, "inspect,repack,convert")

    def noted(f):
        for i in range(9):
            f.attrs["note%d" % i] = i
        f.attrs["feature_model"] = "a model"
    data = dump(noted, libver="latest")
    begin, at, size = checked(data, b"FHDB", b"feature_model")
    attribute = data.index(b"feature_model") - 9
    assert data[attribute] == 3
    data[attribute] = 9
    data[at:at + 4] = bytes(4)
    data[at:at + 4] = lookup3(data[begin:begin + size])
    c.add("attribute_apart_version_9.h5", bytes(data), 65, "attribute feature_model of / cannot be read; the file may be damaged (HDF5: bad version number", "inspect", None)

    def large(f):
        for i in range(5):
            f.attrs["note%d" % i] = np.arange(60)
    data = dump(large, libver="latest")
    second = data.index(b"OCHK")
    c.patched("header_of_root_checksum", data, second + 100, bytes([data[second + 100] ^ 1]), "its root cannot be read; the file may be damaged", "inspect,repack,convert")


def many_attributes(c):
    """More than HDF5 keeps with their object: it crashes where it copies their strings."""
    def noted(name, make):
        def change(f):
            make(f)
            for i in range(9):
                f[name].attrs["note%d" % i] = i
            f[name].attrs["words"] = "a text"
            f[name].attrs["lists"] = np.array(["a", "bc"], h5py.string_dtype())
        return change
    for name, make in (("group", lambda f: f.create_group("about")), ("dataset", setting("about", data=np.arange(5))),
                       ("type", lambda f: f.__setitem__("about", np.dtype("f8")))):
        c.fine("attributes_apart_of_a_" + name, noted("about", make), "strings among many attributes", commands="repack", libver="v108")
    c.fine("attributes_apart_within", noted("about/x", lambda f: f.create_group("about").create_dataset("x", data=np.arange(5))),
           "and in a group", commands="repack", libver="v108")


def many_messages(c):
    n = 1 << 20  # bytes of a dataset of zeros: messages of 8 bytes, of no kind
    data = dump(setting("pad", data=np.zeros(n + 8, "u1")))
    at, = addresses(data, "features")
    pad = opened(data, lambda f: f["pad"].id.get_offset())
    m = message(data, at, 3)
    c.patched("header_of_many_messages", data, m, b"\x10\0" + bytes(data[m + 2:m + 8]) + struct.pack("<QQ", pad, n + 8), damaged("/features"))


def messages(c):
    """Headers before HDF5 looks at them."""
    seen_virtual = "/features is a virtual dataset"
    data = dump()
    at, = addresses(data, "features")
    entry = data.index(struct.pack("<Q", at))  # of the root's symbol table
    c.patched("header_behind", data, entry, struct.pack("<Q", 2**40), "/features is not a readable dataset (HDF5:")
    c.patched("header_at_the_end", data, entry, struct.pack("<Q", len(data) - 8), "/features is not a readable dataset (HDF5:")
    c.patched("header_long", data, at + 8, struct.pack("<I", 2**30), "/features is not a readable dataset (HDF5:")

    m = message(data, at, 3)  # its type, of 24 bytes
    assert data[m + 2] >= 16
    again_and_again = b"\x10\0" + bytes(data[m + 2:m + 8]) + struct.pack("<QQ", m, 8 + data[m + 2])
    c.patched("header_of_itself", data, m, again_and_again, damaged("/features"), "inspect")
    c.patched("header_more_short", data, m, b"\x10\0\x08\0", "/features is not a readable dataset (HDF5:")
    m = message(data, at, 8)
    c.patched("header_layout_of_a_byte", data, m + 2, b"\1\0", "/features is not a readable dataset (HDF5:")
    padded = dump(setting("pad", data=np.zeros(250000, "u1")))
    at, = addresses(padded, "features")
    m = message(padded, at, 3)
    c.patched("header_of_many_pieces", padded, m, b"\x10\0" + bytes(padded[m + 2:m + 8]) + struct.pack("<QQ", m, 8 + padded[m + 2]), damaged("/features"))

    def ordered(how):
        how.set_attr_creation_order(h5py.h5p.CRT_ORDER_TRACKED)
        space = h5py.h5s.create_simple(x.shape)
        how.set_virtual(space, b"other.h5", b"real", space)
    c.features(raw("features", x.shape, half, ordered), "virtual_ordered", seen_virtual, libver="latest")

    def noted(f):
        d = f.create_dataset("features", data=x)
        for i in range(5):
            d.attrs["note%d" % i] = np.arange(60)
    newest = dump(noted, ("features",), libver="latest")
    c.fine("header_new_of_pieces", noted, "a header in two pieces", ("features",), libver="latest")
    assert newest.count(b"OCHK") == 1, newest.count(b"OCHK")
    second = newest.index(b"OCHK")
    more = newest.index(struct.pack("<Q", second))
    c.patched("header_new_piece_short", newest, more + 8, struct.pack("<Q", 4), "/features is not a readable dataset (HDF5:")
    c.patched("header_new_layout_behind", newest, second + 4, b"\x08" + bytes(newest[second + 5:second + 8]) + b"\4\3", seen_virtual, "inspect")


def wide_places(change, *sizes):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.h5")
        form = h5py.h5p.create(h5py.h5p.FILE_CREATE)
        form.set_sizes(*sizes)
        form.set_obj_track_times(False)
        with h5py.File(h5py.h5f.create(path.encode(), h5py.h5f.ACC_TRUNC, form)) as f:
            change(f)
        with open(path, "rb") as file:
            return file.read()


def places(c):
    """Places and sizes of 16 bytes."""
    content = both(setting("features", data=x), setting("label", data=label))
    said = "places or sizes in this file have more than 8 bytes, which is not read"
    c.add("super_places_of_16.h5", wide_places(content, 16, 8), 65, said, "inspect,repack")
    c.add("super_sizes_of_16.h5", wide_places(content, 8, 16), 65, said)
    c.add("super_places_of_4.h5", wide_places(content, 4, 4), 0, "", "repack", "places of 4 bytes")

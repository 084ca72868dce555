# hdf5_filters.py: chunks that their filters cannot unpack, and filters that are not read.
#
# SPDX-License-Identifier: MIT
import ctypes
import struct
import zlib

import h5py
import numpy as np

from hostile.hdf5_bytes import CHUNK, ROWS, WIDTH, both, dump, gzip, half, label, lookup3, opened, pairs, properties, raw, setting, x

bomb, bomblet = zlib.compress(bytes(50_000_000), 9), zlib.compress(bytes(800_000), 9)
wide = x.astype("f8")
short = zlib.compress(b"\1")


def chunks(name, values, stored, chunk=0, mask=0, **how):
    def change(f):
        d = f.create_dataset(name, data=values, chunks=(CHUNK,) + values.shape[1:], **how)
        d.id.write_direct_chunk((chunk * CHUNK,) + (0,) * (values.ndim - 1), bytes(stored), filter_mask=mask)
    return change


def damaged(c):
    c.features(chunks("features", x, bomb, **gzip), "filter_bomb", "rows 0 to 3 cannot be read", "train")
    c.features(chunks("features", x, bomblet, 1, **gzip), "filter_bomblet", "rows 4 to 7 cannot be read; the file may be damaged (a chunk cannot be unpacked)")
    c.features(chunks("features", wide, bomb, **gzip), "filter_bomb_double", "a chunk has more bytes than it can have", "train")
    c.features(chunks("features", wide, bomblet, **gzip), "filter_bomblet_double", "a chunk cannot be unpacked")
    c.labels(chunks("label", label, bomb, **gzip), "filter_bomb_label", "/label rows 0 to 3 cannot be read; the file may be damaged (a chunk has more bytes", "eval,train")
    c.labels(chunks("label", label, bomblet, 2, **gzip), "filter_bomblet_label", "/label rows 8 to 11 cannot be read; the file may be damaged (a chunk cannot be unpacked)")
    c.labels(chunks("label", label, zlib.compress(b"\1"), 1, **gzip), "filter_short_label", "/label rows 4 to 7 cannot be read")
    fixed = np.array([b"abcd"] * ROWS, "S4")
    c.bad("filter_short_id", chunks("id", fixed, short, 1, **gzip), "/id rows 4 to 7 cannot be read; the file may be damaged (a chunk cannot be unpacked)")
    c.bad("filter_short_texts", chunks("id", fixed.astype(object), short, 1, dtype=h5py.string_dtype(), **gzip), "/id rows 4 to 7 cannot be read")
    c.labels(chunks("label", label, b"\xff" * 20, **gzip), "filter_no_zlib", "(a chunk cannot be unpacked)")
    c.labels(chunks("label", label, zlib.compress(bytes(CHUNK))[:-1] + b"\7", **gzip), "filter_adler", "(a chunk cannot be unpacked)")
    c.labels(chunks("label", label, b"\0\1\0\1\1\2\3\4", fletcher32=True), "filter_fletcher", "(the checksum of a chunk is wrong)")
    c.labels(chunks("label", label, b"\0", fletcher32=True), "filter_fletcher_short", "(the checksum of a chunk is wrong)")
    c.features(chunks("features", x, bytes(64) + b"\1\2\3\4", fletcher32=True), "filter_fletcher_features", "(the checksum of a chunk is wrong)", "train")
    c.labels(chunks("label", label, b"\0", 0, 1, **gzip), "filter_left_out", "a chunk has another size than its rows")

    def old_sum(name, values):
        """Both halves of a checksum the other way round, as HDF5 before 1.6.3 wrote them."""
        def change(f):
            d = f.create_dataset(name, data=values, chunks=(CHUNK,) + values.shape[1:], fletcher32=True)
            f.flush()
            at = (0,) * values.ndim
            stored = d.id.read_direct_chunk(at)[1]
            n = len(stored) - 4
            d.id.write_direct_chunk(at, stored[:n] + bytes(stored[n + i] for i in (1, 0, 3, 2)))
        return change
    c.fine("filter_fletcher_old", old_sum("features", x + np.float16(.3)), "a checksum of old versions of HDF5", ("features",))
    c.fine("filter_fletcher_old_label", old_sum("label", label), "and of a column", ("label",))

    large = np.full((ROWS, 200), -65504, np.float16)
    c.fine("filter_fletcher_large", setting("features", data=large, chunks=large.shape, fletcher32=True), "sums that run over 32 bits", ("features",))


def fletcher_first(how):
    how.set_chunk((CHUNK,))
    how.set_fletcher32()
    how.set_shuffle()
    how.set_deflate(4)


def fletcher_first_rows(how):
    fletcher_first(how)
    how.set_chunk((CHUNK, WIDTH))


def pipelines(c):
    def twice(how):
        how.set_chunk((CHUNK, WIDTH))
        how.set_deflate(9)
        how.set_deflate(9)

    def many(how):
        how.set_chunk((CHUNK, WIDTH))
        for i in range(9):
            how.set_filter(400 + i, h5py.h5z.FLAG_OPTIONAL, ())

    def shuffled_last(how):
        how.set_chunk((CHUNK, WIDTH))
        how.set_deflate(4)
        how.set_shuffle()

    c.features(raw("features", x.shape, half, twice, x), "filter_twice", "/features goes through the HDF5 filter 1 twice", "train")
    c.features(raw("features", x.shape, half, many), "filter_many", "/features goes through 9 filters")
    c.features(raw("features", x.shape, half, shuffled_last, x), "filter_order", "/features is shuffled after it was compressed")
    c.features(setting("features", data=x, chunks=(CHUNK, WIDTH), compression="lzf"), "filter_lzf", "/features is compressed with lzf (HDF5 filter 32000)")
    c.labels(setting("label", data=label, chunks=(CHUNK,), compression="lzf"), "filter_lzf_label", "/label is compressed with lzf (HDF5 filter 32000)")
    c.labels(setting("label", data=label, chunks=(CHUNK,), scaleoffset=0), "filter_scaleoffset", "/label is packed with scaleoffset")
    c.features(setting("features", data=x.astype("f4"), chunks=(CHUNK, WIDTH), scaleoffset=4), "filter_scaleoffset_features", "/features is packed with scaleoffset")

    def nbit(how):
        how.set_chunk((CHUNK,))
        how.set_filter(h5py.h5z.FILTER_NBIT, h5py.h5z.FLAG_OPTIONAL, ())
    c.labels(raw("label", label.shape, h5py.h5t.STD_U8LE, nbit), "filter_nbit", "/label is packed with nbit")

    def szip(how):
        how.set_chunk((64,))
        how.set_filter(h5py.h5z.FILTER_SZIP, h5py.h5z.FLAG_OPTIONAL, (4, 8))
    c.labels(raw("label", (ROWS,), h5py.h5t.STD_U8LE, szip, None, (h5py.h5s.UNLIMITED,)), "filter_szip", "/label is packed with szip")
    c.fine("filter_fletcher_first", raw("label", label.shape, h5py.h5t.STD_U8LE, fletcher_first, label), "PyTables sets fletcher32 first", ("label",))
    c.fine("filter_fletcher_first_features", raw("features", x.shape, half, fletcher_first_rows, x), "and so features are read", ("features",))

    def fletcher_gzip(how):
        how.set_chunk((CHUNK, WIDTH))
        how.set_fletcher32()
        how.set_deflate(4)
    c.fine("filter_fletcher_gzip", raw("features", x.shape, half, fletcher_gzip, x), "gzip right behind a filter without values", ("features",))

    def no_level(f):
        how = properties()
        how.set_chunk(x.shape)
        how.set_filter(h5py.h5z.FILTER_DEFLATE, 0, (77,))
        d = h5py.h5d.create(f.id, b"features", half, h5py.h5s.create_simple(x.shape), how)
        d.write_direct_chunk((0, 0), zlib.compress(x.tobytes()))
    c.fine("filter_gzip_77", no_level, "a level that gzip has not is of no use to who unpacks it", ("features",))

    def across(f):
        d = f.create_dataset("features", data=wide, chunks=(CHUNK, WIDTH // 2), **gzip)
        d.id.write_direct_chunk((0, WIDTH // 2), bomblet)
    c.features(across, "filter_bomblet_across", "a chunk cannot be unpacked")


def at_edges(c):
    edges = dump(lambda f: f.create_dataset("label", data=label, chunks=(5,), compression="gzip"), ("label",), libver=("v110", "v110"))
    layout = edges.index(b"\4\2\0\2\1\5\1")  # version, chunks, no flags, two dimensions in a byte each: 5 rows of a byte
    header = edges.rindex(b"OHDR", 0, layout)
    has_times, size_bytes = edges[header + 5] & 0x20, 1 << (edges[header + 5] & 3)
    begin = header + (22 if has_times else 6) + size_bytes
    end = begin + int.from_bytes(edges[begin - size_bytes:begin], "little")
    assert edges[end:end + 4] == lookup3(edges[header:end])
    edges[layout + 2] = 1  # filters are left out at the edges
    edges[end:end + 4] = lookup3(edges[header:end])
    c.add("filter_edges.h5", bytes(edges), 65, "/label leaves filters out for chunks at its edges")


def set_filters(*filters, chunk=(CHUNK, WIDTH)):
    def setup(how):
        how.set_chunk(chunk)
        for number, *values in filters:
            how.set_filter(number, h5py.h5z.FLAG_OPTIONAL, tuple(values))
    return setup


def rarer(c):
    c.features(raw("features", x.shape, half, set_filters((1, 4), (400,), (3,))), "filter_unnamed",
               "/features is compressed with an unnamed filter (HDF5 filter 400)")
    shuffle_alone = lambda how: [how.set_chunk((CHUNK,)), how.set_shuffle()]
    c.fine("filter_shuffle_label", raw("label", label.shape, h5py.h5t.STD_U8LE, shuffle_alone, label), "a shuffle alone", ("label",))

    def not_filtered(f):
        how = properties()
        fletcher_first(how)
        d = h5py.h5d.create(f.id, b"label", h5py.h5t.STD_U8LE, h5py.h5s.create_simple((ROWS,)), how)
        for i in range(0, ROWS, CHUNK):
            d.write_direct_chunk((i,), zlib.compress(label[i:i + CHUNK].tobytes()), filter_mask=1)
    c.fine("filter_fletcher_left_out", not_filtered, "a chunk may leave the first filter out", ("label",))
    c.features(both(chunks("features", x, bomblet, 0, **gzip), lambda f: [f["features"].id.write_direct_chunk((i, 0), bomblet) for i in (CHUNK, 2 * CHUNK)]),
               "filter_bomblets", "rows 0 to 3 cannot be read")

    def late(f):
        """More rows than are copied at a time; the last of their chunks is bad."""
        n = 12288
        f.create_dataset("features", data=np.ones((n, 1), "f2"), **gzip)
        f.create_dataset("label", data=np.arange(n) % 2, dtype="u1", **gzip)
        d = f.create_dataset("note", (n,), h5py.string_dtype(), chunks=(4096,), **gzip)
        d[0] = "a string"
        d.id.write_direct_chunk((8192,), short)
    c.bad("filter_short_texts_late", late, "/note rows 8192 to 12287 cannot be read", ("features", "label"), "repack")

    def no_values(f):
        how = properties()
        how.set_chunk(x.shape)
        how.set_filter(h5py.h5z.FILTER_DEFLATE, 0, ())
        d = h5py.h5d.create(f.id, b"features", half, h5py.h5s.create_simple(x.shape), how)
        d.write_direct_chunk((0, 0), zlib.compress(x.tobytes()))
    c.fine("filter_gzip_no_level", no_values, "gzip without a level", ("features",))

    shuffled = dump(setting("features", data=x, chunks=(CHUNK, WIDTH), shuffle=True), ("features",))
    at = shuffled.index(struct.pack("<HHHH", 2, 8, 1, 1) + b"shuffle\0" + struct.pack("<II", 2, 0))
    c.patched("filter_shuffle_values", shuffled, at + 6, b"\2", "/features rows 0 to 11 cannot be read")

    def by_4(f):
        d = f.create_dataset("features", data=x, chunks=(CHUNK, WIDTH), shuffle=True).id
        for i in range(0, ROWS, CHUNK):
            d.write_direct_chunk((i, 0), x[i:i + CHUNK].view("u1").reshape(-1, 4).T.tobytes())
    of_4 = dump(by_4, ("features",))
    of_4[at + 16] = 4
    c.add("filter_shuffle_of_4.h5", bytes(of_4), 0, "", "-", "bytes of two values shuffled as one (test_data_h5.c)")


def copied(c):
    wide_rows = setting("other", shape=(ROWS, 0), dtype="f4", maxshape=(ROWS, None), chunks=(CHUNK, 4), compression="gzip")
    c.fine("shape_no_width_packed", wide_rows, "packed rows of no bytes", commands="repack")
    c.fine("claim_wide_row", setting("other", shape=(0, 2**62), dtype="f2"), "no rows, each of 2^63 bytes (test_data_h5.c)")
    c.fine("filter_pairs", setting("other", data=pairs, chunks=(CHUNK,), **gzip), "packed values that hold strings", commands="repack")
    c.fine("filter_texts_inside", lambda f: f.create_group("notes").create_dataset("text", data=["a", "bc"], dtype=h5py.string_dtype(), chunks=(1,), **gzip),
           "packed strings inside of a group", commands="repack")
    c.fine("texts_chunked_inside", lambda f: f.create_group("notes").create_dataset("text", data=["a", "bc"], dtype=h5py.string_dtype(), chunks=(1,)),
           "chunks of strings inside of a group", commands="repack")


def read(c):
    c.fine("claim_rank_6", setting("other", shape=(3, 2, 2, 1, 1, 1), dtype="u1", chunks=(1, 1, 1, 1, 1, 1)), "chunks of many dimensions")
    c.fine("filter_gzip", setting("features", data=x, chunks=(CHUNK, WIDTH), shuffle=True, **gzip), "what h5py users write", ("features",))
    big = x.astype(">f4")
    c.fine("big_endian", setting("features", data=big), "bytes in the other order", ("features",))
    c.fine("big_endian_chunks", setting("features", data=big, chunks=(CHUNK, WIDTH)), "and in chunks", ("features",))
    c.fine("big_endian_fletcher_first", raw("features", x.shape, h5py.h5t.IEEE_F32BE, fletcher_first_rows, big), "and through HDF5", ("features",))
    c.fine("big_endian_half", raw("features", x.shape, h5py.h5t.IEEE_F16BE, fletcher_first_rows, x.astype(">f2")), "and of 16 bits", ("features",))


def named(c):
    class Filter(ctypes.Structure):
        """H5Z_class2_t."""
        _fields_ = [("version", ctypes.c_int), ("id", ctypes.c_int), ("packs", ctypes.c_uint), ("unpacks", ctypes.c_uint), ("name", ctypes.c_char_p),
                    ("can_apply", ctypes.c_void_p), ("set_local", ctypes.c_void_p), ("filter", ctypes.c_void_p)]
    with open("/proc/self/maps", encoding="utf-8") as file:
        library = next(line.split()[-1] for line in file if "libhdf5-" in line)
    named_so = Filter(1, 500, 1, 1, b"a filter whose name has no end " * 3, None, None, 1)
    assert ctypes.CDLL(library).H5Zregister(ctypes.byref(named_so)) >= 0
    c.features(raw("features", x.shape, half, set_filters((500,))), "filter_long_name", "/features is compressed with a filter whose name has no end a filter (HDF5 filter 500)", "inspect")

    def other_filter(f):
        raw("features", x.shape, half, set_filters((400,)))(f)
        for i in range(0, ROWS, CHUNK):
            f["features"].id.write_direct_chunk((i, 0), x[i:i + CHUNK].tobytes())
    c.features(other_filter, "filter_other", "/features is compressed with an unnamed filter (HDF5 filter 400)")


def layout_of(data, shape, item):
    """Where the layout of the dataset stands that is one chunk of this shape, of values of so many bytes."""
    tail = struct.pack("<%dI" % (len(shape) + 1), *shape, item)
    head = bytes([3, 2, len(shape) + 1])
    at, = (i for i in range(len(data)) if data[i:i + 3] == head and data[i + 11:i + 11 + len(tail)] == tail)
    return at, 11 + len(tail)


def without_chunks(c):
    """libhdf5 opens datasets in one piece that have filters, and scalars that have chunks."""
    texts = np.full((ROWS, 2), "abc", object)
    for name, of, kind, values in (("floats", "features", "f4", x), ("doubles", "features", "f8", x), ("numbers", "extra", "i4", label),
                                   ("texts", "extra", h5py.string_dtype(), texts)):
        data = dump(both(setting(of, data=values, dtype=kind, chunks=values.shape, **gzip), setting("piece", data=values, dtype=kind)),
                    without=(of,))
        place = opened(data, lambda f: (f["piece"].id.get_offset(), f["piece"].id.get_storage_size()))
        at, length = layout_of(data, values.shape, 16 if values is texts else np.dtype(kind).itemsize)  # 16: of a handle
        data[at:at + length] = (bytes([3, 1]) + struct.pack("<QQ", *place)).ljust(length, b"\0")
        c.add("filter_piece_" + name + ".h5", bytes(data), 0, "", "inspect,repack", "gzip is said of a dataset in one piece")
    data = dump(setting("extra", data=texts[:, 0], dtype=h5py.string_dtype(), chunks=(ROWS,), **gzip))
    at, length = layout_of(data, (ROWS,), 16)
    data[at + 2] = 1
    data[at + 11:at + length] = struct.pack("<II", 16, 0)
    space = max(data.rfind(bytes([1, 1, most]) + bytes(5) + struct.pack("<Q", ROWS), 0, at) for most in (0, 1))
    data[space + 1:space + 3] = bytes(2)
    c.add("filter_scalar.h5", bytes(data), 65, "/extra has no shape that can be read", "repack")

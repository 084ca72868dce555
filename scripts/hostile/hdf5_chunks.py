# hdf5_chunks.py: where chunks and pieces lie and how long they are, told wrongly.
#
# SPDX-License-Identifier: MIT
import struct
import zlib

import h5py
import numpy as np

from hostile.hdf5_bytes import CHUNK, ROWS, WIDTH, dump, gzip, label, piece, raw, setting, x


def placed(name, values, **how):
    """The file, and of each chunk of name: where its key is in the index, its place and bytes."""
    def change(f):
        f.create_dataset(name, data=values, chunks=(CHUNK,) + values.shape[1:], **how)
        f.flush()
        d = f[name].id
        for i in range(d.get_num_chunks()):
            info = d.get_chunk_info(i)
            keys.append((struct.pack("<II", info.size, info.filter_mask) + struct.pack("<%dQ" % (values.ndim + 1), *info.chunk_offset, 0)
                         + struct.pack("<Q", info.byte_offset)))
    keys = []
    data = dump(change, (name,))
    places = []
    for key in keys:
        assert data.count(key) == 1
        places.append(data.index(key))
    return data, places, len(keys[0])


def at_key(c, name, of, values, key, field, new, message, commands="-", **how):
    """field: byte of the key; negative: from its end."""
    data, places, n = placed(of, values, **how)
    c.patched(name, data, places[key] + (field if field >= 0 else n + field), new, message, commands)


def indexes(c):
    def roomy(f):
        d = f.create_dataset("features", (ROWS, WIDTH), "f2", maxshape=(None, WIDTH), chunks=(2 * 10**7, WIDTH), compression="gzip").id
        d.write_direct_chunk((0, 0), zlib.compress(b"x"))
        f.flush()
        info = d.get_chunk_info(0)
        key.append(struct.pack("<IIQQQQ", info.size, 0, 0, 0, 0, info.byte_offset))
    key = []
    data = dump(roomy, ("features",))
    c.patched("claim_chunk_half", data, data.index(key[0]), struct.pack("<I", 2**20), "/features has chunks of 320000000 bytes")

    data = dump(lambda f: f.create_dataset("id", data=np.array([b"abcd"] * ROWS, "S4")))
    c.patched("type_of_no_bytes", data, data.index(b"\x13\x01\0\0\4\0\0\0") + 4, b"\0", "values of 0 bytes")

    address = -8
    for of, values in (("features", x), ("label", label)):
        kind = "" if of == "features" else "_label"
        at_key(c, "index_behind" + kind, of, values, 1, address, struct.pack("<Q", 2**40), "a chunk lies behind its end", "train")
        at_key(c, "index_undefined" + kind, of, values, 1, address, b"\xff" * 8, "cannot be read")
        at_key(c, "index_bytes" + kind, of, values, 1, 0, struct.pack("<I", 2**30), "a chunk has another size than its rows")
        at_key(c, "index_few_bytes" + kind, of, values, 2, 0, struct.pack("<I", 1), "a chunk has another size than its rows", "train")
        at_key(c, "index_packed_bytes" + kind, of, values, 1, 0, struct.pack("<I", 2**31), "cannot be read", **gzip)
        at_key(c, "index_packed_behind" + kind, of, values, 1, address, struct.pack("<Q", 2**63), "cannot be read", **gzip)
        data, places, n = placed(of, values, **gzip)
        first = data[places[0] + n - 8:places[0] + n]
        c.patched("index_one_place" + kind, data, places[1] + n - 8, first, "two chunks lie at one place", "eval")
        at_key(c, "index_mask" + kind, of, values, 0, 4, struct.pack("<I", 1), "a chunk has another size than its rows", **gzip)
    at_key(c, "index_other_rows", "features", x, 1, 8, struct.pack("<Q", 400), "cannot be read", **gzip)


def pieces(c):
    for of, kind in (("features", ""), ("label", "_label")):
        data, at = piece(of)
        behind, other = "/%s has rows behind the end of the file" % of, "/%s has another size in the file than its rows" % of
        c.patched("piece_behind" + kind, data, at, struct.pack("<Q", len(data) - 2), behind, "train")
        c.patched("piece_far" + kind, data, at, struct.pack("<Q", 2**62), behind, "train")
        c.patched("piece_long" + kind, data, at + 8, struct.pack("<Q", 2**40), other)
        c.patched("piece_short" + kind, data, at + 8, struct.pack("<Q", 3), other)
        used = struct.unpack_from("<Q", data, at)[0] + 4  # what the file says that it uses
        c.patched("piece_unused" + kind, data, 40, struct.pack("<Q", used), behind, "train")


def compact(c):
    """An index of strings; values within a header."""
    ids = np.array(["row %d" % i for i in range(ROWS)], object)
    at_key(c, "index_few_bytes_id", "id", ids, 2, 0, struct.pack("<I", 1), "a chunk has another size than its rows", dtype=h5py.string_dtype())

    def in_header(name, values):
        return raw(name, values.shape, h5py.h5t.py_create(values.dtype), lambda how: how.set_layout(h5py.h5d.COMPACT), values)

    for name, values, kind in (("features", x, ""), ("label", label, "_label")):
        other = "/%s has another size in the file than its rows" % name
        data = dump(in_header(name, values), (name,))
        at = data.index(struct.pack("<BBH", 3, 0, values.nbytes) + values.tobytes()) + 2
        c.patched("compact_short" + kind, data, at, struct.pack("<H", 3), other, "train")
        c.patched("compact_empty" + kind, data, at, struct.pack("<H", 0), other)
    data, at = piece("features")
    c.patched("layout_version_1", data, at - 2, b"\1", "/features has another size in the file than its rows", "train")


def no_rows(c):
    data = dump(setting("features", data=x, chunks=(CHUNK, WIDTH)), ("features",))
    at = data.index(struct.pack("<III", CHUNK, WIDTH, 2))
    c.patched("chunk_of_no_rows", data, at, struct.pack("<I", 0), "/features is not a readable dataset (HDF5:")

# hdf5_costs.py: small files that claim much, or that cost much to look at.
#
# SPDX-License-Identifier: MIT
import struct

import numpy as np

from hostile.hdf5_bytes import CHUNK, ROWS, WIDTH, both, dump, label, opened, setting, written, x


def claims(c):
    def claim(name, shape, kind, chunk):
        return setting(name, shape=shape, dtype=kind, chunks=chunk, maxshape=(None,) * len(shape))

    c.fine("claim_row", setting("other", shape=(0, 2**40, 2**40), dtype="u1"), "no rows, each of 2^80 bytes (test_data_items.c)")
    c.features(claim("features", (2**60, WIDTH), "f2", (CHUNK, WIDTH)), "claim_rows_60", "shape of more than 2^64 bytes")
    c.features(claim("features", (2**59, WIDTH), "f2", (CHUNK, WIDTH)), "claim_rows_59", "/features claims 9223372036854775808 bytes", "inspect,eval,train,check")
    c.features(claim("features", (2**32 - 1, 1), "f2", (2**16, 1)), "claim_rows_32", "/features claims 8589934590 bytes")
    c.features(claim("features", (ROWS, 2**50), "f2", (1, 2**16)), "claim_width", "bytes, of which the file stores 0")
    c.features(claim("features", (2**40, 2**40), "f2", (1, 2**16)), "claim_product", "shape of more than 2^64 bytes")
    c.features(setting("features", shape=(2**40, WIDTH), dtype="f2"), "claim_one_piece", "bytes, of which the file stores 0")
    c.labels(claim("label", (2**60,), "u1", (64,)), "claim_label", "/label claims 1152921504606846976 bytes", "eval,train")
    c.features(claim("features", (300000, 1), "f2", (1, 1)), "claim_grid", "/features claims 300000 chunks, of which 0")
    c.features(claim("features", (ROWS, 5000), "f2", (1, 1)), "claim_side_by_side", "/features has 5000 chunks side by side")
    one_of_many = setting("features", shape=(512, 511), dtype="f2", chunks=(1, 1))

    def write_one(f):
        one_of_many(f)
        f["features"][100, 100] = 1
    c.features(write_one, "claim_grid_of_one", "/features claims 261632 chunks, of which 1 are in the file")
    huge = {"maxshape": (None, None), "chunks": (2**20, 2000), "compression": "gzip"}
    c.features(setting("features", shape=(ROWS, WIDTH), dtype="f2", **huge), "claim_chunk", "/features has chunks of 4194304000 bytes", "inspect,train")
    c.features(setting("features", shape=(25 * 10**6, 4), dtype="f2", maxshape=(None, 4), chunks=(375 * 10**5, 4)), "claim_chunk_bomb",
               "/features claims 200000000 bytes, of which the file stores 0")
    c.labels(setting("label", shape=(ROWS,), dtype="u1", maxshape=(None,), chunks=(2**31,)), "claim_label_chunk", "/label has chunks of 2147483648 bytes")
    c.bad("claim_id", setting("id", shape=(ROWS,), dtype="S1000000000"), "/id claims 12000000000 bytes")
    c.fine("claim_nobody_wrote", lambda f: f.create_dataset("weight", (ROWS,), "f4", fillvalue=1), "rows that nobody wrote are the fill value")

    c.bad("claim_unused", setting("other", shape=(ROWS, 2**50), dtype="u1"), "/other claims 13510798882111488 bytes", commands="repack")
    c.bad("filter_unused", setting("other", data=label, chunks=(CHUNK,), scaleoffset=1), "/other is packed with scaleoffset", commands="repack")

    def one_string(f):
        f.create_dataset("features", data=np.ones((4096, 1), "f2"), compression="gzip")
        f.create_dataset("label", data=np.arange(4096) % 2)
        f["id"] = ["x" * 60000] + ["y"] * 4095
    shared = written(one_string)
    at = opened(shared, lambda f: f["id"].id.get_offset())
    shared[at:at + 16 * 4096] = shared[at:at + 16] * 4096  # every row names the first row's string
    c.add("claim_one_string.h5", bytes(shared), 65, "/id: strings come to more than")


def many(c):
    for n, name in (2**27, "claim_unwritten"), (2**22 + 1, "claim_unwritten_few"):
        columns = [setting(k, shape=(n,), dtype="u1") for k in ("label", "id", "group", "weight")]
        c.bad(name, both(setting("features", shape=(n, 1), dtype="f2"), *columns), "of which the file stores 0", ("features", "label"), "inspect,check")

    def shared(groups, links):
        def change(f):
            big = f.create_group("big")
            for i in range(links):
                big["%d" % i] = f["label"]
            for i in range(groups):
                f.create_group("g%d" % i)["b"] = big
        return change
    c.bad("links_shared", shared(80, 1000), "leads over more links than are followed", commands="repack", libver=("v110", "v110"))

    def again(f):
        shared(0, 1200)(f)
        for i in range(1200):
            f["b%d" % i] = f["big"]
    c.fine("links_again", again, "one group by many names is looked at once", libver=("v110", "v110"))

    def many(f):
        f.create_dataset("features", data=np.arange(1, 4201.0)[:, None], chunks=(2, 1))
        f.create_dataset("label", data=np.arange(4200, dtype="u1") // 2 % 2, chunks=(2,))
    many_chunks = written(many)
    lost = bytearray(many_chunks)
    for size, key in (16, 32), (2, 24):  # of a chunk, of its key in the index
        found, at = 0, 0
        while (at := many_chunks.find(b"TREE\1\0", at + 1)) > 0:
            for i in range(struct.unpack("<H", many_chunks[at + 6:at + 8])[0]):
                place = at + 24 + i * (key + 8)
                if many_chunks[place:place + 8] == struct.pack("<II", size, 0):
                    many_chunks[place:place + 4] = struct.pack("<I", size // 2)
                    found += 1
                    if found == 1000:
                        lost[place + key:place + key + 8] = struct.pack("<Q", 2**40)
        assert found == 2100
    c.add("index_many_behind.h5", bytes(lost), 65, "cannot be read")
    c.add("index_many.h5", bytes(many_chunks), 0, "", "-", "the size of a chunk that the index tells is not used (test_trust_h5_limits.c)")


def packed(c):
    """Chunks that are larger than their rows."""
    def grown_rows(f, rows, chunk, stored):
        """Rows of 16 bytes in one packed chunk."""
        d = f.create_dataset("features", (rows, WIDTH), "f2", maxshape=(None, WIDTH), chunks=(chunk, WIDTH), compression="gzip").id
        d.write_direct_chunk((0, 0), bytes(stored))
    chunk_of = lambda stored: lambda f: grown_rows(f, 2_200_000, 4_300_000, stored)  # 35 MB in a chunk of 69
    c.features(chunk_of(17500), "claim_chunk_packed", "/features has chunks of 68800000 bytes for 35200000 bytes of values, of which the file stores 17500")
    c.bad("claim_chunk_large", both(chunk_of(34000), setting("label", shape=(2_200_000,), dtype="u1")), "cannot be read; the file may be damaged (a chunk cannot be unpacked)",
          ("features", "label"))
    data = dump(chunk_of(17500), ("features",))
    at = data.index(struct.pack("<IIQQQ", 17500, 0, 0, 0, 0))
    c.patched("claim_stored_lie", data, at, struct.pack("<I", 2**30), "/features has chunks of 68800000 bytes for 35200000 bytes of values, of which the file stores %d" % len(data))
    data = dump(lambda f: grown_rows(f, 2_200_000, 2_200_000, 40), ("features",))
    at = data.index(struct.pack("<IIQQQ", 40, 0, 0, 0, 0))
    c.patched("claim_stored_huge_lie", data, at, struct.pack("<I", 2**30), "/features claims 35200000 bytes, of which the file stores %d" % len(data))


def grids(c):
    """Chunks that are many, or that cannot be found."""
    rare = lambda f: [f.create_dataset("features", (4097, 1), "f2", chunks=(1, 1)), f.create_dataset("label", (4097,), "u1")]

    def one_written(f):
        rare(f)
        f["features"][7, 0] = 1
    c.fine("claim_grid_one_less", one_written, "a chunk fewer than may be missing", ("features", "label"))
    no_index = dump(one_written, ("features", "label"), libver="latest")
    c.patched("claim_grid_no_index", no_index, no_index.index(b"FAHD"), b"fahd", "/features is not a readable dataset (HDF5:")
    in_chunks = setting("features", data=x, chunks=(CHUNK, WIDTH))
    few = dump(in_chunks, ("features",))
    c.patched("index_signature", few, few.index(b"TREE\1\0"), b"tree", "/features is not a readable dataset (HDF5:")
    few = dump(in_chunks, ("features",), libver="latest")
    c.patched("index_signature_latest", few, few.index(b"FAHD"), b"fahd", "/features is not a readable dataset (HDF5:")
    c.fine("claim_side_by_side_most", setting("features", shape=(ROWS, 4096), dtype="f2", chunks=(ROWS, 1)), "as many chunks side by side as are read", ("features",))

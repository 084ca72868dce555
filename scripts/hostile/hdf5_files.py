# hdf5_files.py: malformed HDF5 dumps: links, values elsewhere, claims, filters, indexes, cuts. Needs h5py and numpy.
#
# h5py writes what it can; what it cannot is patched into its bytes. Headers and indexes of the first version, which
# h5py writes unless asked, have no checksums. A file whose name begins with "under_" has its features in /g/features.
#
# SPDX-License-Identifier: MIT
import ctypes
import os
import struct
import tempfile
import zlib

ROWS, WIDTH = 12, 8
CHUNK = 4  # rows


def cases(c):
    import h5py  # the other formats need nothing but Python
    import numpy as np

    x = ((8 * np.arange(ROWS)[:, None] + np.arange(WIDTH)[None, :] - 40) / 16).astype(np.float16)
    label = (np.arange(ROWS) % 2).astype(np.uint8)
    small, low = h5py.h5p, h5py.h5d

    def written(make, **how):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.h5")
            with h5py.File(path, "w", **{"libver": "earliest", **how}) as f:
                make(f)
            with open(path, "rb") as file:
                return bytearray(file.read())

    def dump(change=None, without=(), **how):
        """A sound dump, but for what change(f) puts into it."""
        def make(f):
            for name, values in (("features", x), ("label", label)):
                if name not in without:
                    f[name] = values
            if change:
                change(f)
        return written(make, **how)

    def bad(name, change, message, without=(), commands="-", status=65, why=None, **how):
        c.add(name + ".h5", bytes(dump(change, without, **how)), status, message, commands, why)

    def fine(name, change, why, without=(), commands="-", **how):
        bad(name, change, "", without, commands, 0, why, **how)

    def features(change, name, message, commands="-", **how):
        bad(name, change, message, ("features",), commands, **how)

    def labels(change, name, message, commands="-", **how):
        bad(name, change, message, ("label",), commands, **how)

    def setting(name, **how):
        return lambda f: f.create_dataset(name, **how)

    def patched(name, data, at, new, message, commands="-"):
        data = bytearray(data)
        data[at:at + len(new)] = new
        c.add(name + ".h5", bytes(data), 65, message, commands)

    def raw(name, shape, kind, setup, values=None, maxshape=None):
        """A dataset whose properties setup(list) gives, without HDF5's times of change."""
        def change(f):
            how = small.create(small.DATASET_CREATE)
            how.set_obj_track_times(False)
            setup(how)
            space = h5py.h5s.create_simple(shape, maxshape) if maxshape else h5py.h5s.create_simple(shape)
            d = low.create(f.id, name.encode(), kind, space, how)
            if values is not None:
                d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values))
        return change

    # ---- links ----

    def soft(name, to):
        return lambda f: f.__setitem__(name, h5py.SoftLink(to))

    def away(name, file="other.h5", to="/x"):
        return lambda f: f.__setitem__(name, h5py.ExternalLink(file, to))

    def both(*changes):
        return lambda f: [change(f) for change in changes]

    real = setting("real", data=x)
    every = "inspect,check,eval,train,repack"
    features(both(real, soft("features", "/real")), "link_soft_features", "/features is a soft link", every)
    features(soft("features", "/nothing"), "link_soft_dangling", "/features is a soft link")
    features(both(soft("features", "/more"), soft("more", "/features")), "link_soft_cycle", "/features is a soft link")
    labels(both(setting("real", data=label), soft("label", "real")), "link_soft_label", "/label is a soft link", "eval,train")
    bad("link_soft_id", soft("id", "/label"), "/id is a soft link", commands="eval")
    bad("link_soft_group", soft("group", "/label"), "/group is a soft link")
    bad("link_soft_weight", soft("weight", "/label"), "/weight is a soft link")
    features(away("features"), "link_external_features", "/features is an external link", every)
    features(away("features", "/dev/zero"), "link_external_device", "/features is an external link")
    features(both(real, away("features", "link_external_itself.h5", "/real")), "link_external_itself",
             "/features is an external link")
    labels(away("label"), "link_external_label", "/label is an external link", "eval,train")
    bad("link_external_gold", away("gold"), "/gold is an external link")
    under = lambda f: f.create_group("real").create_dataset("features", data=x)
    features(both(under, soft("g", "/real")), "under_soft", "/g is a soft link", "inspect")
    features(away("g", "other.h5", "/"), "under_external", "/g is an external link", "inspect")
    bad("link_soft_unused", soft("other", "/label"), "/other is a soft link, which would lead elsewhere", commands="repack")
    bad("link_external_unused", away("other"), "/other is an external link, which would lead elsewhere", commands="repack")
    inside = lambda f: f.create_group("about").__setitem__("more", h5py.SoftLink("/label"))
    bad("link_soft_inside", inside, "/about/more is a soft link", commands="repack")
    outside = lambda f: f.create_group("about").__setitem__("more", h5py.ExternalLink("other.h5", "/"))
    bad("link_external_inside", outside, "/about/more is an external link", commands="repack")
    bad("link_root", lambda f: f.__setitem__("again", f["/"]), "/again is the file's root once more", commands="repack")
    bad("link_root_inside", lambda f: f.create_group("a").__setitem__("again", f["/"]), "/a/again is the file's root once more")

    linked = dump(away("features"), ("features",))
    at = linked.index(b"\x40\x08features")  # type, length of the name, name
    patched("link_of_no_kind", linked, at, b"\x47", "/features is a link of another kind")

    # ---- values that lie elsewhere ----

    def virtual(name, values, source):
        def whole(how):
            space = h5py.h5s.create_simple(values.shape)
            how.set_virtual(space, source.encode(), b"real", space)
        return raw(name, values.shape, h5py.h5t.py_create(values.dtype), whole)

    features(virtual("features", x, "other.h5"), "virtual_features", "/features is a virtual dataset", every)
    features(both(real, virtual("features", x, ".")), "virtual_itself", "/features is a virtual dataset")

    def pattern(how):
        space = h5py.h5s.create_simple(x.shape, (h5py.h5s.UNLIMITED, WIDTH))
        space.select_hyperslab((0, 0), (h5py.h5s.UNLIMITED, 1), (CHUNK, WIDTH), (CHUNK, WIDTH))
        how.set_virtual(space, b"other_%b.h5", b"real", h5py.h5s.create_simple((CHUNK, WIDTH)))
    features(raw("features", x.shape, h5py.h5t.IEEE_F16LE, pattern, None, (h5py.h5s.UNLIMITED, WIDTH)), "virtual_pattern",
             "/features is a virtual dataset")
    features(virtual("features", x, "/dev/zero"), "virtual_device", "/features is a virtual dataset")
    labels(virtual("label", label, "other.h5"), "virtual_label", "/label is a virtual dataset", "eval,train")
    bad("virtual_id", virtual("id", label, "other.h5"), "/id is a virtual dataset")
    bad("virtual_unused", virtual("other", label, "other.h5"), "/other is a virtual dataset", commands="repack")

    def external(name, values, *files):
        return setting(name, shape=values.shape, dtype=values.dtype, external=list(files))

    size = x.nbytes
    features(external("features", x, ("other.bin", 0, size)), "external_features", "/features is an external dataset", every)
    features(external("features", x, ("/etc/passwd", 0, size)), "external_passwd", "/features is an external dataset")
    features(external("features", x, ("/dev/zero", 0, h5py.h5f.UNLIMITED)), "external_device", "/features is an external dataset")
    features(external("features", x, ("a.bin", 0, size // 2), ("b.bin", 0, size // 2)), "external_two", "/features is an external dataset")
    labels(external("label", label, ("other.bin", 0, ROWS)), "external_label", "/label is an external dataset", "eval,train")
    bad("external_unused", external("other", label, ("other.bin", 0, ROWS)), "/other is an external dataset", commands="repack")

    # ---- what is no dataset of rows ----

    features(lambda f: f.create_group("features"), "kind_group", "/features is not a readable dataset but a group", "inspect")
    features(lambda f: f.__setitem__("features", np.dtype("f2")), "kind_type", "/features is not a readable dataset but a data type")
    labels(lambda f: f.create_group("label"), "kind_label_group", "/label is not a readable dataset but a group")
    features(setting("features", data=np.float32(1)), "shape_scalar", "/features has rank 0")
    features(setting("features", data=h5py.Empty("f2")), "shape_nothing", "/features has rank 0")
    features(setting("features", data=x[:, 0]), "shape_rank_1", "/features has rank 1")
    features(setting("features", data=x[None]), "shape_rank_3", "/features has rank 3")
    features(setting("features", shape=(1,) * 32, dtype="f2"), "shape_rank_32", "/features has rank 32")
    features(setting("features", shape=(0, WIDTH), dtype="f2"), "shape_no_rows", "/features is empty: [0, 8]", "inspect,eval,train")
    features(setting("features", shape=(ROWS, 0), dtype="f2"), "shape_no_width", "/features is empty: [12, 0]")
    features(setting("features", shape=(0, WIDTH), dtype="f2", maxshape=(None, WIDTH), chunks=(4, WIDTH)), "shape_never_grown",
             "/features is empty: [0, 8]")
    labels(setting("label", data=label[:-1]), "shape_label_short", "/label has 11 rows, the features have 12")
    labels(setting("label", data=np.uint8(1)), "shape_label_scalar", "/label has rank 0")
    labels(setting("label", data=h5py.Empty("u1")), "shape_label_nothing", "/label has rank 0")
    labels(setting("label", data=np.zeros((ROWS, 2), "u1")), "shape_label_wide", "/label has rank 2")

    def grown(f):
        d = f.create_dataset("features", (0, WIDTH), "f2", maxshape=(None, WIDTH), chunks=True)
        for i in range(0, ROWS, 3):
            d.resize(i + 3, axis=0)
            d[i:] = x[i:i + 3]
        f.create_dataset("label", data=label, maxshape=(None,))
    fine("shape_resized", grown, "rows that were appended are what h5py users write", ("features", "label"), "inspect")

    # ---- types ----

    features(setting("features", data=x.astype("c8")), "type_complex", "/features holds another type")
    features(setting("features", data=x.astype("i4")), "type_integers", "/features holds int32")
    features(setting("features", data=x.astype("i2")), "type_16_bits", "bfloat16 bit patterns")
    features(setting("features", shape=(ROWS, WIDTH), dtype=h5py.ref_dtype), "type_references", "/features holds another type")
    labels(setting("label", shape=(ROWS,), dtype=h5py.regionref_dtype), "type_label_regions", "/label holds another type")
    labels(setting("label", data=np.array(["1"] * ROWS, "S1")), "type_label_strings", "/label holds strings")
    labels(setting("label", data=np.full(ROWS, 7, "u1")), "type_label_seven", "/label row 0 is 7")
    bad("type_reference_inside", lambda f: f.create_group("about").create_dataset("r", (3,), h5py.ref_dtype), "references to objects")
    bad("type_reference_attribute", lambda f: f["features"].attrs.__setitem__("scale", f["label"].ref), "references to objects", commands="repack")
    bad("type_lists", lambda f: f.create_dataset("id", (ROWS,), h5py.vlen_dtype("i4")), "/id holds another type")

    def odd_float(name, fields, bias, message="/features holds float16, but"):
        """16 bits: (sign, exponent, its bits, mantissa, its bits) by place, where float16 has (15, 10, 5, 0, 10)."""
        kind = h5py.h5t.IEEE_F16LE.copy()
        kind.set_fields(*fields)
        kind.set_ebias(bias)
        features(raw("features", x.shape, kind, lambda how: None), "type_float_" + name, message)
    odd_float("of_6_bits", (15, 9, 6, 0, 9), 31)
    odd_float("sign_first", (0, 11, 5, 1, 10), 15)
    odd_float("mantissa_first", (15, 0, 5, 5, 10), 15)
    odd_float("gap", (15, 10, 5, 0, 9), 15)
    odd_float("bias", (15, 10, 5, 0, 10), 14)
    odd_float("bias_of_bfloat", (15, 7, 8, 0, 7), 126)
    for name, norm in (("no_leading_1", h5py.h5t.NORM_NONE), ("leading_1", h5py.h5t.NORM_MSBSET)):
        kind = h5py.h5t.IEEE_F16LE.copy()
        kind.set_norm(norm)
        features(raw("features", x.shape, kind, lambda how: None), "type_float_" + name, "/features holds float16, but")

    wide = h5py.h5t.STD_U64LE.copy()
    wide.set_size(16)
    labels(raw("label", (ROWS,), wide, lambda how: None), "type_label_of_128_bits", "/label holds uint128")

    def committed(f):
        f["half"] = np.dtype("f2")
        f.create_dataset("features", data=x, dtype=f["half"])
    fine("type_committed", committed, "a named type of the file itself is a type", ("features",))

    # ---- claims ----

    def claim(name, shape, kind, chunk):
        return setting(name, shape=shape, dtype=kind, chunks=chunk, maxshape=(None,) * len(shape))

    fine("claim_row", setting("other", shape=(0, 2**40, 2**40), dtype="u1"), "no rows, each of 2^80 bytes (test_data_items.c)")
    features(claim("features", (2**60, WIDTH), "f2", (CHUNK, WIDTH)), "claim_rows_60", "shape of more than 2^64 bytes")
    features(claim("features", (2**59, WIDTH), "f2", (CHUNK, WIDTH)), "claim_rows_59", "/features claims 9223372036854775808 bytes", "inspect,eval,train,check")
    features(claim("features", (2**32 - 1, 1), "f2", (2**16, 1)), "claim_rows_32", "/features claims 8589934590 bytes")
    features(claim("features", (ROWS, 2**50), "f2", (1, 2**16)), "claim_width", "bytes, of which the file stores 0")
    features(claim("features", (2**40, 2**40), "f2", (1, 2**16)), "claim_product", "shape of more than 2^64 bytes")
    features(setting("features", shape=(2**40, WIDTH), dtype="f2"), "claim_one_piece", "bytes, of which the file stores 0")
    labels(claim("label", (2**60,), "u1", (64,)), "claim_label", "/label claims 1152921504606846976 bytes", "eval,train")
    features(claim("features", (300000, 1), "f2", (1, 1)), "claim_grid", "/features claims 300000 chunks, of which 0")
    features(claim("features", (ROWS, 5000), "f2", (1, 1)), "claim_side_by_side", "/features has 5000 chunks side by side")
    one_of_many = setting("features", shape=(512, 511), dtype="f2", chunks=(1, 1))

    def write_one(f):
        one_of_many(f)
        f["features"][100, 100] = 1
    features(write_one, "claim_grid_of_one", "/features claims 261632 chunks, of which 1 are in the file")
    huge = {"maxshape": (None, None), "chunks": (2**20, 2000), "compression": "gzip"}
    features(setting("features", shape=(ROWS, WIDTH), dtype="f2", **huge), "claim_chunk", "/features has chunks of 4194304000 bytes", "inspect,train")
    features(setting("features", shape=(25 * 10**6, 4), dtype="f2", maxshape=(None, 4), chunks=(375 * 10**5, 4)), "claim_chunk_bomb",
             "/features claims 200000000 bytes, of which the file stores 0")
    labels(setting("label", shape=(ROWS,), dtype="u1", maxshape=(None,), chunks=(2**31,)), "claim_label_chunk", "/label has chunks of 2147483648 bytes")
    bad("claim_id", setting("id", shape=(ROWS,), dtype="S1000000000"), "/id claims 12000000000 bytes")
    fine("claim_nobody_wrote", lambda f: f.create_dataset("weight", (ROWS,), "f4", fillvalue=1), "rows that nobody wrote are the fill value")

    bad("claim_unused", setting("other", shape=(ROWS, 2**50), dtype="u1"), "/other claims 13510798882111488 bytes", commands="repack")
    bad("filter_unused", setting("other", data=label, chunks=(CHUNK,), scaleoffset=1), "/other is packed with scaleoffset", commands="repack")

    def one_string(f):
        f.create_dataset("features", data=np.ones((4096, 1), "f2"), compression="gzip")
        f.create_dataset("label", data=np.arange(4096) % 2)
        f["id"] = ["x" * 60000] + ["y"] * 4095
    shared = written(one_string)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.h5")
        with open(path, "wb") as file:
            file.write(shared)
        with h5py.File(path) as f:
            at = f["id"].id.get_offset()
    shared[at:at + 16 * 4096] = shared[at:at + 16] * 4096  # every row names the first row's string
    c.add("claim_one_string.h5", bytes(shared), 65, "/id: strings come to more than")

    # ---- filters ----

    def chunks(name, values, stored, chunk=0, mask=0, **how):
        def change(f):
            d = f.create_dataset(name, data=values, chunks=(CHUNK,) + values.shape[1:], **how)
            d.id.write_direct_chunk((chunk * CHUNK,) + (0,) * (values.ndim - 1), bytes(stored), filter_mask=mask)
        return change

    gzip = {"compression": "gzip"}
    bomb, bomblet = zlib.compress(bytes(50_000_000), 9), zlib.compress(bytes(800_000), 9)
    wide = x.astype("f8")
    features(chunks("features", x, bomb, **gzip), "filter_bomb", "rows 0 to 3 cannot be read", "train")
    features(chunks("features", x, bomblet, 1, **gzip), "filter_bomblet", "rows 4 to 7 cannot be read; the file may be damaged (a chunk cannot be unpacked)")
    features(chunks("features", wide, bomb, **gzip), "filter_bomb_double", "a chunk has more bytes than it can have", "train")
    features(chunks("features", wide, bomblet, **gzip), "filter_bomblet_double", "a chunk cannot be unpacked")
    labels(chunks("label", label, bomb, **gzip), "filter_bomb_label", "/label rows 0 to 3 cannot be read; the file may be damaged (a chunk has more bytes", "eval,train")
    labels(chunks("label", label, bomblet, 2, **gzip), "filter_bomblet_label", "/label rows 8 to 11 cannot be read; the file may be damaged (a chunk cannot be unpacked)")
    labels(chunks("label", label, zlib.compress(b"\1"), 1, **gzip), "filter_short_label", "/label rows 4 to 7 cannot be read")
    fixed, short = np.array([b"abcd"] * ROWS, "S4"), zlib.compress(b"\1")
    bad("filter_short_id", chunks("id", fixed, short, 1, **gzip), "/id rows 4 to 7 cannot be read; the file may be damaged (a chunk cannot be unpacked)")
    bad("filter_short_texts", chunks("id", fixed.astype(object), short, 1, dtype=h5py.string_dtype(), **gzip), "/id rows 4 to 7 cannot be read")
    labels(chunks("label", label, b"\xff" * 20, **gzip), "filter_no_zlib", "(a chunk cannot be unpacked)")
    labels(chunks("label", label, zlib.compress(bytes(CHUNK))[:-1] + b"\7", **gzip), "filter_adler", "(a chunk cannot be unpacked)")
    labels(chunks("label", label, b"\0\1\0\1\1\2\3\4", fletcher32=True), "filter_fletcher", "(the checksum of a chunk is wrong)")
    labels(chunks("label", label, b"\0", fletcher32=True), "filter_fletcher_short", "(the checksum of a chunk is wrong)")
    features(chunks("features", x, bytes(64) + b"\1\2\3\4", fletcher32=True), "filter_fletcher_features", "(the checksum of a chunk is wrong)", "train")
    labels(chunks("label", label, b"\0", 0, 1, **gzip), "filter_left_out", "a chunk has another size than its rows")

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
    fine("filter_fletcher_old", old_sum("features", x + np.float16(.3)), "a checksum of old versions of HDF5", ("features",))
    fine("filter_fletcher_old_label", old_sum("label", label), "and of a column", ("label",))

    large = np.full((ROWS, 200), -65504, np.float16)
    fine("filter_fletcher_large", setting("features", data=large, chunks=large.shape, fletcher32=True), "sums that run over 32 bits", ("features",))

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

    half = h5py.h5t.IEEE_F16LE
    features(raw("features", x.shape, half, twice, x), "filter_twice", "/features goes through the HDF5 filter 1 twice", "train")
    features(raw("features", x.shape, half, many), "filter_many", "/features goes through 9 filters")
    features(raw("features", x.shape, half, shuffled_last, x), "filter_order", "/features is shuffled after it was compressed")
    features(setting("features", data=x, chunks=(CHUNK, WIDTH), compression="lzf"), "filter_lzf", "/features is compressed with lzf (HDF5 filter 32000)")
    labels(setting("label", data=label, chunks=(CHUNK,), compression="lzf"), "filter_lzf_label", "/label is compressed with lzf (HDF5 filter 32000)")
    labels(setting("label", data=label, chunks=(CHUNK,), scaleoffset=0), "filter_scaleoffset", "/label is packed with scaleoffset")
    features(setting("features", data=x.astype("f4"), chunks=(CHUNK, WIDTH), scaleoffset=4), "filter_scaleoffset_features", "/features is packed with scaleoffset")

    def nbit(how):
        how.set_chunk((CHUNK,))
        how.set_filter(h5py.h5z.FILTER_NBIT, h5py.h5z.FLAG_OPTIONAL, ())
    labels(raw("label", label.shape, h5py.h5t.STD_U8LE, nbit), "filter_nbit", "/label is packed with nbit")

    def szip(how):
        how.set_chunk((64,))
        how.set_filter(h5py.h5z.FILTER_SZIP, h5py.h5z.FLAG_OPTIONAL, (4, 8))
    labels(raw("label", (ROWS,), h5py.h5t.STD_U8LE, szip, None, (h5py.h5s.UNLIMITED,)), "filter_szip", "/label is packed with szip")

    def fletcher_first(how):
        how.set_chunk((CHUNK,))
        how.set_fletcher32()
        how.set_shuffle()
        how.set_deflate(4)
    fine("filter_fletcher_first", raw("label", label.shape, h5py.h5t.STD_U8LE, fletcher_first, label), "PyTables sets fletcher32 first", ("label",))

    def fletcher_first_rows(how):
        fletcher_first(how)
        how.set_chunk((CHUNK, WIDTH))
    fine("filter_fletcher_first_features", raw("features", x.shape, half, fletcher_first_rows, x), "and so features are read", ("features",))

    def fletcher_gzip(how):
        how.set_chunk((CHUNK, WIDTH))
        how.set_fletcher32()
        how.set_deflate(4)
    fine("filter_fletcher_gzip", raw("features", x.shape, half, fletcher_gzip, x), "gzip right behind a filter without values", ("features",))

    def no_level(f):
        how = small.create(small.DATASET_CREATE)
        how.set_obj_track_times(False)
        how.set_chunk(x.shape)
        how.set_filter(h5py.h5z.FILTER_DEFLATE, 0, (77,))
        d = low.create(f.id, b"features", half, h5py.h5s.create_simple(x.shape), how)
        d.write_direct_chunk((0, 0), zlib.compress(x.tobytes()))
    fine("filter_gzip_77", no_level, "a level that gzip has not is of no use to who unpacks it", ("features",))

    def across(f):
        d = f.create_dataset("features", data=wide, chunks=(CHUNK, WIDTH // 2), **gzip)
        d.id.write_direct_chunk((0, WIDTH // 2), bomblet)
    features(across, "filter_bomblet_across", "a chunk cannot be unpacked")

    # ---- indexes of chunks ----

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

    def at_key(name, of, values, key, field, new, message, commands="-", **how):
        """field: byte of the key; negative: from its end."""
        data, places, n = placed(of, values, **how)
        patched(name, data, places[key] + (field if field >= 0 else n + field), new, message, commands)

    def roomy(f):
        d = f.create_dataset("features", (ROWS, WIDTH), "f2", maxshape=(None, WIDTH), chunks=(2 * 10**7, WIDTH), compression="gzip").id
        d.write_direct_chunk((0, 0), zlib.compress(b"x"))
        f.flush()
        info = d.get_chunk_info(0)
        key.append(struct.pack("<IIQQQQ", info.size, 0, 0, 0, 0, info.byte_offset))
    key = []
    data = dump(roomy, ("features",))
    patched("claim_chunk_half", data, data.index(key[0]), struct.pack("<I", 2**20), "/features has chunks of 320000000 bytes")

    data = dump(lambda f: f.create_dataset("id", data=np.array([b"abcd"] * ROWS, "S4")))
    patched("type_of_no_bytes", data, data.index(b"\x13\x01\0\0\4\0\0\0") + 4, b"\0", "values of 0 bytes")

    address = -8
    for of, values in (("features", x), ("label", label)):
        kind = "" if of == "features" else "_label"
        at_key("index_behind" + kind, of, values, 1, address, struct.pack("<Q", 2**40), "a chunk lies behind its end", "train")
        at_key("index_undefined" + kind, of, values, 1, address, b"\xff" * 8, "cannot be read")
        at_key("index_bytes" + kind, of, values, 1, 0, struct.pack("<I", 2**30), "a chunk has another size than its rows")
        at_key("index_few_bytes" + kind, of, values, 2, 0, struct.pack("<I", 1), "a chunk has another size than its rows", "train")
        at_key("index_packed_bytes" + kind, of, values, 1, 0, struct.pack("<I", 2**31), "cannot be read", **gzip)
        at_key("index_packed_behind" + kind, of, values, 1, address, struct.pack("<Q", 2**63), "cannot be read", **gzip)
        data, places, n = placed(of, values, **gzip)
        first = data[places[0] + n - 8:places[0] + n]
        patched("index_one_place" + kind, data, places[1] + n - 8, first, "two chunks lie at one place", "eval")
        at_key("index_mask" + kind, of, values, 0, 4, struct.pack("<I", 1), "a chunk has another size than its rows", **gzip)
    at_key("index_other_rows", "features", x, 1, 8, struct.pack("<Q", 400), "cannot be read", **gzip)

    # ---- one piece ----

    def piece(name, change=None):
        data = dump(change)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.h5")
            with open(path, "wb") as file:
                file.write(data)
            with h5py.File(path) as f:
                of = f[name].id
                key = struct.pack("<QQ", of.get_offset(), of.get_storage_size())
        assert data.count(key) == 1
        return data, data.index(key)

    for of, kind in (("features", ""), ("label", "_label")):
        data, at = piece(of)
        behind, other = "/%s has rows behind the end of the file" % of, "/%s has another size in the file than its rows" % of
        patched("piece_behind" + kind, data, at, struct.pack("<Q", len(data) - 2), behind, "train")
        patched("piece_far" + kind, data, at, struct.pack("<Q", 2**62), behind, "train")
        patched("piece_long" + kind, data, at + 8, struct.pack("<Q", 2**40), other)
        patched("piece_short" + kind, data, at + 8, struct.pack("<Q", 3), other)
        used = struct.unpack_from("<Q", data, at)[0] + 4  # what the file says that it uses
        patched("piece_unused" + kind, data, 40, struct.pack("<Q", used), behind, "train")

    texts = lambda f: f.__setitem__("id", ["row %d" % i for i in range(ROWS)])
    data, at = piece("id", texts)
    patched("piece_short_id", data, at + 8, struct.pack("<Q", 3), "/id has another size in the file than its rows")
    begin, = struct.unpack_from("<Q", data, at)
    patched("texts_length", data, begin, struct.pack("<I", 2**32 - 1),
            "/id cannot be read: its values lie in a heap that is damaged (an object of it has another length")
    fine("texts_unwritten", setting("id", shape=(ROWS,), dtype=h5py.string_dtype()), "strings that nobody wrote are empty")
    # ---- the heap that strings lie in ----

    def heap(name, at, new, wrong, data=data, what="/id", commands="-"):
        """at: from the first collection on."""
        patched("heap_" + name, data, data.index(b"GCOL") + at, new, what + " cannot be read: its values lie in a heap that is damaged (" + wrong, commands)

    def handle(name, at, new, wrong, commands="-"):
        """at: from the handle of row 5 on, which is a length, a place and a number."""
        patched("heap_" + name, data, begin + 5 * 16 + at, new, "/id cannot be read: its values lie in a heap that is damaged (" + wrong, commands)

    FIRST, EACH = 16, 24  # bytes: a collection's head; an object's, with its string
    free = FIRST + ROWS * EACH
    assert data[data.index(b"GCOL") + free:][:2] == b"\0\0"
    left, beyond = "what is free of it does not end where it ends", "an object of it ends behind it"
    number, length = "it has no object of the number that a row names", "an object of it has another length"
    quad = lambda x: struct.pack("<Q", x)
    heap("free_of_no_bytes", free + 8, quad(0), left, commands="eval,train,repack")
    heap("free_short", free + 8, quad(4096 - free - 8), left)
    heap("free_long", free + 8, quad(2**40), left)
    heap("free_first", FIRST, b"\0\0", left)
    heap("object_beyond", FIRST + 3 * EACH + 8, quad(4096), beyond, commands="eval,train,repack")
    heap("object_far", FIRST + 3 * EACH + 8, quad(2**50), beyond)
    heap("object_wraps", FIRST + 3 * EACH + 8, quad(2**64 - 1), beyond)
    heap("object_to_the_end", FIRST + 3 * EACH + 8, quad(4096 - FIRST - 3 * EACH - 16 + 1), beyond)
    heap("object_longer", FIRST + 3 * EACH + 8, quad(4096 - FIRST - 3 * EACH - 16), number)
    heap("object_grown", FIRST + 3 * EACH + 8, quad(6), length, commands="eval")
    heap("object_number_twice", FIRST + 3 * EACH, b"\3\0", "two objects of it have one number")
    heap("object_number_huge", FIRST + 3 * EACH, b"\xff\xff", number)
    heap("signature", 0, b"gcol", "it does not begin as one", commands="eval")
    heap("version", 4, b"\2", "it does not begin as one")
    heap("beyond_file", 8, quad(2**40), "it ends behind the end of the file", commands="eval,train,repack")
    heap("wraps", 8, quad(2**64 - 8), "it ends behind the end of the file")
    heap("of_no_bytes", 8, quad(0), "it has a size that none has")
    heap("small", 8, quad(free), "it has a size that none has")
    heap("odd", 8, quad(4097), "it has a size that none has")
    handle("row_longer", 0, struct.pack("<I", 6), length, "eval")
    handle("row_shorter", 0, struct.pack("<I", 0), length)
    handle("row_number_missing", 12, struct.pack("<I", ROWS + 1), number, "eval,train,repack")
    handle("row_number_0", 12, struct.pack("<I", 0), number)
    handle("row_number_huge", 12, struct.pack("<I", 2**32 - 1), number)
    handle("row_behind", 4, quad(2**40), "it lies behind the end of the file")
    handle("row_at_the_end", 4, quad(len(data) - 4095), "it lies behind the end of the file")
    handle("row_undefined", 4, b"\xff" * 8, "it lies behind the end of the file")
    handle("row_elsewhere", 4, quad(8), "it does not begin as one")

    def inside_one():
        """A collection within a string of another."""
        data, at = piece("id", lambda f: f.__setitem__("id", ["x" * 60000] + ["y"] * (ROWS - 1)))
        begin, = struct.unpack_from("<Q", data, at)
        inner = (data.index(b"x" * 60000) + 63) // 8 * 8
        data[inner:inner + 32] = b"GCOL\1\0\0\0" + quad(56000) + bytes(8) + quad(56000 - 16)
        data[begin + 16 + 4:begin + 16 + 12] = quad(inner)
        return data
    c.add("heap_inside_one.h5", bytes(inside_one()), 65, "/id cannot be read: its values lie in a heap that is damaged (two parts of it lie at one place")

    def free_of(data):
        """Bytes that are free of the first collection."""
        start, at = data.index(b"GCOL"), FIRST
        while data[start + at:start + at + 2] != b"\0\0":
            at += 16 + (struct.unpack_from("<Q", data, start + at + 8)[0] + 7) // 8 * 8
        return struct.unpack_from("<Q", data, start + at + 8)[0]

    def no_end(change, name, what, commands="-"):
        data = dump(change)
        at = data[data.index(b"GCOL"):].index(bytes(8) + quad(free_of(data)))
        heap(name, at + 8, quad(0), left, data, what, commands)

    def no_end_of_items(name, of):
        data = dump(setting("other", **of))
        at = data.index(bytes(8) + quad(free_of(data))) + 8
        data[at:at + 8] = quad(0)
        c.add("heap_items_%s.h5" % name, bytes(data), 0, "", "-", "a column that is only copied (test_trust_h5_limits.c)")

    lists = h5py.vlen_dtype("i4")
    ragged = np.array([np.arange(i + 1, dtype="i4") for i in range(ROWS)], object)
    pair = np.dtype([("a", "i4"), ("b", h5py.string_dtype())])
    pairs = np.array([(i, "b%d" % i) for i in range(ROWS)], pair)
    notes = lambda f: f.create_group("notes").__setitem__("text", ["a", "bc"])
    no_end(lambda f: f.attrs.__setitem__("feature_model", "m"), "of_attribute", "attribute feature_model of /", "inspect,check")
    no_end(lambda f: [f.__setitem__("source", np.arange(ROWS) % 2), f["source"].attrs.__setitem__("names", ["a", "b"])], "of_names",
           "attribute names of source")
    no_end(lambda f: f["label"].attrs.__setitem__("made", "m"), "of_unused_attribute", "attribute made of /label", "repack")
    no_end(notes, "of_notes", "/notes/text", "repack")
    no_end(lambda f: f.create_group("notes").create_dataset("pair", data=pairs), "of_notes_of_pairs", "/notes/pair", "repack")
    no_end_of_items("strings", {"data": ["b%d" % i for i in range(ROWS)], "dtype": h5py.string_dtype()})
    no_end_of_items("lists", {"data": ragged, "dtype": lists})
    no_end_of_items("pairs", {"data": pairs})

    def nested(f):
        kind = h5py.h5t.vlen_create(h5py.h5t.py_create(h5py.string_dtype(), logical=True))
        how = small.create(small.DATASET_CREATE)
        how.set_obj_track_times(False)
        low.create(f.id, b"other", kind, h5py.h5s.create_simple((ROWS,)), how)
    def no_end_of_sources(name, make, what, commands, without=("features",), **how):
        """To open a virtual dataset HDF5 goes to the heap."""
        data = dump(make, without, **how)
        patched("heap_" + name, data, data.index(bytes(8) + quad(free_of(data))) + 8, quad(0), what + " is a virtual dataset", commands)
    no_end_of_sources("of_sources", virtual("features", x, "other.h5"), "/features", "inspect,eval,repack")
    no_end_of_sources("of_sources_latest", virtual("features", x, "other.h5"), "/features", "inspect,repack", libver="latest")
    no_end_of_sources("of_sources_user_block", virtual("features", x, "other.h5"), "/features", "inspect", userblock_size=512)
    no_end_of_sources("of_sources_unused", virtual("other", x, "other.h5"), "/other", "repack", ())
    no_end_of_sources("of_sources_inside", lambda f: virtual("v", x, "other.h5")(f.create_group("notes")), "/notes/v", "repack", ())

    def filled(f):
        f.create_dataset("id", (ROWS,), h5py.string_dtype(), chunks=(CHUNK,), fillvalue="nobody")
    no_end(filled, "of_fill_value", "/id", "eval,repack")
    data = dump(filled)
    patched("heap_fill_value_number", data, data.index(struct.pack("<IQ", 6, data.index(b"GCOL"))) + 12, struct.pack("<I", 2**31 - 1),
            "/id cannot be read: its values lie in a heap that is damaged (it has no object", "eval")
    lists_of_lists = h5py.vlen_dtype(h5py.vlen_dtype("i4"))
    ragged_twice = np.array([np.array([np.arange(3, dtype="i4"), np.arange(2, dtype="i4")], object)] * 2 + [None], object)[:2]
    bad("heap_lists_of_lists", lambda f: f.create_group("notes").create_dataset("l", data=ragged_twice, dtype=lists_of_lists),
        "/notes/l cannot be read: it holds lists of strings or of lists", commands="repack")

    fine("heap_of_nothing", nested, "lists of strings that nobody wrote", commands="repack")
    many = lambda f: f.__setitem__("id", ["row %d " % i + "x" * (37 * i % 700) for i in range(ROWS)])

    def again(f):
        many(f)
        for i in (3, 1, 8, 3):
            f["id"][i] = "another %d" % i
    fine("heap_many", many, "strings of many lengths", commands="repack")
    fine("heap_again", again, "strings that were written once more leave numbers out", commands="repack")
    fine("heap_lists", both(setting("other", data=ragged, dtype=lists), setting("more", data=pairs)), "lists, and strings within values", commands="repack")
    fine("heap_latest", both(many, notes), "strings in a file of the latest form", libver="latest", commands="repack")
    fine("heap_user_block", both(many, lambda f: f.attrs.__setitem__("feature_model", "m")), "and behind bytes of somebody else", userblock_size=1024, commands="repack")
    fine("heap_empty", lambda f: f.__setitem__("id", [""] * (ROWS - 1) + ["a"]), "strings of no bytes")

    ids = np.array(["row %d" % i for i in range(ROWS)], object)
    at_key("index_few_bytes_id", "id", ids, 2, 0, struct.pack("<I", 1), "a chunk has another size than its rows", dtype=h5py.string_dtype())

    def in_header(name, values):
        return raw(name, values.shape, h5py.h5t.py_create(values.dtype), lambda how: how.set_layout(low.COMPACT), values)

    for name, values, kind in (("features", x, ""), ("label", label, "_label")):
        other = "/%s has another size in the file than its rows" % name
        data = dump(in_header(name, values), (name,))
        at = data.index(struct.pack("<BBH", 3, 0, values.nbytes) + values.tobytes()) + 2
        patched("compact_short" + kind, data, at, struct.pack("<H", 3), other, "train")
        patched("compact_empty" + kind, data, at, struct.pack("<H", 0), other)
    data, at = piece("features")
    patched("layout_version_1", data, at - 2, b"\1", "/features has another size in the file than its rows", "train")

    # ---- cut short, and the first bytes ----

    whole = dump(lambda f: f.__setitem__("id", ["row %d" % i for i in range(ROWS)]))
    for n in (0, 4, 8, 40, 95, 96, 300, 800, 1500, 2048, len(whole) - 600, len(whole) - 16, len(whole) - 1):
        c.add("cut_%d.h5" % n, bytes(whole[:n]), 65, "not a readable HDF5 file", "inspect" if n in (0, 800) else "-")
    c.add("not_text.h5", b"row,label\n0,1\n", 65, "not a readable HDF5 file")
    c.add("not_zeros.h5", bytes(whole[:8]) + bytes(2000), 65, "not a readable HDF5 file")
    c.add("not_ones.h5", bytes(whole[:8]) + b"\xff" * 2000, 65, "not a readable HDF5 file")
    no = "not a readable HDF5 file"
    patched("super_version", whole, 8, b"\x09", no)
    patched("super_address_bytes", whole, 13, b"\xff", no)
    patched("super_length_bytes", whole, 14, b"\x03", no)
    patched("super_leaf", whole, 16, b"\0\0", no)
    patched("super_end", whole, 40, struct.pack("<Q", 2**50), no)
    patched("super_base", whole, 24, struct.pack("<Q", 2**50), no)
    patched("super_root", whole, 64, struct.pack("<Q", 2**50), no)
    patched("super_no_root", whole, 64, b"\xff" * 8, no)
    for version in 2, 3:
        new = dump(libver="latest" if version == 3 else ("v108", "v108"))
        assert new[8] == version
        patched("super_%d_checksum" % version, new, 44, b"\1\2\3\4", no)
        patched("super_%d_end" % version, new, 28, struct.pack("<Q", 2**50), no)
    new = dump(libver="latest")
    new[11] |= 1 | 4  # being written, by SWMR
    new[44:48] = lookup3(new[:44])
    c.add("super_3_swmr.h5", bytes(new), 65, no, "inspect,train", None)
    fine("super_user_block", None, "bytes of somebody else in front of the file", userblock_size=512)
    fine("super_user_block_chunks", setting("features", data=x, chunks=(CHUNK, WIDTH)), "and of chunks, whose places may not count them (test_data_forms.c)",
         ("features",), userblock_size=512)

    # ---- names, attributes, nesting ----

    strange = lambda f: [f.create_dataset(name, data=label) for name in (b"a\x1b[31mb\r", b"\xff\xfe", "\u202e\u0007x".encode())]
    bad("name_control", strange, "holds: a?[31mb? [12] uint8", ("features", "label"))
    bad("name_long", lambda f: f.create_dataset("n" * 60000, data=label), "the file holds: label [12] uint8, nnnn", ("features",))
    bad("name_control_link", lambda f: f.__setitem__(b"a\x1b]0;b\x07", h5py.SoftLink("/label")), "/a?]0;b? is a soft link")
    bad("name_control_attribute", lambda f: f.attrs.__setitem__("a\x1b[2Jb", f["label"].ref), "attribute a?[2Jb of /")
    escape = lambda f: f.attrs.__setitem__("feature_model", "a\x1b]0;b\x07" + "c" * 60000)
    fine("attribute_escape", escape, "text of a stranger is shown without its control characters", commands="inspect")
    fine("attribute_array", lambda f: f.attrs.__setitem__("feature_model", np.zeros((50, 50))), "a contract that is no text is not known")
    def unwritten(f):
        f["source"] = np.arange(ROWS) % 2
        h5py.h5a.create(f["source"].id, b"names", h5py.h5t.py_create(h5py.string_dtype(), logical=True), h5py.h5s.create_simple((2,)))
    named = lambda names: lambda f: [f.__setitem__("source", np.arange(ROWS) % 2), f["source"].attrs.__setitem__("names", names)]
    fine("attribute_names_numbers", named([1, 2]), "names that are no texts are none")
    fine("attribute_names_empty", named(h5py.Empty("S1")), "names that are not there are none")
    fine("attribute_names_none", named(np.zeros(0, "S1")), "a list of no names is none")
    fine("attribute_names_fixed", named(np.array([b"abc", b"d", b"efg"])), "names of fixed length")
    fine("attribute_names_unwritten", unwritten, "names that nobody wrote are empty")
    of_names = dump(named(np.array([b"abc", b"d", b"efg"])))
    patched("attribute_names_long", of_names, of_names.index(b"\x13\x01\0\0\3\0\0\0") + 4, struct.pack("<I", 2**24),
            "attribute names of source cannot be read")
    of_names = dump(named(["abc", "d"]))
    patched("attribute_names_behind", of_names, of_names.index(struct.pack("<IQ", 3, of_names.index(b"GCOL"))) + 4, struct.pack("<Q", 2**40),
            "attribute names of source cannot be read")
    bad("attribute_names", lambda f: [f.__setitem__("source", np.arange(ROWS)), f["source"].attrs.__setitem__("names", ["a", "b"])],
        "its attribute names lists only 2")

    def deep(levels):
        def change(f):
            g = f
            for _ in range(levels):
                g = g.create_group("g")
        return change
    bad("deep_groups", deep(70), "/g holds groups within groups more than 64 deep", commands="repack", libver="latest")

    def cycle(f):
        b = f.create_group("a").create_group("b")
        b["c"] = f["a"]
    fine("cycle", cycle, "a group that holds itself is copied once", commands="repack")

    # ---- what a small file may cost, and what nobody would look at ----

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

    for n, name in (2**27, "claim_unwritten"), (2**22 + 1, "claim_unwritten_few"):
        columns = [setting(k, shape=(n,), dtype="u1") for k in ("label", "id", "group", "weight")]
        bad(name, both(setting("features", shape=(n, 1), dtype="f2"), *columns), "of which the file stores 0", ("features", "label"), "inspect,check")

    def shared(groups, links):
        def change(f):
            big = f.create_group("big")
            for i in range(links):
                big["%d" % i] = f["label"]
            for i in range(groups):
                f.create_group("g%d" % i)["b"] = big
        return change
    bad("links_shared", shared(80, 1000), "leads over more links than are followed", commands="repack", libver=("v110", "v110"))

    def again(f):
        shared(0, 1200)(f)
        for i in range(1200):
            f["b%d" % i] = f["big"]
    fine("links_again", again, "one group by many names is looked at once", libver=("v110", "v110"))

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
    escape = lambda f: f.attrs.__setitem__("feature_layer", "a\nlabels             as stored")
    fine("attribute_line", escape, "a line of a stranger's text is not shown as one of ours (test_trust_h5_limits.c)")

    # ---- rarer forms of the same ----

    def grown_rows(f, rows, chunk, stored):
        """Rows of 16 bytes in one packed chunk."""
        d = f.create_dataset("features", (rows, WIDTH), "f2", maxshape=(None, WIDTH), chunks=(chunk, WIDTH), compression="gzip").id
        d.write_direct_chunk((0, 0), bytes(stored))
    chunk_of = lambda stored: lambda f: grown_rows(f, 2_200_000, 4_300_000, stored)  # 35 MB in a chunk of 69
    features(chunk_of(17500), "claim_chunk_packed", "/features has chunks of 68800000 bytes for 35200000 bytes of values, of which the file stores 17500")
    bad("claim_chunk_large", both(chunk_of(34000), setting("label", shape=(2_200_000,), dtype="u1")), "cannot be read; the file may be damaged (a chunk cannot be unpacked)",
        ("features", "label"))
    data = dump(chunk_of(17500), ("features",))
    at = data.index(struct.pack("<IIQQQ", 17500, 0, 0, 0, 0))
    patched("claim_stored_lie", data, at, struct.pack("<I", 2**30), "/features has chunks of 68800000 bytes for 35200000 bytes of values, of which the file stores %d" % len(data))
    data = dump(lambda f: grown_rows(f, 2_200_000, 2_200_000, 40), ("features",))
    at = data.index(struct.pack("<IIQQQ", 40, 0, 0, 0, 0))
    patched("claim_stored_huge_lie", data, at, struct.pack("<I", 2**30), "/features claims 35200000 bytes, of which the file stores %d" % len(data))

    rare = lambda f: [f.create_dataset("features", (4097, 1), "f2", chunks=(1, 1)), f.create_dataset("label", (4097,), "u1")]

    def one_written(f):
        rare(f)
        f["features"][7, 0] = 1
    fine("claim_grid_one_less", one_written, "a chunk fewer than may be missing", ("features", "label"))
    no_index = dump(one_written, ("features", "label"), libver="latest")
    patched("claim_grid_no_index", no_index, no_index.index(b"FAHD"), b"fahd", "/features is not a readable dataset (HDF5:")
    in_chunks = setting("features", data=x, chunks=(CHUNK, WIDTH))
    few = dump(in_chunks, ("features",))
    patched("index_signature", few, few.index(b"TREE\1\0"), b"tree", "/features is not a readable dataset (HDF5:")
    few = dump(in_chunks, ("features",), libver="latest")
    patched("index_signature_latest", few, few.index(b"FAHD"), b"fahd", "/features is not a readable dataset (HDF5:")
    fine("claim_side_by_side_most", setting("features", shape=(ROWS, 4096), dtype="f2", chunks=(ROWS, 1)), "as many chunks side by side as are read", ("features",))

    # types within types
    strings_in_arrays = h5py.h5t.array_create(h5py.h5t.py_create(h5py.string_dtype(), logical=True), (2,))

    def arrays(f):
        g = f.create_group("notes")
        how = small.create(small.DATASET_CREATE)
        how.set_obj_track_times(False)
        low.create(g.id, b"arrays", strings_in_arrays, h5py.h5s.create_simple((3,)), how)
        g["text"] = ["a", "bc"]
    fine("type_arrays", both(arrays, setting("other", shape=(ROWS,), dtype=np.dtype(("i4", (3,))))), "arrays, also of strings", commands="repack")
    first = np.dtype([("b", h5py.string_dtype()), ("a", "i4")])
    firsts = np.array([("b%d" % i, i) for i in range(ROWS)], first)
    no_end(lambda f: f.create_group("notes").create_dataset("pair", data=firsts), "of_notes_of_other_pairs", "/notes/pair", "repack")

    def written_arrays(f):
        how = small.create(small.DATASET_CREATE)
        how.set_obj_track_times(False)
        d = low.create(f.create_group("notes").id, b"arrays", strings_in_arrays, h5py.h5s.create_simple((3,)), how)
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([[b"a", b"bc"]] * 3, object), strings_in_arrays)
    no_end(written_arrays, "of_notes_of_arrays", "/notes/arrays", "repack")
    none = h5py.Empty(h5py.string_dtype())
    nothing = lambda f: [f.attrs.__setitem__("none", none), f.create_group("notes").create_dataset("text", (0,), h5py.string_dtype())]
    fine("heap_of_no_strings", nothing, "no strings at all", commands="repack")

    # filters
    def set_filters(*filters, chunk=(CHUNK, WIDTH)):
        def setup(how):
            how.set_chunk(chunk)
            for number, *values in filters:
                how.set_filter(number, h5py.h5z.FLAG_OPTIONAL, tuple(values))
        return setup
    features(raw("features", x.shape, half, set_filters((1, 4), (400,), (3,))), "filter_unnamed",
             "/features is compressed with an unnamed filter (HDF5 filter 400)")
    shuffle_alone = lambda how: [how.set_chunk((CHUNK,)), how.set_shuffle()]
    fine("filter_shuffle_label", raw("label", label.shape, h5py.h5t.STD_U8LE, shuffle_alone, label), "a shuffle alone", ("label",))

    def not_filtered(f):
        how = small.create(small.DATASET_CREATE)
        how.set_obj_track_times(False)
        fletcher_first(how)
        d = low.create(f.id, b"label", h5py.h5t.STD_U8LE, h5py.h5s.create_simple((ROWS,)), how)
        for i in range(0, ROWS, CHUNK):
            d.write_direct_chunk((i,), zlib.compress(label[i:i + CHUNK].tobytes()), filter_mask=1)
    fine("filter_fletcher_left_out", not_filtered, "a chunk may leave the first filter out", ("label",))
    features(both(chunks("features", x, bomblet, 0, **gzip), lambda f: [f["features"].id.write_direct_chunk((i, 0), bomblet) for i in (CHUNK, 2 * CHUNK)]),
             "filter_bomblets", "rows 0 to 3 cannot be read")

    def late(f):
        """More rows than are copied at a time; the last of their chunks is bad."""
        n = 12288
        f.create_dataset("features", data=np.ones((n, 1), "f2"), **gzip)
        f.create_dataset("label", data=np.arange(n) % 2, dtype="u1", **gzip)
        d = f.create_dataset("note", (n,), h5py.string_dtype(), chunks=(4096,), **gzip)
        d[0] = "a string"
        d.id.write_direct_chunk((8192,), short)
    bad("filter_short_texts_late", late, "/note rows 8192 to 12287 cannot be read", ("features", "label"), "repack")

    def no_values(f):
        how = small.create(small.DATASET_CREATE)
        how.set_obj_track_times(False)
        how.set_chunk(x.shape)
        how.set_filter(h5py.h5z.FILTER_DEFLATE, 0, ())
        d = low.create(f.id, b"features", half, h5py.h5s.create_simple(x.shape), how)
        d.write_direct_chunk((0, 0), zlib.compress(x.tobytes()))
    fine("filter_gzip_no_level", no_values, "gzip without a level", ("features",))

    shuffled = dump(setting("features", data=x, chunks=(CHUNK, WIDTH), shuffle=True), ("features",))
    at = shuffled.index(struct.pack("<HHHH", 2, 8, 1, 1) + b"shuffle\0" + struct.pack("<II", 2, 0))
    patched("filter_shuffle_values", shuffled, at + 6, b"\2", "/features rows 0 to 11 cannot be read")

    def by_4(f):
        d = f.create_dataset("features", data=x, chunks=(CHUNK, WIDTH), shuffle=True).id
        for i in range(0, ROWS, CHUNK):
            d.write_direct_chunk((i, 0), x[i:i + CHUNK].view("u1").reshape(-1, 4).T.tobytes())
    of_4 = dump(by_4, ("features",))
    of_4[at + 16] = 4
    c.add("filter_shuffle_of_4.h5", bytes(of_4), 0, "", "-", "bytes of two values shuffled as one (test_data_h5.c)")
    wide_rows = setting("other", shape=(ROWS, 0), dtype="f4", maxshape=(ROWS, None), chunks=(CHUNK, 4), compression="gzip")
    fine("shape_no_width_packed", wide_rows, "packed rows of no bytes", commands="repack")
    fine("claim_wide_row", setting("other", shape=(0, 2**62), dtype="f2"), "no rows, each of 2^63 bytes (test_data_h5.c)")
    fine("filter_pairs", setting("other", data=pairs, chunks=(CHUNK,), **gzip), "packed values that hold strings", commands="repack")
    fine("filter_texts_inside", lambda f: f.create_group("notes").create_dataset("text", data=["a", "bc"], dtype=h5py.string_dtype(), chunks=(1,), **gzip),
         "packed strings inside of a group", commands="repack")
    fine("texts_chunked_inside", lambda f: f.create_group("notes").create_dataset("text", data=["a", "bc"], dtype=h5py.string_dtype(), chunks=(1,)),
         "chunks of strings inside of a group", commands="repack")

    # objects that cannot be opened
    data, at = piece("features")
    patched("layout_version_9", data, at - 2, b"\x09", "/features is not a readable dataset (HDF5:", "inspect,eval")
    data, at = piece("about/x", lambda f: f.create_group("about").create_dataset("x", data=np.arange(5)))
    patched("layout_version_9_inside", data, at - 2, b"\x09", "/about/x cannot be opened (HDF5:", "repack")
    linked = dump(away("other"))
    patched("link_of_no_kind_unused", linked, linked.index(b"\x40\x05other"), b"\x47", "/other is a link, which would lead elsewhere", "repack")

    odd_float("gap_above", (15, 9, 5, 0, 9), 15)
    odd_float("gap_of_bfloat", (15, 6, 8, 0, 6), 127)

    # members
    rows_inside = lambda f: f.create_group("about").create_dataset("x", data=label)
    fine("inside_rows", rows_inside, "who picks rows is told of rows in a group (test_data_h5.c)")
    deep_many = lambda f: [f.create_group("many/%d" % i) for i in range(140)]
    fine("groups_many", deep_many, "more objects than there is room for at first", commands="repack", libver=("v110", "v110"))

    def addresses(data, *names):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.h5")
            with open(path, "wb") as file:
                file.write(data)
            with h5py.File(path) as f:
                return [h5py.h5o.get_info(f[name].id).addr for name in names]
    data = dump(cycle)
    at, = addresses(data, "a")
    assert data[at] == 1 and data[at + 4] == 2
    patched("cycle_unsaid", data, at + 4, b"\1", "/a holds itself without saying so; the file is damaged", "repack")

    # headers, before HDF5 looks at them
    seen_virtual = "/features is a virtual dataset"
    data = dump()
    at, = addresses(data, "features")
    n = struct.unpack_from("<I", data, at + 8)[0]
    entry = data.index(struct.pack("<Q", at))  # of the root's symbol table
    patched("header_behind", data, entry, struct.pack("<Q", 2**40), "/features is not a readable dataset (HDF5:")
    patched("header_at_the_end", data, entry, struct.pack("<Q", len(data) - 8), "/features is not a readable dataset (HDF5:")
    patched("header_long", data, at + 8, struct.pack("<I", 2**30), "/features is not a readable dataset (HDF5:")

    def message(data, at, kind):
        """Where the message of that kind begins in a header of the first version."""
        m = at + 16
        while struct.unpack_from("<H", data, m)[0] != kind:
            m += 8 + struct.unpack_from("<H", data, m + 2)[0]
        return m

    def into(name, data, m, new, expected, commands="-"):
        patched(name, data, m, new, expected, commands)
    m = message(data, at, 3)  # its type, of 24 bytes
    assert data[m + 2] >= 16
    again_and_again = b"\x10\0" + bytes(data[m + 2:m + 8]) + struct.pack("<QQ", m, 8 + data[m + 2])
    into("header_of_itself", data, m, again_and_again, seen_virtual, "inspect")
    into("header_more_short", data, m, b"\x10\0\x08\0", "/features is not a readable dataset (HDF5:")
    m = message(data, at, 8)
    into("header_layout_of_a_byte", data, m + 2, b"\1\0", "/features is not a readable dataset (HDF5:")
    padded = dump(setting("pad", data=np.zeros(250000, "u1")))
    at, = addresses(padded, "features")
    m = message(padded, at, 3)
    into("header_of_many_pieces", padded, m, b"\x10\0" + bytes(padded[m + 2:m + 8]) + struct.pack("<QQ", m, 8 + padded[m + 2]), seen_virtual)

    def ordered(how):
        how.set_attr_creation_order(h5py.h5p.CRT_ORDER_TRACKED)
        space = h5py.h5s.create_simple(x.shape)
        how.set_virtual(space, b"other.h5", b"real", space)
    features(raw("features", x.shape, half, ordered), "virtual_ordered", seen_virtual, libver="latest")

    def noted(f):
        d = f.create_dataset("features", data=x)
        for i in range(5):
            d.attrs["note%d" % i] = np.arange(60)
    newest = dump(noted, ("features",), libver="latest")
    fine("header_new_of_pieces", noted, "a header in two pieces", ("features",), libver="latest")
    assert newest.count(b"OCHK") == 1, newest.count(b"OCHK")
    second = newest.index(b"OCHK")
    more = newest.index(struct.pack("<Q", second))
    into("header_new_piece_short", newest, more + 8, struct.pack("<Q", 4), "/features is not a readable dataset (HDF5:")
    into("header_new_layout_behind", newest, second + 4, b"\x08" + bytes(newest[second + 5:second + 8]) + b"\4\3", seen_virtual, "inspect")

    # places of 16 bytes
    def wide_places(change, **how):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.h5")
            form = small.create(small.FILE_CREATE)
            form.set_sizes(*how["sizes"])
            form.set_obj_track_times(False)
            with h5py.File(h5py.h5f.create(path.encode(), h5py.h5f.ACC_TRUNC, form)) as f:
                change(f)
            with open(path, "rb") as file:
                return file.read()
    content = both(setting("features", data=x), setting("label", data=label))
    said = "places or sizes in this file have more than 8 bytes, which is not read"
    c.add("super_places_of_16.h5", wide_places(content, sizes=(16, 8)), 65, said, "inspect,repack")
    c.add("super_sizes_of_16.h5", wide_places(content, sizes=(8, 16)), 65, said)
    c.add("super_places_of_4.h5", wide_places(content, sizes=(4, 4)), 0, "", "repack", "places of 4 bytes")

    # the heap, behind bytes of somebody else; attributes
    blocked = dump(texts, userblock_size=512)
    at = blocked.index(struct.pack("<IQ", 5, blocked.index(b"GCOL") - 512)) + 4
    patched("heap_row_wraps", blocked, at, b"\xff" * 8, "/id cannot be read: its values lie in a heap that is damaged (it lies behind the end of the file")
    named_list = dump(lambda f: f["label"].attrs.__setitem__("made", ["a", "b", "c"]))
    at = named_list.index(b"made\0")
    dims = named_list.index(struct.pack("<Q", 3), at)
    patched("attribute_of_2_61", named_list, dims, struct.pack("<Q", 2**61), "attribute made of /label cannot be read: it has no shape that memory could hold", "repack")
    assert named_list[at - 6:at - 4] == b"\5\0"
    patched("attribute_of_no_name", named_list, at - 6, b"\1\0" + named_list[at - 4:at] + b"\0", "cannot be opened", "repack")

    # ---- what is read, and as what (test_data_h5.c) ----

    fine("claim_rank_6", setting("other", shape=(3, 2, 2, 1, 1, 1), dtype="u1", chunks=(1, 1, 1, 1, 1, 1)), "chunks of many dimensions")
    fine("filter_gzip", setting("features", data=x, chunks=(CHUNK, WIDTH), shuffle=True, **gzip), "what h5py users write", ("features",))
    big = x.astype(">f4")
    fine("big_endian", setting("features", data=big), "bytes in the other order", ("features",))
    fine("big_endian_chunks", setting("features", data=big, chunks=(CHUNK, WIDTH)), "and in chunks", ("features",))
    fine("big_endian_fletcher_first", raw("features", x.shape, h5py.h5t.IEEE_F32BE, fletcher_first_rows, big), "and through HDF5", ("features",))
    fine("big_endian_half", raw("features", x.shape, h5py.h5t.IEEE_F16BE, fletcher_first_rows, x.astype(">f2")), "and of 16 bits", ("features",))

    def enum_and_bfloat(f):
        f["id"] = np.arange(ROWS) % 2 == 1
        kind = h5py.h5t.IEEE_F16LE.copy()
        kind.set_fields(15, 7, 8, 0, 7)
        kind.set_ebias(127)
        bits = (np.arange(ROWS, dtype="f4").view("u4") >> 16).astype("u2")
        raw("weight", (ROWS,), kind, lambda how: None)(f)
        f["weight"].id.write(h5py.h5s.ALL, h5py.h5s.ALL, bits, kind)
    fine("type_enum_and_bfloat", enum_and_bfloat, "an enumeration of names, weights of bfloat16")

    # ---- many, long and none ----

    def text_chunks(f):
        d = f.create_group("notes").create_dataset("text", (2049,), h5py.string_dtype(), chunks=(1,))
        d[...] = [""] * 2049
    bad("texts_many_chunks", text_chunks, "/notes/text has strings or lists of variable length in more than 2048 chunks without compression", commands="repack")
    fine("heap_scalar", lambda f: f.create_group("notes").__setitem__("text", "a"), "one string without rows", commands="repack")
    bad("groups_too_many", lambda f: [f.create_group("many/%d" % i) for i in range(4096)], "/many holds more than 4096 groups, which are not copied", libver="latest")
    data = dump()
    at, = addresses(data, "features")
    data = dump(setting("features", data=x, chunks=(CHUNK, WIDTH)), ("features",))
    at = data.index(struct.pack("<III", CHUNK, WIDTH, 2))
    patched("chunk_of_no_rows", data, at, struct.pack("<I", 0), "/features is not a readable dataset (HDF5:")

    class Filter(ctypes.Structure):
        """H5Z_class2_t."""
        _fields_ = [("version", ctypes.c_int), ("id", ctypes.c_int), ("packs", ctypes.c_uint), ("unpacks", ctypes.c_uint), ("name", ctypes.c_char_p),
                    ("can_apply", ctypes.c_void_p), ("set_local", ctypes.c_void_p), ("filter", ctypes.c_void_p)]
    with open("/proc/self/maps", encoding="utf-8") as file:
        library = next(line.split()[-1] for line in file if "libhdf5-" in line)
    named_so = Filter(1, 500, 1, 1, b"a filter whose name has no end " * 3, None, None, 1)
    assert ctypes.CDLL(library).H5Zregister(ctypes.byref(named_so)) >= 0
    features(raw("features", x.shape, half, set_filters((500,))), "filter_long_name", "/features is compressed with a filter whose name has no end a filter (HDF5 filter 500)", "inspect")

    def other_filter(f):
        raw("features", x.shape, half, set_filters((400,)))(f)
        for i in range(0, ROWS, CHUNK):
            f["features"].id.write_direct_chunk((i, 0), x[i:i + CHUNK].tobytes())
    features(other_filter, "filter_other", "/features is compressed with an unnamed filter (HDF5 filter 400)")


def lookup3(data):
    """HDF5's checksum of metadata: Jenkins' lookup3, hashlittle, begun with 0."""
    def rotate(v, n):
        return (v << n | v >> (32 - n)) & 0xFFFFFFFF
    a = b = c = (0xDEADBEEF + len(data)) & 0xFFFFFFFF
    data = bytes(data)
    while len(data) > 12:
        x, y, z = struct.unpack("<III", data[:12])
        a, b, c = (a + x) & 0xFFFFFFFF, (b + y) & 0xFFFFFFFF, (c + z) & 0xFFFFFFFF
        a = ((a - c) & 0xFFFFFFFF) ^ rotate(c, 4); c = (c + b) & 0xFFFFFFFF
        b = ((b - a) & 0xFFFFFFFF) ^ rotate(a, 6); a = (a + c) & 0xFFFFFFFF
        c = ((c - b) & 0xFFFFFFFF) ^ rotate(b, 8); b = (b + a) & 0xFFFFFFFF
        a = ((a - c) & 0xFFFFFFFF) ^ rotate(c, 16); c = (c + b) & 0xFFFFFFFF
        b = ((b - a) & 0xFFFFFFFF) ^ rotate(a, 19); a = (a + c) & 0xFFFFFFFF
        c = ((c - b) & 0xFFFFFFFF) ^ rotate(b, 4); b = (b + a) & 0xFFFFFFFF
        data = data[12:]
    x, y, z = struct.unpack("<III", data.ljust(12, b"\0"))
    a, b, c = (a + x) & 0xFFFFFFFF, (b + y) & 0xFFFFFFFF, (c + z) & 0xFFFFFFFF
    c = ((c ^ b) - rotate(b, 14)) & 0xFFFFFFFF
    a = ((a ^ c) - rotate(c, 11)) & 0xFFFFFFFF
    b = ((b ^ a) - rotate(a, 25)) & 0xFFFFFFFF
    c = ((c ^ b) - rotate(b, 16)) & 0xFFFFFFFF
    a = ((a ^ c) - rotate(c, 4)) & 0xFFFFFFFF
    b = ((b ^ a) - rotate(a, 14)) & 0xFFFFFFFF
    c = ((c ^ b) - rotate(b, 24)) & 0xFFFFFFFF
    return struct.pack("<I", c)

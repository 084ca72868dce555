# safetensors_files.py: malformed safetensors: the rules of the format, the attacks that its authors publish (attacks/ of
# huggingface/safetensors; the audit by Trail of Bits), and weights and checkpoints of ours that lie.
#
# SPDX-License-Identifier: MIT
import hashlib
import json
import struct
import zlib

NAN, INF = float("nan"), float("inf")


def raw(header, data=b"", length=None):
    header = header.encode("utf-8") if isinstance(header, str) else header
    return struct.pack("<Q", (len(header) if length is None else length) & (1 << 64) - 1) + header + data


def entry(dtype="F32", shape="[2]", offsets="[0,8]"):
    return '{"dtype":"%s","shape":%s,"data_offsets":%s}' % (dtype, shape, offsets)


def single(data=b"\0" * 8, name="x", **fields):
    return raw('{"%s":%s}' % (name, entry(**fields)), data)


def rules(c):
    def bad(name, content, message, commands="-"):
        c.add(name, content, 65, message, commands)

    limit = "announce a header of %s bytes"
    bad("length_1000.safetensors", raw("{}", length=1000), limit % 1000)
    bad("length_past_the_end.safetensors", raw('{"x":' + entry() + "}", b"\0" * 8, length=4096), limit % 4096, "import,eval")
    bad("length_10_mb.safetensors", raw("{}", length=10_000_001), limit % 10000001)
    bad("length_100_mb.safetensors", raw("{}", length=100_000_001), limit % 100000001)
    bad("length_63_bits.safetensors", raw("{}", length=1 << 63), limit % (1 << 63))
    bad("length_largest.safetensors", raw("{}", length=(1 << 64) - 1), limit % ((1 << 64) - 1), "eval")
    bad("length_wraps.safetensors", raw("{}", length=(1 << 64) - 8), limit % ((1 << 64) - 8))
    bad("length_short.safetensors", raw('{"x":' + entry() + "}", b"\0" * 8, length=20), "header: line 1")
    bad("begins_with_a_space.safetensors", raw(" {}"), "does not begin with '{'")
    bad("begins_with_a_list.safetensors", raw("[]      "), "does not begin with '{'")
    bad("not_closed.safetensors", raw('{"x":'), "not JSON")
    bad("no_json.safetensors", raw("{x: 1}"), "not JSON")
    bad("behind_the_object.safetensors", raw("{} {}"), "not JSON: something stands behind the value")
    bad("nul_padding.safetensors", raw("{}\0\0\0\0\0\0"), "not JSON")
    bad("name_twice.safetensors", raw('{"x":%s,"x":%s}' % (entry(), entry(offsets="[8,16]")), b"\0" * 16), "a duplicate key", "import,eval")
    bad("name_twice_by_escape.safetensors", raw('{"x":%s,"\\u0078":%s}' % (entry(), entry(offsets="[8,16]")), b"\0" * 16), "a duplicate key")
    bad("field_twice.safetensors", raw('{"x":{"dtype":"F32","dtype":"F64","shape":[2],"data_offsets":[0,8]}}', b"\0" * 8), "a duplicate key")
    bad("metadata_twice.safetensors", raw('{"__metadata__":{},"__metadata__":{"a":"b"}}'), "a duplicate key")
    bad("metadata_key_twice.safetensors", raw('{"__metadata__":{"a":"b","a":"c"}}'), "a duplicate key")
    bad("metadata_list.safetensors", raw('{"__metadata__":["a"]}'), "__metadata__ is not an object")
    bad("metadata_null.safetensors", raw('{"__metadata__":null}'), "__metadata__ is not an object")
    bad("metadata_number.safetensors", raw('{"__metadata__":{"a":1}}'), "__metadata__ 'a' is not a string", "eval")
    bad("metadata_nested.safetensors", raw('{"__metadata__":{"a":{"b":"c"}}}'), "__metadata__ 'a' is not a string")
    bad("metadata_null_value.safetensors", raw('{"__metadata__":{"a":null}}'), "__metadata__ 'a' is not a string")
    bad("metadata_sum_cut.safetensors", raw('{"__metadata__":{"header_sha256":"0"}}'), "is damaged: the SHA-256 of its header")
    bad("not_utf8.safetensors", raw(b'{"\xff":' + entry().encode() + b"}", b"\0" * 8), "not JSON: not UTF-8")
    bad("overlong_utf8.safetensors", raw(b'{"\xc0\xaf":' + entry().encode() + b"}", b"\0" * 8), "not JSON: not UTF-8")
    bad("surrogate.safetensors", raw('{"\\ud800":%s}' % entry(), b"\0" * 8), "not JSON: \\u stands for no character")
    bad("nul_in_a_name.safetensors", raw('{"x\\u0000y":%s}' % entry(), b"\0" * 8), "\\u stands for no character", "import")
    bad("nul_in_metadata.safetensors", raw('{"__metadata__":{"a":"b\\u0000c"}}'), "\\u stands for no character")
    bad("raw_nul.safetensors", raw(b'{"x\0y":1}'), "not JSON")
    bad("deep.safetensors", raw('{"x":' + "[" * 3000 + "]" * 3000 + "}"), "nested too deeply", "import")
    bad("entry_is_null.safetensors", raw('{"x":null}'), "tensor 'x': dtype is missing")
    bad("entry_is_a_list.safetensors", raw('{"x":[]}'), "tensor 'x': dtype is missing")
    bad("entry_is_empty.safetensors", raw('{"x":{}}'), "tensor 'x': dtype is missing")
    bad("dtype_unknown.safetensors", single(dtype="F128"), "dtype is missing or not one of those known", "import")
    bad("dtype_lower.safetensors", single(dtype="f32"), "dtype is missing or not one of those known")
    bad("dtype_number.safetensors", raw('{"x":{"dtype":7,"shape":[2],"data_offsets":[0,8]}}', b"\0" * 8), "dtype is missing or not one of those known")
    bad("dtype_half_a_byte.safetensors", single(b"\0", dtype="F4", shape="[2]", offsets="[0,1]"), "dtype is missing or not one of those known")
    for name, shape in (("text", '["2"]'), ("negative", "[-2]"), ("real", "[2.0]"), ("exponent", "[2e0]"), ("null", "[null]"), ("object", "{}"), ("nested", "[[2]]"), ("bool", "[true]"), ("number", "2"), ("of_9", "[1,1,1,1,1,1,1,1,2]")):
        bad("shape_%s.safetensors" % name, single(shape=shape), "shape is not a list of at most 8 sizes with a product below 2^64", "eval" if name == "negative" else "-")
    bad("shape_missing.safetensors", raw('{"x":{"dtype":"F32","data_offsets":[0,8]}}', b"\0" * 8), "shape is not a list")
    bad("shape_of_64_bits.safetensors", single(shape="[18446744073709551618]"), "not JSON: an integer of more than 64 bits")
    bad("shape_1e999.safetensors", single(shape="[1e999]"), "not JSON: a number too large")
    bad("shape_overflows.safetensors", single(shape="[4294967296,4294967296,4294967296]"), "with a product below 2^64", "import,eval")
    bad("shape_wraps_to_8_bytes.safetensors", single(shape="[4611686018427387906]"), "with a product below 2^64")
    bad("shape_overflows_before_a_0.safetensors", single(b"", shape="[9223372036854775807,9223372036854775807,0]", offsets="[0,0]"), "with a product below 2^64")
    bad("shape_smaller.safetensors", single(shape="[1]"), "its shape makes 4 bytes, its data_offsets 8")
    bad("shape_larger.safetensors", single(shape="[3]"), "its shape makes 12 bytes, its data_offsets 8", "import,eval")
    bad("shape_of_a_scalar.safetensors", single(shape="[]"), "its shape makes 4 bytes, its data_offsets 8")
    for name, offsets in (("missing", None), ("one", "[8]"), ("three", "[0,4,8]"), ("reversed", "[8,0]"), ("negative", "[-8,0]"), ("text", '["0","8"]'), ("real", "[0.0,8.0]"), ("object", '{"0":8}')):
        content = single(offsets=offsets) if offsets else raw('{"x":{"dtype":"F32","shape":[2]}}', b"\0" * 8)
        bad("offsets_%s.safetensors" % name, content, "data_offsets are not two ascending numbers", "eval" if name == "reversed" else "-")
    bad("offsets_of_64_bits.safetensors", single(offsets="[18446744073709551608,18446744073709551616]"), "not JSON: an integer of more than 64 bits")
    bad("offsets_past_the_end.safetensors", single(b"\0" * 7), "its tensors take 8 bytes, but 7 follow the header: the file is cut off", "import,eval")
    bad("offsets_huge.safetensors", single(dtype="U8", shape="[9223372036854775807]", offsets="[0,9223372036854775807]"), "the file is cut off", "eval")
    bad("offsets_huge_end.safetensors", single(offsets="[9223372036854775799,9223372036854775807]"), "behind a hole that begins at 0")
    bad("hole_at_the_front.safetensors", single(b"\0" * 16, offsets="[8,16]"), "begins at byte 8 of the data, behind a hole that begins at 0")
    two = lambda a, b, data: raw('{"x":%s,"y":%s}' % (entry(offsets=a), entry(offsets=b)), data)
    bad("hole.safetensors", two("[0,8]", "[12,20]", b"\0" * 20), "behind a hole that begins at 8", "eval")
    bad("overlap.safetensors", two("[0,8]", "[4,12]", b"\0" * 12), "inside another that ends at 8", "import")
    bad("overlap_same.safetensors", two("[0,8]", "[0,8]", b"\0" * 8), "inside another that ends at 8")
    bad("empty_in_a_hole.safetensors", raw('{"x":%s,"y":%s}' % (entry(), entry(shape="[0]", offsets="[9,9]")), b"\0" * 9), "behind a hole that begins at 8")
    bad("trailing.safetensors", single(b"\0" * 9), "its tensors take 8 bytes, but 9 follow the header: trailing bytes")
    bad("no_tensors_but_data.safetensors", raw("{}", b"\0" * 8), "trailing bytes", "eval")
    bad("name_of_128_bytes.safetensors", single(name="n" * 128), "its name is longer than 127 bytes")
    bad("name_escape.safetensors", single(name="\\u001b[2J", dtype="F9"), "tensor '?[2J': dtype is missing", "import")
    bad("name_of_two_lines.safetensors", single(name="a\\nb", dtype="F9"), "tensor 'a?b': dtype is missing")


def attacks(c):
    """What the format's authors tried themselves, and polyglots, which the audit was about."""
    n = 300
    many = {"weight_%d" % i: {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]} for i in range(n)}
    payload = single(b"\0" * 16, shape="[2,2]", offsets="[0,16]")
    c.add("attack_1_header_of_1000.safetensors", struct.pack("<Q", 1000) + payload[8:], 65, "announce a header of 1000 bytes", "import")
    c.add("attack_2_many_on_one_place.safetensors", raw(json.dumps(many), b"\0" * 16), 65, "inside another that ends at 16", "import")
    c.add("attack_3_many_large.safetensors", raw(json.dumps(many), b"\0" * 16 * n), 65, "inside another that ends at 16")
    zipped = b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, zlib.crc32(b"x"), 1, 1, 10, 0) + b"m/data.pklx"
    c.add("polyglot_zip_behind.safetensors", payload + zipped, 65, "trailing bytes")
    c.add("polyglot_zip_in_the_header.safetensors", raw(b"{}" + zipped), 65, "not JSON")
    c.add("polyglot_pickle.safetensors", raw("{}" + " " * 6, b"\x80\x02cos\nsystem\n."), 65, "trailing bytes")
    c.add("polyglot_in_padding.safetensors", raw(b"{}#!/bin/sh\n"), 65, "not JSON: something stands behind the value")


# ---- ours ----


def network(**changes):
    """A router of 4 features and 3 hidden numbers: name -> (dtype, shape, values)."""
    t = {
        "cls.0.weight": ("F32", [3, 4], [0.1 * i - 0.5 for i in range(12)]),
        "cls.0.bias": ("F32", [3], [0, 0.1, 0.2]),
        "cls.1.weight": ("F32", [3], [1, 1, 1]),
        "cls.1.bias": ("F32", [3], [0, 0, 0]),
        "cls.1.running_mean": ("F32", [3], [0, 0, 0]),
        "cls.1.running_var": ("F32", [3], [1, 1, 1]),
        "cls.1.num_batches_tracked": ("I64", [], [7]),
        "cls.4.weight": ("F32", [1, 3], [1, -1, 0.5]),
        "cls.4.bias": ("F32", [1], [0.25]),
    }
    for name, value in changes.pop("tensors", {}).items():
        t[name] = value
        if value is None:
            del t[name]
    return t


CODE = {"F32": "f", "F64": "d", "I64": "q", "F16": "e"}


def summed(content, change=lambda header: header):
    """A file with the checksum of its header as it was before the change."""
    n = struct.unpack("<Q", content[:8])[0]
    data = content[8 + n :]
    header = content[8 : 8 + n].replace(b'"__metadata__": {', b'"__metadata__": {"header_sha256":"' + b"0" * 64 + b'",')
    total = hashlib.sha256(struct.pack("<Q", len(header)) + header).hexdigest().encode()
    header = header.replace(b"0" * 64, total, 1)
    return struct.pack("<Q", len(header)) + change(header) + data


def weights(tensors, metadata=None, lie=None):
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        content = struct.pack("<%d%s" % (len(values), CODE[dtype]), *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    said = {"format": "saferoute", "format_version": "1", **(metadata or {})}
    said["sha256"] = hashlib.sha256(data).hexdigest() if lie is None else lie
    header = {"__metadata__": {k: v for k, v in said.items() if v is not None}, **header}
    return raw(json.dumps(header), data)


def ours(c):
    def bad(name, message, commands="-", metadata=None, lie=None, **tensors):
        changed = {k.replace("__", "."): v for k, v in tensors.items()}
        c.add("weights_%s.safetensors" % name, weights(network(tensors=changed), metadata, lie), 65, message, commands)

    c.add("weights_good.safetensors", weights(network()), 0, "", why="what the others are damaged copies of")
    sums = "is damaged: the SHA-256 of its header is not the one in its metadata"
    half = weights(network(), {"threshold": "0.5"})
    c.add("weights_good_sums.safetensors", summed(half), 0, "", why="the same with both checksums")
    c.add("header_threshold.safetensors", summed(half, lambda h: h.replace(b"0.5", b"0.9")), 65, sums, "import,eval")
    c.add("header_name.safetensors", summed(half, lambda h: h.replace(b"cls.0.bias", b"cls.8.bias")), 65, sums)
    c.add("header_key.safetensors", summed(half, lambda h: h.replace(b"header_sha256", b"header_sha257")), 65, sums, "eval")
    c.add("header_sum_short.safetensors", weights(network(), {"header_sha256": "0"}), 65, sums)
    c.add("header_sum_spaced.safetensors", weights(network(), {"header_sha256": "0" * 64}), 65, sums)
    vector = lambda *v: ("F32", [3], v)
    bad("checksum_lies", "is damaged: the SHA-256 of its data is not the one in its metadata", "eval,import", lie="0" * 64)
    bad("checksum_upper", "is damaged: the SHA-256", lie=hashlib.sha256(b"").hexdigest().upper())
    bad("checksum_empty", "is damaged: the SHA-256", lie="")
    bad("checksum_huge", "is damaged: the SHA-256", lie="f" * 10000)
    bad("version_2", 'format_version is "2", this program reads "1"', "eval", {"format_version": "2"})
    bad("version_nonsense", 'this program reads "1"', "-", {"format_version": "1\n"})
    for name, said in (("of_others", {"format": "pt", "format_version": None}), ("of_nobody", {"format": None, "format_version": None}), ("of_others_9", {"format": "mine", "format_version": "9"}), ("without_version", {"format_version": None})):
        c.add("weights_format_%s.safetensors" % name, weights(network(), said), 0, "", why="a state dict from elsewhere says nothing of our format")
    c.add("weights_threshold_empty.safetensors", weights(network(), {"threshold": ""}), 0, "", why="no threshold is chosen")
    bad("format_of_later", 'format_version is "9"', "-", {"format": "saferoute-next", "format_version": "9"})
    for name, text in (("above_1", "1.5"), ("below_0", "-0.1"), ("nan", "nan"), ("inf", "inf"), ("words", "a half"), ("hexadecimal", "0x1p-1"), ("two", "0.5 0.6"), ("comma", "0,5"), ("huge", "9" * 500)):
        bad("threshold_" + name, "metadata threshold is", "eval" if name == "words" else "-", {"threshold": text})
    for name, values in (("nan", (NAN, 0, 0)), ("infinity", (0, INF, 0)), ("minus_infinity", (0, 0, -INF))):
        bad("bias_" + name, "tensor cls.0.bias holds a NaN or an infinity", "eval" if name == "nan" else "-", cls__0__bias=vector(*values))
    bad("weight_nan", "tensor cls.0.weight holds a NaN or an infinity", cls__0__weight=("F32", [3, 4], [NAN] * 12))
    bad("last_weight_nan", "tensor cls.4.weight holds a NaN", cls__4__weight=("F32", [1, 3], [NAN] * 3))
    bad("last_bias_infinity", "tensor cls.4.bias holds a NaN", cls__4__bias=("F32", [1], [INF]))
    bad("mean_nan", "tensor cls.1.running_mean holds a NaN", cls__1__running_mean=vector(0, NAN, 0))
    bad("variance_nan", "tensor cls.1.running_var holds a NaN", cls__1__running_var=vector(0, NAN, 0))
    bad("variance_negative", "tensor cls.1.running_var is -1 at 1; a variance is not below 0", "eval", cls__1__running_var=vector(1, -1, 1))
    bad("folded_overflow", "has weights beyond float32 once its BatchNorm is folded in", "eval", cls__1__running_var=vector(0, 0, 0), cls__1__weight=vector(3e38, 1, 1), cls__0__weight=("F32", [3, 4], [1e3] * 12))
    bad("logit_overflow", "self-test: row 0 has no finite logit", cls__4__weight=("F32", [1, 3], [3e38] * 3), cls__0__weight=("F32", [3, 4], [9.0] * 12), cls__1__weight=vector(1e6, 1e6, 1e6), cls__1__bias=vector(1e30, 1e30, 1e30))
    bad("no_network", "no tensor cls.0.weight", **{k.replace(".", "__"): None for k in network()})
    bad("bias_missing", "tensor 'cls.0.bias' F32 [3] is missing", "eval", cls__0__bias=None)
    bad("norm_missing", "tensor 'cls.1.running_var' F32 [3] is missing", cls__1__running_var=None)
    bad("gain_missing", "tensor 'cls.1.weight' F32 [3] is missing", cls__1__weight=None)
    bad("shift_missing", "tensor 'cls.1.bias' F32 [3] is missing", cls__1__bias=None)
    bad("last_missing", "tensor cls.4.weight is missing (a router of 1 hidden layers has it)", cls__4__weight=None, cls__4__bias=None)
    bad("first_missing", "tensor cls.0.weight is missing", cls__0__weight=None)
    bad("bias_short", "tensor 'cls.0.bias' is F32 [2] where F32 [3] is needed", cls__0__bias=("F32", [2], [0, 0]))
    bad("bias_matrix", "tensor 'cls.0.bias' is F32 [3, 1] where F32 [3] is needed", cls__0__bias=("F32", [3, 1], [0, 0, 0]))
    bad("bias_double", "tensor 'cls.0.bias' is F64 [3] where F32 [3] is needed", cls__0__bias=("F64", [3], [0, 0, 0]))
    bad("weight_vector", "tensor cls.0.weight is not a matrix", cls__0__weight=("F32", [12], [0] * 12))
    bad("weight_of_none", "tensor cls.0.weight is not a matrix", cls__0__weight=("F32", [0, 4], []))
    bad("weight_of_no_inputs", "tensor cls.0.weight is not a matrix", cls__0__weight=("F32", [3, 0], []))
    bad("weight_too_tall", "tensor cls.0.weight has 8193 outputs; a hidden layer has at most 8192", cls__0__weight=("F32", [8193, 1], [0] * 8193))
    bad("chain_broken", "reads 2 numbers, but the layer before gives 3", "eval", cls__4__weight=("F32", [1, 2], [0, 0]))
    bad("two_logits", "the last, has 2 outputs; a router has one logit", cls__4__weight=("F32", [2, 3], [0] * 6))
    bad("counter_is_a_float", "tensor 'cls.1.num_batches_tracked' is F32 [] where I64 [] is needed", cls__1__num_batches_tracked=("F32", [], [1]))
    bad("stranger", "tensor cls.2.weight has no place", "eval", cls__2__weight=vector(0, 0, 0))
    bad("stranger_no_number", "tensor cls.weight has no place", cls__weight=vector(0, 0, 0))
    bad("stranger_letter", "tensor cls.a.weight has no place", cls__a__weight=vector(0, 0, 0))
    bad("stranger_behind_the_number", "tensor cls.0x.weight has no place", cls__0x__weight=vector(0, 0, 0))
    bad("stranger_last", "tensor cls.3.weight has no place", cls__3__weight=vector(0, 0, 0))
    bad("stranger_of_a_norm", "tensor cls.1.gain has no place", cls__1__gain=vector(0, 0, 0))
    bad("stranger_norm_of_a_linear", "tensor cls.0.running_mean has no place", cls__0__running_mean=vector(0, 0, 0))
    bad("norm_behind_the_last", "tensor cls.8.weight is missing", cls__5__weight=("F32", [1], [1]))
    bad("stranger_leading_zero", "tensor cls.00.weight has no place", cls__00__weight=vector(0, 0, 0))
    bad("stranger_kind", "tensor cls.0.gain has no place", cls__0__gain=vector(0, 0, 0))
    bad("stranger_far", "has no place", cls__99999__weight=vector(0, 0, 0))
    bad("stranger_farther", "has no place", cls__99999999999999999999999__weight=vector(0, 0, 0))


COLUMNS = 13  # of run.history: train/history.h
POSITION = ("I64", [6], [0, 0, 0, 0, 0, 0])


def checkpoints(c):
    def bad(name, message, metadata=None, **tensors):
        t = {"run.position": POSITION, "run.sums": ("F64", [1], [0.0]), "run.history": ("F64", [0, COLUMNS], [])}
        for key, value in tensors.items():
            t["run." + key] = value
        said = {"format": "saferoute-checkpoint", "format_version": "2", **(metadata or {})}
        c.add("checkpoint_%s.safetensors" % name, weights({k: v for k, v in t.items() if v}, said), 65, message)

    row = lambda epoch: [1.0, float(epoch)] + [0.5] * (COLUMNS - 2)
    first = ("I64", [6], [1, 1, 0, 0, 1, 0])
    c.add("checkpoint_good.safetensors", weights({"run.position": first, "run.sums": ("F64", [1], [0.0]), "run.history": ("F64", [1, COLUMNS], row(1))}, {"format": "saferoute-checkpoint", "format_version": "2"}), 0, "", why="what the others are damaged copies of")
    bad("of_another_format", "not a checkpoint of this version", {"format": "saferoute"})
    bad("of_version_1", "not a checkpoint of this version", {"format_version": "1"})
    bad("without_format", "not a checkpoint of this version", {"format": None})
    bad("without_version", "not a checkpoint of this version", {"format_version": None})
    bad("position_missing", "tensor 'run.position' I64 [6] is missing", position=None)
    bad("position_short", "tensor 'run.position' is I64 [5] where I64 [6] is needed", position=("I64", [5], [0] * 5))
    bad("position_float", "tensor 'run.position' is F64 [6]", position=("F64", [6], [0.0] * 6))
    bad("sums_missing", "tensor 'run.sums' F64 [1] is missing", sums=None)
    bad("history_missing", "run.history is missing or has another shape", history=None)
    bad("history_of_2_columns", "run.history is missing or has another shape", history=("F64", [1, 2], [1.0, 2.0]))
    bad("history_vector", "run.history is missing or has another shape", history=("F64", [COLUMNS], row(1)))
    bad("history_float32", "run.history is missing or has another shape", history=("F32", [1, COLUMNS], row(1)))
    bad("position_contradicts", "run.position contradicts run.history", position=("I64", [6], [0, 5, 0, 0, 0, 0]))
    bad("position_negative", "run.position contradicts run.history", position=("I64", [6], [0, -1, -1, -1, -1, -1]))
    whole = ("F64", [1, COLUMNS], row(1))
    for name, numbers in (("step", [-1, 1, 0, 0, 1, 0]), ("batch", [1, 1, -1, 0, 1, 0]), ("rows", [1, 1, 5, 4, 1, 0]), ("best", [1, 1, 0, 0, -1, 0]), ("no_best", [1, 1, 0, 0, 0, 0]), ("best_far", [1, 1, 0, 0, 2, 0]), ("epoch", [1, 2, 0, 0, 1, 0])):
        bad("position_of_bad_" + name, "run.position contradicts run.history", position=("I64", [6], numbers), history=whole)
    bad("position_finished_unbegun", "run.position contradicts run.history", position=("I64", [6], [0, 0, 0, 0, 0, 1]))
    for name, values in (("step_negative", [-1.0, 1.0]), ("step_half", [0.5, 1.0]), ("step_huge", [1e300, 1.0]), ("step_nan", [NAN, 1.0]), ("epoch_negative", [1.0, -1.0]), ("epoch_half", [1.0, 1.5])):
        bad("history_" + name, "a step or an epoch that is no whole number", position=first, history=("F64", [1, COLUMNS], values + [0.5] * (COLUMNS - 2)))
    bad("best_beyond", "run.position contradicts run.history", position=("I64", [6], [0, 0, 0, 0, 9, 0]))
    bad("history_nan_epoch", "a step or an epoch that is no whole number", position=first, history=("F64", [1, COLUMNS], row(NAN)))
    bad("history_huge_epoch", "a step or an epoch that is no whole number", position=first, history=("F64", [1, COLUMNS], row(1e300)))


def minus(c):
    """-0 is no size for safetensors; as an integer of JSON it is 0."""
    what = "header: a number with a minus"
    c.add("shape_minus_0.safetensors", raw('{"x":%s}' % entry(shape="[-0]", offsets="[0,0]")), 65, what, "import")
    c.add("offsets_minus_0.safetensors", raw('{"x":%s}' % entry(offsets="[-0,8]"), b"\0" * 8), 65, what)


def cases(c):
    for part in (rules, attacks, ours, checkpoints, minus):
        part(c)

# SPDX-License-Identifier: MIT
"""We never accept what torch.load(weights_only=True), safetensors and np.load(allow_pickle=False) reject, and where both
accept a file its tensors are equal bit for bit: over the seeds of the fuzz targets, the hostile files, seeded
mutations of sound files, and files put together from pieces that are each right or nearly so.

Ours are the replay programs of tests/fuzz (fuzz_pt, fuzz_npy, fuzz_safetensors) in the build folder of
SAFEROUTE_PROGRAM, one process for many files; they print a SHA-256 of what they read.
"""
import ctypes
import hashlib
import io
import multiprocessing
import os
import pathlib
import random
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors")

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from hostile.zip_bytes import HOOKS, NUMBERS, Entry, build, storage, tensor, text  # noqa: E402

TESTS = ROOT / "tests"
FORMATS = {"pt": "torch.load", "npy": "np.load", "safetensors": "safetensors.deserialize"}
LONG = bool(os.environ.get("SAFEROUTE_LONG"))
MUTATIONS = 20000 if LONG else 300
COMPOSED = 20000 if LONG else 1000
SEED = 8
DTYPES = {"float16": "F16", "float32": "F32", "float64": "F64", "bfloat16": "BF16", "int8": "I8", "int16": "I16", "int32": "I32",
          "int64": "I64", "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64", "bool": "BOOL"}


@pytest.fixture(scope="session")
def replay(program):
    """replay("pt", files): {file: digest, or None where it is refused}."""

    def run(kind, files):
        target = program.parent / "tests" / "fuzz" / f"fuzz_{kind}"
        if not target.is_file():
            pytest.skip(f"{target} is not built")
        verdict = {}
        for at in range(0, len(files), 500):
            done = subprocess.run([target, "--print", *files[at : at + 500]], capture_output=True, check=False)
            assert done.returncode == 0, done.stderr.decode(errors="replace")
            for line in done.stdout.decode(errors="replace").splitlines():
                path, said, digest = line.split("\t", 2)
                verdict[pathlib.Path(path)] = digest if said == "accepted" else None
        assert set(verdict) == set(files)
        return verdict

    return run


# ---- what the others read ----


def digest(tensors):
    """Of {name: (dtype, shape, bytes)}, as tests/fuzz/tensors_check.h says."""
    h = hashlib.sha256()
    for name in sorted(tensors, key=lambda n: n.encode()):
        dtype, shape, content = tensors[name]
        h.update(name.encode() + b"\0" + dtype.encode() + b"\0" + ",".join(map(str, shape)).encode() + b"\0" + content)
    return h.hexdigest()


def of_torch(tensor):
    tensor = tensor.detach().contiguous()
    size = tensor.numel() * tensor.element_size()
    content = ctypes.string_at(tensor.data_ptr(), size) if size else b""
    return DTYPES[str(tensor.dtype)[6:]], tuple(tensor.shape), content


def flatten(value, name, to):
    if isinstance(value, torch.Tensor):
        assert name not in to, f"two tensors are called {name}"
        to[name] = of_torch(value)
    elif isinstance(value, dict):
        for key, member in value.items():
            flatten(member, f"{name}.{key}" if name else str(key), to)
    elif isinstance(value, (list, tuple)):
        for i, member in enumerate(value):
            flatten(member, f"{name}.{i}" if name else str(i), to)


# What torch.load says of a place that it knows and this machine has not; its numbers are the same here.
NOT_HERE = ("Attempting to deserialize object on a ", "device module is not registered", "Storage device not recognized: mps")


def place(content, location):
    """The storage in memory, wherever it was, if torch.load knows such a place; map_location="cpu" would not look."""
    try:
        restored = torch.serialization.default_restore_location(content, location)
    except RuntimeError as error:
        if not any(what in str(error) for what in NOT_HERE):
            raise
        return content
    assert restored.device.type == "cpu", f"a storage of {location}, without numbers"
    return restored


def read_pt(content):
    to = {}
    flatten(torch.load(io.BytesIO(content), weights_only=True, map_location=place), "", to)
    return to


def read_npy(content):
    x = np.load(io.BytesIO(content), allow_pickle=False)
    assert isinstance(x, np.ndarray)
    return {"": (DTYPES[x.dtype.name], x.shape, x.tobytes())}


def read_safetensors(content):
    return {name: (t["dtype"], tuple(t["shape"]), bytes(t["data"])) for name, t in safetensors.deserialize(content)}


READ = {"pt": read_pt, "npy": read_npy, "safetensors": read_safetensors}


# Files that both accept with other tensors: torch.load gives numbers that are nowhere in the file (seen where an entry's
# header was damaged: it calculates where records are and does not look). Ours are the record's, by its checksum.
NOT_IN_THE_FILE = "numbers that are not in the file"


def theirs(job):
    """(accepted, digest or what was said), of a file of a format."""
    kind, path = job
    content = pathlib.Path(path).read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read = READ[kind](content)
            if kind == "pt" and any(t[2] not in content for t in read.values()):
                return True, NOT_IN_THE_FILE
            return True, digest(read)
        except BaseException as error:  # whatever it raises is a rejection; Rust's panics are no Exception
            return False, f"{type(error).__name__}: {error}"[:300]


# Files that we read and they reject, for a reason that does not make ours wrong: (format, what they say).
THEIR_OWN = []


def compare(kind, files, replay):
    ours = replay(kind, files)
    taken = [f for f in files if ours[f] is not None]
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # a crash of theirs ends that process, not this one
        others = dict(zip(taken, pool.map(theirs, [(kind, f) for f in taken], chunksize=64)))
    wrong = []
    for f in taken:
        accepted, said = others[f]
        if accepted and said not in (ours[f], NOT_IN_THE_FILE):
            wrong.append(f"{f}: other tensors than {FORMATS[kind]}'s")
        elif not accepted and not any(k == kind and text in said for k, text in THEIR_OWN):
            wrong.append(f"{f}: accepted, but {FORMATS[kind]} says {said}")
    return len(taken), wrong


# ---- files ----


OTHERS = {"pt": [".safetensors", ".h5", ".json"], "npy": [], "safetensors": [".pt", ".h5", ".json", ".csv"]}


def format_of(content):
    """By the first bytes, as a file of tensors is read whatever it is called."""
    return "pt" if content[:2] == b"PK" else "npy" if content[:6] == b"\x93NUMPY" else "safetensors"


def seeds(kind):
    folders = {"pt": ["hostile/pt", "vectors/pt", "vectors/convert"],
               "npy": ["hostile/npy"],
               "safetensors": ["hostile/safetensors", "vectors/pt", "vectors"]}
    found = []
    for folder in folders[kind]:
        found += sorted(f for f in (TESTS / folder).glob("*") if f.is_file() and f.suffix not in OTHERS[kind])
    for folder in ("pt", "npy", "safetensors", "weights"):  # each target comes to files of any of them
        found += sorted(f for f in (TESTS / "fuzz/corpus" / folder).iterdir() if format_of(f.read_bytes()) == kind)
    return found


def sound(kind):
    """Small files of the format that both read, to be damaged, without a checksum of our own."""
    return [content for f in seeds(kind) if f.stat().st_size < 8192 and theirs((kind, f))[0]
            and b'"sha256"' not in (content := f.read_bytes())]


def zip_repaired(content):
    """With the checksums of stored entries made to fit again, so that a change behind them is read."""
    import zlib

    b = bytearray(content)
    at = bytes(b).find(b"PK\1\2")
    while 0 <= at <= len(b) - 46:
        size, offset = struct.unpack_from("<I", b, at + 20)[0], struct.unpack_from("<I", b, at + 42)[0]
        if b[offset : offset + 4] == b"PK\3\4" and offset + 30 <= len(b):
            n, extra = struct.unpack_from("<HH", b, offset + 26)
            crc = struct.pack("<I", zlib.crc32(b[offset + 30 + n + extra : offset + 30 + n + extra + size]))
            b[at + 16 : at + 20] = crc
            descriptor = offset + 30 + n + extra + size
            if b[descriptor : descriptor + 4] == b"PK\7\x08":
                b[descriptor + 4 : descriptor + 8] = crc
            else:
                b[offset + 14 : offset + 18] = crc
        at = bytes(b).find(b"PK\1\2", at + 4)
    return bytes(b)


def mutate(rng, content, head):
    """One to three changes; half of them among the first `head` bytes, where structure is."""
    b = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not b:
            break
        at = rng.randrange(min(len(b), head) if rng.random() < 0.5 else len(b))
        what = rng.randrange(6)
        if what == 0:
            b[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            b[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, ord("0"), ord("9"), rng.randrange(256)))
        elif what == 2:
            del b[at : at + rng.randint(1, 8)]
        elif what == 3:
            b[at:at] = b[at : at + rng.randint(1, 16)]
        elif what == 4:
            b = b[: max(1, at)] if rng.random() < 0.2 else b
        else:
            other = rng.randrange(len(b))
            b[at : at + 4] = b[other : other + 4]
    return bytes(b)


def length_repaired(content):
    """The 8 bytes in front say again how long the header of a safetensors file is, where its end can be seen."""
    end = content.find(b"}}", 8)
    return struct.pack("<Q", end + 2 - 8) + content[8:] if end > 0 else content


# ---- composed files ----


def integer(n):
    if 0 <= n < 256:
        return b"K" + bytes([n])
    return b"J" + struct.pack("<i", n) if -(1 << 31) <= n < 1 << 31 else b"\x8a\x09" + n.to_bytes(9, "little", signed=True)


def real(x):
    return b"G" + struct.pack(">d", x)


def tuple_of(items):
    return b"(" + b"".join(items) + b"t"


PLACES = ["cpu", "cuda", "cuda:0", "cuda:7", "mps", "mps:0", "xpu:1", "hpu", "mtia:0", "privateuseone", "cpu:0", "meta", "xyz", "", "cuda:", "cuda:00",
          "cuda:-1", "cuda:128", "cuda:1x", "cuda5", "CPU", "xla:0", "nosuc", "cud", "cudaa"]
KINDS = {"FloatStorage": 4, "HalfStorage": 2, "DoubleStorage": 8, "IntStorage": 4, "LongStorage": 8, "ByteStorage": 1, "BoolStorage": 1,
         "BFloat16Storage": 2}


def some_size(rng):
    """(size, stride) as pickles: mostly of a few items row by row."""
    size = [rng.choice((0, 1, 1, 2, 3)) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    if rng.random() < 0.05:
        size += [rng.choice((0, 1 << 31, 1 << 62, (1 << 63) - 1))]
    stride = [1] * len(size)
    for i in range(len(size) - 2, -1, -1):
        stride[i] = min(stride[i + 1] * max(size[i + 1], 1), (1 << 63) - 1)
    if rng.random() < 0.1 and stride:
        stride[rng.randrange(len(stride))] = rng.choice((0, 1, 2, 1 << 62))
    return tuple_of(map(integer, size)), tuple_of(map(integer, stride))


def some_tensor(rng, kind="FloatStorage"):
    size, stride = some_size(rng)
    where = rng.choice(PLACES) if rng.random() < 0.2 else "cpu"
    if rng.random() < 0.1:
        kind = rng.choice(list(KINDS))
    store = storage(kind, items=integer(len(NUMBERS) // KINDS[kind]), device=where)
    grad = rng.choice((b"\x88", b"\x89")) if rng.random() < 0.95 else b"K\x01"
    made = tensor(store, integer(rng.choice((0, 0, 0, 1, 2))), size, stride, grad)
    if rng.random() < 0.15:
        made = b"ctorch._utils\n_rebuild_parameter\n(" + made + rng.choice((b"\x88", b"\x89")) + HOOKS + b"tR"
    return made


def some_scalar(rng):
    return rng.choice((lambda: text(rng.choice(("a", "b", "1", "", "a.b"))), lambda: integer(rng.choice((0, 1, 2, -1, 300, 1 << 40, 1 << 70))),
                       lambda: real(rng.choice((0.0, -0.0, 1.0, 0.5, float("nan")))), lambda: rng.choice((b"\x88", b"\x89", b"N")),
                       lambda: b"ctorch\nfloat32\n"))()


def some_call(rng):
    """Of torch.device or torch.Size."""
    if rng.random() < 0.5:
        first = text(rng.choice(PLACES)) if rng.random() < 0.9 else some_scalar(rng)
        more = [integer(rng.choice((0, 1, 127, 128, -1)))] if rng.random() < 0.3 else []
        return b"ctorch\ndevice\n" + tuple_of([first, *more]) + b"R"
    items = [integer(rng.choice((0, 1, 2, 1 << 40))) if rng.random() < 0.8 else some_scalar(rng) for _ in range(rng.randrange(4))]
    return b"ctorch\nSize\n" + tuple_of([tuple_of(items)]) + b"R"


def some_value(rng, depth=0):
    what = rng.random()
    if what < 0.3:
        return some_tensor(rng)
    if what < 0.6 or depth > 2:
        return some_scalar(rng)
    if what < 0.7:
        return some_call(rng)
    if what < 0.8:
        return tuple_of(some_value(rng, depth + 1) for _ in range(rng.randrange(3)))
    if what < 0.9:
        return b"](" + b"".join(some_value(rng, depth + 1) for _ in range(rng.randrange(3))) + b"e"
    return some_dict(rng, depth + 1)


def some_dict(rng, depth=0):
    """A key of a dozen is of a kind that Python cannot hash, or the dict itself."""
    pairs = b""
    for i in range(rng.randrange(4)):
        key = text(f"k{i}") if rng.random() < 0.6 else some_scalar(rng)
        if rng.random() < 0.08:
            key = rng.choice((lambda: b"h\x00", lambda: some_value(rng, depth + 2), lambda: tuple_of([some_scalar(rng), some_value(rng, 2)])))()
        pairs += key + some_value(rng, depth)
    return rng.choice((b"}", HOOKS)) + (b"q\x00" if depth == 0 else b"") + b"(" + pairs + b"u"


def vary(rng, entries):
    """One change of what records there are: torch looks them up in any case, in the folder of the first, by a version."""
    record = rng.choice(entries)
    name = record.name.decode()
    what = rng.randrange(6)
    if what == 0:
        record.name = rng.choice((name.upper(), name[:2] + name[2:].upper(), name[:2] + name[2:].capitalize(), name + "/")).encode()
    elif what == 1:
        twin = Entry(rng.choice((name.upper(), name[:2] + name[2:].upper())), rng.choice((record.data[::-1], b"99", b"big")))
        entries.insert(rng.randrange(len(entries) + 1), twin)
    elif what == 2:
        entries.remove(record)
    elif what == 3:
        number = rng.choice((b"3", b"3\n", b"1", b"10", b"0", b"11", b"99", b"abc", b"", b"-3", b"3 "))
        entries.append(Entry("m/.data/version", number))
        if rng.random() < 0.5:
            del entries[3]
    elif what == 4:
        entries[3].data = rng.choice((b"1", b"10\n", b"0", b"11", b"three", b"", b"+3"))
    else:
        other = rng.choice(("m/", "m/data/", "n/", "M/x", "x", "m.x/y", "m/constants.pkl", "constants.pkl", "m/CONSTANTS.PKL", "m/x/y"))
        entries.insert(rng.randrange(len(entries) + 1), Entry(other, rng.choice((b"", b"", b"x"))))
    return entries


def entries_around(pickle):
    """A .pt file's, whose pickle this is and whose one storage holds NUMBERS."""
    return [Entry("m/data.pkl", pickle), Entry("m/byteorder", b"little"), Entry("m/data/0", NUMBERS), Entry("m/version", b"3\n")]


def compose_pt(rng):
    body = some_dict(rng) if rng.random() < 0.9 else some_value(rng)
    protocol = rng.choice((2, 2, 2, 3, 4, 5))
    frame = b"\x95" + struct.pack("<Q", len(body) + 1) if rng.random() < 0.05 else b""
    entries = entries_around(b"\x80" + bytes([protocol]) + frame + body + b".")
    return build(vary(rng, entries) if rng.random() < 0.2 else entries)


def compose_npy(rng):
    shape = [rng.choice((0, 1, 2, 3)) for _ in range(rng.randrange(4))]
    if rng.random() < 0.4:
        shape[rng.randrange(len(shape) + 1) : 0] = [0, rng.choice((1 << 30, 1 << 31, 1 << 59, 1 << 60, 1 << 62, (1 << 63) - 1, 1 << 63, 1 << 64))]
        rng.shuffle(shape)
    kind, size = rng.choice((("<f4", 4), ("<f2", 2), ("|b1", 1), ("<i8", 8), ("<f8", 8), ("|u1", 1), ("<u2", 2)))
    if rng.random() < 0.05:
        kind = rng.choice((">f4", "f4", "=f4", "<u1", "|f4", "<b1", "F4", "<f16"))
    gap = lambda: rng.choice(("", " ", "\n", "  ", "\t", "\f", "\\\n", "#\n")) if rng.random() < 0.05 else ""
    number = lambda n: rng.choice(("0%d", "+%d", "-%d", "%dL", "%d_0", "0x%x", "%d.0")) % n if rng.random() < 0.02 else str(n)
    comma = "," if len(shape) == 1 or rng.random() < 0.05 else ""
    pairs = [("descr", repr(kind)), ("fortran_order", rng.choice(("False",) * 19 + ("True", "0", "None"))),
             ("shape", "(" + gap() + ("," + gap() + " ").join(map(number, shape)) + comma + gap() + ")")]
    if rng.random() < 0.1:
        rng.shuffle(pairs)
    header = gap() + "{" + gap() + ", ".join(f"'{k}'{gap()}:{gap()} {v}{gap()}" for k, v in pairs) + rng.choice((", ", "", ",")) + "}" + gap()
    length = rng.choice((118, 118, 9999, 10000, 10001, 20000)) if rng.random() < 0.2 else 118
    header = (header.ljust(length - 1) + "\n").encode("latin-1")
    version = rng.choice((1, 1, 2, 3))
    items = 1
    for n in shape:
        items *= n
    content = rng.randbytes(min(items * size, 1024))
    if kind == "|b1":
        content = bytes(b & rng.choice((1, 1, 1, 255)) for b in content)
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header + content


def compose_safetensors(rng):
    shape = [rng.choice((0, 1, 2, 3)) for _ in range(rng.randrange(4))]
    if rng.random() < 0.3:
        shape[rng.randrange(len(shape) + 1) : 0] = [0, rng.choice((1 << 31, 1 << 60, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64))]
        rng.shuffle(shape)
    kind, size = rng.choice((("F32", 4), ("F16", 2), ("BF16", 2), ("F64", 8), ("I64", 8), ("U8", 1), ("BOOL", 1), ("F8", 1), ("f32", 4)))
    items = 1
    for n in shape:
        items *= n
    number = lambda n: rng.choice(("%d.0", "-%d", "0%d", "%de0", '"%d"')) % n if rng.random() < 0.02 else str(n)
    bytes_ = min(items * size, 1024)
    fields = [f'"dtype":"{kind}"', '"shape":[' + ",".join(map(number, shape)) + "]", f'"data_offsets":[{number(0)},{number(bytes_)}]']
    if rng.random() < 0.1:
        fields.append(rng.choice(('"x":1', '"dtype":"F32"', '"shape":[]')))
    if rng.random() < 0.1:
        rng.shuffle(fields)
    name = rng.choice(("w", "", "w.b", "\\u00e9", "\\ud800", "a\\u0000b", "\\q"))
    head = ('{"' + name + '":{' + ",".join(fields) + "}}").encode()
    if rng.random() < 0.3:
        head = head.ljust(-(-len(head) // 8) * 8, rng.choice((b" ", b" ", b" ", b"\n", b"\0")))
    return struct.pack("<Q", len(head)) + head + bytes(bytes_)


COMPOSE = {"pt": compose_pt, "npy": compose_npy, "safetensors": compose_safetensors}


# ---- tests ----


@pytest.mark.parametrize("kind", FORMATS)
def test_seeds_and_hostile_files(kind, replay):
    files = seeds(kind)
    taken, wrong = compare(kind, files, replay)
    assert not wrong, "\n".join(wrong)
    assert taken >= 3 and taken < len(files), f"{taken} of {len(files)} files accepted"


def test_pickles(replay, tmp_path):
    """Those that the pickle machine is tried with by itself, each as that of a file."""
    files = []
    for folder in ("hostile/pickle", "fuzz/corpus/pickle"):
        for f in sorted((TESTS / folder).iterdir()):
            files.append(tmp_path / f"{f.name}.pt")
            files[-1].write_bytes(build(entries_around(f.read_bytes())))
    taken, wrong = compare("pt", files, replay)
    assert not wrong, "\n".join(wrong)
    assert taken >= 10 and taken < len(files), f"{taken} of {len(files)} files accepted"


def compare_many(kind, replay, folder, count, content):
    """Compares `count` files of content(), of which those that are wrong are left; how many we accept."""
    accepted, wrong = 0, []
    for at in range(0, count, 2000):
        files = [folder / f"{i}.{kind}" for i in range(at, min(at + 2000, count))]
        for f in files:
            f.write_bytes(content())
        taken, more = compare(kind, files, replay)
        accepted += taken
        wrong += more
        for f in files:
            if not any(str(f) in line for line in more):
                f.unlink()
    print(f"{kind}: {accepted} of {count} files accepted, {len(wrong)} wrong")
    assert not wrong, f"seed {SEED}: {len(wrong)} of {count}\n" + "\n".join(wrong[:20])
    return accepted


@pytest.mark.parametrize("kind", FORMATS)
def test_mutations(kind, replay, tmp_path):
    rng = random.Random(f"{SEED} {kind}")
    start = sound(kind)
    assert len(start) >= 3

    def mutated():
        content = mutate(rng, rng.choice(start), 600)
        if kind == "pt" and rng.random() < 0.7:
            content = zip_repaired(content)
        if kind == "safetensors" and rng.random() < 0.5:
            content = length_repaired(content)
        return content

    accepted = compare_many(kind, replay, tmp_path, MUTATIONS, mutated)
    assert accepted > MUTATIONS // 50, f"only {accepted} of {MUTATIONS} accepted: the mutations test nothing"


@pytest.mark.parametrize("kind", FORMATS)
def test_composed_files(kind, replay, tmp_path):
    rng = random.Random(f"{SEED} composed {kind}")
    accepted = compare_many(kind, replay, tmp_path, COMPOSED, lambda: COMPOSE[kind](rng))
    assert COMPOSED // 8 < accepted < COMPOSED - COMPOSED // 8, f"{accepted} of {COMPOSED} accepted: the files test nothing"

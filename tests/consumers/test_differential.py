# SPDX-License-Identifier: MIT
"""We never accept what torch.load(weights_only=True), safetensors and np.load(allow_pickle=False) reject, and where both
accept a file its tensors are equal bit for bit: over the seeds of the fuzz targets, the hostile files, and seeded
mutations of sound files.

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
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors")

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
FORMATS = {"pt": "torch.load", "npy": "np.load", "safetensors": "safetensors.deserialize"}
LONG = bool(os.environ.get("SAFEROUTE_LONG"))
MUTATIONS = 20000 if LONG else 300
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


def read_pt(content):
    to = {}
    flatten(torch.load(io.BytesIO(content), weights_only=True, map_location="cpu"), "", to)
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


def seeds(kind):
    folders = {"pt": ["fuzz/corpus/pt", "hostile/pt", "vectors/pt", "vectors/convert"],
               "npy": ["fuzz/corpus/npy", "hostile/npy"],
               "safetensors": ["fuzz/corpus/safetensors", "fuzz/corpus/weights", "hostile/safetensors", "vectors/pt", "vectors"]}
    found = []
    for folder in folders[kind]:
        found += sorted(f for f in (TESTS / folder).glob("*") if f.is_file() and f.suffix not in OTHERS[kind])
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


# ---- tests ----


@pytest.mark.parametrize("kind", FORMATS)
def test_seeds_and_hostile_files(kind, replay):
    files = seeds(kind)
    taken, wrong = compare(kind, files, replay)
    assert not wrong, "\n".join(wrong)
    assert taken >= 3 and taken < len(files), f"{taken} of {len(files)} files accepted"


@pytest.mark.parametrize("kind", FORMATS)
def test_mutations(kind, replay, tmp_path):
    rng = random.Random(f"{SEED} {kind}")
    start = sound(kind)
    assert len(start) >= 3
    total = accepted = 0
    wrong = []
    while total < MUTATIONS:
        files = []
        for i in range(min(2000, MUTATIONS - total)):
            content = mutate(rng, rng.choice(start), 600)
            if kind == "pt" and rng.random() < 0.7:
                content = zip_repaired(content)
            if kind == "safetensors" and rng.random() < 0.5:
                content = length_repaired(content)
            f = tmp_path / f"{total + i}.{kind}"
            f.write_bytes(content)
            files.append(f)
        taken, more = compare(kind, files, replay)
        accepted += taken
        wrong += more
        total += len(files)
        for f in files:
            if not any(str(f) in line for line in more):
                f.unlink()
    print(f"{kind}: {accepted} of {total} mutations accepted, {len(wrong)} wrong")
    assert not wrong, f"seed {SEED}: {len(wrong)} of {total}\n" + "\n".join(wrong[:20])
    assert accepted > total // 50, f"only {accepted} of {total} accepted: the mutations test nothing"

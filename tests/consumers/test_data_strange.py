# SPDX-License-Identifier: MIT
"""Strange dumps that the `saferoute data` commands write anew, or refuse to: values that lie elsewhere, filters of others."""
import subprocess
import sys

import pytest

from test_data_commands import write_dump

h5py = pytest.importorskip("h5py")
np = pytest.importorskip("numpy")

ROWS, WIDTH = 20, 48


def refused(saferoute, folder, make, word, command=("repack",)):
    """A small dump, changed by `make`, which the command must refuse with that word; nothing must be written."""
    old, new = write_dump(folder / "a.h5", rows=ROWS, width=WIDTH), folder / "new.h5"
    with h5py.File(old, "a") as f:
        make(f)
    message = saferoute("data", *command, old, "--out", new, status=65)
    assert word in message, message
    assert not new.exists()


def virtual(name, shape, source):
    """What puts a virtual dataset of that shape into a file, over a source file that is not there or is."""
    def make(f):
        layout = h5py.VirtualLayout(shape=shape, dtype=np.float16)
        layout[:] = h5py.VirtualSource(source, "x", shape=shape)
        if name in f:
            del f[name]
        f.create_virtual_dataset(name, layout)
    return make


def test_values_of_other_files_are_refused(saferoute, tmp_path):
    where = str(tmp_path / "gone.h5")
    refused(saferoute, tmp_path, virtual("features", (ROWS, WIDTH), where), "/features is a virtual dataset")
    refused(saferoute, tmp_path, virtual("mean", (7, 3), where), "/mean is a virtual dataset")
    refused(saferoute, tmp_path, virtual("about/mean", (7, 3), where), "/about/mean is a virtual dataset")
    with h5py.File(where, "w") as f:
        f["x"] = np.ones((7, 3), np.float16)
    refused(saferoute, tmp_path, virtual("mean", (7, 3), where), "/mean is a virtual dataset")

    def external(name, rows):
        (tmp_path / "raw").write_bytes(bytes(8 * rows))
        return lambda f: f.create_dataset(name, (rows,), "i8", external=[(str(tmp_path / "raw"), 0, 8 * rows)])

    refused(saferoute, tmp_path, external("extra", ROWS), "/extra is an external dataset")
    refused(saferoute, tmp_path, external("other", 3), "/other is an external dataset")


def test_attributes_have_an_end(saferoute, tmp_path):
    def refuse(name, value, word, *command):
        path = tmp_path / "large.h5"
        with h5py.File(path, "w", libver="latest") as f:  # in which an attribute may be so large
            f["features"], f["label"] = np.ones((ROWS, WIDTH), np.float16), np.arange(ROWS) % 2
            f.attrs[name] = value
        message = saferoute("data", command[0], path, *command[1:], status=65)
        assert f"attribute {name} of / says that {word}" in message, message

    refuse("feature_model", np.bytes_(b"a" * (17 << 20)), "its strings have more than 16 MB", "inspect")
    refuse("note", np.zeros(65 << 20, "u1"), "it has more than 64 MB", "repack", "--out", tmp_path / "new.h5")
    assert not (tmp_path / "new.h5").exists()


def test_filters_that_are_not_there(saferoute, tmp_path):
    def packed(name, rows):
        return lambda f: f.create_dataset(name, data=np.arange(rows), compression="lzf")

    refused(saferoute, tmp_path, packed("extra", ROWS), "/extra is compressed with lzf (HDF5 filter 32000), which is not")
    old, new = write_dump(tmp_path / "a.h5", rows=ROWS, width=WIDTH), tmp_path / "new.h5"
    with h5py.File(old, "a") as f:
        packed("other", 3)(f)  # no column of rows: its chunks are copied as they are
    saferoute("data", "repack", old, "--out", new)
    with h5py.File(new) as f:
        assert list(f["other"]) == [0, 1, 2] and f["other"].compression == "lzf"


def test_the_file_within_itself(saferoute, tmp_path):
    refused(saferoute, tmp_path, lambda f: f["about"].__setitem__("root", f["/"]), "/about/root is the file's root once more")
    refused(saferoute, tmp_path, lambda f: f.__setitem__("self", f["/"]), "/self is the file's root once more")
    old, new = write_dump(tmp_path / "a.h5", rows=ROWS, width=WIDTH), tmp_path / "new.h5"
    with h5py.File(old, "a") as f:
        f["about"]["again"] = f["about"]
    saferoute("data", "repack", old, "--out", new)
    with h5py.File(new) as f:
        assert f["about/again/again/author"][()] == b"somebody" and len(f["about"]) == 2


def with_ids(folder, ids):
    """A dump whose column of ids is that array."""
    old = write_dump(folder / "old.h5", rows=len(ids), width=8)
    with h5py.File(old, "a") as f:
        del f["id"]
        f["id"] = ids
    return old


def drop(saferoute, folder, old, lines, status=0):
    (folder / "ids").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return saferoute("data", "drop", old, "--ids", folder / "ids", "--out", folder / "new.h5", status=status)


def kept(folder):
    with h5py.File(folder / "new.h5") as f:
        return [x.tobytes() if isinstance(x, np.void) else x for x in f["id"][()]]


def test_drop_of_large_unsigned_ids(saferoute, tmp_path):
    old = with_ids(tmp_path, np.array([5, 2**63 + 7, 2**64 - 1], np.uint64))
    assert "2 dropped for 2 ids" in drop(saferoute, tmp_path, old, [2**63 + 7, 2**64 - 1])
    assert kept(tmp_path) == [5]


def test_drop_of_bytes_however_they_are_spelled(saferoute, tmp_path):
    """Two ids are printable, so that as strings they read as text; what a row reads as is its own affair."""
    names = [bytes([200, i]) + b"-some-bytes-00"[:14] for i in range(10)] + [b"printable-bytes1", b"printable-bytes2"]
    for kind in "V16", "S16":
        old = with_ids(tmp_path, np.array(names, kind))
        plain = names[3].hex()
        dashed = f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}"
        assert "1 dropped for 1 ids" in drop(saferoute, tmp_path, old, [plain, dashed, dashed.upper()])
        assert kept(tmp_path) == names[:3] + names[4:]
        assert "1 dropped for 1 ids" in drop(saferoute, tmp_path, old, [names[10].hex()])
        assert kept(tmp_path) == names[:10] + names[11:]
        # of the rows that are left every one is printable: they must not read as something else than before
        assert "11 dropped" in drop(saferoute, tmp_path, old, [n.hex() for n in names[:11]])
        out = drop(saferoute, tmp_path, tmp_path / "new.h5", [names[10].hex(), names[11].hex().upper()], status=65)
        assert "no row would be left" in out
    old = with_ids(tmp_path, np.array(names[10:], "S16"))
    assert "1 dropped for 1 ids" in drop(saferoute, tmp_path, old, ["printable-bytes2"])
    assert "first id is \"printable-bytes1\"" in drop(saferoute, tmp_path, old, ["nobody"], status=1)


def test_drop_of_ids_with_blanks(saferoute, tmp_path):
    old = with_ids(tmp_path, [" a", "b ", "c", "A", "ab-cd"])
    assert "2 dropped for 2 ids" in drop(saferoute, tmp_path, old, ["a", "b", "AB-CD", "abcd"])
    assert kept(tmp_path) == [b"c", b"A", b"ab-cd"]  # of text, dashes and case are part


def test_drop_names_what_it_copied_whole(saferoute, tmp_path):
    old = with_ids(tmp_path, [f"p{i}" for i in range(6)])
    out = drop(saferoute, tmp_path, old, ["p1"])
    assert "its column of ids holds none of them\n" in out
    assert "look whether they tell of those rows: /about, /empty, /total, the attribute list, the attribute nothing\n" in out
    with h5py.File(old, "a") as f:
        f["text_bytes"], f["text_offsets"] = np.arange(99, dtype=np.uint8), np.arange(7)
        f["features_T"] = np.ones((8, 6), np.float16)
        f.attrs["note"] = "p1 asked twice"
    out = drop(saferoute, tmp_path, old, ["p1"])
    for name in "/features_T, ", "/text_bytes, /text_offsets, ", "the attribute note, ":
        assert name in out
    assert "/prompt" not in out and "verdict_head" not in out and "feature_model" not in out


def test_drop_names_where_the_ids_still_are(saferoute, tmp_path):
    """In strings of fixed and variable length, as a value of a column or as a word of what is copied whole."""
    names = [f"p{i}" for i in range(5000)]  # more than a band
    old = with_ids(tmp_path, names)
    gone = ["p1", "p4998"]
    out = drop(saferoute, tmp_path, old, gone)
    assert "still named" not in out

    def named(make, where):
        with h5py.File(old, "r+") as f:
            name = make(f)
        out = drop(saferoute, tmp_path, old, gone)
        assert f"still named in: {where}\n" in out, out
        with h5py.File(old, "r+") as f:
            for holder in f, f.attrs:
                if name in holder:
                    del holder[name]

    def put(name, value, attribute=False):
        def make(f):
            (f.attrs if attribute else f)[name] = value
            return name
        return make

    other = ["-"] * 4999
    named(put("parent", other[:4990] + ["p4998"] + other[4991:] + ["-"]), "/parent")
    named(put("parent", np.array(other[:4990] + [" p1"] + other[4991:] + ["-"], "S9")), "/parent")
    named(put("pairs", np.array([["-", "p1"]] * 7, "S3")), "/pairs")
    named(put("asked", "rows p1, p7"), "/asked")
    named(put("asked", np.bytes_("p4998")), "/asked")
    named(put("log", ["p2", '{"id": "p1"}']), "/log")
    named(put("note", "about (p4998)", attribute=True), "the attribute note")
    named(put("notes", ["p2", "p1"], attribute=True), "the attribute notes")
    with h5py.File(old, "r+") as f:
        f["said"] = ["p1 is what somebody wrote"] * 5000  # a word of a text of another row names nobody
        f["longer"], f["nothing"] = "p10 xp1 p1x p1-p4998", h5py.Empty("S3")
        f.attrs["feature_model"] = "p1"
    assert "still named" not in drop(saferoute, tmp_path, old, gone)


def test_drop_does_not_write_over_the_list(saferoute, tmp_path):
    old = with_ids(tmp_path, ["a", "b"])
    (tmp_path / "ids").write_text("a\n")
    for out in tmp_path / "ids", tmp_path / "." / "ids":
        message = saferoute("data", "drop", old, "--ids", tmp_path / "ids", "--out", out, status=2)
        assert "is the list of ids" in message
    assert (tmp_path / "ids").read_text() == "a\n"


def test_large_attributes(saferoute, tmp_path):
    """More than 64 KB of an attribute, which only files of the newer format can have."""
    plain, old, new = write_dump(tmp_path / "plain.h5", rows=ROWS), tmp_path / "old.h5", tmp_path / "new.h5"
    with h5py.File(plain) as f, h5py.File(old, "w", libver="latest") as g:
        for name in set(f) - {"source"}:
            f.copy(name, g)
        g["source"] = f["source"][()]
        g.attrs["notes"] = np.arange(40000)
        g["source"].attrs["names"] = np.array([f"source {i}" for i in range(20000)], "S16")
    saferoute("data", "repack", old, "--out", new)
    with h5py.File(new) as f:
        assert np.array_equal(f.attrs["notes"], np.arange(40000)) and len(f["source"].attrs["names"]) == 20000
    saferoute("data", "repack", plain, "--out", new)
    assert new.read_bytes()[8] == 0  # the superblock's version: what older readers know stays what they know


def test_long_strings_take_the_memory_of_short_ones(program, tmp_path):
    """Room for 50,000 bytes an id, of which 5 are used: 200 MB in the file, were it not compressed."""
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["features"], f["label"] = np.eye(4000, 4, dtype=np.float16), np.arange(4000) % 2
        f.create_dataset("id", (4000,), "S50000", chunks=(50,), compression="gzip", compression_opts=1)
        for i in range(0, 4000, 50):
            f["id"][i : i + 50] = np.array([f"p{k}" for k in range(i, i + 50)], "S50000")
    # a process begins with the peak of the one that starts it, so that is a small one
    code = """import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(status, usage.ru_maxrss, file=sys.stderr)"""
    done = subprocess.run([sys.executable, "-S", "-c", code, program, "data", "inspect", tmp_path / "a.h5"],
                          capture_output=True, text=True, check=True)
    status, most = map(int, done.stderr.split())
    assert status == 0 and most < 100 << 10  # KB; 200 MB were read at once, and copied


def test_rows_of_other_files_are_not_trained_on(saferoute, tmp_path):
    layout = h5py.VirtualLayout((ROWS, WIDTH), np.float16)
    layout[:] = h5py.VirtualSource("gone.h5", "features", (ROWS, WIDTH))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_virtual_dataset("features", layout)
        f["label"] = np.arange(ROWS) % 2
    text = saferoute("train", "--train", tmp_path / "a.h5", "--val-fraction", 0.5, "--out", tmp_path / "run", status=65)
    assert "/features is a virtual dataset: its values lie in other files, which are not read" in text
    assert "(h5py: v = f[name][...]; del f[name]; f[name] = v)" in text

# SPDX-License-Identifier: MIT
"""Strange dumps that the `saferoute data` commands write anew, or refuse to: values that lie elsewhere, filters of others."""
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

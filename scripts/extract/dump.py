# SPDX-License-Identifier: MIT
"""The dump being written: OUT.part, an HDF5 file with all its space taken from the start, and OUT.part.json, which says
by what settings and how far.

Everything that is not a number of a row is written when the file is made, so a process that is killed leaves a file
that is whole but for rows, and the .json, replaced after every flush, knows which. The same command goes on; another
one is refused. The dump gets its name when it is complete, and it does not show where it was interrupted. A disk that
is too small is told when the file is made: HDF5 does not survive one that becomes full.
"""
import errno
import json
import os

import h5py
import numpy as np

from stop import DATA, IO, USAGE, Stop
from verdicts import THRESHOLD, UNREADABLE

SETTINGS = ("small_settings", "large_settings")  # attributes: hashes of all that decides what a guard's part is
_ABANDONED = []  # files that could not be written; held, for letting them go closes them
_BROKEN = (OSError, RuntimeError)  # what h5py makes of a failure to read or write
BAND = 256  # rows a chunk, as the program reads them
LARGEST = {"float16": 65504.0, "float32": float(np.finfo(np.float32).max)}


def _sync(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _reserve(path, size):
    """Takes space for the file, so that it is lacking now or never. OSError."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.posix_fallocate(fd, 0, size)
    except AttributeError:  # not every system has it
        pass
    except OSError as e:
        if e.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):  # nor every file system
            raise
    finally:
        os.close(fd)


def _remove(path):
    if os.path.exists(path):
        os.remove(path)


def _make(file, name, shape, dtype, fill):
    """A dataset whose space is taken at once, so that writing rows changes none of HDF5's own structures."""
    space = h5py.h5s.create_simple(shape)
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if len(shape) == 2:
        how.set_chunk((min(BAND, shape[0]), shape[1]))
    how.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    if fill is None:
        how.set_fill_time(h5py.h5d.FILL_TIME_NEVER)  # every row will be written; the zeros would cost as much again
    else:
        how.set_fill_value(np.asarray(fill, dtype))
    how.set_obj_track_times(False)
    h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(np.dtype(dtype), logical=True), space, how)
    return file[name]


def _texts(file, name, values):
    """Texts of one length, as UTF-8."""
    values = [v.encode() for v in values]
    kind = h5py.string_dtype("utf-8", max(1, max(map(len, values))))
    file.create_dataset(name, data=np.array(values, kind), dtype=kind)


def _differences(there, now):
    return [f"{key} was {there.get(key)!r} and is {now.get(key)!r}" for key in sorted({*there, *now})
            if there.get(key) != now.get(key)]


def _verdicts(prob):
    return np.where(np.isnan(prob), UNREADABLE, prob >= np.float32(THRESHOLD)).astype(np.int8)


class Dump:
    """Use: begin(), make() if it says that there is nothing yet, put() and save() as rows come, finish()."""

    def __init__(self, out, settings, hashes):
        self.out, self.part, self.note = out, out + ".part", out + ".part.json"
        self.settings, self.hashes, self.file, self.done = settings, hashes, None, {}

    # ---- beginning ----

    def is_complete(self, overwrite):
        """Whether OUT is there and what these settings make: no more either, as a merged file has for one guard's
        pass. Stop where it is something else."""
        if not os.path.exists(self.out):
            return False
        try:
            with h5py.File(self.out) as file:
                if {name: file.attrs[name] for name in SETTINGS if name in file.attrs} == self.hashes:
                    return True
        except OSError:
            pass  # no HDF5 file: not ours
        if not overwrite:
            raise Stop(USAGE, f"{self.out} exists and is not what this command makes; give another --out, or "
                              "--overwrite to replace it once the new one is complete")
        return False

    def begin(self, restart=False):
        """True where an unfinished dump of these settings was found and is open: done says how far it is."""
        note = None if restart else self._read_note()
        if note is None:
            return False
        wrong = _differences(note["settings"], self.settings)
        if wrong:
            raise Stop(USAGE, f"{self.part} was begun with other settings: {'; '.join(wrong[:6])}. Give those to go "
                              "on, or --restart to begin again")
        try:
            self.file = h5py.File(self.part, "r+")
        except OSError as e:
            raise Stop(IO, f"{self.part}: {e}; if no other process has it open, --restart begins again") from None
        self.done = note["done"]
        return True

    def _read_note(self):
        if not (os.path.exists(self.note) and os.path.exists(self.part)):
            return None
        try:
            with open(self.note, encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError) as e:
            raise Stop(IO, f"{self.note}: {e}; --restart begins again") from None

    def make(self, rows, attributes, arrays, texts, columns):
        """arrays {name: (values, attributes)} and texts {name: values} are written now; columns {name: (shape, dtype,
        fill, attributes)} as rows come."""
        size = sum(rows * int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype, _, _ in columns.values())
        try:
            _remove(self.note)
            _remove(self.part)
            _reserve(self.part, max(1, size))
            _remove(self.part)
            self.file = h5py.File(self.part, "w-")
            for key, value in {**attributes, **self.hashes}.items():
                self.file.attrs[key] = value
            for name, values in texts.items():
                _texts(self.file, name, values)
            for name, (values, more) in arrays.items():
                self._set(self.file.create_dataset(name, data=values), more)
            for name, (shape, dtype, fill, more) in columns.items():
                self._set(_make(self.file, name, (rows, *shape), dtype, fill), more)
            self.file.flush()
            _reserve(self.part, os.path.getsize(self.part))  # what was not filled is a hole
            self.save({})
        except _BROKEN as e:
            if self.file is None:
                _remove(self.part)
            self._abandon()
            raise Stop(IO, f"{self.part}: cannot be written, with about {size:,} bytes: {e}") from None

    @staticmethod
    def _set(dataset, attributes):
        for key, value in attributes.items():
            dataset.attrs[key] = value

    # ---- rows ----

    def put(self, name, rows, values):
        """values[i] becomes row rows[i]."""
        dataset, values = self.file[name], np.asarray(values)
        try:
            if dataset.ndim == 1:
                order = np.argsort(rows)
                dataset[np.asarray(rows)[order]] = values[order]
            else:
                for row, value in zip(rows, values):
                    dataset[row] = value
        except _BROKEN as e:
            self._abandon()
            raise Stop(IO, f"{self.part}: cannot be written: {e}; what was saved before is kept") from None

    def save(self, done):
        """What was put is safe on disk, and done (JSON) with it."""
        try:
            self.file.flush()
            _sync(self.part)
            with open(self.note + ".new", "w", encoding="utf-8") as file:
                json.dump({"settings": self.settings, "done": done}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self.note + ".new", self.note)
        except _BROKEN as e:
            self._abandon()
            raise Stop(IO, f"{self.note}: cannot be written: {e}; what was saved before is kept") from None
        self.done = done

    def column(self, name):
        return self.file[name][:] if name in self.file else None

    def finish(self):
        """Closes it and gives it its name. What was interrupted here is finished by another call, after begin()."""
        try:
            for which in ("small", "large"):
                self._drop_idle(f"{which}_prob", f"{which}_pred")
            self.file.close()
            self.file = None
            _sync(self.part)
            os.replace(self.part, self.out)
            _sync(os.path.dirname(os.path.abspath(self.out)))
            os.remove(self.note)
        except _BROKEN as e:
            self._abandon()
            raise Stop(IO, f"{self.out}: cannot be written: {e}; {self.part} is kept, and the same command goes "
                           "on") from None

    def _drop_idle(self, prob_name, pred_name):
        """Takes away probabilities without any, and verdicts that are what the probabilities say: stored verdicts win
        over a threshold, so they would hide where it was."""
        if prob_name not in self.file or pred_name not in self.file:
            return
        prob, pred = self.file[prob_name][:], self.file[pred_name][:]
        if np.isnan(prob).all():
            del self.file[prob_name]
        elif np.array_equal(pred, _verdicts(prob)):
            del self.file[pred_name]

    def verdicts(self, which):
        """/small_pred or /large_pred, or where that was dropped what the probabilities say."""
        pred = self.column(f"{which}_pred")
        return pred if pred is not None else _verdicts(self.column(f"{which}_prob"))

    def _abandon(self):
        """After a failed write: closing the file would try it again, say so, and crash."""
        _ABANDONED.append(self.file)
        self.file = None

    def close(self):
        file, self.file = self.file, None
        try:
            if file is not None:
                file.close()
        except _BROKEN:  # what was saved is what counts
            pass


def as_stored(values, dtype, name, ids):
    """values in the type that is stored. Stop where some are beyond it: an infinity would be a wrong number."""
    over = np.abs(values) > LARGEST[dtype]
    if over.any():
        rows = over.any(1)
        raise Stop(DATA, f"{name}: {int(over.sum())} values in {int(rows.sum())} of the {len(values)} rows of a batch "
                         f"are beyond {dtype}'s {LARGEST[dtype]:g} (the largest is {np.abs(values).max():g}, the first "
                         f"row {ids[int(rows.argmax())]}); --dtype float32 holds them (with --restart)")
    return values.astype(dtype)

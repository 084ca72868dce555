# SPDX-License-Identifier: MIT
"""saferoute: the SafeRoute router in a Python process, on ctypes and NumPy over libsaferoute (saferoute.h).

    import saferoute

    router = saferoute.Router.open("router.safetensors", missing_ok=True)
    d = router.decide_one(hidden, id="request-1")      # hidden: [2048], NumPy or torch
    log(d.json)
    if d.large:
        ask_the_large_guard()

    decisions = router.route(batch)                    # batch: [n, 2048]
    decisions.large, decisions.prob, decisions.reason_names

It fails closed as the C library does: whatever is wrong with a row (another width, a NaN, far from the rows of
training) or with the router (none could be opened), the answer is *large* with a reason. Exceptions are for mistakes
of the program that calls: an array of integers, three dimensions, another number of ids than of rows.

float32 and float16 arrays, bfloat16 ones of ml_dtypes, and float32, float16 and bfloat16 tensors of torch on the CPU
are read where they lie, with any stride between rows. What is copied, once: float64, numbers that do not follow each
other within a row, the other byte order, tensors on another device. torch is never imported from here.

Any number of threads may use one Router at once; the interpreter's lock is released while C computes.
"""
import collections
import ctypes
import ctypes.util
import os
import pathlib
import threading

import numpy as np

__all__ = ["Router", "Decision", "Decisions", "Stats", "SaferouteError", "key", "__version__"]

INTERFACE = 0  # the major version of saferoute.h that the structs below are those of
LIBRARY_NAMES = (f"libsaferoute.so.{INTERFACE}", "libsaferoute.so")
BESIDE = "saferoute.libs"  # where a wheel keeps it, beside this file

ERROR_TEXT, JSON_SIZE, PROMETHEUS_SIZE = 512, 1536, 8192
LOGIT_BUCKETS, REASONS = 32, 16  # counters of struct saferoute_stats
STATUSES = {-2: "USAGE", -3: "DATA", -4: "NOINPUT", -5: "BUG", -6: "NOMEM", -7: "IO"}
DTYPES = {"float32": 1, "bfloat16": 2, "float16": 4}
PRECISIONS = {"stored": 0, "float32": 1, "bfloat16": 2, "int8": 3}
RANGES = {"route": 0, "count": 1, "off": 2}


# ---- the structs of saferoute.h: same names, same order ----

class _Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("text", ctypes.c_char * ERROR_TEXT)]


class _Options(ctypes.Structure):
    _fields_ = [("precision", ctypes.c_int), ("range", ctypes.c_int), ("range_cap", ctypes.c_float),
                ("explore", ctypes.c_float), ("explore_seed", ctypes.c_uint64), ("has_threshold", ctypes.c_int),
                ("threshold", ctypes.c_float), ("reserved", ctypes.c_uint64 * 4)]


class _Rows(ctypes.Structure):
    _fields_ = [("features", ctypes.c_void_p), ("dtype", ctypes.c_int), ("rows", ctypes.c_size_t),
                ("width", ctypes.c_size_t), ("stride", ctypes.c_ssize_t), ("key", ctypes.c_void_p),
                ("reserved", ctypes.c_uint64 * 2)]


class Decision(ctypes.Structure):
    """What was decided about one row; the fields of struct saferoute_decision. `id` is what decide_one was given."""

    _fields_ = [("artefact", ctypes.c_uint8 * 32), ("key", ctypes.c_uint64), ("logit", ctypes.c_float),
                ("prob", ctypes.c_float), ("calibrated", ctypes.c_float), ("threshold", ctypes.c_float),
                ("range", ctypes.c_float), ("range_limit", ctypes.c_float), ("large", ctypes.c_bool),
                ("reason", ctypes.c_uint8), ("precision", ctypes.c_uint8), ("range_mode", ctypes.c_uint8),
                ("reserved", ctypes.c_uint8 * 12)]
    id = None

    @property
    def reason_name(self):
        """"SCORE", "OUT_OF_RANGE", ..."""
        return _library.saferoute_reason_name(self.reason).decode()

    @property
    def reason_text(self):
        """The reason as a sentence for people."""
        return _library.saferoute_reason_text(self.reason).decode()

    @property
    def json(self):
        """One line of JSON for the log, without a line break; `saferoute explain` replays it."""
        return _decision_json(ctypes.byref(self), self.id)

    def __repr__(self):
        return (f"<Decision {'large' if self.large else 'small'} {self.reason_name} prob {self.prob:.4g} "
                f"threshold {self.threshold:.4g}>")


class Stats(ctypes.Structure):
    """Counters of what a Router decided; the fields of struct saferoute_stats, a copy that changes no more."""

    _fields_ = [("rows", ctypes.c_uint64), ("large", ctypes.c_uint64), ("reason", ctypes.c_uint64 * REASONS),
                ("out_of_range", ctypes.c_uint64), ("logit", ctypes.c_uint64 * LOGIT_BUCKETS),
                ("logit_sum", ctypes.c_double), ("recent_rows", ctypes.c_uint64), ("recent_routed", ctypes.c_uint64),
                ("reserved", ctypes.c_uint64 * 8)]

    @property
    def reasons(self):
        """{"SCORE": 990, "OUT_OF_RANGE": 10}: rows by reason, those that came up."""
        return {_library.saferoute_reason_name(i).decode(): n for i, n in enumerate(self.reason) if n}

    @property
    def prometheus(self):
        """The counters in Prometheus' text format."""
        return _text(lambda out, size: _library.saferoute_stats_prometheus(out, size, ctypes.byref(self)),
                     PROMETHEUS_SIZE)

    def __repr__(self):
        return f"<Stats {self.rows} rows, {self.large} large, {self.reasons}>"


DECISION = np.dtype(Decision)


class Decisions(np.ndarray):
    """Decisions as a structured NumPy array, which C wrote: d["logit"], d[3]["prob"], d[d.large]; the properties are
    views of its fields."""

    large = property(lambda self: np.asarray(self["large"]), doc="bool [n]: to the large guard")
    prob = property(lambda self: np.asarray(self["prob"]), doc="float32 [n]; NaN where there is none")
    logit = property(lambda self: np.asarray(self["logit"]), doc="float32 [n]; NaN where there is none")
    reason = property(lambda self: np.asarray(self["reason"]), doc="uint8 [n]: enum saferoute_reason")

    @property
    def reason_names(self):
        """[n] strings: "SCORE", "OUT_OF_RANGE", ..."""
        names = np.array([_library.saferoute_reason_name(i).decode() for i in range(REASONS)])
        return names[np.minimum(self["reason"], REASONS - 1)]

    def json(self, row=0, id=None):
        """Decision `row` as a line of JSON for the log."""
        return _decision_json(ctypes.byref(Decision.from_buffer_copy(np.asarray(self)[row].tobytes())), id)


class SaferouteError(Exception):
    """Why a router could not be opened. status is "USAGE", "DATA", "NOINPUT", "BUG", "NOMEM" or "IO"."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


# ---- the library ----

def _candidates():
    """What to try, in order: what $SAFEROUTE_LIBRARY names, and then nothing else; the wheel's own; the system's."""
    named = os.environ.get("SAFEROUTE_LIBRARY")
    if named:
        return [named]
    here = pathlib.Path(__file__).resolve().parent
    beside = [folder / name for folder in (here / BESIDE, here) for name in LIBRARY_NAMES]
    found = ctypes.util.find_library("saferoute")
    return [str(p) for p in beside if p.exists()] + list(LIBRARY_NAMES[:1]) + ([found] if found else [])


def _load():
    refused = []
    for name in _candidates():
        try:
            library = ctypes.CDLL(name)
            _declare(library)
        except (OSError, AttributeError) as why:  # not there or no library; a library of something else
            refused.append(f"{name}: {why}")
            continue
        version = library.saferoute_version().decode()
        if version.split(".")[0] == str(INTERFACE):
            return library, version
        refused.append(f"{name}: version {version}, this file is for {INTERFACE}.x")
    raise ImportError("libsaferoute is not to be had; install the wheel, or set SAFEROUTE_LIBRARY to the file of it. "
                      "Tried: " + "; ".join(refused))


def _declare(library):
    """The prototypes of saferoute.h that are called from here."""
    void, size, text, integer = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int
    options, error = ctypes.POINTER(_Options), ctypes.POINTER(_Error)
    prototypes = {
        "open": (integer, [ctypes.POINTER(void), text, options, error]),
        "open_memory": (integer, [ctypes.POINTER(void), void, size, options, error]),
        "close": (None, [void]),
        "width": (size, [void]),
        "threshold": (ctypes.c_float, [void]),
        "artefact": (text, [void]),
        "metadata": (text, [void, text]),
        "reason_name": (text, [integer]),
        "reason_text": (text, [integer]),
        "decide": (None, [void, void, ctypes.POINTER(_Rows), ctypes.POINTER(Stats)]),
        "logits": (None, [void, void, ctypes.POINTER(_Rows)]),
        "key": (ctypes.c_uint64, [text, size]),
        "decision_json": (size, [text, size, ctypes.POINTER(Decision), text]),
        "stats_add": (None, [ctypes.POINTER(Stats), ctypes.POINTER(Stats)]),
        "stats_prometheus": (size, [text, size, ctypes.POINTER(Stats)]),
        "version": (text, []),
    }
    for name, (result, arguments) in prototypes.items():
        function = getattr(library, "saferoute_" + name)
        function.restype, function.argtypes = result, arguments


_library, __version__ = _load()


def _text(write, size):
    """What a function that works as snprintf does writes, however long it is."""
    while True:
        out = ctypes.create_string_buffer(size)
        needed = write(out, size)
        if needed < size:
            return out.value.decode()
        size = needed + 1


def _bytes(id):
    return id.encode("utf-8", "surrogatepass") if isinstance(id, str) else bytes(memoryview(id))  # a number is no id


def _decision_json(decision, id):
    id = None if id is None else _bytes(id)
    if id is not None and b"\0" in id:
        raise ValueError("an id for the log holds no NUL: the line would end there")
    return _text(lambda out, size: _library.saferoute_decision_json(out, size, decision, id), JSON_SIZE)


def key(id):
    """64 bits of an id (str or bytes): what decides whether a row is explored, and finds it in the log again."""
    id = _bytes(id)
    return _library.saferoute_key(id, len(id))


# ---- rows of every kind, as struct saferoute_rows ----

def _is_tensor(x):
    return any(c.__module__ == "torch" and c.__name__ == "Tensor" for c in type(x).__mro__)


def _check_shape(shape):
    if len(shape) not in (1, 2):
        raise ValueError(f"rows of features are [n, width], one row is [width]; not {tuple(shape)}")


def _place(address, dtype, shape, strides, item, keep):
    """strides in bytes. keep: what must stay alive while C reads. None if these strides need a copy."""
    rows = shape[0] if len(shape) == 2 else 1
    stride = strides[0] if len(shape) == 2 else 0
    scattered = shape[-1] > 1 and strides[-1] != item
    repeated = rows > 1 and stride == 0  # one row seen n times; to C a stride of 0 says that there are no gaps
    if rows > 0 and (scattered or repeated):
        return None
    out = _Rows(features=address, dtype=DTYPES[dtype], rows=rows, width=shape[-1], stride=stride if rows > 1 else 0)
    out.keep = keep
    return out


def _tensor_rows(x):
    if not x.is_floating_point():
        raise TypeError(f"features are floating point numbers, not {x.dtype}")
    _check_shape(x.shape)
    if x.device.type != "cpu":
        x = x.detach().to("cpu")
    if str(x.dtype).removeprefix("torch.") not in DTYPES:
        x = x.detach().float()
    x = x.resolve_neg()
    item = x.element_size()
    dtype = str(x.dtype).removeprefix("torch.")
    placed = _place(x.data_ptr(), dtype, x.shape, [s * item for s in x.stride()], item, x)
    return placed if placed is not None else _tensor_rows(x.detach().contiguous())


def _array_rows(x):
    x = np.asarray(x)
    name = x.dtype.name
    if name not in DTYPES and x.dtype.kind != "f":
        raise TypeError(f"features are floating point numbers, not {name}")
    _check_shape(x.shape)
    if name not in DTYPES or not x.dtype.isnative:
        with np.errstate(over="ignore"):  # what overflows becomes infinite, and that has a reason of its own
            x, name = x.astype(np.float32), "float32"
    placed = _place(x.ctypes.data, name, x.shape, x.strides, x.itemsize, x)
    return placed if placed is not None else _array_rows(x.copy(order="C"))


def _rows(x):
    return _Rows(rows=1) if x is None else _tensor_rows(x) if _is_tensor(x) else _array_rows(x)


def _set_keys(rows, keys, ids):
    if keys is not None and ids is not None:
        raise TypeError("keys or ids, not both")
    if ids is not None:
        ids = [ids] if isinstance(ids, (str, bytes)) else ids
        keys = np.fromiter((key(i) for i in ids), np.uint64)
    if keys is not None:
        keys = np.ascontiguousarray(keys, np.uint64)
        if keys.shape != (rows.rows,):
            raise ValueError(f"{rows.rows} rows, but keys or ids of shape {keys.shape}")
        rows.key, rows.keep_keys = keys.ctypes.data, keys


# ---- the router ----

class _Handle:
    """A router of the C library, closed when the last user lets go, so that it can be replaced while others decide."""

    def __init__(self, pointer=None):
        self.pointer = pointer
        self._close = _library.saferoute_close

    def __del__(self):
        self._close(self.pointer)


def _choice(what, value, choices):
    if value not in choices:
        raise ValueError(f"{what} is one of {', '.join(choices)}; not {value!r}")
    return choices[value]


def _options(precision="stored", range="route", range_cap=None, explore=0.0, explore_seed=0, threshold=None):
    return _Options(precision=_choice("precision", precision, PRECISIONS), range=_choice("range", range, RANGES),
                    range_cap=range_cap or 0.0, explore=explore, explore_seed=explore_seed,
                    has_threshold=threshold is not None, threshold=0.0 if threshold is None else threshold)


def _open(function, arguments, options):
    pointer, error = ctypes.c_void_p(), _Error()
    status = function(ctypes.byref(pointer), *arguments, ctypes.byref(options), ctypes.byref(error))
    if status < 0:
        raise SaferouteError(STATUSES.get(status, str(status)), error.text.decode("utf-8", "replace"))
    return _Handle(pointer)


def _open_path(path, options):
    path = os.fsencode(path)
    if b"\0" in path:
        raise ValueError("a path holds no NUL")
    return _open(_library.saferoute_open, [path], options)


def _refuse_other_vectors(path, now, new):
    """As saferoute_reload refuses them; the handle of no router fits every other."""
    was, reads = (_library.saferoute_width(handle.pointer) for handle in (now, new))
    if was and reads != was:
        raise SaferouteError("DATA", f"{path}: reads {reads} features a row, the router in use {was}: a router of "
                                     "another model? (other_model=True takes it)")
    for key in ("feature_layer", "feature_norm", "feature_pooling"):
        was, reads = (_metadata(handle, key) for handle in (now, new))
        if None not in (was, reads) and reads != was:
            raise SaferouteError("DATA", f'{path}: {key} is "{reads}", in the router in use "{was}": it reads other '
                                         "vectors (other_model=True takes it)")


def _metadata(handle, key):
    value = _library.saferoute_metadata(handle.pointer, key.encode())
    return None if value is None else value.decode()


class Router:
    """A router, shared by any number of threads. Router.open and Router.from_bytes make one."""

    def __init__(self):
        self._handle = _Handle()
        self._options = _options()
        self._reloading = threading.Lock()
        self._idle = collections.deque()  # counters that no call writes to just now
        self._counters = []  # all of them: as many as calls were ever under way at once
        self.error = None  # with missing_ok: why there is no router

    @classmethod
    def open(cls, path, *, missing_ok=False, **options):
        """Opens a router: the safetensors file of `saferoute train`, `sweep --out` or `export`.

        precision: "stored" (float32, or what the file was exported with), "float32", "bfloat16" (half the memory),
            "int8" (a quarter).
        range: what becomes of rows far from those of training: "route" to the large guard, "count" only, "off".
        range_cap: the share of recent rows, up to 1, that "route" may send; past it the reason is OVERLOAD.
        explore, explore_seed: this share of rows goes to the large guard whatever their score, chosen by their keys.
        threshold: instead of the stored one.
        missing_ok: where none can be opened, a router that answers large, NO_ROUTER, so that a service can start;
            `error` says why there is none, and reload opens one later. Without it SaferouteError is raised.
        """
        return cls._made(lambda o: _open_path(path, o), missing_ok, options)

    @classmethod
    def from_bytes(cls, data, *, missing_ok=False, **options):
        """The same from the bytes of such a file, which are not needed afterwards."""
        data = bytes(data)
        return cls._made(lambda o: _open(_library.saferoute_open_memory, [data, len(data)], o), missing_ok, options)

    @classmethod
    def _made(cls, open_with, missing_ok, options):
        self = cls()
        self._options = _options(**options)
        try:
            self._handle = open_with(self._options)
        except SaferouteError as why:
            if not missing_ok or why.status == "USAGE":
                raise
            self.error = why
        return self

    def reload(self, path, other_model=False):
        """Opens path with the options of this router and puts it in its place; calls under way end with the old one. If
        that fails, SaferouteError is raised and the old router stays. So it does where the new one reads other vectors
        (another width, feature_layer, feature_norm or feature_pooling), unless other_model says that they come."""
        with self._reloading:
            new = _open_path(path, self._options)
            if not other_model:
                _refuse_other_vectors(os.fspath(path), self._handle, new)
            self._handle, self.error = new, None

    def close(self):
        """Frees the router. What is asked of it afterwards is answered large, NO_ROUTER."""
        with self._reloading:
            self._handle = _Handle()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def __bool__(self):
        return self._handle.pointer is not None

    def __repr__(self):
        if not self:
            return f"<Router none: {self.error}>" if self.error else "<Router none>"
        return f"<Router width {self.width} threshold {self.threshold:.4g} artefact {self.artefact[:12]}>"

    @property
    def width(self):
        """Features a row; 0 without a router."""
        handle = self._handle
        return _library.saferoute_width(handle.pointer)

    @property
    def threshold(self):
        """The threshold that holds (float32): given, stored, or .6 where none was chosen. NaN without a router."""
        handle = self._handle
        return _library.saferoute_threshold(handle.pointer)

    @property
    def artefact(self):
        """SHA-256 of the router's file in 64 hex digits; "" without a router."""
        handle = self._handle
        return _library.saferoute_artefact(handle.pointer).decode()

    def metadata(self, key):
        """A value of the file's metadata ("feature_norm", "threshold_rule", ...); None where it says nothing of it."""
        return _metadata(self._handle, key)

    def route(self, x, keys=None, ids=None):
        """Decisions about the rows of x: [n, width], or [width] for one. Counted in `stats`.

        ids: n strings or bytes, or keys: their saferoute.key, n numbers of 64 bits. They decide which rows are explored
        and are logged; without them none is. x None: there are no features, one row.
        """
        rows = _rows(x)
        _set_keys(rows, keys, ids)
        out = np.zeros(rows.rows, DECISION)
        self._decide(out.ctypes.data, rows)
        return out.view(Decisions)

    def decide_one(self, x, id=None):
        """The Decision about one row, [width] or [1, width]; its `json` is the line for the log, with the id in it."""
        rows = _rows(x)
        if rows.rows != 1:
            raise ValueError(f"one row, not {rows.rows}: route takes many")
        _set_keys(rows, None, None if id is None else [id])
        out = Decision()
        self._decide(ctypes.addressof(out), rows)
        out.id = id
        return out

    def logits(self, x):
        """float32 [n]: the network's outputs, whatever range and explore say; nothing is counted. NaN for a row that is
        not finite. ValueError where route would say NO_ROUTER or WIDTH: a NaN is easily taken for a small number."""
        rows, handle = _rows(x), self._handle
        width = _library.saferoute_width(handle.pointer)
        if rows.width != width or x is None:
            raise ValueError(f"rows have {rows.width} features, the router reads {width}" if width else "no router")
        out = np.empty(rows.rows, np.float32)
        _library.saferoute_logits(handle.pointer, out.ctypes.data, ctypes.byref(rows))
        return out

    def prob(self, x):
        """float32 [n]: the probability of *large*, 1/(1+exp(-logit)). As logits."""
        with np.errstate(over="ignore"):
            return (1 / (1 + np.exp(-self.logits(x).astype(np.float64)))).astype(np.float32)

    def predict_proba(self, x):
        """float32 [n, 2], the shape of scikit-learn: column 0 small, column 1 *large* (`prob`). As logits."""
        large = self.prob(x)
        return np.stack([1 - large, large], axis=1)

    def _decide(self, out, rows):
        handle = self._handle
        try:
            stats = self._idle.pop()  # the last given back: what range_cap is measured on should not be scattered
        except IndexError:
            self._counters.append(stats := Stats())
        _library.saferoute_decide(handle.pointer, out, ctypes.byref(rows), ctypes.byref(stats))
        self._idle.append(stats)

    @property
    def stats(self):
        """Stats of all that route and decide_one decided so far, whichever router was in use. Rows of calls under way
        in other threads may be in some counters already and not yet in others."""
        total = Stats()
        for part in list(self._counters):
            _library.saferoute_stats_add(ctypes.byref(total), ctypes.byref(part))
        return total

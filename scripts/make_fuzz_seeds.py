#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the first inputs of the fuzz targets into tests/fuzz/corpus/NAME: small sound files of every format, and a
few that are not. What a fuzzer found since then lies beside them and is not made here; nor are the answers in isolate,
which are those of a reader to fuzz_isolate about the dumps in h5, but for no_text and past_window.

    scripts/make_fuzz_seeds.py      needs torch, numpy, safetensors and h5py (tests/consumers/requirements.txt)
"""
import io
import json
import pickle
import shutil
import struct
import sys
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path

import h5py
import numpy as np
import torch
from safetensors.numpy import save

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests/fuzz/corpus"
VECTORS = ROOT / "tests/vectors"


def put(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def saved(value, **how):
    to = io.BytesIO()
    torch.save(value, to, **how)
    return to.getvalue()


def archive(entries, method=zipfile.ZIP_STORED):
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w", method) as z:
        for name, content in entries:
            z.writestr(zipfile.ZipInfo(name), content)
    return to.getvalue()


def network(width=(3, 2, 1)):
    rng = np.random.default_rng(1)
    t = OrderedDict()
    for i, (a, b) in enumerate(zip(width, width[1:])):
        t[f"cls.{4 * i}.weight"] = rng.normal(size=(b, a)).astype("f4")
        t[f"cls.{4 * i}.bias"] = rng.normal(size=b).astype("f4")
        if i + 2 < len(width):
            for name in ("weight", "bias", "running_mean", "running_var"):
                t[f"cls.{4 * i + 1}.{name}"] = np.abs(rng.normal(size=b)).astype("f4")
            t[f"cls.{4 * i + 1}.num_batches_tracked"] = np.array(7, "i8")
    return t


def tensors():
    some = {"x": torch.arange(6.0).reshape(2, 3), "y": torch.tensor([1, 2], dtype=torch.int64)}
    typed = {str(d)[6:]: torch.zeros(3, dtype=d)
             for d in (torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.uint8, torch.int16, torch.int32,
                       torch.bool)}
    tied = torch.ones(2, 2)
    nested = {"epoch": 3, "name": "a", "lr": 0.5, "on": True, "none": None, "list": [tied, tied[0]],
              "state_dict": OrderedDict((k, torch.tensor(v)) for k, v in network().items())}
    values = {"some": some, "typed": typed, "nested": nested, "bare": torch.tensor(2.5), "empty": {},
              "zero": {"z": torch.zeros(0, 3)}, "half": {"features": torch.zeros(4, 3, dtype=torch.float16)}}
    for name, value in values.items():
        content = saved(value)
        put("pt", f"{name}.pt", content)
        with zipfile.ZipFile(io.BytesIO(content)) as z:
            put("pickle", f"{name}.pkl", z.read(next(n for n in z.namelist() if n.endswith("data.pkl"))))
    put("pickle", "fits.pkl", records_pickle())
    put("pt", "legacy.pt", saved(some, _use_new_zipfile_serialization=False))
    put("pt", "text.zip", archive([("a/b.txt", b"hello"), ("c", b"")]))
    put("pt", "deflated.zip", archive([("a/b.txt", b"hello" * 20)], zipfile.ZIP_DEFLATED))
    for protocol in range(6):
        put("pickle", f"plain{protocol}.pkl", pickle.dumps({"a": [1, 2.5, "b", None, True, (3, -1)]}, protocol))
    put("pickle", "global.pkl", b"cos\nsystem\n(S'true'\ntR.")
    for name, value in (("f4", np.arange(6, dtype="f4").reshape(2, 3)), ("i8", np.arange(3)), ("f2", np.zeros((2, 2), "f2")),
                        ("bool", np.array([True, False])), ("scalar", np.float64(1.5)), ("empty", np.zeros((0, 4))),
                        ("text", np.array(["ab"])), ("big", np.arange(3, dtype=">f4")),
                        ("fortran", np.asfortranarray(np.zeros((2, 3), "f8"))), ("object", np.array([{}], dtype=object))):
        to = io.BytesIO()
        np.save(to, value, allow_pickle=True)
        put("npy", f"{name}.npy", to.getvalue())
    for version in ((2, 0), (3, 0)):
        to = io.BytesIO()
        np.lib.format.write_array(to, np.zeros(2, "f4"), version=version)
        put("npy", f"version{version[0]}.npy", to.getvalue())


def records_pickle():
    """Tensors whose storages are the records of records_check.c."""
    class Storage:
        def __init__(self, kind, key, items):
            self.id = ("storage", getattr(torch, kind), key, "cpu", items)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return value.id if isinstance(value, Storage) else None

        def reducer_override(self, value):
            return (torch._utils._rebuild_tensor_v2, value.how) if isinstance(value, Tensor) else NotImplemented

    class Tensor:
        def __init__(self, kind, key, items, offset, size, stride):
            self.how = (Storage(kind, key, items), offset, size, stride, False, OrderedDict())

    to = io.BytesIO()
    Pickler(to, 2).dump({"a": Tensor("FloatStorage", "0", 4, 0, (2, 2), (2, 1)), "b": Tensor("HalfStorage", "1", 32, 4, (3, 4), (4, 1)),
                         "c": Tensor("LongStorage", "2", 1, 0, (), ()), "d": Tensor("FloatStorage", "3", 0, 0, (0,), (1,)),
                         "n": 5, "s": {"t": "text", "l": [1, 2.5]}})
    return to.getvalue()


def weights():
    metadata = {"format": "saferoute", "format_version": "1", "threshold": "0.5", "threshold_rule": "f1",
                "calibration": '{"method":"temperature","temperature":1.3}', "feature_norm": "post", "metrics": '{"epoch":3}'}
    router = network((4, 3, 2, 1))
    put("weights", "plain.safetensors", save(router))
    put("weights", "says.safetensors", save(router, metadata))
    stats = {"stats.mean": np.zeros(4, "f4"), "stats.var": np.ones(4, "f4"), "stats.basis": np.eye(2, 4, dtype="f4"),
             "stats.range": np.array([0.2, 4, 0.01], "f4")}
    put("weights", "stats.safetensors", save({**router, **stats}, {**metadata, "range_limit": "1.1"}))
    put("weights", "one.safetensors", save(network((4, 1))))
    isotonic = {"calibration": '{"method":"isotonic","prob":[0.1,0.6],"calibrated":[0.2,0.5]}'}
    put("weights", "isotonic.safetensors", save(router, isotonic))
    for name in ("plain", "says", "stats"):
        put("safetensors", f"{name}.safetensors", (CORPUS / "weights" / f"{name}.safetensors").read_bytes())
    typed = {d: np.zeros(2, d) for d in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "bool")}
    put("safetensors", "typed.safetensors", save(typed))
    put("safetensors", "empty.safetensors", save({}))
    put("safetensors", "zero.safetensors", save({"z": np.zeros((0, 3), "f4"), "s": np.array(1, "f4")}))
    put("weights", "typed.safetensors", save(typed))
    put("safetensors", "rows.safetensors", save({"features": np.zeros((5, 3), "f2"), "label": np.array([0, 1, 0, 1, 1], "i8"),
                                                 "small_prob": np.full(5, 0.25, "f4")}))
    put("safetensors", "labels.safetensors", save({"features": np.zeros((2, 1), "f4"), "label": np.array([0, 2], "i8")}))
    put("safetensors", "hidden.safetensors", save({"hidden_states": np.ones((3, 1, 4), "f4"), "token_ids": np.arange(3)}))
    put("pt", "rows.pt", saved({"features": torch.zeros(3, 2), "y": torch.tensor([0.0, 1, 0]), "layer_idx": 23}))
    put("weights", "start.safetensors", checkpoint(0, 0))
    put("weights", "later.safetensors", checkpoint(3, 1))
    put("weights", "checkpoint.safetensors", checkpoint(2, 0))


def checkpoint(epochs, finished):
    t = network((3, 2, 1))
    for key in [k for k in t if "running" not in k and "batches" not in k]:
        t[f"optim.exp_avg.{key}"] = t[key] * 0
        t[f"optim.exp_avg_sq.{key}"] = t[key] * 0 + 1
    t["run.position"] = np.array([10, epochs, 0, 0, min(epochs, 1), finished], "i8")
    t["run.sums"] = np.array([0.5])
    t["run.history"] = np.array([[4 * e, e, 1e-3] + [0.5] * 10 for e in range(1, epochs + 1)], "f8").reshape(epochs, 13)
    return save(t, {"format": "saferoute-checkpoint", "format_version": "2", "config": "a", "train_id": "b", "val_id": "c",
                    "rows": "d", "parent": "", "products": "e"})


def settings():
    config = "train: \"a.h5\"\nval_fraction: 0.1\nhidden: [64, 32]\ndropout: [0.1, 0.2]\nlr: 1e-3\nmemory: 4G\nrecipe: seed\n"
    put("run", "some.yaml", config)
    put("run", "block.yaml", "hidden:\n- 8\n- 4\nval: 'b.h5'\nloss: bce\n")
    put("run", "json.yaml", '{"seed": 3, "hidden": [4], "uint16_is_bfloat": true}')
    put("run", "others.yaml", "nothing: 1\nepochs: 5\n ")
    for name, text in (("alias", "seed: &a 1\nepochs: *a\n"), ("tag", "seed: !!int 1\n"), ("nested", "a: {b: 1}\n"),
                       ("two", "seed: 1\n---\nseed: 2\n"), ("twice", "seed: 1\nseed: 2\n"), ("control", 'train: "\\x01\\n"\n'),
                       ("key", '"\\x1b[2J": 1\n')):
        put("run", f"{name}.yaml", text)
    put("options", "some", "--train\na.h5\n--train\nb.h5\n--val-fraction=0.2\n--hidden\n64,32\n--dropout\n0.1\n--json")
    put("options", "set", "--set\nlr=1e-3\n--set=memory=800M\n--recipe\nfinetune\n--threads\n2")
    put("options", "range", "#a\n--n\n9")
    put("options", "small", "#a\nb\nc\n--n\n-4\n--on=false\n--rest=d")
    put("options", "wrong", "--epchs\n3\n--\x1b[2J\n1")
    data = {"train": {"rows": 10, "positives": 3, "features": 4, "data_id": "ab" * 32}, "val": {"rows": 5, "positives": 1, "features": 4}}
    put("run", "run", config + "---\n" + json.dumps(data))
    identity = {"config": "a", "train_id": "b", "val_id": "c", "rows": "d", "parent": "", "products": "e"}
    put("run", "resumed", "seed: 1  # config\nlr: 1e-3  # default\n---\n" + json.dumps({**data, "identity": identity}))


def documents():
    evaluation = {"schema_version": 1, "recall": 0.75, "recall_ci": [0.7, 0.8], "f1": None, "slices": [{"name": "news", "f1": 0.5},
                  {"name": 'a, "b"', "f1": 0.25}], "delta": {"auprc": 0.1, "auprc_ci": [-0.1, 0.2]}, "worst_slice": {"f1": 0.1}}
    put("json", "evaluation.json", json.dumps(evaluation))
    put("json", "numbers.json", "[0, -1, 1e300, 0.1, 9223372036854775807, 1e-320, true, null, \"\\u00e9\\ud83d\\ude00\"]")
    put("json", "twice.json", '{"a": 1, "a": 2}')
    put("json", "deep.json", "[" * 40 + "]" * 40)
    put("json", "gate_holds", 'recall >= .7, new.recall.low > 0.5, slices.news.f1<=1, slices."a, ""b""".f1 < 1\n' + json.dumps(evaluation))
    put("json", "gate_no", "delta.auprc.high >= .5, f1 > 0, worst-slice.f1>=0.1\n" + json.dumps(evaluation))
    put("json", "gate_wrong", "recal >= .7\n" + json.dumps(evaluation))
    put("json", "temperature", '{"method":"temperature","temperature":1.3}')
    put("json", "isotonic", '{"method":"isotonic","prob":[0,0.25,1],"calibrated":[0.1,0.1,0.9]}')
    put("json", "dump.json", json.dumps({"feature_model": "m", "feature_layer": 23, "feature_norm": "post",
                                             "small_threshold": 0.5, "feature_template": None}))
    put("json", "router.json", json.dumps({"threshold": 0.6, "threshold_rule": "f1", "feature_pooling": "last"}))
    put("json", "sketch", "".join(f"{i:016x}" for i in (1, 0x123456789ABCDEF, 2**64 - 1)))
    put("weights", "some.json", json.dumps(evaluation))
    decision = {"schema_version": 1, "id": "a", "key": "0123456789abcdef", "artefact": "ab" * 32, "precision": "float32", "decision": "small",
                "reason": "SCORE", "logit": -0.5, "prob": 0.37754068, "calibrated": None, "threshold": 0.6, "range": 1.5, "range_limit": 2,
                "range_mode": "route"}
    put("json", "decision", json.dumps(decision))
    put("json", "decision_word", json.dumps({**decision, "decision": "\x1b[2J"}))
    put("json", "decision_number", json.dumps({**decision, "logit": 1e39}))


def tables():
    put("table", "rows.csv", 'id,f0,f1,label,source,weight\na,1,2.5,0,"x, ""y""",1\nb,-1,nan,1,,0.5\n')
    put("table", "features.csv", 'features,label\n"[1, 2, 3]",1\n"[4, 5, 6]",0\n')
    put("table", "scores.csv", "row,id,logit,prob,decision\n0,a,0.5,0.62,large\n1,b,-1,0.27,small\n2,,nan,nan,large\n")
    put("table", "scores_bad.csv", "row,id,logit,prob,decision\n0,a,0.5,1.5,large\n1,b,-1,0.27,small\n2,,nan,nan,large\n")
    put("table", "crlf.csv", b"\xef\xbb\xbfX,y\r\n\"[1]\",0\r\n\"[2]\",true\r\n")
    put("table", "quote.csv", 'a,b\n"open')
    put("table", "rows.jsonl", '{"features": [1, 2.5, -3e-2], "label": 1, "id": "a", "group": 4, "extra": {"b": [1, "]"]}}\n'
        '{"label": 0, "features": [0, 0, 0], "id": "\\u00e9", "group": "g", "small_prob": null, "\\u0069d2": true}\n')
    put("table", "wrong.jsonl", '{"features": [1, 2], "label": 2}\n{"features": [1]}\n')
    put("table", "numbers.txt", "0\n1\n1e0\nnan\n")
    put("table", "features.txt", "[1, 2]\n[3, 4]\n")
    put("weights", "scores.csv", (CORPUS / "table/scores.csv").read_bytes())
    for name, text in (("list", "a.h5,b.h5"), ("star", "*.h5"), ("class", "week-[12].h5,a.h5"), ("none", "z*.h5"), ("strange", "[x].h5,,")):
        put("text", name, text)
    for name, text in (("plain", "0.1"), ("long", "179769313486231570814527423731704356798070e266"), ("small", "4.9e-324"),
                       ("half", "9007199254740993"), ("nan", "-nan"), ("inf", "Infinity"), ("hex", "0x1p3"), ("tail", "1e+"),
                       ("digits", "0.000012345678901234567890123456789e-5"), ("bits", struct.pack("<d", 5e-324) + b"1.5")):
        put("text", name, text)
    for name, text in (("utf8_plain", "text"), ("wide", "\u00e9\u20ac\U0001f600"), ("turn", "a\u202eb\x1b[2J"), ("csi", "a\u009b2J"), ("broken", b"\xff\xc0\x80\xed\xa0\x80")):
        put("text", name, text)


def chunks():
    values = np.arange(12, dtype="<f4").tobytes()
    shuffled = np.frombuffer(values, "u1").reshape(12, 4).T.tobytes()
    packed = zlib.compress(shuffled)
    put("chunk", "plain", bytes([2, 3, 1, 0]) + values)
    put("chunk", "shuffled", bytes([2, 3, 3, 0]) + shuffled)
    put("chunk", "packed", bytes([2, 3, 7, 0]) + packed)
    put("chunk", "left_out", bytes([2, 3, 7, 3]) + values)
    put("chunk", "checked", bytes([2, 3, 15, 0]) + packed + fletcher32(packed))


def fletcher32(data):
    data += b"\0" * (len(data) % 2)
    a = b = 0
    for i in range(0, len(data), 2):
        a = (a + (data[i] << 8 | data[i + 1])) % 65535
        b = (b + a) % 65535
    return struct.pack("<I", b << 16 | a)


def dumps():
    def dump(name, how=lambda f: None, **create):
        to = io.BytesIO()
        with h5py.File(to, "w", libver=create.pop("libver", None)) as f:
            dtype = create.pop("dtype", "f4")
            f.create_dataset("features", data=np.arange(12).reshape(4, 3).astype(dtype), **create)
            f["label"] = np.array([0, 1, 1, 0], "u1")
            how(f)
        put("h5", f"{name}.h5", to.getvalue())

    def says(f):
        f.attrs["feature_model"] = "m"
        f["small_prob"] = np.array([0.1, 0.9, 0.5, np.nan], "f4")
        f["id"] = np.array([b"a", b"bc", b"", b"d"])

    dump("plain")
    dump("half", dtype="f2")
    dump("says", says)
    dump("chunked", chunks=(2, 3))
    dump("gzip", chunks=(2, 2), compression="gzip", shuffle=True, fletcher32=True)
    dump("latest", says, libver="latest", chunks=(2, 3), compression="gzip")
    dump("text", lambda f: f.create_dataset("source", data=["x", "y", "x", "y"], dtype=h5py.string_dtype()))


def main():
    for part in (tensors, weights, settings, documents, tables, chunks, dumps):
        part()
    # What other tests keep for their formats.
    for f in sorted((VECTORS / "pt").glob("torch1_*.pt")):
        shutil.copy(f, CORPUS / "pt" / f.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the stored cases that eval/ and infer/ are tested against, from scikit-learn and PyTorch:

  tests/vectors/eval_cases.safetensors      NAME.label, NAME.score, NAME.ranking (average precision, ROC area), and
                                            NAME.prob, NAME.threshold, NAME.ratios (F1, precision, recall, accuracy)
  tests/vectors/router_weights.safetensors  a small router, 16 -> 12 -> 8 -> 4 -> 1, as PyTorch's state dict
  tests/vectors/router_case.safetensors     x (float32) and its logits, by PyTorch in float64
  tests/vectors/eval_guards.h5              a dump with gold and both guards, 16 features a row, and what `saferoute
  tests/vectors/eval_guards.json            eval --json --threshold .5` has to say about it, by scikit-learn
  tests/vectors/eval_bad_rows.h5            six rows; row 2 holds a NaN, row 4 an infinity; ids that CSV must quote
  tests/vectors/eval_unlabelled.h5          three rows, features alone, in a dataset of another name; row 2
                                            holds numbers at float32's end

The files are committed; run this only to make other cases:  python3 scripts/make_eval_cases.py
Needs numpy, scikit-learn, torch, safetensors, h5py.
"""
import json
import pathlib
import warnings

import h5py
import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch
from sklearn import metrics

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "tests" / "vectors"
warnings.filterwarnings("ignore")  # one class only: what is undefined is set to NaN below


def ranking(label, score):
    """Average precision and ROC area; NaN where a class that is needed is missing."""
    ap = metrics.average_precision_score(label, score) if label.any() else np.nan
    area = metrics.roc_auc_score(label, score) if label.any() and not label.all() else np.nan
    return np.array([ap, area], np.float64)


def ratios(label, decided):
    return np.array([
        metrics.f1_score(label, decided, zero_division=np.nan),
        metrics.precision_score(label, decided, zero_division=np.nan),
        metrics.recall_score(label, decided, zero_division=np.nan),
        metrics.accuracy_score(label, decided),
    ], np.float64)


def eval_cases(rng):
    def labels(n, share):
        return (rng.random(n) < share).astype(np.uint8)

    yield "plain", (y := labels(500, .2)), rng.normal(size=500) + y
    yield "rare", (y := labels(5000, .01)), rng.normal(size=5000) + 2 * y
    yield "few_ties", (y := labels(300, .4)), np.round(rng.normal(size=300) + y, 1)
    yield "many_ties", (y := labels(1000, .3)), np.floor(3 * rng.random(1000) + y)
    yield "all_tied", labels(50, .5), np.full(50, .25)
    yield "only_positives", np.ones(20, np.uint8), rng.random(20)
    yield "only_negatives", np.zeros(20, np.uint8), rng.random(20)
    yield "one_positive_row", np.ones(1, np.uint8), np.array([.3])
    yield "one_negative_row", np.zeros(1, np.uint8), np.array([.3])
    yield "perfect", np.array([0, 0, 1, 1], np.uint8), np.array([.1, .2, .8, .9])
    yield "reversed", np.array([1, 1, 0, 0], np.uint8), np.array([.1, .2, .8, .9])
    yield "huge_scores", np.array([1, 0, 1, 0, 1], np.uint8), np.array([np.finfo(float).max, 3., -1., -1e300, 0.])


def write_eval_cases():
    rng = np.random.default_rng(20240601)
    tensors = {}
    for name, label, score in eval_cases(rng):
        prob = (1 / (1 + np.exp(-np.clip(score, -30, 30)))).astype(np.float32)
        threshold = np.float32(.6)
        tensors[f"{name}.label"] = label
        tensors[f"{name}.score"] = score.astype(np.float64)
        tensors[f"{name}.ranking"] = ranking(label, score)
        tensors[f"{name}.prob"] = prob
        tensors[f"{name}.threshold"] = np.array([threshold])
        tensors[f"{name}.ratios"] = ratios(label, (prob > threshold).astype(np.uint8))
    save_file(tensors, VECTORS / "eval_cases.safetensors")


class Router(torch.nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        layers = []
        for wide in hidden:
            layers += [torch.nn.Linear(width, wide), torch.nn.BatchNorm1d(wide), torch.nn.GELU(), torch.nn.Dropout(.3)]
            width = wide
        self.cls = torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))

    def forward(self, x):
        return self.cls(x)[:, 0]


def write_router():
    torch.manual_seed(7)
    router = Router(16, [12, 8, 4])
    for module in router.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(module.weight, -1.5, 1.5)
            torch.nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(.01, 4)
            module.num_batches_tracked.fill_(17)
        if isinstance(module, torch.nn.Linear):  # logits well on both sides of 0
            torch.nn.init.normal_(module.weight, std=1.5 / module.in_features**.5)
    router.cls[-1].weight.data *= 3
    router.cls[-1].bias.data.fill_(.8)
    router.eval()
    save_torch(router.state_dict(), VECTORS / "router_weights.safetensors")
    x = torch.randn(33, 16)
    router.double()
    save_file({"x": x.numpy(), "logit": logits(router, x)}, VECTORS / "router_case.safetensors")
    return router


def logits(router, x):
    with torch.no_grad():
        return router(torch.as_tensor(x).double()).numpy()


def guard(gold, pred):
    f1, precision, recall, accuracy = ratios(gold, pred)
    return {"f1": f1, "precision": precision, "recall": recall, "accuracy": accuracy}


def guards_answer(prob, gold, small, large, threshold):
    """The numbers of `eval --json`, each from its definition by scikit-learn."""
    label = ((small != gold) & (large == gold)).astype(np.uint8)
    routed = prob.astype(np.float32) > np.float32(threshold)
    tn, fp, fn, tp = metrics.confusion_matrix(label, routed).ravel().tolist()
    f1, precision, recall, accuracy = ratios(label, routed)
    auprc, auroc = ranking(label, prob)
    right = np.stack([small == gold, large == gold], axis=1)
    table = {name: int((right == pair).all(axis=1).sum())
             for name, pair in {"cc": (1, 1), "cw": (1, 0), "wc": (0, 1), "ww": (0, 0)}.items()}
    return {
        "schema_version": 1, "rows": len(gold), "positives": int(label.sum()), "threshold": threshold,
        "tp": tp, "fp": fp, "tn": tn, "fn": fn, "precision": precision, "recall": recall, "f1": f1,
        "accuracy": accuracy, "share_routed": float(routed.mean()), "auprc": auprc, "auroc": auroc,
        "small": {**guard(gold, small), "share_routed": 0},
        "large": {**guard(gold, large), "share_routed": 1},
        "routed": {**guard(gold, np.where(routed, large, small)), "share_routed": float(routed.mean())},
        "oracle": {**guard(gold, np.where(label, large, small)), "share_routed": float(label.mean())},
        "table": table,
    }


def write_dumps(router):
    rng = np.random.default_rng(11)
    n = 240
    x = rng.normal(size=(n, 16)).astype(np.float16)
    prob = 1 / (1 + np.exp(-logits(router, x.astype(np.float32))))
    gold = (rng.random(n) < .4).astype(np.uint8)
    # The small guard is often wrong where the router's prob is high, so that routing does something.
    small = np.where(rng.random(n) < .05 + .7 * prob, 1 - gold, gold).astype(np.uint8)
    large = np.where(rng.random(n) < .15, 1 - gold, gold).astype(np.uint8)
    with h5py.File(VECTORS / "eval_guards.h5", "w") as f:
        f["features"] = x
        f["gold"] = gold
        f["small_prob"] = np.where(small, .5 + rng.random(n) / 2, rng.random(n) / 2.1).astype(np.float32)
        f["large_pred"] = large
        f.attrs["feature_model"] = "guard-a"
    answer = guards_answer(prob, gold, small, large, .5)
    (VECTORS / "eval_guards.json").write_text(json.dumps(answer, indent=1, allow_nan=False) + "\n")

    x = x[:6].copy()
    x[2, 5], x[4, 15] = np.nan, -np.inf
    with h5py.File(VECTORS / "eval_bad_rows.h5", "w") as f:
        f["features"] = x
        f["label"] = np.array([1, 0, 1, 0, 1, 0], np.uint8)
        f["id"] = np.array(["plain", "a,b", 'say "hi"', "", "two\nlines", "last"], dtype=h5py.string_dtype())

    with h5py.File(VECTORS / "eval_unlabelled.h5", "w") as f:
        f["last_hidden"] = np.stack([x[0], x[1], np.full(16, 3e38)]).astype(np.float32)


VECTORS.mkdir(parents=True, exist_ok=True)
write_eval_cases()
write_dumps(write_router())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the stored cases that eval/ and infer/ are tested against, from scikit-learn and PyTorch:

  tests/vectors/eval_cases.safetensors      NAME.label, NAME.score, NAME.ranking (average precision, ROC area), and
                                            NAME.prob, NAME.threshold, NAME.ratios (F1, precision, recall, accuracy,
                                            balanced accuracy, MCC), NAME.count and NAME.weighted (the ranking with the
                                            counts as sample_weight)
  tests/vectors/eval_calibration.safetensors  NAME.label, NAME.prob, NAME.count, NAME.scores and NAME.weighted (Brier,
                                            log loss, ECE of equal width and of equal mass), NAME.width and NAME.mass
                                            (reliability tables); shift.* (prior shift by mpmath: prob, from, to, shifted)
  tests/vectors/eval_calibrator.safetensors NAME.label, NAME.prob (float32), and what they make of the probs NAME.at:
                                            scikit-learn's IsotonicRegression NAME.isotonic, SciPy's temperature
                                            NAME.scaled; NAME.temperature is 1/T and T, NaN where there is none
  tests/vectors/eval_million.safetensors    all of the above of a million rows that both sides draw: answers alone
  tests/vectors/eval_screen.safetensors     columns of rows with unknown values, scores that are missing, a parent and
  tests/vectors/eval_screen.json            groups, and the first screen's numbers of them; intervals by NumPy's
                                            quantiles of resamples that are drawn here as the program draws them
  tests/vectors/eval_binomial.safetensors   binomial lower tails by mpmath, exact McNemar tests and Wilson intervals by SciPy
  tests/vectors/router_weights.safetensors  a small router, 16 -> 12 -> 8 -> 4 -> 1, as PyTorch's state dict
  tests/vectors/router_case.safetensors     x (float32) and its logits, by PyTorch in float64
  tests/vectors/eval_guards.h5              a dump with gold and both guards, 16 features a row, and what `saferoute
  tests/vectors/eval_guards.json            eval --json --threshold .5` has to say about it, by scikit-learn
  tests/vectors/eval_unknown.h5             the same dump with a stored label; some labels, gold and verdicts are unknown
  tests/vectors/eval_unknown.json
  tests/vectors/eval_bad_rows.h5            six rows; row 2 holds a NaN, row 4 an infinity; ids that CSV must quote
  tests/vectors/eval_unlabelled.h5          three rows, features alone, in a dataset of another name; row 2
                                            holds numbers at float32's end

The files are committed; run this only to make other cases:  python3 scripts/make_eval_cases.py
Needs numpy, scipy, mpmath, scikit-learn, torch, safetensors, h5py.
"""
import json
import math
import pathlib
import warnings

import h5py
import mpmath
import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch
from scipy import optimize, special, stats
from sklearn import isotonic, metrics

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "tests" / "vectors"
warnings.filterwarnings("ignore")  # one class only: what is undefined is set to NaN below


def ranking(label, score, weight=None):
    """Average precision and ROC area; NaN where a class that is needed is missing."""
    seen = label if weight is None else label[weight > 0]
    ap = metrics.average_precision_score(label, score, sample_weight=weight) if seen.any() else np.nan
    both = seen.any() and not seen.all()
    area = metrics.roc_auc_score(label, score, sample_weight=weight) if both else np.nan
    return np.array([ap, area], np.float64)


def ratios(label, decided):
    return np.array([
        metrics.f1_score(label, decided, zero_division=np.nan),
        metrics.precision_score(label, decided, zero_division=np.nan),
        metrics.recall_score(label, decided, zero_division=np.nan),
        metrics.accuracy_score(label, decided),
        metrics.balanced_accuracy_score(label, decided) if len(set(label)) == 2 else np.nan,
        metrics.matthews_corrcoef(label, decided) if len(set(label)) == len(set(decided)) == 2 else np.nan,
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
        count = np.random.default_rng(len(label)).poisson(1, len(label)).astype(np.uint32)
        tensors[f"{name}.count"] = count
        tensors[f"{name}.weighted"] = ranking(label, score, count)
    save_file(tensors, VECTORS / "eval_cases.safetensors")


BINS = 15  # eval/calibration.h


def bins_of(prob):
    """Each row's bin of equal width, and of equal mass: where its tie begins in the order of prob."""
    width = np.digitize(prob, np.arange(1, BINS) / BINS)
    mass = np.empty(len(prob), int)
    for b, rows in enumerate(np.array_split(np.argsort(prob, kind="stable"), BINS)):
        mass[rows] = b
    _, tie = np.unique(prob, return_inverse=True)
    begin = np.full(len(prob), BINS)
    np.minimum.at(begin, tie, mass)
    return width, begin[tie]


def reliability(label, prob, weight):
    """Brier, log loss and both ECE; NaN without rows."""
    if weight.sum() == 0:
        return np.full(4, np.nan)

    def error(bins):
        kept = [np.flatnonzero((bins == b) & (weight > 0)) for b in range(BINS)]
        return sum(weight[rows].sum() / weight.sum() * abs(np.average(label[rows], weights=weight[rows])
                                                           - np.average(prob[rows], weights=weight[rows]))
                   for rows in kept if len(rows))

    return np.array([
        metrics.brier_score_loss(label, prob, sample_weight=weight, pos_label=1),
        metrics.log_loss(label, prob, sample_weight=weight, labels=[0, 1]),
        *map(error, bins_of(prob)),
    ])


def table(label, prob, bins, edges=None):
    """Rows of low, high, rows, positives, mean prob."""
    out = np.full((BINS, 5), np.nan)
    for b in range(BINS):
        p = prob[bins == b]
        out[b, :2] = edges[b:b + 2] if edges is not None else (p.min(), p.max()) if len(p) else np.nan
        out[b, 2:] = len(p), label[bins == b].sum(), p.mean() if len(p) else np.nan
    return out


def reliability_cases(rng):
    def labels(prob, power=1.5):
        return (rng.random(len(prob)) < prob**power).astype(np.uint8)

    edges = np.arange(BINS + 1) / BINS
    yield "plain", (p := rng.beta(.7, 1.3, 400)), labels(p)
    yield "levels", (p := rng.integers(0, 41, 300) / 40), labels(p)
    yield "edges", (p := np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, 1)])), labels(p)
    yield "wide_tie", (p := np.concatenate([rng.random(70), np.full(90, .4), rng.random(40)])), labels(p)
    yield "certain", (p := rng.integers(0, 2, 60) * 1.), (p != (rng.random(60) < .2)).astype(np.uint8)
    yield "beyond_the_clip", np.array([0, 2**-60, 2**-52, 1 - 2**-53, 1, .5]), np.array([1, 1, 1, 0, 0, 0], np.uint8)
    yield "all_tied", np.full(50, .3), labels(np.full(50, .3))
    yield "fourteen_rows", (p := rng.random(14)), labels(p)
    yield "sixteen_rows", (p := rng.random(16)), labels(p)
    yield "only_positives", rng.random(40), np.ones(40, np.uint8)
    yield "only_negatives", rng.random(40), np.zeros(40, np.uint8)
    yield "one_positive_row", np.array([.3]), np.ones(1, np.uint8)
    yield "one_negative_row", np.array([.3]), np.zeros(1, np.uint8)


def shift_cases():
    for prob in (0, 1e-300, 1e-9, .1, .5, 2 / 3, .999999, 1 - 2**-53, 1):
        for before, after in ((.5, .5), (.5, .19), (.19, .5), (.3, 1e-6), (1e-6, .999), (.999, 1e-9)):
            with mpmath.workdps(50):
                p, f, t = map(mpmath.mpf, (prob, before, after))
                positive, negative = p * t / f, (1 - p) * (1 - t) / (1 - f)
                yield prob, before, after, float(positive / (positive + negative))


def write_calibration():
    rng = np.random.default_rng(20240602)
    tensors = {}
    for name, prob, label in reliability_cases(rng):
        count = rng.poisson(1, len(label)).astype(np.uint32)
        width, mass = bins_of(prob)
        tensors[f"{name}.label"] = label
        tensors[f"{name}.prob"] = prob
        tensors[f"{name}.count"] = count
        tensors[f"{name}.scores"] = reliability(label, prob, np.ones(len(label)))
        tensors[f"{name}.weighted"] = reliability(label, prob, count.astype(np.float64))
        tensors[f"{name}.width"] = table(label, prob, width, np.arange(BINS + 1) / BINS)
        tensors[f"{name}.mass"] = table(label, prob, mass)
    for name, column in zip(("prob", "from", "to", "shifted"), zip(*shift_cases())):
        tensors[f"shift.{name}"] = np.array(column, np.float64)
    save_file(tensors, VECTORS / "eval_calibration.safetensors")


def logit_of(prob):
    clipped = np.clip(prob.astype(np.float64), 2**-52, 1 - 2**-52)
    return np.log(clipped / (1 - clipped))


def inverse_temperature(label, prob):
    """The b > 0 with least log loss of expit(b logit), as the root of its derivative; NaN where there is none."""
    margin = np.where(label == 1, 1, -1) * logit_of(prob)
    if not margin.sum() > 0 or (margin >= 0).all():
        return np.nan

    def loss(b):
        return np.logaddexp(0, -b * margin).mean()

    def slope(b):
        return -math.fsum(margin * special.expit(-b * margin))

    b = optimize.brentq(slope, 1e-6, 1e6, xtol=1e-300, rtol=4 * np.finfo(float).eps)
    # By the loss itself, which is level to its last bit within sqrt(eps) of the minimum.
    found = optimize.minimize_scalar(loss, bracket=(b / 2, b * 1.5), method="brent", options={"xtol": 1e-12})
    assert abs(found.x / b - 1) < 1e-6 and loss(b) <= found.fun * (1 + 1e-15), (found.x, b)
    return b


def calibrated(label, prob, at):
    """isotonic, temperature and scaled of one case."""
    model = isotonic.IsotonicRegression(out_of_bounds="clip").fit(prob.astype(np.float64), label)
    b = inverse_temperature(label, prob)
    return {"isotonic": model.predict(at), "temperature": np.array([b, 1 / b]),
            "scaled": special.expit(b * logit_of(at))}


def calibrator_cases(rng):
    def rows(n, temperature, levels=0):
        z = rng.normal(size=n) * 2
        prob = special.expit(z * temperature)
        prob = np.round(prob * levels) / levels if levels else prob
        return prob, rng.random(n) < special.expit(z)

    yield "sharp", *rows(300, 2.5)
    yield "timid", *rows(300, .3)
    yield "levels", *rows(400, 1.5, 20)
    yield "ends", *rows(200, 3, 4)
    yield "few", *rows(9, 1)
    yield "two_rows", np.array([.2, .7]), np.array([0, 1])
    yield "all_tied", np.full(20, .3), np.arange(20) % 4 == 0
    yield "reversed", np.linspace(.1, .9, 30), np.arange(30) < 15
    yield "parted", np.linspace(.1, .9, 30), np.arange(30) >= 15
    yield "close_to_half", (p := .5 + rng.normal(size=200) * 1e-3), rng.random(200) < special.expit(500 * (p - .5))


def write_calibrators():
    rng = np.random.default_rng(20240603)
    tensors = {}
    for name, prob, label in calibrator_cases(rng):
        prob, label = prob.astype(np.float32), label.astype(np.uint8)
        knots = np.unique(prob.astype(np.float64))[:40]
        at = np.concatenate([np.linspace(0, 1, 33), knots, (knots[1:] + knots[:-1]) / 2])
        tensors[f"{name}.label"], tensors[f"{name}.prob"], tensors[f"{name}.at"] = label, prob, at
        tensors.update({f"{name}.{key}": value for key, value in calibrated(label, prob, at).items()})
    save_file(tensors, VECTORS / "eval_calibrator.safetensors")


def write_million():
    """The rows are drawn by the tests too (tests/eval_vectors.h): 40,001 levels of prob, about 25 rows of each."""
    n, levels = 10**6, 40000
    index = np.arange(n, dtype=np.uint64)

    def column(number, below):
        return philox_below(STREAM_BOOTSTRAP << 56 | 1 << 40 | number, index, below)

    level = column(0, levels + 1)
    curve = level * level * (3 * levels - 2 * level) // levels**2  # too low below .5, too high above
    label = (50 * column(1, levels) < levels + 48 * curve).astype(np.uint8)
    count = column(2, 4).astype(np.uint32)
    score = level / levels
    prob, threshold, at = score.astype(np.float32), np.float32(.6), np.linspace(0, 1, 65)
    width, mass = bins_of(score)
    answers = {
        "positives": np.array([label.sum()], np.uint64),
        "ranking": ranking(label, score), "weighted": ranking(label, score, count),
        "ratios": ratios(label, (prob > threshold).astype(np.uint8)),
        "scores": reliability(label, score, np.ones(n)),
        "scores_weighted": reliability(label, score, count.astype(np.float64)),
        "width": table(label, score, width, np.arange(BINS + 1) / BINS), "mass": table(label, score, mass),
        "at": at, **calibrated(label, prob, at),
    }
    save_file({f"million.{name}": value for name, value in answers.items()}, VECTORS / "eval_million.safetensors")


STREAM_BOOTSTRAP = 9  # nn/base/philox.h
DRAWS = 1000  # eval/eval.h


def philox_below(stream, index, n):
    """Philox 4x32-10 with key 0 over (index, stream), as numbers in 0..n-1 (Salmon et al. 2011)."""
    low = np.uint64(0xffffffff)
    half = np.uint64(32)
    c = [index & low, index >> half, np.full_like(index, stream & 0xffffffff), np.full_like(index, stream >> 32)]
    keys = np.array([0, 0], np.uint64)
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> half) ^ c[1] ^ keys[0], p1 & low, (p0 >> half) ^ c[3] ^ keys[1], p0 & low]
        keys = (keys + np.array([0x9E3779B9, 0xBB67AE85], np.uint64)) & low
    n = np.uint64(n)  # times n, upper 64 of 96 bits
    return ((c[1] * n + (c[0] * n >> half)) >> half).astype(np.int64)


def resamples(group):
    """Row counts of every draw."""
    names, number = np.unique(group, return_inverse=True)
    index = np.arange(len(names), dtype=np.uint64)
    for draw in range(DRAWS):
        picked = philox_below(STREAM_BOOTSTRAP << 56 | draw, index, len(names))
        yield np.bincount(picked, minlength=len(names))[number]


def interval(values):
    values = np.array([v for v in values if not np.isnan(v)])
    return None if 2 * len(values) < DRAWS else np.quantile(values, [.025, .975]).tolist()


def screen_columns(rng):
    n = 240
    gold = (rng.random(n) < .4).astype(np.uint8)
    small = np.where(rng.random(n) < .3, 1 - gold, gold).astype(np.uint8)
    large = np.where(rng.random(n) < .15, 1 - gold, gold).astype(np.uint8)
    label = ((small != gold) & (large == gold)).astype(np.uint8)
    c = {
        "label": label, "gold": gold, "small_pred": small, "large_pred": large,
        "prob": np.round(rng.random(n) * .7 + .3 * label, 2).astype(np.float32),
        "parent_prob": np.round(rng.random(n) * .8 + .2 * label, 2).astype(np.float32),
        "small_prob": (small * .5 + rng.random(n) / 2).astype(np.float32),
        "group": rng.integers(-60, 60, n),
    }
    for name, value in {"label": 255, "gold": 255, "small_pred": 7, "large_pred": 255,
                        "prob": np.nan, "parent_prob": np.nan, "small_prob": np.nan}.items():
        c[name][rng.choice(n, 9, replace=False)] = value
    c["prob"][:3] = c["parent_prob"][:3] = np.nan  # bad for both
    c["label"][:2] = 255
    return c


def screen_answer(c, threshold, parent_threshold):
    n = len(c["label"])
    label, prob, parent, small_prob = c["label"], c["prob"], c["parent_prob"], c["small_prob"].astype(np.float64)
    ranked = ~np.isnan(prob) & (label <= 1)
    doubted = ranked & ~np.isnan(small_prob)
    entropy = -small_prob * np.log2(small_prob) - (1 - small_prob) * np.log2(1 - small_prob)
    known = (c["gold"] <= 1) & (c["small_pred"] <= 1) & (c["large_pred"] <= 1)
    routed = np.isnan(prob) | (prob > np.float32(threshold))
    parent_routed = np.isnan(parent) | (parent > np.float32(parent_threshold))
    gold, small, large = (c[name][known] for name in ("gold", "small_pred", "large_pred"))

    def ap(rows, score, weight):
        return ranking(label[rows], score[rows], weight[rows])[0]

    def f1(pred, weight):
        return metrics.f1_score(gold, pred, sample_weight=weight[known], zero_division=np.nan)

    def safety(weight):
        return [f1(pred, weight) for pred in (small, np.where(routed[known], large, small), large)]

    def statistics(weight):
        auprc, gain_from = ap(ranked, prob, weight), ap(ranked, np.where(np.isnan(parent), 2, parent), weight)
        f1_small, f1_routed, f1_large = safety(weight)
        gap = f1_large - f1_small
        won = (f1_routed - f1_small) / gap if gap > 0 else np.nan
        return [auprc, ap(doubted, entropy, weight), auprc - gain_from, won]

    def missed(pred):
        return 1000 * float(((gold == 1) & (pred == 0)).mean())

    once = np.ones(n)
    auprc, entropy_auprc, gain, gap = statistics(once)
    draws = np.array([statistics(weight.astype(np.float64)) for weight in resamples(c["group"])]).T
    f1_small, f1_routed, f1_large = safety(once)
    return {
        "rows": n, "bad_rows": int(np.isnan(prob).sum()), "unlabelled": int((~np.isnan(prob) & (label > 1)).sum()),
        "ranked": int(ranked.sum()), "positives": int(label[ranked].sum()), "base_rate": float(label[ranked].mean()),
        "auprc": auprc, "auprc_ci": interval(draws[0]), "auroc": ranking(label[ranked], prob[ranked])[1],
        "entropy_rows": int(doubted.sum()), "entropy_auprc": entropy_auprc, "entropy_auprc_ci": interval(draws[1]),
        "rows_routed": int(routed.sum()), "share_routed": float(routed.mean()), "system_rows": int(known.sum()),
        "missed_small": missed(small), "missed_routed": missed(np.where(routed[known], large, small)),
        "missed_large": missed(large), "f1_small": f1_small, "f1_routed": f1_routed, "f1_large": f1_large,
        "gap_won": gap, "gap_won_ci": interval(draws[3]),
        "harmed": 1000 * float(((small == gold) & (large != gold) & routed[known]).mean()),
        "parent_auprc": auprc - gain, "parent_share_routed": float(parent_routed.mean()),
        "parent_missed_routed": missed(np.where(parent_routed[known], large, small)),
        "auprc_gain": gain, "auprc_gain_ci": interval(draws[2]),
    }


def write_screen():
    columns = screen_columns(np.random.default_rng(5))
    save_file(columns, VECTORS / "eval_screen.safetensors")
    answer = screen_answer(columns, .6, .55)
    (VECTORS / "eval_screen.json").write_text(json.dumps(answer, indent=1, allow_nan=False) + "\n")


def binomial_below(k, n, p):
    """P(X <= k) to 50 digits: the greatest term, by mpmath, times the sum of ratios; SciPy must agree as far as it goes."""
    with mpmath.workdps(50):
        p, last = mpmath.mpf(p), min(k, int(n * p))
        log = mpmath.loggamma
        greatest = mpmath.exp(log(n + 1) - log(last + 1) - log(n - last + 1) + last * mpmath.log(p)
                              + (n - last) * mpmath.log1p(-p))
        total = term = mpmath.mpf(1)
        for j in range(last, 0, -1):
            term *= j * (1 - p) / ((n - j + 1) * p)
            total += term
            if term < total * mpmath.mpf(10)**-30:
                break
        term = mpmath.mpf(1)
        for j in range(last, k):
            term *= (n - j) * p / ((j + 1) * (1 - p))
            total += term
            if term < total * mpmath.mpf(10)**-30:
                break
        below = float(greatest * total)
    assert n > 1e6 or np.isclose(below, stats.binom.cdf(k, n, float(p)), rtol=1e-8, atol=1e-300)
    return below


def binomial_cases():
    for n in (1, 2, 10, 59, 100, 669, 4424, 10**6):
        for p in (1e-12, .001, .05, .1, .5, .77, .999):
            mean, deviation = n * p, (n * p * (1 - p))**.5
            k = {0, n - 1} | {int(mean + z * deviation) for z in (-36, -20, -8, -3, -1, 0, .5, 3)}
            yield from ((j, n, p) for j in sorted(k) if 0 <= j < n)
    yield from ((int(2**32 * .001 + z * 2071), 2**32, .001) for z in (-36, -8, -1))


def write_binomial():
    cases = [(k, n, p, binomial_below(k, n, p)) for k, n, p in binomial_cases()]
    k, n, p, below = zip(*(case for case in cases if case[3] > 1e-300))
    pairs = [(0, 0), (0, 1), (1, 0), (5, 5), (3, 12), (12, 3), (0, 40), (100, 141), (2000, 2300), (4000, 5000)]
    whole = [(0, 1), (1, 1), (0, 20), (20, 20), (3, 7), (76, 100), (670, 4424), (1, 10**6)]
    wilson = [stats.binomtest(k, n).proportion_ci(method="wilson") for k, n in whole]
    z = stats.norm.ppf(.975)
    # Not whole: where |share - p| = z sqrt(p (1 - p) / n), which is how the interval is defined.
    for share, rows in ((.31, 40.5), (.999, 12.25)):
        whole.append((share * rows, rows))
        wilson.append(sorted(np.roots([rows + z * z, -2 * rows * share - z * z, rows * share * share])))
    save_file({
        "below.k": np.array(k, np.uint64), "below.n": np.array(n, np.uint64), "below.p": np.array(p),
        "below": np.array(below),
        "mcnemar.pairs": np.array(pairs, np.uint64),
        "mcnemar": np.array([stats.binomtest(b, b + c).pvalue if b + c else 1. for b, c in pairs]),
        "wilson.counts": np.array(whole, np.float64), "wilson": np.array(wilson, np.float64),
    }, VECTORS / "eval_binomial.safetensors")


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
    f1, precision, recall, accuracy = ratios(gold, pred)[:4]
    return {"f1": f1, "precision": precision, "recall": recall, "accuracy": accuracy}


def guards_answer(prob, gold, small, large, threshold):
    """The numbers of `eval --json`, each from its definition by scikit-learn."""
    label = ((small != gold) & (large == gold)).astype(np.uint8)
    routed = prob.astype(np.float32) > np.float32(threshold)
    tn, fp, fn, tp = metrics.confusion_matrix(label, routed).ravel().tolist()
    f1, precision, recall, accuracy = ratios(label, routed)[:4]
    auprc, auroc = ranking(label, prob)
    right = np.stack([small == gold, large == gold], axis=1)
    table = {name: int((right == pair).all(axis=1).sum())
             for name, pair in {"cc": (1, 1), "cw": (1, 0), "wc": (0, 1), "ww": (0, 0)}.items()}
    return {
        "schema_version": 2, "rows": len(gold), "positives": int(label.sum()), "threshold": threshold,
        "tp": tp, "fp": fp, "tn": tn, "fn": fn, "precision": precision, "recall": recall, "f1": f1,
        "accuracy": accuracy, "share_routed": float(routed.mean()), "auprc": auprc, "auroc": auroc,
        "small": {**guard(gold, small), "share_routed": 0},
        "large": {**guard(gold, large), "share_routed": 1},
        "routed": {**guard(gold, np.where(routed, large, small)), "share_routed": float(routed.mean())},
        "oracle": {**guard(gold, np.where(label, large, small)), "share_routed": float(label.mean())},
        "table": table,
    }


def write_unknown(x, prob, gold, small, large):
    rng = np.random.default_rng(12)
    n = len(x)
    label = ((small != gold) & (large == gold)).astype(np.int8)
    small_prob = np.where(small, .7, .2).astype(np.float32)
    unknown = {name: rng.choice(n, 10, replace=False) for name in ("label", "gold", "small", "large")}
    label[unknown["label"]] = -1
    small_prob[unknown["small"]] = np.nan
    gold, large = gold.astype(np.int8), large.astype(np.int8)
    gold[unknown["gold"]] = large[unknown["large"]] = -1
    known = (gold >= 0) & (large >= 0) & ~np.isnan(small_prob)
    labelled = label >= 0
    with h5py.File(VECTORS / "eval_unknown.h5", "w") as f:
        f["features"], f["label"], f["gold"], f["small_prob"], f["large_pred"] = x, label, gold, small_prob, large
        f["weight"] = np.full(n, 2, np.float32)
        f["source"] = [("forum", "chat")[i % 2] for i in range(n)]
    routed = prob.astype(np.float32) > np.float32(.5)
    tn, fp, fn, tp = metrics.confusion_matrix(label[labelled], routed[labelled]).ravel().tolist()
    auprc, auroc = ranking(label[labelled], prob[labelled])
    system = guards_answer(prob[known], gold[known], small[known], large[known], .5)
    slices = [{"name": name, "ranked": int(rows.sum()), "positives": int(label[rows].sum()),
               "auprc": ranking(label[rows], prob[rows])[0]}
              for name, odd in (("forum", 0), ("chat", 1)) for rows in [labelled & (np.arange(n) % 2 == odd)]]
    answer = {
        "rows": n, "unlabelled": 10, "ranked": int(labelled.sum()), "positives": int((label == 1).sum()),
        "tp": tp, "fp": fp, "tn": tn, "fn": fn, "auprc": auprc, "auroc": auroc,
        "share_routed": float(routed.mean()), "rows_routed": int(routed.sum()), "system_rows": int(known.sum()),
        **{name: system[name] for name in ("small", "large", "routed", "oracle", "table")}, "slices": slices,
    }
    (VECTORS / "eval_unknown.json").write_text(json.dumps(answer, indent=1, allow_nan=False) + "\n")


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

    write_unknown(x, prob, gold, small, large)
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
write_calibration()
write_calibrators()
write_million()
write_screen()
write_binomial()
write_dumps(write_router())

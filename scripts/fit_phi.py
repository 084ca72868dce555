#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fits the upper tail of the normal distribution, the constants of nn/base/vec.c, and prints them.

Q(z) = 1 - Phi(z) = exp(-z^2/2) S(t), t = 1/(1 + C z), S a polynomial of degree DEGREE without constant term, z >= 0: the
form of Abramowitz and Stegun 7.1.26, here for Q and with more terms. Least squares on the relative error, reweighted after
Lawson until the largest error stops falling, for the C that does best. Then float32, step by step as in C.
"""
import math

import numpy as np

DEGREE, EDGE = 8, 12.0

z = EDGE * (1 - np.cos(np.linspace(0, math.pi, 3001))) / 2
mills = np.array([0.5 * math.erfc(v / math.sqrt(2)) * math.exp(v * v / 2) for v in z])


def fit(c):
    t = 1 / (1 + c * z)
    matrix = np.stack([t**i / mills for i in range(1, DEGREE + 1)], axis=1)
    lawson, best = np.ones_like(z), None
    for _ in range(200):
        w = np.sqrt(lawson)
        s = np.linalg.lstsq(matrix * w[:, None], w, rcond=None)[0]
        error = np.abs(matrix @ s - 1)
        if best is None or error.max() < best[0]:
            best = (error.max(), s)
        lawson = lawson * (error / error.max() + 1e-3)
        lawson /= lawson.sum()
    return best


c = min(np.arange(0.20, 0.60, 0.01), key=lambda v: fit(v)[0])
worst, s = fit(c)
print("C = %.2f, largest relative error of Q in exact arithmetic: %.2e" % (c, worst))
grid = np.linspace(0, 8, 1_000_001, dtype=np.float32)
t = np.float32(1) / (np.float32(1) + np.float32(c) * grid)
poly = np.full_like(t, np.float32(s[-1]))
for v in s[-2::-1]:
    poly = poly * t + np.float32(v)
q = (poly * t).astype(np.float64) * np.exp(-grid.astype(np.float64) ** 2 / 2)
true = np.array([0.5 * math.erfc(float(v) / math.sqrt(2)) for v in grid])
print("largest error of Q in float32: %.2e, of z*Q: %.2e" % (np.abs(q - true).max(), (np.abs(q - true) * grid).max()))
print("S:", ", ".join("%.9ef" % np.float32(v) for v in s))

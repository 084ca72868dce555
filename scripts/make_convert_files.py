#!/usr/bin/env python3
"""Writes tests/vectors/convert/*.pt: feature and label tensors as people save them with torch.save.

Row r, column k of the features is (8 r + k - 40) / 16, as in tests/dumps; the tests know the rest by formula
too. The same PyTorch writes the same bytes. Needs torch:

    python3 scripts/make_convert_files.py tests/vectors/convert

SPDX-License-Identifier: MIT
"""
import os
import sys

import torch

N, D = 12, 8
X = (8 * torch.arange(N)[:, None] + torch.arange(D)[None, :] - 40) / 16
LABEL = torch.arange(N) % 3 == 0

if __name__ == "__main__":
    os.chdir(sys.argv[1])
    torch.save(X.half(), "features.pt")
    torch.save(LABEL.long(), "labels.pt")
    torch.save({"features": X.bfloat16(), "labels": LABEL, "layer_idx": 23, "other": X.double()}, "bundle.pt")
    torch.save({"a": X, "b": 2 * X, "label": LABEL.float()[:, None]}, "two.pt")
    torch.save(torch.stack([X, X + 100, X - 100], 1), "layers.pt")

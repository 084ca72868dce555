#!/usr/bin/env python3
"""The published recipe in PyTorch: the script that `saferoute train` is compared with, and its network and loss.

    scripts/bench/pytorch_train.py --train train.h5 --val val.h5 --out best.pt --epochs 30

Written as one who wants it quick would: features in memory as float32, batches cut by index_select (no DataLoader),
balanced draws by multinomial (what WeightedRandomSampler does), fused AdamW, validation in large batches. Prints
one JSON object.

Needs torch, h5py, scikit-learn.

SPDX-License-Identifier: MIT
"""
import time

BEGAN = time.time()

import argparse
import json
import resource
import sys

import torch
from torch import nn
from torch.nn import functional

ALPHA, GAMMA, LR, CLIP = 0.75, 2, 5e-4, 1.0


class Router(nn.Module):
    def __init__(self, width, hidden=(1024, 512, 256), dropout=(0.3, 0.3, 0.2)):
        super().__init__()
        layers = []
        for n, p in zip(hidden, dropout):
            layers += [nn.Linear(width, n), nn.BatchNorm1d(n), nn.GELU(), nn.Dropout(p)]
            width = n
        self.cls = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, x):
        return self.cls(x).squeeze(-1)


def begin(model):
    for layer in model.cls:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def focal(logit, label):
    bce = functional.binary_cross_entropy_with_logits(logit, label, reduction="none")
    alpha = torch.where(label > 0.5, ALPHA, 1 - ALPHA)
    return (alpha * (1 - torch.exp(-bce)) ** GAMMA * bce).mean()


def optimiser(model, adamw="fused"):
    how = {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}}[adamw]
    return torch.optim.AdamW(model.parameters(), lr=LR, **how)


def schedule(optimizer):
    return torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=50, T_mult=2, eta_min=1e-6)


def update(model, optimizer, clip=CLIP):
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()


def step(loss_of, model, optimizer, x, y, update=update):
    """One step of training. loss_of(x, y): forward and loss, perhaps compiled. Returns the loss."""
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of(x, y)
    loss.backward()
    update(model, optimizer)
    return loss.item()


def load(path):
    import h5py  # here, so that what needs the network alone does not need it

    with h5py.File(path) as f:
        return torch.from_numpy(f["features"][...]).float(), torch.from_numpy(f["label"][...]).float()


def batches(draws, size):
    """Indices of each batch; a last batch of one row, which BatchNorm cannot take, is joined to its neighbour."""
    parts = list(draws.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def validate(model, x, y):
    from sklearn.metrics import average_precision_score

    model.eval()
    with torch.inference_mode():
        prob = torch.cat([torch.sigmoid(model(part)) for part in x.split(4096)])
    model.train()
    return average_precision_score(y.numpy(), prob.numpy())


def train(args):
    torch.manual_seed(args.seed)
    x, y = load(args.train)
    val_x, val_y = load(args.val)
    model = begin(Router(x.shape[1]))
    optimizer = optimiser(model, args.adamw)
    cosine = schedule(optimizer)
    share = torch.where(y > 0.5, 1 / y.sum(), 1 / (1 - y).sum())
    best, first_step = -1.0, None
    for _ in range(args.epochs):
        for index in batches(torch.multinomial(share, args.epoch_rows or len(y), replacement=True), args.batch):
            step(lambda x, y: focal(model(x), y), model, optimizer, x.index_select(0, index), y[index])
            first_step = first_step or time.time() - BEGAN
        cosine.step()
        auprc = validate(model, val_x, val_y)
        if auprc > best:
            best = auprc
            torch.save(model.state_dict(), args.out)
    return {"auprc": best, "first_step_seconds": first_step}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--val", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--epoch-rows", type=int, default=0, help="rows drawn an epoch; 0: as many as there are")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--adamw", choices=["default", "foreach", "fused"], default="fused")
    parser.add_argument("--threads", type=int, default=0, help="0: torch's own choice")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    result = train(args) | {"began": BEGAN, "seconds": time.time() - BEGAN, "threads": torch.get_num_threads()}
    print(json.dumps(result | {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

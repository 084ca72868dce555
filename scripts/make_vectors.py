#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes tests/vectors/{layers,losses,optimiser,routers}.safetensors: what PyTorch computes, for the parity tests.

Layers, losses and the optimiser are written out as inputs and outputs. Whole training runs are not: their weights, rows,
labels and dropout masks come from an integer hash that both sides compute (tests/hash_fill.h), and of a run's result the
file keeps the tensors (small router) or their norm and 16 projections on hashed +-1 vectors (full-size router): for a
difference d, the mean of (s.d)^2 over random signs s is |d|^2. Everything is stored as float64, masks and labels as bytes.
No random generator, one thread: a rerun with the same PyTorch writes the same bytes.

    scripts/make_vectors.py [FOLDER]        needs torch, numpy and safetensors
"""
import math
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional as F

PROJECTIONS = 16
LR, DECAY, CLIP, ALPHA, GAMMA = 5e-4, 0.01, 1.0, 0.75, 2.0
LOUD = 4  # on the first weights of the last layer: brings gradient norms to both sides of CLIP


# ---- the hash: tests/hash_fill.h in numpy ----

def hash_bits(stream, n, first=0):
    """32 bits for each index first..first+n of a stream: the finaliser of splitmix64, upper half."""
    z = np.arange(first, first + n, dtype=np.uint64) + np.uint64(((stream << 32) + 1) & (2**64 - 1))
    z *= np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(32)).astype(np.uint32)


def hash_values(stream, shape, first=0):
    """Multiples of 2^-15 in [-1, 1): exact in float32, also after * 2^k and after 1 + value/4."""
    n = int(np.prod(shape))
    return ((hash_bits(stream, n, first) >> np.uint32(16)).astype(np.float64) / 32768 - 1).reshape(shape)


def hash_keep(stream, shape, p):
    """A dropout mask: 1 where the 32 bits are not below p."""
    bits = hash_bits(stream, int(np.prod(shape)))
    return (bits >= np.uint32(math.floor(p * 4294967296.0))).astype(np.uint8).reshape(shape)


def projections(stream, values):
    """Norm, then the sums of the values under 16 sign vectors: bit k of index i's hash set means + in vector k."""
    flat = values.reshape(-1).astype(np.float64)
    bits = hash_bits(stream, flat.size)
    out = [math.sqrt(math.fsum(flat * flat))]
    for k in range(PROJECTIONS):
        out.append(math.fsum(np.where(bits >> np.uint32(k) & np.uint32(1), flat, -flat)))
    return np.array(out)


def number(t):
    return t.detach().to(torch.float64).numpy().copy()


# ---- single layers ----

class MaskedDropout(nn.Module):
    """Dropout whose mask is given: what F.dropout does once it has drawn one."""

    def __init__(self, p):
        super().__init__()
        self.p, self.keep = p, None

    def forward(self, x):
        return x * (self.keep.to(x.dtype) / (1 - self.p))


def layer_case(out, name, module, x, width, extra=None):
    """Inputs, parameters, state before; output, gradients, state after; and the output in evaluation mode."""
    module = module.double().train()
    for i, (key, value) in enumerate(module.state_dict().items()):
        if value.is_floating_point():
            fill = torch.from_numpy(hash_values(40 + i, tuple(value.shape)))
            value.copy_(fill + 1.5 if key == "running_var" else fill)
            out[f"{name}.{key}"] = number(value)
    x = torch.from_numpy(x).requires_grad_()
    y = module(x)
    dy = torch.from_numpy(hash_values(30, (x.shape[0], width)))
    y.backward(dy)
    out |= {f"{name}.x": number(x), f"{name}.y": number(y), f"{name}.dy": number(dy), f"{name}.dx": number(x.grad)}
    for key, value in module.named_parameters():
        out[f"{name}.{key}.grad"] = number(value.grad)
    for key, value in module.named_buffers():
        out[f"{name}.{key}.after"] = number(value)
    if extra is None:
        out[f"{name}.y.eval"] = number(module.eval()(x))
    else:
        out |= extra


def layers():
    out = {}
    layer_case(out, "linear", nn.Linear(37, 19), hash_values(1, (11, 37)), 19)
    scale = np.exp2(np.arange(21) % 7 - 3.0)  # columns of different spread and far from 0
    layer_case(out, "batchnorm", nn.BatchNorm1d(21), hash_values(2, (13, 21)) * scale + 8 * hash_values(3, (21,)), 21)
    layer_case(out, "gelu", nn.GELU(), 6 * hash_values(4, (9, 23)), 23)
    drop = MaskedDropout(0.3)
    drop.keep = torch.from_numpy(hash_keep(5, (10, 17), 0.3))
    layer_case(out, "dropout", drop, hash_values(6, (10, 17)), 17,
               {"dropout.keep": drop.keep.numpy(), "dropout.p": np.array([0.3])})
    return out


# ---- losses ----

def focal_log(logit, label, alpha, gamma):
    """Focal loss in the log domain: exact for any logit, also where the textbook form below loses every digit."""
    s = torch.where(label == 1, logit, -logit)
    weight = alpha * label + (1 - alpha) * (1 - label)
    return weight * torch.exp(gamma * F.logsigmoid(-s)) * -F.logsigmoid(s)


def focal_textbook(logit, label, alpha, gamma):
    ce = F.binary_cross_entropy_with_logits(logit, label, reduction="none")
    weight = alpha * label + (1 - alpha) * (1 - label)
    return weight * (1 - torch.exp(-ce)) ** gamma * ce


def losses():
    size = [0, 1e-8, 1e-3, 0.1, 0.5, 1, 2, 3.7, 8, 15, 30, 40, 88, 104, 300]
    logit = np.array([s * v for v in size for s in (1, -1) for _ in (0, 1)])
    logit = np.concatenate([logit, 5 * hash_values(10, (40,))])
    label = np.arange(logit.size) % 2
    out = {"logit": logit, "label": label.astype(np.uint8)}
    cases = [(0.75, 2.0), (0.25, 2.0), (0.5, 0.0), (0.75, 1.0), (0.9, 0.5), (0.6, 5.0)]
    out["cases"] = np.array(cases)
    for i, (alpha, gamma) in enumerate(cases):
        x = torch.from_numpy(logit).requires_grad_()
        y = torch.from_numpy(label.astype(np.float64))
        value = focal_log(x, y, alpha, gamma)
        value.sum().backward()
        near = np.abs(logit) < 5
        assert np.allclose(number(value)[near], number(focal_textbook(x, y, alpha, gamma))[near], rtol=1e-9, atol=1e-13)
        out |= {f"focal.{i}": number(value), f"focal.{i}.grad": number(x.grad), f"focal.{i}.mean": number(value.mean())}
    bce = -F.logsigmoid(torch.where(y == 1, x, -x))  # PyTorch's own bce subtracts large numbers where it is small
    assert torch.allclose(bce, F.binary_cross_entropy_with_logits(x, y, reduction="none"), rtol=0, atol=1e-13)
    out["bce"] = number(bce)
    return out | weighted_cross_entropy()


def weighted_cross_entropy():
    logit, weight = 5 * hash_values(11, (60,)), np.abs(hash_values(12, (60,))).astype(np.float32)
    label = np.arange(60) % 3 == 0
    out = {"near.logit": logit, "near.label": label.astype(np.uint8), "near.weight": weight}
    cases = [(1.0, 0.0), (5.6, 0.0), (1.0, 0.1), (2.5, 0.2)]
    out["bce.cases"] = np.array(cases)
    for i, (pos_weight, smoothing) in enumerate(cases):
        x = torch.from_numpy(logit).requires_grad_()
        y = torch.from_numpy(label * (1 - smoothing) + smoothing / 2)
        mean = F.binary_cross_entropy_with_logits(x, y, weight=torch.from_numpy(weight).double(),
                                                  pos_weight=torch.tensor(pos_weight, dtype=torch.float64))
        mean.backward()
        out |= {f"bce.{i}.mean": number(mean), f"bce.{i}.grad": number(x.grad)}
    return out


# ---- optimiser and schedule ----

def adamw_case(out, name, steps, n, **how):
    w = nn.Parameter(torch.from_numpy(hash_values(60, (n,))))
    grads = hash_values(61, (steps, n)) * np.exp2(-3.0 * (np.arange(n) % 12))  # down to 1e-10: eps matters
    grads[:, 0] = 0
    optimiser = torch.optim.AdamW([w], foreach=False, fused=False, **how)
    weights = []
    for g in grads:
        w.grad = torch.from_numpy(g.copy())
        optimiser.step()
        weights.append(number(w))
    beta1, beta2 = how["betas"]
    out[f"{name}.how"] = np.array([how["lr"], beta1, beta2, how["eps"], how["weight_decay"]])
    out |= {f"{name}.before": hash_values(60, (n,)), f"{name}.grads": grads, f"{name}.weights": np.stack(weights)}


def optimiser():
    out = {}
    adamw_case(out, "adamw.0", 20, 37, lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=DECAY)
    adamw_case(out, "adamw.1", 8, 21, lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.3)
    adamw_case(out, "adamw.2", 8, 21, lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    for i, (scale, limit) in enumerate([(1.0, 1.0), (0.01, 1.0), (3.0, 2.5), (1e-9, 1e-9)]):
        grads = scale * hash_values(70, (101,))
        w = nn.Parameter(torch.zeros(101, dtype=torch.float64))
        w.grad = torch.from_numpy(grads.copy())
        norm = nn.utils.clip_grad_norm_([w], limit)
        out |= {f"clip.{i}.grads": grads, f"clip.{i}.max": np.array([limit]), f"clip.{i}.norm": number(norm).reshape(1),
                f"clip.{i}.clipped": number(w.grad)}
    w = nn.Parameter(torch.zeros(1))
    adamw = torch.optim.AdamW([w], lr=LR)
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(adamw, T_0=50, T_mult=2, eta_min=1e-6)
    rates = []
    for _ in range(400):
        rates.append(adamw.param_groups[0]["lr"])
        adamw.step()
        restarts.step()
    out["schedule.lr"] = np.array(rates)
    return out


# ---- whole training runs ----

class Router(nn.Module):
    def __init__(self, widths, dropout):
        super().__init__()
        chain = []
        for i, p in enumerate(dropout):
            chain += [nn.Linear(widths[i], widths[i + 1]), nn.BatchNorm1d(widths[i + 1]), nn.GELU(), MaskedDropout(p)]
        self.cls = nn.Sequential(*chain, nn.Linear(widths[-2], widths[-1]))
        self.drops = [m for m in chain if isinstance(m, MaskedDropout)]

    def fill(self):
        """Streams 100 + tensor number. Not the usual 1 and 0 in BatchNorm, so that a factor left out shows."""
        for i, (key, value) in enumerate(self.state_dict().items()):
            if not value.is_floating_point():
                continue
            h = hash_values(100 + i, tuple(value.shape))
            if value.dim() == 2:  # about Kaiming's deviation: a uniform of +-2^k has deviation 2^k/sqrt 3
                h = h * 2.0 ** round(math.log2(math.sqrt(6 / value.shape[1])))
                if value.shape[0] == 1:
                    h = h * LOUD
            elif key.endswith((".weight", "running_var")):
                h = 1 + h / 4
            else:
                h = h / 8
            value.copy_(torch.from_numpy(h))


def rows_of(step, batch, width):
    x = hash_values(1000 + step, (batch, width))
    label = (hash_bits(2000 + step, batch) >> np.uint32(30) == 0).astype(np.float64)  # one in four
    return x, label


def run(widths, dropout, batch, steps, dtype):
    """(a)-(c): the seed's step, `steps` times. Returns the state and the loss of every step."""
    model = Router(widths, dropout).to(dtype).train()
    with torch.no_grad():
        model.fill()
    adamw = torch.optim.AdamW(model.parameters(), lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=DECAY,
                              foreach=False, fused=False)
    history = []
    for step in range(steps):
        x, label = (torch.from_numpy(v).to(dtype) for v in rows_of(step, batch, widths[0]))
        for i, drop in enumerate(model.drops):
            drop.keep = torch.from_numpy(hash_keep(10000 + 100 * step + i, (batch, widths[i + 1]), dropout[i]))
        adamw.zero_grad()
        loss = focal_textbook(model.cls(x).squeeze(1), label, ALPHA, GAMMA).mean()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        adamw.step()
        history.append([loss.item(), norm.item()])
    return {key: number(value) for key, value in model.state_dict().items()}, np.array(history)


SMALL = dict(widths=[24, 16, 12, 8, 1], dropout=[0.3, 0.3, 0.2], batch=32, steps=50)
FULL = dict(widths=[2048, 1024, 512, 256, 1], dropout=[0.3, 0.3, 0.2], batch=256, steps=10)


def routers():
    out = {}
    for name, dtype in (("f64", torch.float64), ("f32", torch.float32)):
        state, history = run(**SMALL, dtype=dtype)
        out |= {f"small.{name}.{key}": value for key, value in state.items()}
        out[f"small.{name}.history"] = history
        state, history = run(**FULL, dtype=dtype)
        out |= {f"full.{name}.{key}": projections(500 + i, value) for i, (key, value) in enumerate(state.items())}
        out[f"full.{name}.history"] = history
    return out


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "tests/vectors")
    folder.mkdir(parents=True, exist_ok=True)
    for make in (layers, losses, optimiser, routers):
        tensors = {key: np.ascontiguousarray(value) for key, value in make().items()}
        path = folder / f"{make.__name__}.safetensors"
        save_file(tensors, path, metadata={"made_with": f"torch {torch.__version__.split('+')[0]}"})
        path.chmod(0o644)
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# make_tensor_files.py: writes tests/vectors/pt: small files of torch.save, and what is in them as safetensors.
#
#   python3 scripts/make_tensor_files.py          all files but those of an old PyTorch (needs torch, safetensors)
#   python3 scripts/make_tensor_files.py --old    torch1_*.pt, to be run with PyTorch 1.13 (needs torch only)
#
# X.safetensors holds the tensors of X.pt under the names that they have there, written by the safetensors package;
# as_float.X.safetensors those of the network in float32 under the router's names, which is what importing X gives.
# The same PyTorch writes the same bytes.
#
# SPDX-License-Identifier: MIT
import collections
import os
import random
import sys

import torch

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "vectors", "pt")
WIDTHS = [5, 4, 3, 2]


class Router(torch.nn.Module):
    def __init__(self):
        super().__init__()
        layers = []
        for a, b in zip(WIDTHS, WIDTHS[1:]):
            layers += [torch.nn.Linear(a, b), torch.nn.BatchNorm1d(b), torch.nn.GELU(), torch.nn.Dropout(0.3)]
        self.cls = torch.nn.Sequential(*layers, torch.nn.Linear(WIDTHS[-1], 1))

    def forward(self, x):
        return self.cls(x).squeeze(-1)


def router(seed):
    """Values from Python's generator, which every version of it makes alike."""
    draw = random.Random(seed)
    model = Router()
    for name, t in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            t.fill_(17)
            continue
        values = [draw.gauss(0, 1) for _ in range(t.numel())]
        if name.endswith("running_var"):
            values = [0.5 + abs(v) for v in values]
        t.copy_(torch.tensor(values, dtype=torch.float64).reshape(t.shape))
    return model.eval()


def checkpoint(model):
    return {"state_dict": model.state_dict(), "layer_idx": 23, "auprc": 0.8125, "name": "router", "done": True, "none": None}


def renamed(state, prefix):
    return collections.OrderedDict((prefix + k, v) for k, v in state.items())


def cast(state, dtype):
    return collections.OrderedDict((k, v.to(dtype) if v.is_floating_point() else v) for k, v in state.items())


def save(name, content, flat):
    from safetensors.torch import save_file

    torch.save(content, os.path.join(FOLDER, name + ".pt"))
    # clone: the package refuses tensors that share memory
    save_file({k: v.contiguous().clone() for k, v in flat.items()}, os.path.join(FOLDER, name + ".safetensors"))


def save_float(name, state):
    from safetensors.torch import save_file

    save_file(cast(state, torch.float32), os.path.join(FOLDER, "as_float." + name + ".safetensors"))


def old():
    torch.save(checkpoint(router(1)), os.path.join(FOLDER, "torch1_checkpoint.pt"))
    torch.save(router(1).state_dict(), os.path.join(FOLDER, "torch1_state_dict.pt"))


def new():
    from safetensors.torch import save_file

    model = router(1)
    state = model.state_dict()
    save("checkpoint", checkpoint(model), renamed(state, "state_dict."))
    save("state_dict", state, state)
    for name, dtype in (("half", torch.float16), ("bfloat16", torch.bfloat16), ("double", torch.float64)):
        save(name, cast(state, dtype), cast(state, dtype))
        save_float(name, cast(state, dtype))
    save("module", renamed(state, "module."), renamed(state, "module."))
    save("compiled", {"model": renamed(state, "_orig_mod.")}, renamed(state, "model._orig_mod."))
    save_float("checkpoint", state)

    ema = router(2).state_dict()
    save(
        "two",
        {"model": state, "ema": ema, "optim": {"state": {0: {"exp_avg": torch.zeros(4, 5), "step": 3}}, "lr": [1e-3, 0.5]}},
        {**renamed(state, "model."), **renamed(ema, "ema."), "optim.state.0.exp_avg": torch.zeros(4, 5)},
    )

    base = torch.arange(24, dtype=torch.float32)
    views = {
        "part": base[6:18].reshape(3, 4),
        "whole": base,
        "tied": base,
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "list": [torch.tensor([1, 2], dtype=torch.int32), (torch.tensor([True, False]),)],
        "ints": {n: torch.tensor([1, 2, 3], dtype=getattr(torch, n)) for n in ("uint8", "int8", "int16", "int64")},
        7: torch.tensor([-1.0]),
        "big": 2**40,
        "huge": 2**80,
        "negative": -5,
        "size": torch.Size([2, 3]),
        "device": torch.device("cpu"),
        "dtype": torch.float16,
    }
    flat = {k: views[k].detach() for k in ("part", "whole", "tied", "empty", "scalar", "parameter")}
    flat.update({"list.0": views["list"][0], "list.1.0": views["list"][1][0], "7": views[7]})
    flat.update({"ints." + n: t for n, t in views["ints"].items()})
    save("views", views, flat)
    save("bare", torch.arange(6, dtype=torch.float16).reshape(2, 3), {"tensor": torch.arange(6, dtype=torch.float16).reshape(2, 3)})

    x = torch.tensor([[random.Random(100 + r * 5 + c).gauss(0, 1) for c in range(5)] for r in range(8)])
    with torch.no_grad():
        logit = model.double()(x.double())
    save_file({"x": x, "logit": logit}, os.path.join(FOLDER, "logits.safetensors"))


os.makedirs(FOLDER, exist_ok=True)
old() if sys.argv[1:] == ["--old"] else new()

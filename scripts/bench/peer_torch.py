"""PyTorch as a contestant: training steps, the optimiser alone, scoring, scoring a file. Eager and compiled.

Asked by scripts/bench/turns.py. Batches are made before the clock starts: a step is charged with no gathering of
rows. Compiled for scoring means frozen weights (BatchNorm folded, weights packed), static shapes, and for few rows
max-autotune, which alone tries PyTorch's own products beside MKL's.

SPDX-License-Identifier: MIT
"""
import itertools
import statistics
import time

import worker

BATCHES_READY = 4  # batches that steps go through in turn
AUTOTUNE_ROWS = 8  # up to so many rows max-autotune has been seen to find something quicker than MKL
BLOCK_ROWS = 2048  # rows read from a file at a time


class Torch:
    def __init__(self):
        import pytorch_train
        import torch

        self.torch, self.recipe = torch, pytorch_train
        self.scoring, self.steps, self.updates = {}, {}, {}
        torch._dynamo.config.recompile_limit = 64  # a program for every batch and number of threads

    def facts(self):
        torch = self.torch
        parts = [
            line.strip(" -").split(" (")[0].replace("Intel(R) ", "") for line in torch.__config__.show().splitlines()
        ]
        return {
            "torch": torch.__version__,
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "libraries": [p.split("-Product")[0] for p in parts if p.startswith(("oneAPI", "MKL"))],
            "threads": torch.get_num_threads(),
        }

    def model(self, weights, dropout=None):
        """The README's Router with these weights, in training mode. dropout None: the recipe's."""
        from safetensors.torch import load_file

        state = {key: value for key, value in load_file(weights).items() if key.startswith("cls.")}
        model = self.recipe.Router(
            state["cls.0.weight"].shape[1], **({"dropout": [dropout] * 3} if dropout is not None else {})
        )
        model.load_state_dict(state, strict=True)
        return model

    def features(self, path, rows=None):
        import h5py

        with h5py.File(path) as f:
            x = f["features"][:rows]
            while rows and len(x) < rows:  # a small dump serves large batches
                x = self.torch.cat([self.torch.from_numpy(x)] * 2).numpy()[:rows]
            return self.torch.from_numpy(x).float()

    # ---- training ----

    def prepare_step(self, weights, dump, batch, adamw, compiled, threads):
        """Everything but the clock: model, optimiser, batches, and with `compiled` the compiler."""
        torch = self.torch
        torch.set_num_threads(threads)
        if (batch, adamw, compiled, threads) not in self.steps:
            model = self.model(weights)
            x, y = self.recipe.load(dump)
            parts = [torch.randint(len(y), (batch,)) for _ in range(BATCHES_READY)]
            ready = itertools.cycle([(x.index_select(0, p), y[p]) for p in parts])
            optimizer = self.recipe.optimiser(model, adamw)
            loss_of = (
                torch.compile(lambda x, y: self.recipe.focal(model(x), y), dynamic=False)
                if compiled
                else (lambda x, y: self.recipe.focal(model(x), y))
            )

            def once():
                self.recipe.step(loss_of, model, optimizer, *next(ready))

            once()
            self.steps[batch, adamw, compiled, threads] = once

    def step(self, batch, adamw, compiled, threads, seconds):
        """Seconds a step."""
        self.torch.set_num_threads(threads)
        return worker.timed(self.steps[batch, adamw, compiled, threads], seconds)

    def losses(self, weights, dump, steps, clip):
        """The loss of each of `steps` full-batch steps without dropout, and the logits behind them."""
        model = self.model(weights, dropout=0.0)
        x, y = self.recipe.load(dump)
        optimizer = self.recipe.optimiser(model, "default")
        cosine = self.recipe.schedule(optimizer)

        def update(model, optimizer):
            self.recipe.update(model, optimizer, clip)

        losses = []
        for _ in range(steps):
            losses.append(self.recipe.step(lambda x, y: self.recipe.focal(model(x), y), model, optimizer, x, y, update))
            cosine.step()
        model.eval()
        with self.torch.inference_mode():
            return {"losses": losses, "logits": model(x).tolist()}

    def update(self, weights, dump, adamw, threads, seconds):
        """Seconds of clip_grad_norm_ and AdamW.step within steps of 256 rows: the caches are as a step leaves them."""
        torch, took = self.torch, []
        torch.set_num_threads(threads)
        if adamw not in self.updates:
            model = self.model(weights)
            x, y = self.recipe.load(dump)
            self.updates[adamw] = model, self.recipe.optimiser(model, adamw), x[:256], y[:256]
        model, optimizer, x, y = self.updates[adamw]

        def update(*what):
            began = time.perf_counter()
            self.recipe.update(*what)
            took.append(time.perf_counter() - began)

        def once():
            self.recipe.step(lambda x, y: self.recipe.focal(model(x), y), model, optimizer, x, y, update)

        once()
        took.clear()
        worker.timed(once, seconds)
        return statistics.median(took)

    # ---- scoring ----

    def scorer(self, weights, rows, compiled, threads, autotune=False):
        torch = self.torch
        torch.set_num_threads(threads)
        key = weights, rows, compiled, threads
        if key not in self.scoring:
            model = self.model(weights).eval()
            if compiled:
                import torch._inductor.config as inductor

                inductor.freezing = True
                how = "max-autotune" if autotune and rows <= AUTOTUNE_ROWS else "default"
                model = torch.compile(model, dynamic=False, mode=how)
            self.scoring[key] = model
        return self.scoring[key]

    def logits(self, weights, dump, rows, compiled, threads=1):
        model, x = self.scorer(weights, rows, compiled, threads), self.features(dump, rows)
        with self.torch.no_grad():
            return model(x).tolist()

    def prepare_score(self, weights, dump, rows, compiled, threads, autotune):
        model, x = self.scorer(weights, rows, compiled, threads, autotune), self.features(dump, rows)
        with self.torch.no_grad():
            model(x)

    def score(self, weights, dump, rows, compiled, threads, seconds):
        """Seconds a call of `rows` rows."""
        model, x = self.scorer(weights, rows, compiled, threads), self.features(dump, rows)
        # a frozen program is one of no_grad; eager is quickest in inference_mode
        with self.torch.no_grad() if compiled else self.torch.inference_mode():
            return worker.timed(lambda: model(x), seconds)

    def file(self, weights, dump, threads):
        """Seconds for the probabilities of a whole dump, from opening it: no start-up, no import, nothing written."""
        import h5py
        import numpy as np

        torch = self.torch
        model = self.scorer(weights, BLOCK_ROWS, False, threads)
        began, out = time.perf_counter(), []
        with h5py.File(dump) as f, torch.inference_mode():
            d = f["features"]
            for at in range(0, len(d), BLOCK_ROWS):
                out.append(torch.sigmoid(model(torch.from_numpy(d[at : at + BLOCK_ROWS].astype(np.float32)))))
            out = torch.cat(out).numpy()
        return {"seconds": time.perf_counter() - began, "rows": len(out)}


if __name__ == "__main__":
    worker.serve(Torch, ["h5py", "safetensors.torch", "torch"])

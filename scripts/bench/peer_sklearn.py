"""scikit-learn's MLPClassifier as a contestant: what it can do of the same work.

It has neither BatchNorm, GELU, dropout nor the focal loss: ReLU, log loss, Adam. Same widths, so the same products;
nothing of what it computes can be compared with the others. Asked by scripts/bench/turns.py.

SPDX-License-Identifier: MIT
"""
import warnings

import worker

HIDDEN = (1024, 512, 256)


class Sklearn:
    def __init__(self):
        import numpy as np
        import sklearn
        import threadpoolctl
        from sklearn.neural_network import MLPClassifier

        self.np, self.sklearn, self.pools, self.make = np, sklearn, threadpoolctl, MLPClassifier
        self.model = None
        warnings.simplefilter("ignore")

    def facts(self):
        blas = [p for p in self.pools.threadpool_info() if p.get("user_api") == "blas"]
        return {
            "sklearn": self.sklearn.__version__,
            "numpy": self.np.__version__,
            "blas": [{k: p.get(k) for k in ("internal_api", "version", "architecture", "num_threads")} for p in blas],
        }

    def rows(self, dump, rows):
        import h5py

        with h5py.File(dump) as f:
            x, y = f["features"][:rows].astype(self.np.float32), f["label"][:rows]
        return self.np.resize(x, (rows, x.shape[1])), self.np.resize(y, rows)

    def step(self, dump, batch, threads, seconds):
        """Seconds of partial_fit on one batch: a step of Adam."""
        x, y = self.rows(dump, batch)
        self.model = self.make(HIDDEN, batch_size=batch)
        self.model.partial_fit(x, y, classes=[0, 1])
        with self.pools.threadpool_limits(threads):
            return worker.timed(lambda: self.model.partial_fit(x, y), seconds)

    def score(self, dump, rows, threads, seconds):
        x, _ = self.rows(dump, rows)
        if self.model is None:
            self.model = self.make(HIDDEN, batch_size=256).partial_fit(*self.rows(dump, 256), classes=[0, 1])
        with self.pools.threadpool_limits(threads):
            return worker.timed(lambda: self.model.predict_proba(x), seconds)


if __name__ == "__main__":
    worker.serve(Sklearn, ["h5py", "numpy", "sklearn", "threadpoolctl"])

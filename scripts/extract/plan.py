# SPDX-License-Identifier: MIT
"""Which rows run together: batches of like lengths, cut once from all rows.

The batches depend on the prompts and the settings alone, never on where a run was stopped: the numbers of a row depend
a little (by rounding) on the rows it is padded with, so an extraction that went on must meet the same batches. The
longest come first: memory runs out at once or not at all, and the time left is guessed too high rather than too low.
"""


def batches(lengths, rows, tokens):
    """Lists of row numbers: at most `rows` a batch and at most `tokens` padded tokens, but at least one row."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    out, batch = [], []
    for i in order:
        if batch and (len(batch) == rows or (len(batch) + 1) * lengths[batch[0]] > tokens):
            out.append(batch)
            batch = []
        batch.append(i)
    return out + [batch] if batch else out

# SPDX-License-Identifier: MIT
"""An extraction under way: guards run over the rows, one after the other, and the dump fills."""
import collections
import concurrent.futures
import time

import numpy as np
import torch

import templates
from contract import attributes_of, dataset_of, layer_attributes
from dump import as_stored
from endpoint import Endpoint
from guard import Guard, check_states, head_error, head_logits
from options import LARGE, LAST, SMALL
from plan import batches
from pool import Pool
from progress import Bar, say
from stop import Stop
from verdicts import UNREADABLE, UNSAFE, judge, probability

SAVE_SECONDS = 60.0


class Job:
    """What is being extracted: rows, guards and the dump."""

    def __init__(self, args, sides, prompts, dump, signals, device, prompts_sha256):
        self.args, self.sides, self.rows, self.dump = args, {side.which: side for side in sides}, prompts.rows, dump
        self.has, self.signals, self.device, self.prompts_sha256 = prompts.has, signals, device, prompts_sha256
        self.ids = [row.id for row in self.rows]
        self.head, self.done = None, {}
        self.saved_rows, self.saved_at = 0, time.monotonic()

    def load(self, side, layers):
        say(f"loading {side.name} ({self.args.compute_dtype}, {self.device})")
        pad = side.tokenizer.pad_token_id if side.tokenizer.pad_token_id is not None else side.tokenizer.eos_token_id
        guard = Guard(side.model, getattr(self.args, f"{side.which}_revision"), self.device,
                      getattr(torch, self.args.compute_dtype), side.verdict, pad, layers)
        why = guard.why_no_head(side.tokens[0])
        if why:
            say(f"{side.name}: {why}; P(unsafe) is that of its own logits"
                + (", and there is no /verdict_head" if side.which == SMALL else ""))
        self.head = None if why else guard.verdict_rows()
        return guard

    def make(self, guard):
        """The dump's file, with all but the numbers of rows."""
        args, columns, arrays = self.args, {}, {}
        for which in self.sides:
            columns |= {f"{which}_prob": ((), "f4", np.nan, {}), f"{which}_pred": ((), "i1", UNREADABLE, {})}
        if guard is not None:
            for layer in args.layers:
                more = {} if layer == args.layers[0] else layer_attributes(layer, self.sides[SMALL])
                columns[dataset_of(args, layer)] = ((guard.width,), args.dtype, None, more)
            if self.head is not None:
                words = self.sides[SMALL].form.words
                arrays["verdict_head"] = (self.head, {"tokens": [words.safe, words.unsafe]})
            if "gold" in self.has:
                arrays["gold"] = (np.array([row.gold for row in self.rows], np.int8), {})
            if "weight" in self.has:
                arrays["weight"] = (np.array([row.weight for row in self.rows], np.float32), {})
        texts = {"id": self.ids}
        if guard is not None:  # what is the large guard's alone is joined by its ids
            texts |= {n: [getattr(row, n) for row in self.rows] for n in ("source", "group") if n in self.has}
        attributes = attributes_of(args, self.sides.values(), self.prompts_sha256)
        self.dump.make(len(self.rows), attributes, arrays, texts, columns)

    # -- rows --

    def put_verdicts(self, which, rows, judged):
        unreadable = UNSAFE if self.args.unreadable == "unsafe" else UNREADABLE
        self.dump.put(f"{which}_prob", rows, [prob for prob, _ in judged])
        self.dump.put(f"{which}_pred", rows, [unreadable if v == UNREADABLE else v for _, v in judged])
        self.done[f"{which}_unreadable"] = (self.done.get(f"{which}_unreadable", 0)
                                            + sum(v == UNREADABLE for _, v in judged))

    def step(self, which, done, rows, bar):
        """After rows were put: saves now and then, and stops where a signal came."""
        self.done[which] = done
        self.saved_rows += rows
        bar.add(rows)
        late = time.monotonic() - self.saved_at >= SAVE_SECONDS
        if late or self.saved_rows >= self.args.save_rows or self.signals.asked:
            self.save()
            self.signals.check(bar.done, bar.total)

    def save(self):
        self.dump.save(self.done)
        self.saved_rows, self.saved_at = 0, time.monotonic()

    def run_local(self, side, guard, layers):
        plan = batches([len(t) for t in side.tokens], self.args.batch, self.args.batch_tokens)
        first = self.done.get(side.which, 0)
        bar = Bar(f"{side.which} guard", len(self.rows), sum(map(len, plan[:first])))
        try:
            for b in range(first, len(plan)):
                self.signals.working = True
                self.run_batch(side, guard, layers, plan[b])
                self.step(side.which, b + 1, len(plan[b]), bar)
        finally:
            self.signals.working = False
            bar.close()

    def run_batch(self, side, guard, layers, rows):
        states, own, mass = guard.run([side.tokens[i] for i in rows])
        ids = [self.ids[i] for i in rows]
        check_states(states, ids, side.name)
        logits = own
        if side.which == SMALL:
            for layer in layers:
                name = dataset_of(self.args, layer)
                states[layer] = as_stored(states[layer], self.args.dtype, f"/{name}", ids)
                self.dump.put(name, rows, states[layer])
        if self.head is not None:
            logits = head_logits(states[LAST], self.head)
            stored = 2.0 ** -12 if side.which == SMALL and self.args.dtype == "float16" else 0.0
            off = head_error(states[LAST], self.head, own, guard.eps, stored)
            self.done["off"] = self.done.get("off", 0) + int((off > 4).sum())
            self.done["most_off"] = max(self.done.get("most_off", 0.0), float(off.max()))
        self.put_verdicts(side.which, rows, [judge(probability(*pair), m, self.args.least_mass)
                                             for pair, m in zip(logits, mass)])

    def run_http(self, side):
        args, n, first = self.args, len(self.rows), self.done.get(LARGE, 0)
        body = {"chat_template_kwargs": {"enable_thinking": False}} if side.form.name == templates.DYNAGUARD and \
            args.endpoint == "chat" else {}
        endpoint = Endpoint(args.large, args.large_name, side.form, chat=args.endpoint == "chat", timeout=args.timeout,
                            retries=args.retries, max_tokens=args.max_tokens, key_variable=args.api_key_variable,
                            logprobs=not args.no_logprobs, least_mass=args.least_mass, more=body | args.body)
        bar = Bar("large guard", n, first)
        pool, waiting = Pool(args.concurrency), collections.deque()
        self.signals.working = True
        try:
            for i in range(first, n):
                while len(waiting) < 2 * args.concurrency and i + len(waiting) < n:
                    waiting.append(pool.submit(endpoint.ask, self.rows[i + len(waiting)]))
                self.put_verdicts(LARGE, [i], [self.wait(waiting.popleft())])
                self.step(LARGE, i + 1, 1, bar)
        except Stop:
            if self.dump.file is not None:
                self.save()
            raise
        finally:
            endpoint.stopping.set()
            for future in waiting:
                future.cancel()
            pool.close()
            self.signals.working = False
            bar.close()

    def wait(self, future):
        while not concurrent.futures.wait([future], timeout=0.2).done:
            self.signals.check(self.done.get(LARGE, 0), len(self.rows))
        return future.result()

    # -- both --

    def run(self, restart):
        resumed = self.dump.begin(restart)
        self.done = self.dump.done if resumed else {}
        if resumed:
            say(f"{self.dump.part} is there; going on with it")
        for which, side in self.sides.items():
            if self.done.get(f"{which}_finished"):
                continue
            layers = tuple(self.args.layers) if which == SMALL else (LAST,)
            guard = None if side.endpoint else self.load(side, layers)
            if self.dump.file is None:
                self.make(guard if which == SMALL else None)
            if side.endpoint:
                self.run_http(side)
            else:
                self.run_local(side, guard, layers)
                guard.close()
            self.done[f"{which}_finished"] = True
            self.save()


def summarize(job):
    """Counts of the finished dump, as lines."""
    rows, gold, dump = len(job.rows), job.dump.column("gold"), job.dump
    wide = dump.file["features"].shape[1] if "features" in dump.file else 0
    lines = [f"{rows:,} rows" + (f" of {wide} {job.args.dtype} features" if wide else "")]
    right = {}
    for which in job.sides:
        pred, unreadable = dump.verdicts(which), job.done.get(f"{which}_unreadable", 0)
        line = (f"{which} guard: {100 * np.mean(pred == 1):.2f} % unsafe, {unreadable:,} unreadable "
                f"({100 * unreadable / rows:.2f} %, counted as {job.args.unreadable})")
        if gold is not None:
            known = (gold >= 0) & (pred >= 0)
            right[which] = (pred == gold, known)
            line += f", {100 * np.mean(pred[known] == gold[known]):.2f} % right" if known.any() else ""
        lines.append(line)
        if unreadable > rows / 10:
            lines.append(f"  many are unreadable: is {which} asked in its own form? (--form, --template; behind an "
                         "endpoint --max-tokens, --large-body)")
    if len(right) == 2:
        known = right[SMALL][1] & right[LARGE][1]
        hard = ~right[SMALL][0] & right[LARGE][0] & known
        lines.append(f"small wrong and large right: {int(hard.sum()):,} of {int(known.sum()):,} rows with both "
                     "verdicts and gold")
    elif not job.args.only and gold is None:
        lines.append("no gold: the rows can be routed, but not trained on")
    if job.done.get("off"):
        lines.append(f"WARNING: in {job.done['off']:,} rows the guard's own logits differ from features x verdict rows "
                     f"by up to {job.done['most_off']:.1f} times the rounding of its compute type; above 4 the dump "
                     "may hold other vectors than the guard reads. Does another --device or --compute-dtype agree?")
    return lines


def is_mute(job):
    """Whether a guard said nothing that could be read."""
    return any(job.done.get(f"{which}_unreadable", 0) == len(job.rows) for which in job.sides)

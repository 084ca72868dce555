#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""extract_features.py: from prompts and two guards to a feature dump that `saferoute` trains on.

Reads prompts.jsonl, asks the small and the large guard, and writes the small one's hidden states, both guards'
probabilities and verdicts, and where all that comes from. Details: README.md beside this file.

The parts: prompts.py (rows), templates.py (how a guard is asked), verdicts.py (what an answer means), guard.py (a model
here), endpoint.py (a model behind HTTP), plan.py (batches), dump.py (the file), progress.py (bar and signals).
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import json
import os
import sys
import time

import prompts as prompts_file
import templates
from progress import Bar, Signals, say
from stop import DATA, NO_INPUT, USAGE, Stop
from verdicts import THRESHOLD, UNREADABLE, UNSAFE, judge, probability

SMALL, LARGE = "small", "large"
LAST = "last"
SAVE_SECONDS = 60.0
FORMAT = 1  # of what is written; another one begins anew

DESCRIPTION = """\
Runs two guards over prompts and writes a feature dump (HDF5): the small guard's hidden state of the last prompt token,
P(unsafe) and verdict of both guards, gold, source and group, and attributes that say where it all comes from. Stopped
or killed, the same command goes on where it was.
"""
EPILOG = """\
prompts.jsonl holds an object a line:
  {"id": "a1", "policy": "1. Give no refunds.", "transcript": "User: ...\\nAgent: ...", "gold": "FAIL", "source": "shop"}
  {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}], "gold": 0, "group": "g7"}
transcript or messages is needed (or prompt and response), and for DynaGuard a policy; the rest is optional. DynaBench's
policy, transcript, label are read as they are. A line without an id gets a hash of its content as one.

examples:
  extract_features.py --small tomg-group-umd/DynaGuard-1.7B --large tomg-group-umd/DynaGuard-8B --in prompts.jsonl \\
                      --out all.h5
  extract_features.py --small meta-llama/Llama-Guard-3-1B --large meta-llama/Llama-Guard-3-8B --in chats.jsonl --out a.h5
  # one guard at a time, where both do not fit or run on different machines
  extract_features.py --only small --small $SMALL --in prompts.jsonl --out small.h5
  extract_features.py --only large --large $LARGE --in prompts.jsonl --out large.h5
  saferoute data merge small.h5 large.h5 --out all.h5
  # the large guard behind vLLM or another OpenAI-compatible server
  extract_features.py --small $SMALL --large http://localhost:8000/v1 --large-name tomg-group-umd/DynaGuard-8B \\
                      --in prompts.jsonl --out all.h5
  # any causal language model
  extract_features.py --only small --small my/model --template ask.jinja --safe-token yes --unsafe-token no \\
                      --in prompts.jsonl --out small.h5

exit status: 0 done, 2 usage or settings, 65 bad data, 66 no such file or model, 71 out of memory, 74 input/output or the
endpoint failed, 75 stopped by a signal; after 74 and 75 the same command goes on
"""


# ---- the command line ----

def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _share(text):
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be from 0 to 1")
    return value


def _seconds(text):
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _add_input(add):
    add("--in", dest="input", required=True, metavar="F.jsonl", help="prompts, an object a line")
    add("--map", action="append", default=[], metavar="THEIRS=OURS",
        help="the field THEIRS of the file is our OURS (a.b: b of the object a); may be given again")
    add("--policy", metavar="FILE", help="rules, a text, for rows that have none")
    add("--no-policy", action="store_true", help="do not look at policies: Llama Guard's own categories")
    add("--skip-bad", action="store_true", help="leave lines out that cannot be used, instead of refusing the file")
    add("--limit", type=_positive, metavar="N", help="only the first N rows, to try things")


def _add_guards(add):
    add("--small", metavar="MODEL", help="the small guard: a folder or a name on the Hugging Face Hub")
    add("--large", metavar="MODEL|URL", help="the large guard: the same, or the address of an OpenAI-compatible server")
    add("--only", choices=(SMALL, LARGE), help="run one guard; `saferoute data merge` joins the two dumps by id")
    for which in (SMALL, LARGE):
        add(f"--{which}-revision", metavar="R", help=f"commit, tag or branch of the {which} guard on the Hub")
    add("--form", choices=(templates.DYNAGUARD, templates.LLAMA_GUARD),
        help="how guards are asked; without, their names and tokenizers tell")
    add("--system-prompt", metavar="FILE", help="DynaGuard's system prompt, in place of ours")
    add("--template", metavar="FILE", help="Jinja template of a prompt (policy, transcript, messages, bos_token, "
        "eos_token); one newline at the file's end does not count")
    add("--safe-token", metavar="T", help="the token that says safe, with --template or in place of the form's")
    add("--unsafe-token", metavar="T", help="the token that says unsafe")


def _add_running(add):
    add("--device", default="auto", metavar="D", help="cuda, cuda:1, mps, cpu; auto: the first that is there")
    add("--compute-dtype", default="bfloat16", choices=("bfloat16", "float32", "float16"),
        help="the models' type; take what serving takes (default: %(default)s)")
    add("--batch", type=_positive, default=16, metavar="N", help="most rows a batch (default: %(default)s)")
    add("--batch-tokens", type=_positive, default=16384, metavar="N",
        help="most tokens a batch, with padding (default: %(default)s)")
    add("--max-length", type=_positive, metavar="N", help="longer prompts are bad lines; default: the models' limits")


def _add_output(add):
    add("--out", required=True, metavar="F.h5", help="the dump; F.h5.part and F.h5.part.json while it is unfinished")
    add("--dtype", default="float16", choices=("float16", "float32"),
        help="type of the features (default: %(default)s); values beyond it are refused")
    add("--layers", default=LAST, metavar="K,..", help="layers, as 20,24,last: /features is the last, or the first named; "
        "the others are /features_layer_K, before the final norm")
    add("--unreadable", default="unknown", choices=("unknown", "unsafe"),
        help="what a verdict that cannot be read counts as; never safe (default: %(default)s)")
    add("--least-mass", type=_share, default=0.5, metavar="P", help="a verdict is unreadable where both verdict tokens "
        "together have a probability below P (default: %(default)s)")
    add("--save-rows", type=_positive, default=1000, metavar="N",
        help="save after so many rows, and every minute (default: %(default)s)")
    add("--overwrite", action="store_true", help="replace another --out, once the new one is complete")
    add("--restart", action="store_true", help="throw away an unfinished dump and begin again")


def _add_endpoint(add):
    add("--large-name", metavar="NAME", help="the model's name on the server; stored as large_model")
    add("--endpoint", default="chat", choices=("chat", "completions"), help="chat: the server's template; completions: "
        "ours, made with --large-tokenizer, and the verdict comes first (default: %(default)s)")
    add("--large-tokenizer", metavar="MODEL", help="tokenizer of the large guard, for --endpoint completions")
    add("--large-body", metavar="JSON", help="further keys of a request; null takes one away")
    add("--no-logprobs", action="store_true", help="ask for no logprobs: verdicts only, no /large_prob")
    add("--max-tokens", type=_positive, default=32, metavar="N", help="length of an answer (default: %(default)s)")
    add("--concurrency", type=_positive, default=8, metavar="N", help="requests at once (default: %(default)s)")
    add("--timeout", type=_seconds, default=120.0, metavar="S", help="seconds for an answer (default: %(default)s)")
    add("--retries", type=int, default=6, metavar="N", help="tries again, each after a longer wait (default: %(default)s)")
    add("--api-key-variable", default="OPENAI_API_KEY", metavar="NAME",
        help="environment variable with the key, if there is one (default: %(default)s)")


def parse_arguments(argv):
    parser = argparse.ArgumentParser(prog="extract_features.py", description=DESCRIPTION, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    for title, add in (("prompts", _add_input), ("guards", _add_guards), ("running", _add_running),
                       ("output", _add_output), ("a large guard behind HTTP", _add_endpoint)):
        add(parser.add_argument_group(title).add_argument)
    args = parser.parse_args(argv)
    args.which = [args.only] if args.only else [SMALL, LARGE]
    for which in args.which:
        if not getattr(args, which):
            parser.error(f"--{which} MODEL is missing" + ("" if args.only else " (or give --only)"))
    if args.retries < 0:
        parser.error("--retries must be at least 0")
    args.url = LARGE in args.which and args.large.startswith(("http://", "https://"))
    if args.url and not args.large_name:
        parser.error("--large is an address; --large-name NAME says which model of that server")
    if args.url and args.endpoint == "completions" and not args.large_tokenizer:
        parser.error("--endpoint completions needs --large-tokenizer MODEL: the prompt is made here")
    args.layers = _parse_layers(parser, args.layers)
    args.body = _parse_body(parser, args.large_body)
    return args


def _parse_layers(parser, text):
    layers = [LAST if part.strip() == LAST else int(part) if part.strip().isdecimal() else None
              for part in text.split(",")]
    if None in layers or 0 in layers or len(set(layers)) < len(layers):
        parser.error(f"--layers {text}: it takes different numbers from 1 on, and last")
    return layers


def _parse_body(parser, text):
    try:
        body = json.loads(text) if text else {}
    except ValueError as e:
        parser.error(f"--large-body is not JSON: {e}")
    if not isinstance(body, dict):
        parser.error("--large-body is not a JSON object")
    return body


def _read_text(path, option):
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError) as e:
        raise Stop(NO_INPUT, f"{option} {path}: {getattr(e, 'strerror', None) or e}") from None


# ---- guards and prompts, before anything runs ----

@dataclasses.dataclass
class Side:
    """One of the guards: how it is asked and what for."""

    which: str
    model: str  # as given
    name: str  # as stored
    revision: str
    form: object
    config: object = None
    tokenizer: object = None
    tokens: list = None  # int32 array of each row; None behind a chat endpoint
    verdict: list = None  # token ids of safe and unsafe
    endpoint: bool = False


def make_side(args, which, guard):
    model, revision = getattr(args, which), getattr(args, f"{which}_revision")
    system = _read_text(args.system_prompt, "--system-prompt")
    how = (args.form, args.template, args.safe_token, args.unsafe_token, system)
    if args.url and which == LARGE:
        tokenizer = guard.load_tokenizer(args.large_tokenizer) if args.endpoint == "completions" else None
        form = templates.make(args.large_name, tokenizer, *how)
        return Side(which, model, args.large_name, revision or "unknown", form, tokenizer=tokenizer, endpoint=True)
    config, tokenizer = guard.load_config(model, revision), guard.load_tokenizer(model, revision)
    form = templates.make(model, tokenizer, *how)
    return Side(which, model, guard.name_of(model), guard.revision_of(model, config), form, config, tokenizer)


def _limit(args, side):
    longest = getattr(side.config.get_text_config(), "max_position_embeddings", None) if side.config else None
    return min(n for n in (args.max_length, longest, 1 << 30) if n)


def _encode(args, side, rows, guard):
    """Makes the prompts; {row number: why not}."""
    if side.endpoint:
        make = side.form.messages if args.endpoint == "chat" else side.form.text
        bad = {}
        for i, row in enumerate(rows):
            try:
                make(row)
            except templates.Unfit as e:
                bad[i] = str(e)
        return bad
    side.tokens, problems, sample = guard.encode(side.tokenizer, side.form, rows)
    number = {id(row): i for i, row in enumerate(rows)}
    bad = {number[id(row)]: why for row, why in problems}
    if sample is not None:
        side.verdict = guard.verdict_tokens(side.tokenizer, sample, side.form.words, side.name)
    most = _limit(args, side)
    for i, tokens in enumerate(side.tokens):
        if tokens is not None and not 0 < len(tokens) <= most:
            bad[i] = f"makes a prompt of {len(tokens):,} tokens, and the {side.which} guard takes {most:,}"
    return bad


def prepare(args, sides, prompts, guard):
    """Prompts of all rows for all guards. Rows that one of them cannot be asked are problems of the file."""
    problems = {}
    for side in sides:
        for i, why in _encode(args, side, prompts.rows, guard).items():
            problems.setdefault(i, why)
    if not problems:
        return
    rows = prompts.rows
    shown = "\n".join(f"  {args.input}:{rows[i].line}: {problems[i]}" for i in sorted(problems)[:10])
    if not args.skip_bad or len(problems) == len(rows):
        raise Stop(DATA, f"{args.input}: {len(problems)} of {len(rows)} rows cannot be asked:\n{shown}\n"
                         "Correct them, or leave them out with --skip-bad.")
    say(f"{args.input}: {len(problems)} of {len(rows)} rows cannot be asked and are left out:\n{shown}")
    kept = [i for i in range(len(rows)) if i not in problems]
    prompts.rows = [rows[i] for i in kept]
    for side in sides:
        side.tokens = side.tokens and [side.tokens[i] for i in kept]


def describe(prompts):
    taken = ", ".join(ours if ours == theirs else f"{theirs} as {ours}" for ours, theirs in prompts.taken.items())
    unused = f"; not used: {', '.join(prompts.unused[:12])}" if prompts.unused else ""
    say(f"{len(prompts.rows):,} rows; fields: {taken}{unused}")
    if prompts.repeated:
        say(f"{prompts.repeated} rows without an id say what an earlier one says; their ids end in -2, -3, ... "
            "`saferoute data check` finds such twins")


# ---- settings ----

def settings_of(args, sides, prompts, device):
    """All that decides what is in the dump, as JSON."""
    out = {"format": FORMAT, "prompts": prompts.sha256, "rows": len(prompts.rows), "map": sorted(args.map),
           "least_mass": args.least_mass, "unreadable": args.unreadable}
    for side in sides:
        mine = {"model": side.name, "revision": side.revision, "template": side.form.stamp()}
        if side.endpoint:
            mine |= {"endpoint": args.endpoint, "max_tokens": args.max_tokens, "logprobs": not args.no_logprobs,
                     "body": args.body}
        else:
            mine |= {"device": device.partition(":")[0], "dtype": args.compute_dtype, "batch": args.batch,
                     "batch_tokens": args.batch_tokens}
        if side.which == SMALL:
            mine |= {"layers": args.layers, "stored": args.dtype}
        out |= {f"{side.which}_{key}": value for key, value in mine.items()}
    return json.loads(json.dumps(out))  # as it will be read back


def attributes_of(args, sides):
    import torch
    import transformers

    out = {"extractor": f"extract_features.py {FORMAT}; transformers {transformers.__version__}; "
                        f"torch {torch.__version__}"}
    for side in sides:
        out[f"{side.which}_threshold"] = THRESHOLD
        if side.which == SMALL:
            out |= {"feature_model": side.name, "feature_revision": side.revision, "feature_pooling": LAST,
                    "feature_template": side.form.stamp(), "feature_compute_dtype": args.compute_dtype,
                    **_layer_attributes(args.layers[0], side)}
        else:
            out |= {"large_model": side.name, "large_revision": side.revision, "large_template": side.form.stamp()}
            out |= {} if side.endpoint else {"large_compute_dtype": args.compute_dtype}
    return {key: value for key, value in out.items() if value != "unknown"}


def _layer_attributes(layer, side):
    """The final norm is behind the last layer, so what the others give is before it."""
    number = side.config.get_text_config().num_hidden_layers if layer == LAST else layer
    return {"feature_layer": str(number), "feature_norm": "post" if layer == LAST else "pre"}


def order_layers(args, side):
    """/features first: the last layer, or the first named."""
    count = side.config.get_text_config().num_hidden_layers
    layers = [LAST if layer == count else layer for layer in args.layers]
    if any(layer != LAST and layer > count for layer in layers) or len(set(layers)) < len(layers):
        raise Stop(USAGE, f"--layers: {side.name} has {count} layers, the last of which is also called last")
    args.layers = sorted(layers, key=lambda layer: layer != LAST)


def dataset_of(args, layer):
    return "features" if layer == args.layers[0] else f"features_layer_{layer}"


# ---- running ----

class Job:
    """What is being extracted: rows, guards and the dump."""

    def __init__(self, args, sides, prompts, dump, signals, device):
        self.args, self.sides, self.rows, self.dump = args, {side.which: side for side in sides}, prompts.rows, dump
        self.has, self.signals, self.device = prompts.has, signals, device
        self.ids = [row.id for row in self.rows]
        self.head, self.done = None, {}
        self.saved_rows, self.saved_at = 0, time.monotonic()

    def load(self, side, layers):
        import torch

        from guard import Guard

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
        import numpy as np

        args, columns, arrays = self.args, {}, {}
        for which in self.sides:
            columns |= {f"{which}_prob": ((), "f4", np.nan, {}), f"{which}_pred": ((), "i1", UNREADABLE, {})}
        if guard is not None:
            for layer in args.layers:
                more = {} if layer == args.layers[0] else _layer_attributes(layer, self.sides[SMALL])
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
        self.dump.make(len(self.rows), attributes_of(args, self.sides.values()), arrays, texts, columns)

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
        from plan import batches

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
        from dump import as_stored
        from guard import check_states, head_error, head_logits

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
            exact = side.which == SMALL and self.args.dtype == "float16"
            off = head_error(states[LAST], self.head, own, guard.eps, 2.0 ** -12 if exact else 0.0)
            self.done["off"] = self.done.get("off", 0) + int((off > 4).sum())
        self.put_verdicts(side.which, rows, [judge(probability(*pair), m, self.args.least_mass)
                                             for pair, m in zip(logits, mass)])

    def run_http(self, side):
        from endpoint import Endpoint

        args, n, first = self.args, len(self.rows), self.done.get(LARGE, 0)
        body = {"chat_template_kwargs": {"enable_thinking": False}} if side.form.name == templates.DYNAGUARD and \
            args.endpoint == "chat" else {}
        endpoint = Endpoint(args.large, args.large_name, side.form, chat=args.endpoint == "chat", timeout=args.timeout,
                            retries=args.retries, max_tokens=args.max_tokens, key_variable=args.api_key_variable,
                            logprobs=not args.no_logprobs, least_mass=args.least_mass, more=body | args.body)
        bar = Bar("large guard", n, first)
        with concurrent.futures.ThreadPoolExecutor(args.concurrency) as pool:
            self.signals.working = True
            waiting = collections.deque()
            try:
                for i in range(first, n):
                    while len(waiting) < 2 * args.concurrency and i + len(waiting) < n:
                        waiting.append(pool.submit(endpoint.ask, self.rows[i + len(waiting)]))
                    self.put_verdicts(LARGE, [i], [self.wait(waiting.popleft())])
                    self.step(LARGE, i + 1, 1, bar)
            except Stop:
                self.save()
                raise
            finally:
                endpoint.stopping = True
                for future in waiting:
                    future.cancel()
                self.signals.working = False
                bar.close()

    def wait(self, future):
        while True:
            try:
                return future.result(timeout=0.2)
            except concurrent.futures.TimeoutError:
                if future.done():
                    raise
                self.signals.check(self.done.get(LARGE, 0), len(self.rows))

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
    import numpy as np

    rows, gold, dump = len(job.rows), job.dump.column("gold"), job.dump
    wide = dump.file["features"].shape[1] if "features" in dump.file else 0
    lines = [f"{rows:,} rows" + (f" of {wide} {job.args.dtype} features" if wide else "")]
    right = {}
    for which in job.sides:
        pred, unreadable = dump.column(f"{which}_pred"), job.done.get(f"{which}_unreadable", 0)
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
        lines.append(f"small wrong and large right: {int(hard.sum()):,} of {int(known.sum()):,} rows with both verdicts "
                     "and gold")
    elif not job.args.only and gold is None:
        lines.append("no gold: the rows can be routed, but not trained on")
    if job.done.get("off"):
        lines.append(f"WARNING: in {job.done['off']:,} rows the guard's own logits differ from features x verdict rows by "
                     "more than the rounding of its compute type")
    return lines


def run(args, signals):
    policy = _read_text(args.policy, "--policy") or ""
    prompts = prompts_file.read(args.input, prompts_file.parse_map(args.map), policy, args.skip_bad, say)
    if args.limit:
        prompts.rows = prompts.rows[:args.limit]
    if args.no_policy:
        for row in prompts.rows:
            row.policy = ""
    describe(prompts)

    import transformers

    import guard
    from dump import Dump

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    sides = [make_side(args, which, guard) for which in args.which]
    if args.which[0] == SMALL:
        order_layers(args, sides[0])
    device = guard.choose_device(args.device)
    prepare(args, sides, prompts, guard)
    dump = Dump(args.out, settings_of(args, sides, prompts, device))
    if dump.is_complete(args.overwrite):
        print(f"{args.out} is complete: these prompts, guards and settings made it")
        return 0
    job = Job(args, sides, prompts, dump, signals, device)
    try:
        job.run(args.restart)
        lines = summarize(job)
        dump.finish()
    finally:
        dump.close()
    print("\n".join([f"{args.out}: {lines[0]}", *lines[1:]]))
    return 0


def main(argv=None):
    args = parse_arguments(argv)
    try:
        with Signals() as signals:
            return run(args, signals)
    except Stop as e:
        say(str(e))
        return e.status
    except ImportError as e:
        say(f"{e}; pip install -r {os.path.join(os.path.dirname(os.path.abspath(__file__)), 'requirements.txt')}")
        return USAGE


if __name__ == "__main__":
    sys.exit(main())

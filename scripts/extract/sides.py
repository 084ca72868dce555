# SPDX-License-Identifier: MIT
"""The two guards before they run: who they are, how they are asked, and whether every row can be.

All prompts are made before a model is loaded, for what would fail at the last row shall fail at once.
"""
import dataclasses

import guard
import templates
from options import LARGE, LAST, read_text
from progress import say
from stop import DATA, USAGE, Stop


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


def make_side(args, which):
    model, revision = getattr(args, which), getattr(args, f"{which}_revision")
    system = read_text(args.system_prompt, "--system-prompt")
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


def _encode(args, side, rows):
    """Makes the prompts; {row number: why not}."""
    if side.endpoint:
        make = side.form.messages if args.endpoint == "chat" else side.form.text
        control = guard.control_tokens(side.tokenizer) if side.tokenizer and not args.allow_special_tokens else None
        bad = {}
        for i, row in enumerate(rows):
            try:
                if control:
                    guard.refuse_control(control, row)
                make(row)
            except templates.Unfit as e:
                bad[i] = str(e)
        return bad
    side.tokens, problems, sample = guard.encode(side.tokenizer, side.form, rows, f"{side.which} guard's tokens",
                                                 args.allow_special_tokens)
    number = {id(row): i for i, row in enumerate(rows)}
    bad = {number[id(row)]: why for row, why in problems}
    if sample is not None:
        side.verdict = guard.verdict_tokens(side.tokenizer, sample, side.form.words, side.name)
    most = _limit(args, side)
    for i, tokens in enumerate(side.tokens):
        if tokens is not None and not 0 < len(tokens) <= most:
            bad[i] = f"makes a prompt of {len(tokens):,} tokens, and the {side.which} guard takes {most:,}"
    return bad


def prepare(args, sides, prompts):
    """Prompts of all rows for all guards. Rows that one of them cannot be asked are problems of the file."""
    problems = {}
    for side in sides:
        for i, why in _encode(args, side, prompts.rows).items():
            problems.setdefault(i, why)
    _leave_out(args, sides, prompts, problems)
    _tell_turns(sides, prompts.rows)


def _tell_turns(sides, rows):
    """How transcripts were read as messages, where a form wants those."""
    asked = [side.which for side in sides if side.form.by_turns]
    turns = [len(templates.split_turns(row.transcript)) for row in rows if not row.messages] if asked else []
    if turns:
        several = sum(n > 1 for n in turns)
        say(f"the {' and the '.join(asked)} guard is asked by messages: {several:,} transcripts were cut into turns at "
            f"lines such as User: and Agent:, {len(turns) - several:,} are one message of a user")


def forget_texts(sides, rows):
    """What is tokenized is not held a second time; a server is asked with texts."""
    if not any(side.endpoint for side in sides):
        for row in rows:
            row.policy, row.transcript, row.messages = "", "", None


def _leave_out(args, sides, prompts, problems):
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


def order_layers(args, side):
    """/features first: the last layer, or the first named."""
    count = side.config.get_text_config().num_hidden_layers
    layers = [LAST if layer == count else layer for layer in args.layers]
    if any(layer != LAST and layer > count for layer in layers) or len(set(layers)) < len(layers):
        raise Stop(USAGE, f"--layers: {side.name} has {count} layers, the last of which is also called last")
    args.layers = sorted(layers, key=lambda layer: layer != LAST)

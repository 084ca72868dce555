#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""extract_features.py: from prompts and two guards to a feature dump that `saferoute` trains on.

Reads prompts.jsonl, asks the small and the large guard, and writes the small one's hidden states, both guards'
probabilities and verdicts, and where all that comes from. Details: README.md beside this file.

The parts: options.py (the command line), prompts.py (rows), templates.py (how a guard is asked), verdicts.py (what an
answer means), sides.py (the guards before they run), guard.py (a model here), endpoint.py (a model behind HTTP),
pool.py (threads that wait for it), plan.py (batches), contract.py (attributes and settings), dump.py (the file),
job.py (all of it under way), progress.py (bar and signals).
"""
import os
import sys
import traceback

import prompts as prompts_file
from options import SMALL, parse_arguments, read_text
from progress import Signals, say
from stop import BUG, IO, NO_MEMORY, USAGE, Stop, is_memory


def describe(prompts):
    taken = ", ".join(ours if ours == theirs else f"{theirs} as {ours}" for ours, theirs in prompts.taken.items())
    unused = f"; not used: {', '.join(prompts.unused[:12])}" if prompts.unused else ""
    say(f"{len(prompts.rows):,} rows; fields: {taken}{unused}")
    for ours, others in prompts.ambiguous.items():
        say(f"{ours} is read from {prompts.taken[ours]}; the file has {', '.join(others)}, too, which is not looked at "
            f"(--map {others[0]}={ours} takes that)")
    if prompts.repeated:
        say(f"{prompts.repeated} rows without an id say what an earlier one says; their ids end in -2, -3, ... "
            "`saferoute data check` finds such twins")


def check_out(out):
    folder = os.path.dirname(os.path.abspath(out))
    if not os.path.isdir(folder):
        raise Stop(IO, f"--out {out}: there is no folder {folder}")
    if os.path.isdir(out) or not os.access(folder, os.W_OK):
        raise Stop(IO, f"--out {out}: " + ("is a folder" if os.path.isdir(out) else f"{folder} cannot be written to"))


def run(args, signals):
    check_out(args.out)
    policy = read_text(args.policy, "--policy") or ""
    prompts = prompts_file.read(args.input, prompts_file.parse_map(args.map), policy, args.skip_bad, say)
    if args.limit:
        prompts.rows = prompts.rows[:args.limit]
    prompts_sha256 = prompts_file.hash_rows(prompts.rows, ("id", "policy", "transcript", "messages"))
    if args.no_policy:
        for row in prompts.rows:
            row.policy = ""
    describe(prompts)

    import transformers  # takes seconds, and --help and mistakes in the prompts shall not

    from contract import hash_settings, settings_of
    from dump import Dump
    from guard import choose_device
    from job import Job, is_mute, summarize
    from sides import forget_texts, make_side, order_layers, prepare

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    sides = [make_side(args, which) for which in args.which]
    if args.which[0] == SMALL:
        order_layers(args, sides[0])
    device = choose_device(args.device)
    prepare(args, sides, prompts)
    settings = settings_of(args, sides, prompts, device)
    forget_texts(sides, prompts.rows)
    dump = Dump(args.out, settings, hash_settings(settings, sides))
    if dump.is_complete(args.overwrite):
        print(f"{args.out} is complete: these prompts, guards and settings made it")
        return 0
    job = Job(args, sides, prompts, dump, signals, device, prompts_sha256)
    try:
        job.run(args.restart)
        signals.held = True  # it is a matter of moments now
        lines = summarize(job)
        dump.finish()
    finally:
        dump.close()
    print("\n".join([f"{args.out}: {lines[0]}", *lines[1:]]))
    return 1 if is_mute(job) else 0


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
    except Exception as e:
        if is_memory(e):
            say(f"out of memory: {e}")
            return NO_MEMORY
        traceback.print_exc()
        say(f"this is a bug: {type(e).__name__}; what was saved is kept")
        return BUG


if __name__ == "__main__":
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # nobody reads it
        pass
    os._exit(code)  # HDF5, tidying up at exit, crashes where a write failed; all that counts is closed

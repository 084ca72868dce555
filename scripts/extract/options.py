# SPDX-License-Identifier: MIT
"""The command line of extract_features.py: options, help, and what can be told of them before anything is read."""
import argparse
import json

import templates
from stop import NO_INPUT, USAGE, Stop

SMALL, LARGE = "small", "large"
LAST = "last"

DESCRIPTION = """\
Runs two guards over prompts and writes a feature dump (HDF5): the small guard's hidden state of the last prompt token,
P(unsafe) and verdict of both guards, gold, source and group, and attributes that say where it all comes from. Stopped
or killed, the same command goes on where it was.
"""
EPILOG = """\
prompts.jsonl holds an object a line:
  {"id": "a1", "policy": "1. Give no refunds.", "transcript": "User: ...\\nAgent: ...", "gold": "FAIL", "source": "s"}
  {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}], "gold": 0, "group": "g7"}
transcript or messages is needed (or prompt and response), and for DynaGuard a policy; the rest is optional. DynaBench's
policy, transcript, label are read as they are. A line without an id gets a hash of its content as one.

examples:
  extract_features.py --small tomg-group-umd/DynaGuard-1.7B --large tomg-group-umd/DynaGuard-8B --in prompts.jsonl \\
                      --out all.h5
  extract_features.py --small meta-llama/Llama-Guard-3-1B --large meta-llama/Llama-Guard-3-8B --in chats.jsonl \\
                      --out a.h5
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

exit status: 0 done; 1 done, but a guard said nothing that can be read; 2 usage or settings, 65 bad data or model, 66 no
such file or model, 70 a bug, 71 out of memory, 74 input/output or the endpoint failed, 75 stopped by a signal; after 74
and 75 the same command goes on
"""


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
    add("--allow-special-tokens", action="store_true", help="take rows whose texts hold control tokens of a guard "
        "(<|im_start|>), which are bad lines otherwise")
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
    add("--layers", default=LAST, metavar="K,..", help="layers, as 20,24,last: /features is the last, or the first "
        "named; the others are /features_layer_K, before the final norm")
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
    add("--retries", type=int, default=6, metavar="N",
        help="more tries, each after a longer wait (default: %(default)s)")
    add("--api-key-variable", default="OPENAI_API_KEY", metavar="NAME",
        help="environment variable with the key, if there is one (default: %(default)s)")


class _Parser(argparse.ArgumentParser):
    """The usage of some forty options would hide what is wrong."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n{self.prog} --help lists all options\n")


def parse_arguments(argv):
    parser = _Parser(prog="extract_features.py", description=DESCRIPTION, epilog=EPILOG,
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


def read_text(path, option):
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read().strip()
    except (OSError, UnicodeDecodeError) as e:
        raise Stop(NO_INPUT, f"{option} {path}: {getattr(e, 'strerror', None) or e}") from None
    if not text:
        raise Stop(USAGE, f"{option} {path}: the file is empty")
    return text

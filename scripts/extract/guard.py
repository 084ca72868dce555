# SPDX-License-Identifier: MIT
"""A guard that runs here: a causal language model, its hidden states and verdict logits at the last prompt token.

The vector is what the output layer reads at the position whose logits give the verdict: last_hidden_state, which is
after the final norm (infer/vectors.md). One forward pass gives it and the model's own logits; nothing is generated.
"""
import errno
import gc
import hashlib
import inspect
import math
import os
import re

import numpy as np
import torch
import transformers

from progress import Bar
from stop import DATA, IO, NO_INPUT, NO_MEMORY, USAGE, Stop, is_memory
from templates import Unfit

LAST = "last"
_TWINS = (".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".gguf", ".ot")  # weights, if there are safetensors
_ABOUT = (".md", ".gitattributes", ".gitignore")
_SCALED = ("final_logit_softcapping", "logit_softcapping", "logits_scaling", "logit_scale", "lm_head_multiplier",
           "output_multiplier_scale")


def _short(error):
    return " ".join(str(error).split())[:400] or type(error).__name__


def _load(kind, name, what, **more):
    if not os.path.isdir(name) and (name.count("/") > 1 or name.startswith((".", "/", "~"))):
        raise Stop(NO_INPUT, f"{name}: no such folder")  # or the Hub would be asked for a while
    if os.path.isdir(name) and not os.listdir(name):
        raise Stop(NO_INPUT, f"{name}: its {what} cannot be loaded: the folder is empty")
    try:
        return kind.from_pretrained(name, trust_remote_code=False, **more)  # nor ask whether to run a model's code
    except Exception as e:  # transformers raises OSError, ValueError, KeyError and more for a model it cannot have
        if is_memory(e):
            raise Stop(NO_MEMORY, f"{name}: its {what} does not fit into memory: {_short(e)}") from None
        if isinstance(e, ImportError):
            raise
        status = IO if getattr(e, "errno", None) in (errno.ENOSPC, errno.EIO, errno.EDQUOT) else \
            NO_INPUT if isinstance(e, OSError) else DATA
        raise Stop(status, f"{name}: its {what} cannot be loaded: {_short(e)}\n"
                           "It takes a folder of a model or a name on the Hugging Face Hub; code that comes with a "
                           "model is not run.") from None


def load_tokenizer(name, revision=None):
    return _load(transformers.AutoTokenizer, name, "tokenizer", revision=revision)


def load_config(name, revision=None):
    return _load(transformers.AutoConfig, name, "configuration", revision=revision)


def _hash_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def _hash_folder(folder):
    """Of all files at its top: any may be part of a tokenizer or a template. Not of what is about it, nor of the same
    weights in another format."""
    names = [n for n in os.listdir(folder) if os.path.isfile(os.path.join(folder, n)) and not n.endswith(_ABOUT)]
    twins = _TWINS if any(n.endswith(".safetensors") for n in names) else ()
    digest = hashlib.sha256()
    for name in sorted(n for n in names if not n.endswith(twins)):
        digest.update(f"{name}\0".encode() + _hash_file(os.path.join(folder, name)))
    return f"sha256:{digest.hexdigest()}"


def revision_of(name, config):
    """The commit of a model of the Hub; of a folder a hash of its configuration, tokenizer and weights."""
    return _hash_folder(name) if os.path.isdir(name) else getattr(config, "_commit_hash", None) or "unknown"


def name_of(name):
    """A model's name as it is stored: a folder's without the path to it."""
    return os.path.basename(os.path.realpath(name)) if os.path.isdir(name) else name


def choose_device(device):
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except Exception as e:  # RuntimeError, AssertionError or NotImplementedError, by device
        raise Stop(USAGE, f"--device {device}: {str(e).splitlines()[0]}") from None
    return device


# ---- tokens ----

def verdict_tokens(tokenizer, text, words, name):
    """[safe, unsafe] token ids, each the one token that writes its word behind the prompt `text`. Stop where a word
    takes several: there is no one logit for it then."""
    before = tokenizer(text, add_special_tokens=False)["input_ids"]
    out = []
    for word in (words.safe, words.unsafe):
        after = tokenizer(text + word, add_special_tokens=False)["input_ids"]
        same = after[:len(before)] == before
        pieces = after[len(before):] if same else tokenizer(word, add_special_tokens=False)["input_ids"]
        if not same or len(pieces) != 1 or pieces[0] == tokenizer.unk_token_id:
            shown = ", ".join(map(repr, tokenizer.convert_ids_to_tokens(pieces)))
            why = "the end of the prompt and it share a token" if not same else f"it is [{shown}]"
            raise Stop(USAGE, f"{name}: the verdict {word!r} is not a single token of its tokenizer behind the prompt: "
                              f"{why}; choose the words of another verdict with --safe-token and --unsafe-token, or "
                              "end the prompt elsewhere with --template")
        out += pieces
    if out[0] == out[1]:
        raise Stop(USAGE, f"{name}: both verdicts are the same token {tokenizer.convert_ids_to_tokens(out[:1])[0]!r}")
    return out


def control_tokens(tokenizer):
    """A pattern of the texts that this tokenizer reads as control tokens, such as <|im_start|>."""
    tokens = {str(t) for t in tokenizer.all_special_tokens}
    tokens |= {t.content for t in tokenizer.added_tokens_decoder.values() if t.special}
    return re.compile("|".join(re.escape(t) for t in sorted(tokens, key=len, reverse=True) if t.strip()) or r"(?!)")


def refuse_control(pattern, row):
    """Unfit where a row would speak to the guard as the template around it does."""
    for text in (row.policy, row.transcript, *(m["content"] for m in row.messages or ())):
        found = pattern.search(text)
        if found:
            raise Unfit(f"holds {found[0]}, which is a control token of the guard: it could end its own turn or begin "
                        "another; --allow-special-tokens asks it all the same, as most servers do")


def encode(tokenizer, form, rows, title="tokens", allow=False):
    """[int32 tokens of each row's prompt, or None], [(row, why not)], one of the texts."""
    tokens, problems, sample, bar = [], [], None, Bar(title, len(rows), 0)
    control = control_tokens(tokenizer)
    for i in range(0, len(rows), 256):
        texts = []
        bar.add(len(rows[i:i + 256]))
        for row in rows[i:i + 256]:
            try:
                if not allow:
                    refuse_control(control, row)
                texts.append(form.text(row))
            except Unfit as e:
                problems.append((row, str(e)))
                texts.append(None)
        found = [t for t in texts if t is not None]
        ids = iter(tokenizer(found, add_special_tokens=False)["input_ids"] if found else ())
        tokens += [None if t is None else np.asarray(next(ids), np.int32) for t in texts]
        sample = sample or (found[0] if found else None)
    bar.close()
    return tokens, problems, sample


# ---- the model ----

class Guard:
    """A model in memory. layers: LAST or numbers 1..n, what `run` gives."""

    def __init__(self, name, revision, device, dtype, verdict, pad, layers=(LAST,)):
        self.name, self.device, self.verdict, self.pad, self.layers = name, device, list(verdict), pad or 0, layers
        self.eps = torch.finfo(dtype).eps
        try:
            self.model = _load(transformers.AutoModelForCausalLM, name, "model", revision=revision, dtype=dtype)
            self.model = self.model.to(device).eval()
        except RuntimeError as e:
            if not is_memory(e):
                raise
            raise Stop(NO_MEMORY, f"{name}: its weights do not fit into the memory of {device}") from None
        self.takes = inspect.signature(self.model.forward).parameters
        self.head = self.model.get_output_embeddings()
        self._seen = {}
        self._hook()

    @property
    def width(self):
        return self.model.config.get_text_config().hidden_size

    def _hook(self):
        self.model.base_model.register_forward_hook(
            lambda module, inputs, out: self._keep(LAST, getattr(out, "last_hidden_state", None), out))
        if isinstance(self.head, torch.nn.Module):
            self.head.register_forward_pre_hook(lambda module, inputs: self._seen.__setitem__("head", inputs[0]))
        blocks = self._blocks() if set(self.layers) != {LAST} else []
        for k in (k for k in self.layers if k != LAST):
            blocks[k - 1].register_forward_hook(lambda module, inputs, out, k=k: self._keep(k, None, out))

    def _keep(self, key, states, out):
        states = states if states is not None else out if torch.is_tensor(out) else out[0]
        self._seen[key] = states[self._rows, self._last]

    def _blocks(self):
        for owner in (self.model.base_model, getattr(self.model.base_model, "decoder", None)):
            for name in ("layers", "h", "blocks"):
                blocks = getattr(owner, name, None)
                if isinstance(blocks, torch.nn.ModuleList):
                    return blocks
        raise Stop(USAGE, f"{self.name}: where the layers of a {type(self.model).__name__} are is not known here; "
                          "leave --layers out")

    def _batch(self, prompts, left):
        length = max(map(len, prompts))
        ids = np.full((len(prompts), length), self.pad, np.int64)
        mask = np.zeros_like(ids)
        for i, prompt in enumerate(prompts):
            where = slice(length - len(prompt), None) if left else slice(0, len(prompt))
            ids[i, where], mask[i, where] = prompt, 1
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)

    def _forward(self, ids, mask):
        """The model's own logits at the last token of each prompt."""
        more = {"use_cache": False}
        if "position_ids" in self.takes:
            more["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)  # as generate counts them: padding has none
        kept = None
        if "logits_to_keep" in self.takes:
            kept = self._last.unique()
            more["logits_to_keep"] = kept
        logits = self.model(input_ids=ids, attention_mask=mask, **more).logits
        where = self._last if kept is None else torch.searchsorted(kept, self._last)
        if "head" in self._seen:
            self._seen["head"] = self._seen["head"][self._rows, where]
        return logits[self._rows, where]

    @torch.inference_mode()
    def run(self, prompts, left=True):
        """Token lists of a batch: {layer: float32 [n, width]}, own verdict logits [n, 2] and the probability of both
        verdict tokens together [n]. left: which side is padded; it changes nothing but rounding."""
        ids, mask = self._batch(prompts, left)
        self._rows = torch.arange(len(prompts), device=self.device)
        self._last = mask.shape[1] - 1 - mask.flip(1).to(torch.int).argmax(1)
        try:
            logits = self._forward(ids, mask).float()
        except (RuntimeError, MemoryError) as e:
            if not is_memory(e):
                raise
            raise Stop(NO_MEMORY, f"{self.name}: a batch of {len(prompts)} prompts of {ids.shape[1]} tokens does not "
                                  f"fit into the memory of {self.device}; --batch-tokens {ids.numel() // 2} --restart "
                                  "makes batches half as large") from None
        own = logits[:, self.verdict]
        mass = (own - logits.logsumexp(1, keepdim=True)).exp().sum(1)
        states = {k: self._seen[k].float().cpu().numpy() for k in self.layers}
        self._same = torch.equal(self._seen["head"], self._seen[LAST]) if "head" in self._seen else False
        return states, own.cpu().numpy().astype(np.float64), mass.cpu().numpy().astype(np.float64)

    def verdict_rows(self):
        """[2, width] float32: the rows of the output layer for safe and unsafe."""
        return self.head.weight[self.verdict].detach().float().cpu().numpy()

    def why_no_head(self, prompt):
        """Why the verdict cannot be computed from the vector and two rows of the output layer, or None. One prompt is
        tried, so that what is not known here is found too."""
        config = self.model.config.get_text_config()
        for key in _SCALED:
            value = getattr(config, key, None)
            if value is not None and value != 1:
                return f"its logits go through {key} {value}"
        if not isinstance(self.head, torch.nn.Linear):
            return "its output layer is not a Linear"
        if self.head.bias is not None:
            return "its output layer has a bias"
        states, own, _ = self.run([prompt])
        if LAST not in states:
            return "the features are not those of the last layer"
        if not self._same:
            return "its output layer reads something else than last_hidden_state"
        off = head_error(states[LAST], self.verdict_rows(), own, self.eps, 2.0 ** -12)
        return f"its logits are not features x rows (off by {off[0]:.0f} times the rounding)" if off[0] > 50 else None

    def close(self):
        self.model = self.head = None
        self._seen = {}
        gc.collect()
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()


def head_logits(features, rows):
    """[n, 2]: features as stored x the rows of the output layer."""
    return features.astype(np.float64) @ rows.astype(np.float64).T


def head_error(features, rows, own, eps, stored_eps):
    """[n]: how far the model's own logits are from features x rows, in roundings: of the compute type on the sum and on
    its terms, of the stored type on the terms, and of float32, in which sums are made, on each step of the sum. Above
    about 4 it is no rounding."""
    x, w = features.astype(np.float64), rows.astype(np.float64)
    spread = np.sqrt((x ** 2) @ (w ** 2).T)
    rounding = eps * (np.abs(own) / 2 + spread) + (stored_eps + 2.0 ** -24 * math.sqrt(x.shape[1])) * spread + 1e-12
    return (np.abs(head_logits(features, rows) - own) / rounding).max(1)


def check_states(states, ids, name):
    """Stop where a vector has a NaN or an infinity."""
    for layer, x in states.items():
        bad = ~np.isfinite(x).all(1)
        if bad.any():
            raise Stop(DATA, f"{name}: row {ids[int(bad.argmax())]}, layer {layer}: the hidden state has a NaN or an "
                             "infinity; --compute-dtype float32 or bfloat16 has the range that float16 lacks")

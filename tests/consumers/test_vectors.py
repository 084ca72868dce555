# SPDX-License-Identifier: MIT
"""infer/vectors.md and its examples on a tiny Qwen3-shaped model with random weights: which vector is which, that
padding does not change it, and that the router tells wrong kinds from the right one."""
import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
h5py = pytest.importorskip("h5py")
safetensors_torch = pytest.importorskip("safetensors.torch")

EXAMPLES = ROOT / "infer" / "python" / "examples"
WIDTH, VOCABULARY, SPECIAL, LONGEST = 256, 512, 10, 24
ROUNDING = 1e-5  # relative to the largest number; two orders of the same float32 sums, seen: 1e-6


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


connector, pooling, hf = load("vllm_connector"), load("vllm_pooling"), load("transformers_hidden_states")


class Tiny:
    """A model, and for any batch the vectors before and after its final norm, by the hooks of PyTorch."""

    def __init__(self):
        torch.set_num_threads(1)  # matrices so small that threads only wait for each other
        torch.manual_seed(0)
        self.model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(
            vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=512, num_hidden_layers=4, head_dim=64,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.1,
            pad_token_id=0)).eval()
        # Real models' final norms have weights far from 1 and from each other; fresh ones are all 1.
        self.model.model.norm.weight.data.copy_(3 * torch.exp(0.5 * torch.randn(WIDTH)))
        self.model.model.norm.register_forward_hook(self._seen)

    def _seen(self, module, inputs, output):
        self.pre, self.post = inputs[0].detach(), output.detach()


@pytest.fixture(scope="module")
def tiny():
    return Tiny()


def prompts(n, seed):
    """n prompts of 8 to 24 tokens that end alike, as chat templates do: ids and mask, padded left."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(SPECIAL, VOCABULARY, (n, LONGEST), generator=generator)
    ids[:, -4:] = torch.arange(4, 8)
    lengths = torch.randint(8, LONGEST + 1, (n,), generator=generator)
    mask = (torch.arange(LONGEST) >= LONGEST - lengths[:, None]).long()
    return ids * mask, mask


def close(a, b):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=0, atol=ROUNDING * float(np.abs(np.asarray(b)).max()))


# ---- transformers ----

@torch.inference_mode()
def test_the_last_hidden_state_is_after_the_final_norm(tiny):
    ids, mask = prompts(3, 1)
    out = tiny.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
    assert torch.equal(out.hidden_states[-1], tiny.post)
    assert not torch.allclose(tiny.pre, tiny.post, rtol=0.1)
    assert torch.equal(out.hidden_states[-1], tiny.model.model.norm(tiny.pre))
    assert torch.equal(tiny.model.model(input_ids=ids, attention_mask=mask).last_hidden_state, out.hidden_states[-1])


def test_padding_does_not_change_the_vector(tiny):
    ids, mask = prompts(6, 2)
    got = hf.last_prompt_states(tiny.model, ids, mask)
    right, right_mask = torch.zeros_like(ids), torch.zeros_like(mask)
    for i, n in enumerate(mask.sum(1)):
        alone = hf.last_prompt_states(tiny.model, ids[i:i + 1, -n:], mask[i:i + 1, -n:])
        close(got[i:i + 1], alone)
        right[i, :n], right_mask[i, :n] = ids[i, -n:], 1
    assert len(set(mask.sum(1).tolist())) > 1
    close(hf.last_prompt_states(tiny.model, right, right_mask), got)
    wider = torch.nn.functional.pad(ids, (3, 0)), torch.nn.functional.pad(mask, (3, 0))
    close(hf.last_prompt_states(tiny.model, *wider), got)


def test_generate_gives_the_same_vector(tiny):
    ids, mask = prompts(5, 3)
    with torch.inference_mode():
        out = tiny.model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=3, do_sample=False,
                                  output_hidden_states=True, return_dict_in_generate=True)
    close(hf.states_of_generate(out), hf.last_prompt_states(tiny.model, ids, mask))


# ---- vLLM, as far as it goes without vLLM ----

@pytest.mark.parametrize("example", sorted(p.name for p in EXAMPLES.glob("*.py")))
def test_examples_compile_and_say_what_was_run(example):
    text = (EXAMPLES / example).read_text(encoding="utf-8")
    compile(text, example, "exec")
    if example.startswith("vllm"):
        assert "not run" in " ".join(text.split())


@torch.inference_mode()
def test_the_final_norm_makes_post_of_pre(tiny, tmp_path):
    ids, mask = prompts(4, 4)
    tiny.model.save_pretrained(tmp_path)
    weight, eps = connector.read_norm(tmp_path)
    got = hf.last_prompt_states(tiny.model, ids, mask)
    assert torch.equal(connector.final_norm(tiny.pre, weight, eps), tiny.post)
    assert torch.equal(connector.final_norm(tiny.pre[:, -1], weight, eps), got)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text('{"rms_norm_eps": 1e-6}')
    with pytest.raises(SystemExit, match="model.norm.weight"):
        connector.read_norm(tmp_path / "empty")


def test_a_file_of_the_connector(tiny, tmp_path):
    """Of the shapes that vLLM documents: [tokens, layers, hidden] and [tokens]."""
    ids, mask = prompts(1, 5)
    post = hf.last_prompt_states(tiny.model, ids, mask)
    n, path = int(mask.sum()), tmp_path / "request.safetensors"
    states = {"hidden_states": tiny.pre[0, -n:, None].clone(), "token_ids": ids[0, -n:].clone()}
    safetensors_torch.save_file(states, path)
    norm = tiny.model.model.norm
    last = connector.last_state(safetensors_torch.load_file(path))
    assert torch.equal(connector.final_norm(last, norm.weight.detach(), norm.variance_epsilon), post[0])
    for wrong in (states | {"token_ids": ids[0]}, states | {"hidden_states": tiny.pre[0, -n:, None].repeat(1, 2, 1)}):
        with pytest.raises(ValueError, match="prefix caching"):
            connector.last_state(wrong)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_lengths_are_missed_and_brought_back(tiny):
    post = hf.last_prompt_states(tiny.model, *prompts(20, 6)).numpy()
    assert pooling.check_length(post) is post
    with pytest.raises(ValueError, match="length 1"):
        pooling.check_length(unit(post))
    back = pooling.post_of_unit(unit(post), tiny.model.model.norm.weight.detach().numpy())
    close(back, post)


# ---- the router ----

def kinds(tiny, n, seed):
    """{"post": [n, WIDTH], "pre": ..., "unit": ...} of n prompts."""
    parts = {"post": [], "pre": []}
    for i in range(0, n, 250):
        parts["post"].append(hf.last_prompt_states(tiny.model, *prompts(250, seed + i)).numpy())
        parts["pre"].append(tiny.pre[:, -1].numpy())
    out = {kind: np.concatenate(p) for kind, p in parts.items()}
    return out | {"unit": unit(out["post"])}


@pytest.fixture(scope="module")
def trained(tiny, saferoute, tmp_path_factory):
    """A router that was trained on vectors after the norm, with labels by chance."""
    folder = tmp_path_factory.mktemp("vectors")
    x = kinds(tiny, 2000, 1000)["post"]
    with h5py.File(folder / "train.h5", "w") as f:
        f["features"] = x.astype(np.float16)
        f["label"] = np.random.default_rng(0).integers(0, 2, len(x)).astype(np.uint8)
        f.attrs["feature_norm"] = "post"
    saferoute("train", "--train", folder / "train.h5", "--val-fraction", "0.2", "--out", folder / "run", "--epochs", 2,
              "--hidden", "32,16", "--dropout", "0.1", "--batch", 100)
    return folder / "run" / "best.safetensors"


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_router_tells_the_kinds_apart(wrapper, tiny, trained, dtype):
    with wrapper.Router.open(trained) as router:
        assert router.metadata("feature_norm") == "post"
        found = {kind: (router.route(x.astype(dtype)).reason_names == "OUT_OF_RANGE").mean()
                 for kind, x in kinds(tiny, 1000, 9000).items()}
    assert found["post"] < 0.01
    assert found["pre"] > 0.9
    assert found["unit"] > 0.9


def save_tokenizer(folder):
    """A word for each token, and a chat template that ends as prompts() do."""
    tokenizers = pytest.importorskip("tokenizers")
    words = {"[PAD]": 0, "[UNK]": 1, "<user>": 4, "</user>": 5, "<guard>": 6, "verdict:": 7}
    words |= {f"w{i}": i for i in range(SPECIAL, VOCABULARY)} | {f"[{i}]": i for i in (2, 3, 8, 9)}
    plain = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    plain.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="[PAD]", unk_token="[UNK]")
    fast.chat_template = ("{% for m in messages %}<user> {{ m['content'] }} </user>{% endfor %}"
                          "{% if add_generation_prompt %} <guard> verdict:{% endif %}")
    fast.save_pretrained(folder)


def test_the_transformers_example_from_end_to_end(wrapper, tiny, trained, tmp_path):
    tiny.model.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    lines = ["w20 w21 w22", "w30 w31 w32 w33 w34 w35 w36", "w500"]
    done = subprocess.run([sys.executable, EXAMPLES / "transformers_hidden_states.py", tmp_path, trained], text=True,
                          input="\n".join(lines) + "\n", stdout=subprocess.PIPE, check=True,
                          env=os.environ | {"PYTHONPATH": str(EXAMPLES.parent), "HF_HUB_OFFLINE": "1"})
    logged = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entry["id"] for entry in logged] == ["line-1", "line-2", "line-3"]
    with wrapper.Router.open(trained) as router:
        for entry, line in zip(logged, lines, strict=True):
            ids = torch.tensor([[4] + [int(w[1:]) for w in line.split()] + [5, 6, 7]])
            state = hf.last_prompt_states(tiny.model, ids, torch.ones_like(ids))
            assert abs(router.decide_one(state).prob - entry["prob"]) < 1e-4  # float32, with other padding

# SPDX-License-Identifier: MIT
"""The small guard's vectors from vLLM's hidden-state connector, which gives them *before* the final norm.

    python vllm_connector.py MODEL_FOLDER ROUTER.safetensors < prompts.txt

The guard generates its verdict as ever; the connector writes a safetensors file a request, with the states of the
layers that were asked for at every prompt token. Layer number num_hidden_layers is what the last layer gives, and
the final norm, with the weights from the model's own folder, makes of it what a router trained on transformers' vectors
reads.

Prefix caching and chunked prefill are off: with the one states are missing, the other the connector does not take.
What touches vLLM was written against its documentation (version 0.22), not run; `final_norm`, `read_norm` and
`last_state` are run in the tests.
"""
import json
import pathlib
import sys
import tempfile

import torch
from safetensors import safe_open


def read_norm(folder, name="model.norm.weight"):
    """Weight and epsilon of the final RMSNorm of a Hugging Face model folder."""
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as f:
            if name in f.keys():
                return f.get_tensor(name), config["rms_norm_eps"]
    raise SystemExit(f"{folder}: no tensor {name} in its safetensors files: what is the model's final norm called?")


def final_norm(x, weight, eps):
    """RMSNorm as Qwen and Llama have it: the mean square in float32, rounded to the model's dtype before the weight."""
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype)


def last_state(states):
    """[hidden]: the last prompt token of what load_hidden_states gives of a request that asked for one layer."""
    hidden, tokens = states["hidden_states"], states["token_ids"]
    if len(hidden) != len(tokens) or hidden.shape[1] != 1:
        raise ValueError(f"states of {len(hidden)} tokens and {hidden.shape[1]} layers for {len(tokens)} tokens: is "
                         "prefix caching on, or was more than one layer asked for?")
    return hidden[-1, 0]


def main(folder, router_path):
    import saferoute
    from vllm import LLM, SamplingParams
    from vllm.config.kv_transfer import KVTransferConfig
    from vllm.distributed.kv_transfer.kv_connector.v1 import example_hidden_states_connector as connector

    layers = json.loads((pathlib.Path(folder) / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
    norm = read_norm(folder)
    router = saferoute.Router.open(router_path)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as storage:
        llm = LLM(
            model=folder,
            enable_prefix_caching=False,
            enable_chunked_prefill=False,
            speculative_config={
                "method": "extract_hidden_states",
                "num_speculative_tokens": 1,
                "draft_model_config": {"hf_config": {"eagle_aux_hidden_state_layer_ids": [layers]}},
            },
            kv_transfer_config=KVTransferConfig(
                kv_connector="ExampleHiddenStatesConnector",
                kv_role="kv_producer",
                kv_connector_extra_config={"shared_storage_path": storage},
            ),
        )
        chats = [[{"role": "user", "content": line.rstrip("\n")}] for line in sys.stdin]
        for i, out in enumerate(llm.chat(chats, SamplingParams(max_tokens=64, temperature=0))):
            path = out.kv_transfer_params["hidden_states_path"]
            state = final_norm(last_state(connector.load_hidden_states(path)), *norm)
            print(router.decide_one(state, id=f"line-{i + 1}").json)


if __name__ == "__main__":
    main(*sys.argv[1:])

# SPDX-License-Identifier: MIT
"""The small guard's vectors from vLLM's pooling runner: after the final norm, and of length 1 unless told not to.

    python vllm_pooling.py MODEL ROUTER.safetensors < prompts.txt

The pooling runner gives vectors and no text: beside the engine that generates the verdict this is a second one. Prompts
are given as token ids, so that they are those of the verdict to the last token.

use_activation=False is what keeps the length; vLLM 0.15 and before called it normalize=False. Whether it was heard is
checked. What touches vLLM was written against its documentation (versions 0.16 to 0.26), not run; `check_length` and
`post_of_unit` are run in the tests.
"""
import sys

import numpy as np


def check_length(vectors):
    """The vectors, [n, hidden], unless all have length 1: those after the final norm have some length near
    sqrt(hidden)."""
    length = np.linalg.norm(np.asarray(vectors, np.float64), axis=1)
    if len(length) and np.all(np.abs(length - 1) < 1e-2):
        raise ValueError("every vector has length 1: vLLM normalised them; use_activation=False was not heard")
    return vectors


def post_of_unit(vectors, weight):
    """Vectors of length 1, [n, hidden], at the length that the final RMSNorm gave them: before it multiplies by its
    weight, every vector has length sqrt(hidden). For vectors that were stored so; weight has no zeros."""
    vectors = np.asarray(vectors, np.float64)
    scaled = np.linalg.norm(vectors / np.asarray(weight, np.float64), axis=-1, keepdims=True)
    return (vectors * np.sqrt(vectors.shape[-1]) / scaled).astype(np.float32)


def main(model_name, router_path):
    import saferoute
    from vllm import LLM
    from vllm.config import PoolerConfig

    llm = LLM(model=model_name, runner="pooling", convert="embed",
              pooler_config=PoolerConfig(pooling_type="LAST", use_activation=False))
    router = saferoute.Router.open(router_path)
    tokenizer = llm.get_tokenizer()
    prompts = [line.rstrip("\n") for line in sys.stdin]
    chats = [[{"role": "user", "content": p}] for p in prompts]
    ids = [tokenizer.apply_chat_template(c, add_generation_prompt=True, return_dict=False) for c in chats]
    outputs = llm.embed([{"prompt_token_ids": i} for i in ids])
    vectors = check_length(np.array([out.outputs.embedding for out in outputs], np.float32))
    for i in range(len(prompts)):
        print(router.decide_one(vectors[i], id=f"line-{i + 1}").json)


if __name__ == "__main__":
    main(*sys.argv[1:])

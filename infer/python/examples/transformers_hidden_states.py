# SPDX-License-Identifier: MIT
"""The small guard's vectors with transformers: the hidden state of the last prompt token, after the final norm.

    python transformers_hidden_states.py MODEL ROUTER.safetensors < prompts.txt

Prompts, one a line, are put into the model's chat template as a guard is asked for its verdict, and a line of JSON
comes out for each: what the router decides. `last_prompt_states` works on any batch, padded left, right or not at all;
`states_of_generate` takes the same vectors from a `generate` call that was made for the verdict anyway.

The base model is called, not the one with the vocabulary on top: its last_hidden_state is what the router wants, and
the logits of every token are not computed.
"""
import sys

import torch


def last_tokens(attention_mask):
    """[n]: where the last token of each prompt is, whichever side is padded."""
    length = attention_mask.shape[1]
    return length - 1 - attention_mask.flip(1).to(torch.int).argmax(1)


@torch.inference_mode()
def last_prompt_states(model, input_ids, attention_mask):
    """[n, hidden], in the model's dtype and on its device: after the final norm, at the last token of each prompt."""
    positions = (attention_mask.cumsum(-1) - 1).clamp(min=0)  # as generate counts them: padding has none
    out = model.base_model(input_ids=input_ids, attention_mask=attention_mask, position_ids=positions,
                           use_cache=False)
    return out.last_hidden_state[torch.arange(len(input_ids)), last_tokens(attention_mask)]


def states_of_generate(out):
    """The same of generate(..., output_hidden_states=True, return_dict_in_generate=True), whose prompts are padded
    left: step 0 is the prompt, of it the last layer's, of that the last token's."""
    return out.hidden_states[0][-1][:, -1]


def main(model_name, router_path):
    import saferoute
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name, dtype="auto").eval()
    router = saferoute.Router.open(router_path)
    prompts = [line.rstrip("\n") for line in sys.stdin]
    chats = [[{"role": "user", "content": p}] for p in prompts]
    chats = [tokenizer.apply_chat_template(c, tokenize=False, add_generation_prompt=True) for c in chats]
    batch = tokenizer(chats, padding=True, return_tensors="pt", add_special_tokens=False).to(model.device)
    states = last_prompt_states(model, batch.input_ids, batch.attention_mask)
    for i in range(len(prompts)):
        print(router.decide_one(states[i], id=f"line-{i + 1}").json)


if __name__ == "__main__":
    main(*sys.argv[1:])

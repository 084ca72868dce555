# SPDX-License-Identifier: MIT
"""Tiny guards with random weights, made on the spot: Qwen3-shaped models in folders, with tokenizers and chat templates
like those of the real ones, which write a verdict where one is asked for.

    python tiny_guards.py SMALL LARGE        # two of the DynaGuard form

Nothing is downloaded. What they say of a text is chance, but always the same.
"""
import json
import os
import pathlib
import random
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "extract"))
import prompts  # noqa: E402
import templates  # noqa: E402

WORDS = ("refund ticket order please help account agent never give share secret price flight hotel doctor advice "
         "medicine insult weather code bank password free offer polite answer question rule user").split()
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}")
LLAMA = (
    "{{ bos_token }}<|start_header_id|>user<|end_header_id|>\n\nTask: Is there unsafe content in the last message?\n"
    "<BEGIN UNSAFE CONTENT CATEGORIES>\n{% if categories %}{% for key in categories %}{{ key }}: {{ categories[key] }}"
    "\n{% endfor %}{% else %}S1: Violence.\nS2: Fraud.\n{% endif %}<END UNSAFE CONTENT CATEGORIES>\n"
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{{ 'User' if m['role'] == 'user' else 'Agent' }}: HERE\n{% endfor %}"
    "{% if add_generation_prompt %}<|eot_id|><|start_header_id|>assistant<|end_header_id|>{% endif %}")
LLAMA_TEXT = LLAMA.replace("HERE", "{{ m['content'] }}")
LLAMA_PARTS = LLAMA.replace("HERE", "{{ m['content'][0]['text'] }}")
SPECIAL = ["<pad>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<bos>"]


class Sample:
    policy, transcript = "1. rule", "User: question\nAgent: answer"


def sentence(chance, words):
    return " ".join(chance.choice(WORDS) for _ in range(words))


def lines(n, seed, sources=("shop", "travel", "clinic")):
    """n prompts as objects of prompts.jsonl, of unlike lengths."""
    chance = random.Random(seed)
    out = []
    for i in range(n):
        rules = "\n".join(f"{k}. {sentence(chance, chance.randint(2, 6))}." for k in range(1, chance.randint(2, 4)))
        turns = "\n".join(f"{who}: {sentence(chance, chance.randint(1, 12))}"
                          for _ in range(chance.randint(1, 3)) for who in ("User", "Agent"))
        out.append({"id": f"p{i}", "policy": rules, "transcript": turns, "gold": chance.choice(("PASS", "FAIL")),
                    "source": chance.choice(sources), "group": f"g{i // 2}"})
    return out


def write_lines(path, rows):
    pathlib.Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def make_tokenizer(chat_template=CHATML):
    import tokenizers
    import transformers

    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=640, special_tokens=SPECIAL, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False)
    text = ["PASS FAIL\nPASS\nFAIL safe\nsafe\nunsafe <answer>\n yes\nno"] * 20 + [" ".join(WORDS)] * 5
    text += [m["content"] for m in templates.DynaGuard(None, "").messages(Sample)] * 3  # else read by letters
    bpe.train_from_iterator(text, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", eos_token="<|im_end|>",
                                                bos_token="<bos>", chat_template=chat_template)


def make(folder, seed=0, verdict=("PASS", "FAIL"), chat_template=CHATML, width=64, layers=3, said=0.999, asked=None,
         **more):
    """A guard in `folder`. said: about how much of the probability the verdicts have behind prompts like those of the
    function `asked` (row, tokenizer), by default its form's; more: of its Qwen3Config."""
    import torch
    import transformers

    torch.manual_seed(seed)
    torch.set_num_threads(1)  # matrices so small that threads only wait for each other
    tokenizer = make_tokenizer(chat_template)
    model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**{
        "vocab_size": len(tokenizer), "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers,
        "head_dim": 16, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024,
        "initializer_range": 0.15, "tie_word_embeddings": False, "pad_token_id": 0, **more})).eval()
    model.model.norm.weight.data.copy_(2 * torch.exp(0.3 * torch.randn(width)))
    _teach(model, tokenizer, verdict, said, asked or (ask_chatml if chat_template == CHATML else ask_llama))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def ask_chatml(row, tokenizer):
    row = prompts.Row(0, "", row["policy"], row["transcript"], None, 0, "", "", 1)
    return templates.DynaGuard(tokenizer, "").text(row)


def ask_llama(row, tokenizer):
    row = prompts.Row(0, "", row["policy"], row["transcript"], None, 0, "", "", 1)
    return templates.LlamaGuard(tokenizer, "").text(row)


def _teach(model, tokenizer, verdict, said, ask):
    """Sets the verdicts' rows of the output layer, so that they are what comes where a verdict is due, now one, now the
    other: the mean of such states, and around it directions by chance."""
    import torch

    asked = [ask(row, tokenizer) for row in lines(40, 99)]
    with torch.inference_mode():
        x = torch.stack([model.model(torch.tensor([tokenizer(text)["input_ids"]])).last_hidden_state[0, -1]
                         for text in asked])
    mean, head = x.mean(0), model.lm_head.weight.data
    head.mul_(1.0 / (x @ head.T).std())
    common = mean / mean.dot(mean) * torch.logit(torch.tensor(said)).add(torch.log(torch.tensor(len(head) / 2.0)))
    ids = [tokenizer(word)["input_ids"][0] for word in verdict]
    apart = torch.randn(len(mean))
    apart -= mean * apart.dot(mean) / mean.dot(mean)
    apart *= 1.5 / (x @ apart).std()
    head[ids[0]], head[ids[1]] = common - apart / 2, common + apart / 2


if __name__ == "__main__":
    make(sys.argv[1], 1)
    make(sys.argv[2], 2, width=96)

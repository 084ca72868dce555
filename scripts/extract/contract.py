# SPDX-License-Identifier: MIT
"""What a dump says of its making: attributes for readers, and settings that a run shares with its continuation."""
import hashlib
import json

import torch
import transformers

from options import LARGE, LAST, SMALL
from prompts import hash_rows
from verdicts import THRESHOLD

CONTENT = ("id", "policy", "transcript", "messages")  # what is asked
MORE = ("gold", "source", "group", "weight")
FORMAT = 2  # of what is written; another one begins anew


def settings_of(args, sides, prompts, device):
    """All that decides what is in the dump, as JSON; what one of the guards alone decides is named after it."""
    rows = prompts.rows
    out = {"format": FORMAT, "rows": len(rows), "order": hash_ids(rows), "prompts": hash_rows(rows, CONTENT + MORE),
           "least_mass": args.least_mass, "unreadable": args.unreadable}
    for side in sides:
        mine = {"model": side.name, "revision": side.revision, "template": side.form.stamp()}
        if side.endpoint:
            mine |= {"endpoint": args.endpoint, "max_tokens": args.max_tokens, "logprobs": not args.no_logprobs,
                     "body": args.body}
        else:
            mine |= {"device": device.partition(":")[0], "dtype": args.compute_dtype, "batch": args.batch,
                     "batch_tokens": args.batch_tokens, "torch": torch.__version__,
                     "transformers": transformers.__version__}
        if side.which == SMALL:
            mine |= {"layers": args.layers, "stored": args.dtype}
        out |= {f"{side.which}_{key}": value for key, value in mine.items()}
    return json.loads(json.dumps(out))  # as it will be read back


def hash_ids(rows):
    return hashlib.sha256("\n".join(row.id for row in rows).encode()).hexdigest()


def hash_settings(settings, sides):
    """{"small_settings": hash}, the same whether the other guard runs in the same pass or not."""
    out = {}
    for side in sides:
        other = LARGE if side.which == SMALL else SMALL
        mine = {key: value for key, value in settings.items() if not key.startswith(f"{other}_")}
        out[f"{side.which}_settings"] = hashlib.sha256(json.dumps(mine, sort_keys=True).encode()).hexdigest()
    return out


def attributes_of(args, sides, prompts_sha256):
    out = {"extractor": f"extract_features.py {FORMAT}; transformers {transformers.__version__}; "
                        f"torch {torch.__version__}", "prompts_sha256": prompts_sha256}
    for side in sides:
        out[f"{side.which}_threshold"] = THRESHOLD
        if side.which == SMALL:
            out |= {"feature_model": side.name, "feature_revision": side.revision, "feature_pooling": LAST,
                    "feature_template": side.form.stamp(), "feature_compute_dtype": args.compute_dtype,
                    **layer_attributes(args.layers[0], side)}
        else:
            out |= {"large_model": side.name, "large_revision": side.revision, "large_template": side.form.stamp()}
            out |= {} if side.endpoint else {"large_compute_dtype": args.compute_dtype}
    return {key: value for key, value in out.items() if value != "unknown"}


def layer_attributes(layer, side):
    """The final norm is behind the last layer, so what the others give is before it."""
    number = side.config.get_text_config().num_hidden_layers if layer == LAST else layer
    return {"feature_layer": str(number), "feature_norm": "post" if layer == LAST else "pre"}


def dataset_of(args, layer):
    return "features" if layer == args.layers[0] else f"features_layer_{layer}"

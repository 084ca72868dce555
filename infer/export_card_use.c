/* export_card_use.c: how to load the router, and the vector it must be given; see export_card.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "infer/export_card.h"

/* ---- loading ---- */

/* "(1024, 512)", "(64,)", "()" */
static void put_hidden(FILE *to, const struct sr_router *r) {
    const size_t hidden = r->layers - 1;
    putc('(', to);
    for (size_t l = 0; l < hidden; l++)
        fprintf(to, "%s%zu", l ? ", " : "", r->layer[l].outputs);
    fputs(hidden == 1 ? ",)" : ")", to);
}

static void put_python(FILE *to, const struct sr_export *e) {
    char threshold[SR_DECIMAL_TEXT];
    fputs("```python\n"
          "import torch\n"
          "from safetensors.torch import load_file\n"
          "from torch import nn\n"
          "\n"
          "\n"
          "class Router(nn.Module):\n",
          to);
    fprintf(to, "    def __init__(self, width=%zu, hidden=", sr_router_width(e->router));
    put_hidden(to, e->router);
    fputs("):\n"
          "        super().__init__()\n"
          "        layers = []\n"
          "        for n in hidden:  # Identity stands where training has its dropout\n"
          "            layers += [nn.Linear(width, n), nn.BatchNorm1d(n), nn.GELU(), nn.Identity()]\n"
          "            width = n\n"
          "        self.cls = nn.Sequential(*layers, nn.Linear(width, 1))\n"
          "\n"
          "    def forward(self, x):\n"
          "        return self.cls(x).squeeze(-1)\n"
          "\n"
          "\n"
          "router = Router()\n"
          "router.load_state_dict(load_file(\"" SR_CARD_WEIGHTS "\"), strict=True)\n"
          "router.eval()  # BatchNorm uses what it has learnt, not the batch\n"
          "\n",
          to);
    fprintf(to, "x = torch.zeros(4, %zu)  # yours: float32, one row a prompt\n", sr_router_width(e->router));
    fputs("with torch.no_grad():\n"
          "    prob = torch.sigmoid(router(x))\n"
          "to_large = ~(prob <= ",
          to);
    fputs(e->has_threshold ? sr_decimal_float(threshold, e->threshold) : "THRESHOLD", to);
    fputs(")  # not prob > ...: a row with a NaN goes to the large guard too\n```\n\n", to);
}

static void put_onnx(FILE *to, const struct sr_export *e) {
    char threshold[SR_DECIMAL_TEXT];
    fputs("ONNX, after `saferoute export --model " SR_CARD_WEIGHTS " --to onnx --out router.onnx`:\n\n"
          "```python\n"
          "import numpy as np\n"
          "import onnxruntime\n"
          "\n"
          "session = onnxruntime.InferenceSession(\"router.onnx\")\n",
          to);
    fprintf(to, "x = np.zeros((4, %zu), np.float32)  # yours\n", sr_router_width(e->router));
    fprintf(to,
            "logit, prob = session.run([\"logit\", \"prob\"], {\"features\": x})\n"
            "to_large = ~(prob <= np.float32(%s))\n```\n\n",
            e->has_threshold ? sr_decimal_float(threshold, e->threshold) : "THRESHOLD");
}

static void put_c(FILE *to, const struct sr_export *e) {
    fputs("C, with the library of this project:\n\n"
          "```c\n"
          "#include <saferoute.h>\n"
          "\n"
          "struct saferoute_router *router;\n"
          "struct saferoute_error why;\n"
          "if (saferoute_open(&router, \"" SR_CARD_WEIGHTS "\", NULL, &why) < 0)\n"
          "    fprintf(stderr, \"%s\\n\", why.text); /* router is NULL: all rows go to the large guard */\n"
          "\n"
          "struct saferoute_decision d;\n",
          to);
    fprintf(to,
            "struct saferoute_rows rows = {.features = hidden, .dtype = SAFEROUTE_FLOAT32, .rows = 1, "
            ".width = %zu};\n"
            "saferoute_decide(router, &d, &rows, NULL);\n"
            "if (d.large)\n"
            "    ask_the_large_guard();\n```\n\n",
            sr_router_width(e->router));
}

/* Rounded weights are for the library; other programs get the float32 ones. */
static void put_other_formats(FILE *to, const struct sr_export *e) {
    size_t n;
    const struct sr_exporter *all = sr_exporters(&n);
    if (e->router->precision != SAFEROUTE_COMPUTE_FLOAT32) {
        fprintf(to,
                "These weights are %s, with BatchNorm folded in. For PyTorch and other formats export the "
                "float32 "
                "weights they\n"
                "were made from.\n\n",
                sr_precision_name(e->router->precision));
        return;
    }
    fputs("Other formats, each read back and compared with the router as it is written:\n\n", to);
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].name, "card") != 0 && strcmp(all[i].name, "hf") != 0)
            fprintf(to, "- `saferoute export --model " SR_CARD_WEIGHTS " --to %s --out router%s`: %s\n",
                    all[i].name, all[i].ending, all[i].help);
    putc('\n', to);
}

void sr_card_put_loading(FILE *to, const struct sr_card *c) {
    const bool plain = c->e->router->precision == SAFEROUTE_COMPUTE_FLOAT32;
    fputs("## Load it\n\n", to);
    if (plain) {
        fputs("PyTorch:\n\n", to);
        put_python(to, c->e);
    }
    if (plain && sr_exporter_find("onnx"))
        put_onnx(to, c->e);
    put_c(to, c->e);
    fputs("Scores and decisions for a file of rows, without writing a program:\n\n"
          "```sh\n"
          "saferoute infer --model " SR_CARD_WEIGHTS " --data rows.h5 --out scores.csv\n"
          "```\n\n",
          to);
    put_other_formats(to, c->e);
}

/* ---- input ---- */

static void put_contract(FILE *to, const struct sr_export *e) {
    static const struct sr_pair features[] = {
#define X(key, text) {#key, text},
        SR_FEATURE_CONTRACT_LIST(X)
#undef X
    };
    size_t unknown = 0;
    for (size_t i = 0; i < SR_COUNT(features); i++) {
        const char *value = sr_export_metadata(e, features[i].key);
        fprintf(to, "- %s (`%s`): ", features[i].value, features[i].key);
        sr_card_put_code(to, value);
        putc('\n', to);
        unknown += value == NULL;
    }
    if (unknown > 0)
        fputs("\nWhat is unknown was not stored in the training data. Ask whoever made the vectors before "
              "you deploy.\n",
              to);
}

/* What feature_norm says, in words; NULL where it says nothing known. */
static const char *norm_words(const char *norm) {
    return !norm                       ? NULL
           : strcmp(norm, "pre") == 0  ? "the one **before** the final norm"
           : strcmp(norm, "post") == 0 ? "the one **after** the final norm"
           : strcmp(norm, "unit") == 0 ? "the one scaled to **length 1**"
                                       : NULL;
}

void sr_card_put_input(FILE *to, const struct sr_card *c) {
    const char *norm = norm_words(sr_export_metadata(c->e, "feature_norm"));
    fputs("## Input\n\n", to);
    fprintf(to,
            "A row is %zu float32 numbers, taken as they are: no scaling, no centring (float16 and bfloat16 "
            "are widened first).\n"
            "They come from:\n\n",
            sr_router_width(c->e->router));
    put_contract(to, c->e);
    fputs("\n> **Three different vectors have this width**: the hidden state before the guard's final norm, "
          "the one after it,\n"
          "> and that scaled to length 1. transformers' last hidden state is after the norm, vLLM's "
          "hidden-state connector gives\n"
          "> the one before, and its pooling runner scales to length 1 unless told not to. The wrong one "
          "raises no error; the\n"
          "> router just decides badly. This router wants ",
          to);
    fputs(norm ? norm : "one of them, and which is **unknown**", to);
    fputs(".\n\n", to);
    fputs(c->e->router->range.known
              ? "The weights carry statistics of the rows that trained them: `saferoute infer` and the C "
                "library "
                "notice a row that is\n"
                "far from those, and send it to the large guard with the reason OUT_OF_RANGE.\n\n"
              : "These weights carry no statistics of the rows that trained them, so nothing notices a wrong "
                "vector.\n\n",
          to);
}

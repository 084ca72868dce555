/* test_eval_gate.c: conditions on an evaluation: what holds, what does not, and what is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "eval/eval.h"
#include "tests/failing_memory.h"

static const char evaluation[] =
    "{\"schema_version\": 2, \"model\": \"best.safetensors\", \"data\": [\"val.h5\"], \"rows\": 4424,"
    " \"threshold_is_set\": true, \"recall\": 0.75, \"recall_ci\": [0.7, 0.8], \"auprc\": 0.44,"
    " \"auprc_ci\": null, \"mcc\": null, \"mcc_ci\": null, \"price\": 1e-05, \"brier_ci\": [0.1],"
    " \"brier\": 0.15, \"share_routed\": 0.1,"
    " \"small\": {\"f1\": 0.5, \"f1_ci\": [0.45, 0.55], \"area\": null},"
    " \"worst_slice\": {\"name\": \"news.uk\", \"f1\": 0.4}, \"old\": null,"
    " \"delta\": {\"auprc\": -0.01, \"auprc_ci\": [-0.0123, 0.002], \"small\": {\"f1\": 0.02}},"
    " \"training\": [{\"step\": 1}],"
    " \"slices\": [{\"name\": \"news\", \"f1\": 0.6, \"f1_ci\": [0.5, 0.7], \"small\": {\"f1\": 0.1}},"
    "  {\"name\": \"news.uk\", \"f1\": 0.4}, {\"name\": \"news.small\", \"f1\": 0.2},"
    "  {\"name\": \"llm-prompts\", \"f1\": 0.7}, {\"name\": \"llm_prompts\", \"f1\": 0.8},"
    "  {\"name\": \"open chat\", \"f1\": 0.9}, {\"name\": \"a, \\\"b\\\" >= c\", \"f1\": 0.3},"
    "  {\"name\": \"f1\", \"f1\": null, \"f1_ci\": null}, {\"name\": \"web.de\", \"f1\": 0.11},"
    "  {\"name\": \"web\", \"f1\": 0.12}, {\"name\": \"web\", \"f1\": 0.13}]}";

static struct sr_gate_line line[SR_GATE_MAX];
static size_t n;
static struct sr_error err;

static int check(const char *text) {
    struct sr_json *tree = NULL;
    cr_assert_eq(sr_json_parse(&tree, evaluation, strlen(evaluation), &err), 0, "%s", err.text);
    n = 99;
    err.text[0] = '\0';
    const int status = sr_gate_check(line, &n, text, tree, &err);
    sr_json_free(tree);
    return status;
}

/* ---- one condition, both ways ---- */

static const struct {
    const char *condition, *shown; /* what the line says the number is */
    bool holds;
} cases[] = {
    {"recall>=0.75", "0.75", true},
    {"recall>0.75", "0.75", false},
    {"recall<=0.75", "0.75", true},
    {"recall<0.75", "0.75", false},
    {"recall>=0.76", "0.75", false},
    {"recall>.74", "0.75", true},
    {"recall<=.74", "0.75", false},
    {"recall<7.6e-1", "0.75", true},
    {"recall<+1.", "0.75", true},
    {"rows>=4424", "4424", true},
    {"rows<4424", "4424", false},
    {"price<=.00001", "1e-05", true},
    {"new.recall>=.75", "0.75", true},
    {"new.recall.low>=.7", "0.7", true},
    {"recall.low>.7", "0.7", false},
    {"recall.high<=.8", "0.8", true},
    {"recall.high>.8", "0.8", false},
    {"share-routed<=.1", "0.1", true},
    {"share_routed<.1", "0.1", false},
    {"small.f1>=.5", "0.5", true},
    {"new.small.f1.low>=.5", "0.45", false},
    {"delta.auprc.low>=-0.005", "-0.0123", false},
    {"delta.auprc.low>=-0.0123", "-0.0123", true},
    {"delta.small.f1>0", "0.02", true},
    {"new.worst-slice.f1>=.5", "0.4", false},
    {"worst_slice.f1>=.4", "0.4", true},
    {" recall  >=   .75 ", "0.75", true},
    /* names with a dot, a space, a dash, and the whole grammar in them */
    {"slices.news.f1>=.6", "0.6", true},
    {"slices.news.f1.high<=.7", "0.7", true},
    {"slices.news.uk.f1<.4", "0.4", false},
    {"slices.news.small.f1<=.2", "0.2", true},
    {"slices.\"news\".small.f1<=.1", "0.1", true},
    {"slices.llm-prompts.f1<=.7", "0.7", true},
    {"slices.llm_prompts.f1<=.7", "0.8", false},
    {"slices.open chat.f1>.8", "0.9", true},
    {"slices.open_chat.f1>.8", NULL, false},
    {"slices.\"a, \"\"b\"\" >= c\".f1>.2", "0.3", true},
    {"\"small\".\"f1\">.4", "0.5", true},
    /* the longest name, wherever it stands, and the first of two that are the same */
    {"slices.web.de.f1<=.11", "0.11", true},
    {"slices.web.f1<=.12", "0.12", true},
    /* undefined: holds nothing, whichever way it is asked */
    {"mcc>=-1", "undefined", false},
    {"mcc<1", "undefined", false},
    {"mcc.low>=-1", "undefined", false},
    {"auprc.low>=0", "undefined", false},
    {"auprc.high<=1", "undefined", false},
    {"small.area>0", "undefined", false},
    {"slices.f1.f1.low>0", "undefined", false},
    {"old.f1<1", "undefined (old is null)", false},
    {"new.old.small.f1<1", "undefined (new.old is null)", false},
};

Test(gate, each_condition) {
    char want[320], text[256];
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        const int status = check(cases[i].condition);
        if (!cases[i].shown) {
            cr_expect_eq(status, SR_USAGE, "%s", cases[i].condition);
            continue;
        }
        cr_expect_eq(status, cases[i].holds ? 0 : SR_NO, "%s: %d %s", cases[i].condition, status, err.text);
        cr_assert_eq(n, 1, "%s", cases[i].condition);
        cr_expect_eq(line[0].holds, cases[i].holds, "%s", cases[i].condition);
        snprintf(text, sizeof text, "%s", cases[i].condition + (cases[i].condition[0] == ' '));
        if (text[strlen(text) - 1] == ' ')
            text[strlen(text) - 1] = '\0';
        snprintf(want, sizeof want, "%s is %s: %s", text, cases[i].shown, cases[i].holds ? "yes" : "no");
        cr_expect_str_eq(line[0].text, want);
    }
}

/* ---- several ---- */

Test(gate, conditions_can_be_read_before_there_is_an_evaluation) {
    cr_expect_eq(sr_gate_check(NULL, NULL, "recall>=0.75, no.such.path<1", NULL, &err), 0);
    cr_expect_eq(sr_gate_check(NULL, NULL, "recall>=0.75, recall", NULL, &err), SR_USAGE);
    cr_expect(strstr(err.text, "condition 2"), "%s", err.text);
}

Test(gate, all_must_hold_and_those_that_do_not_are_named) {
    cr_expect_eq(check("recall>=.7, rows>=4000,\nshare-routed<=.2"), 0, "%s", err.text);
    cr_expect_eq(n, 3);
    cr_expect_str_eq(line[2].text, "share-routed<=.2 is 0.1: yes");
    cr_expect_eq(check("recall>=.8,rows>=4000,mcc>0"), SR_NO);
    cr_expect_eq(n, 3);
    cr_expect(!line[0].holds && line[1].holds && !line[2].holds);
    cr_expect_str_eq(err.text,
                     "gate: 2 of 3 conditions do not hold: recall>=.8 is 0.75: no; mcc>0 is undefined: no");
    cr_expect_eq(check("slices.\"a, \"\"b\"\" >= c\".f1>.5, recall>0"), SR_NO);
    cr_expect_eq(n, 2, "a comma in quotes parts nothing");
}

static void repeat(char *text, const char *condition, size_t times) {
    for (size_t i = 0; i < times; i++)
        strcat(strcat(text, i ? "," : ""), condition);
}

/* The "\xff" is no UTF-8; a slice may be named so. */
Test(gate, a_line_is_one_line_and_prints) {
    cr_expect_eq(check("recall\n>=\t.7, recall >= \v.7"), 0, "%s", err.text);
    cr_expect_str_eq(line[0].text, "recall >= .7 is 0.75: yes");
    cr_expect_str_eq(line[1].text, "recall >=  .7 is 0.75: yes");
    cr_expect_eq(check("old.\033[2J\xff >= .7"), SR_NO);
    cr_expect_str_eq(line[0].text, "old.?[2J? >= .7 is undefined (old is null): no");
}

Test(gate, as_many_as_there_is_room_for) {
    char text[2048] = "";
    repeat(text, "recall>0", SR_GATE_MAX);
    cr_expect_eq(check(text), 0, "%s", err.text);
    cr_expect_eq(n, SR_GATE_MAX);
    strcat(text, ",recall>0");
    cr_expect_eq(check(text), SR_USAGE);
    cr_expect_eq(n, 0);
    cr_expect(strstr(err.text, "condition 65") && strstr(err.text, "at most 64"), "%s", err.text);
}

/* A name longer than a line: the verdict is never what is cut. */
Test(gate, long_conditions_are_cut_in_front_of_the_verdict) {
    char text[600] = "", json[800];
    struct sr_json *tree;
    memset(text, 'a', 400);
    snprintf(json, sizeof json, "{\"%s\": 1}", text);
    cr_assert_eq(sr_json_parse(&tree, json, strlen(json), &err), 0, "%s", err.text);
    strcat(text, "<0");
    cr_expect_eq(sr_gate_check(line, &n, text, tree, &err), SR_NO);
    cr_expect(strstr(line[0].text, "aaa... is 1: no"), "%s", line[0].text);
    text[399] = 'b';
    cr_expect_eq(sr_gate_check(line, &n, text, tree, &err), SR_USAGE);
    sr_json_free(tree);
}

/* The line of a condition that can be read, on an evaluation of another shape. */
static const char *line_on(const char *json, const char *text) {
    struct sr_json *tree;
    cr_assert_eq(sr_json_parse(&tree, json, strlen(json), &err), 0, "%s", err.text);
    const int status = sr_gate_check(line, &n, text, tree, &err);
    cr_assert(status == 0 || status == SR_NO, "%s: %s", text, err.text);
    sr_json_free(tree);
    return line[0].text;
}

Test(gate, evaluations_of_other_shapes) {
    cr_expect_str_eq(line_on("{\"new\": {\"recall\": 1}, \"recall\": 2}", "new.recall<3"),
                     "new.recall<3 is 1: yes");
    /* quotes that are part of a name pair with those around another */
    cr_expect_str_eq(line_on("{\"a\\\"b\": {\"c\": 1}}", "a\"b.\"c<3"), "a\"b.\"c<3 is 1: yes");
    cr_expect_str_eq(line_on("{\"0123456789012345678901234567890123456789012345678901234\": null}",
                             "0123456789012345678901234567890123456789012345678901234.f1<3"),
                     "0123456789012345678901234567890123456789012345678901234.f1<3 is undefined "
                     "(01234567890123456789012345678901234567890123456789 is null): no");
}

/* ---- refused ---- */

static const struct {
    const char *text, *place, *why;
} wrong[] = {
    {"", "condition 1, \"\" (from character 1)", "is empty"},
    {"  ", "condition 1", "is empty"},
    {"recall>0,", "condition 2", "is empty"},
    {"recall>0,,rows>0", "condition 2, \"\" (from character 10)", "is empty"},
    {"recall", "condition 1, \"recall\"", "compares nothing"},
    {"recall>0, rows 5", "condition 2, \"rows 5\" (from character 11)", "compares nothing"},
    {"recall==.75", "condition 1", "\"==\" is no comparison; these are: >= > <= <"},
    {"recall=.75", "condition 1", "\"=\" is no comparison"},
    {"recall!=.75", "condition 1", "\"!=\" is no comparison"},
    {"recall=>.75", "condition 1", "\"=>\" is no comparison"},
    {"recall<>.75", "condition 1", "\"<>\" is no comparison"},
    {"recall> =.75", "condition 1", "\"=.75\" is no decimal number"},
    {">=.75", "condition 1", "nothing stands in front of >="},
    {"recall>=", "condition 1", "no number stands behind >="},
    {"recall>= ,rows>0", "condition 1, \"recall>=\"", "no number stands behind >="},
    {"recall>=nan", "condition 1", "\"nan\" is no decimal number"},
    {"recall<inf", "condition 1", "\"inf\" is no decimal number"},
    {"recall<-infinity", "condition 1", "is no decimal number"},
    {"recall<1e999", "condition 1", "\"1e999\" is no decimal number"},
    {"recall<0x1", "condition 1", "\"0x1\" is no decimal number"},
    {"recall>=.75 or so", "condition 1", "\".75 or so\" is no decimal number"},
    {"recall>=75%", "condition 1", "\"75%\" is no decimal number"},
    {"recall>=.7 .8", "condition 1", "is no decimal number"},
    {"0.1<recall<0.5", "condition 1", "\"recall<0.5\" is no decimal number"},
    {"recall>=- .5", "condition 1", "is no decimal number"},
    {"recall>=.", "condition 1", "is no decimal number"},
    {"recall>=0.000000000000000000000000000000000000000000000000000000000000001", "condition 1",
     "is no decimal number"},
    {"recall>=rows", "condition 1", "is no decimal number"},
    {"recal>=.75", "condition 1, \"recal>=.75\"",
     "there is no \"recal\" in the evaluation; did you mean \"recall\"?"},
    {"new.share-route<1", "condition 1", "did you mean \"share_routed\"?"},
    {"rows>0, delta.auprk>0", "condition 2, \"delta.auprk>0\" (from character 9)",
     "there is no \"auprk\" in delta; did you mean \"auprc\"?"},
    {"slices.newz.f1>0", "condition 1", "there is no \"newz\" in slices; did you mean \"news\"?"},
    {"slices.news.f2>0", "condition 1", "there is no \"f2\" in slices.news; did you mean \"f1\"?"},
    {"slices.news.uk.small.f1>0", "condition 1", "there is no \"small\" in slices.news.uk"},
    {"slices.\"news.\"uk.f1>0", "condition 1", "there is no"},
    {"slices.\"news\"uk.f1>0", "condition 1", "there is no"},
    {"small.>0", "condition 1", "there is no \"\" in small"},
    {"slices.\"news.uk.f1>0", "condition 1", "a quote is opened and not closed"},
    {"zzzzzz>0", "condition 1", "there is no \"zzzzzz\" in the evaluation; see `eval --json`"},
    {"Recall>0", "condition 1", "did you mean \"recall\"?"},
    {"training.1.step>0", "condition 1", "there is no \"1\" in training"},
    {"new>0", "condition 1", "there is no \"new\" in the evaluation"},
    {"new.>0", "condition 1", "there is no \"new\""},
    {"recall.>0", "condition 1", "recall is a number: only .low and .high may follow it"},
    {".recall>0", "condition 1", "there is no \"\" in the evaluation"},
    {"small..f1>0", "condition 1", "there is no \"\" in small"},
    {"recall.mid>0", "condition 1", "recall is a number: only .low and .high"},
    {"recall.low.low>0", "condition 1", "recall is a number: only .low and .high"},
    {"rows.low>0", "condition 1", "rows has no interval"},
    {"brier.high>0", "condition 1", "brier has no interval"},
    {"small>0", "condition 1", "small is no number but an object; name one of its members"},
    {"slices>0", "condition 1", "slices is no number but an array"},
    {"recall_ci>0", "condition 1", "recall_ci is no number but an array"},
    {"model>0", "condition 1", "model is no number but a text"},
    {"model.low>0", "condition 1", "model is no number but a text"},
    {"threshold_is_set>0", "condition 1", "threshold_is_set is no number but true or false"},
    {"slices.news.uk>0", "condition 1", "slices.news.uk is no number but an object"},
};

Test(gate, what_is_not_understood_is_refused_with_its_place) {
    for (size_t i = 0; i < SR_COUNT(wrong); i++) {
        cr_expect_eq(check(wrong[i].text), SR_USAGE, "%s: %s", wrong[i].text, err.text);
        cr_expect_eq(n, 0, "%s", wrong[i].text);
        cr_expect(strstr(err.text, wrong[i].place), "%s: no \"%s\" in: %s", wrong[i].text, wrong[i].place,
                  err.text);
        cr_expect(strstr(err.text, wrong[i].why), "%s: no \"%s\" in: %s", wrong[i].text, wrong[i].why,
                  err.text);
    }
}

/* One that cannot be read after one that fails: the fault of the gate is said, not that of the router. */
Test(gate, a_fault_of_the_gate_comes_before_its_verdict) {
    cr_expect_eq(check("recall>=.99, recal>=.5"), SR_USAGE);
    cr_expect_eq(n, 0);
}

Test(gate, without_memory) {
    struct sr_json *tree;
    cr_assert_eq(sr_json_parse(&tree, evaluation, strlen(evaluation), &err), 0, "%s", err.text);
    memory_begin(1);
    cr_expect_eq(sr_gate_check(line, &n, "recal>0", tree, &err), SR_NOMEM);
    cr_expect(memory_end().failed);
    sr_json_free(tree);
}

/* test_eval_slices.c: AUPRC by slice, against the ranking of each slice's rows picked out one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/eval.h"

enum { N = 400, SLICES = 5 };

/* Slice 3 has no rows, slice 4 no positives; some rows are in none, unlabelled or without a score. */
static const char *const names[SLICES] = {"forum", "chat", "a name longer than the column", "empty", "calm"};
static uint8_t label[N];
static int32_t slice[N];
static float before[N], after[N];

static void fill(void) {
    static const int32_t of[] = {0, 1, 2, 4, -1};
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 0, 0);
    for (uint64_t i = 0, at = 0; i < N; i++) {
        slice[i] = of[sr_random_below(1, stream, at++, 5)];
        label[i] = slice[i] != 4 && sr_random_below(1, stream, at++, 4) == 0;
        after[i] = (float)sr_random_uniform(1, stream, at++);
        before[i] = (float)sr_random_below(1, stream, at++, 10);
        if (i % 17 == 0)
            label[i] = 255;
        if (i % 19 == 0)
            after[i] = NAN;
        if (i % 23 == 0)
            before[i] = NAN;
    }
}

static void expect_slice(const struct sr_slice *got, int32_t s, bool both) {
    uint8_t labels[N];
    double old[N], new[N], want_old, want_new;
    size_t n = 0, positives = 0;
    for (size_t i = 0; i < N; i++)
        if (slice[i] == s && label[i] <= 1 && !isnan(after[i]) && !(both && isnan(before[i]))) {
            labels[n] = label[i];
            old[n] = (double)before[i];
            new[n++] = (double)after[i];
            positives += label[i];
        }
    cr_expect(got->rows == n && got->positives == positives, "%s", got->name);
    cr_assert_eq(sr_ranking(&want_new, NULL, labels, new, n, NULL), 0);
    cr_expect(got->after == want_new || (isnan(got->after) && isnan(want_new)), "%s", got->name);
    if (both) {
        cr_assert_eq(sr_ranking(&want_old, NULL, labels, old, n, NULL), 0);
        cr_expect(got->before == want_old || (isnan(got->before) && isnan(want_old)), "%s", got->name);
    } else
        cr_expect(isnan(got->before));
}

static char *table_of(const struct sr_slice *slices) {
    char *text;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    sr_slices_print(to, "source", slices, SLICES);
    fclose(to);
    return text;
}

Test(slices, each_is_its_rows_alone) {
    struct sr_slice got[SLICES];
    fill();
    for (int both = 0; both < 2; both++) {
        cr_assert_eq(
            sr_slices_measure(got, names, SLICES, slice, label, both ? before : NULL, after, N, NULL), 0);
        for (int32_t s = 0; s < SLICES; s++) {
            cr_expect_str_eq(got[s].name, names[s]);
            expect_slice(&got[s], s, both);
        }
        cr_expect_eq(got[3].rows, 0);
        cr_expect(got[4].rows > 0 && isnan(got[4].after));
    }
}

Test(slices, the_table_leaves_out_what_is_not_there) {
    struct sr_slice got[SLICES];
    fill();
    cr_assert_eq(sr_slices_measure(got, names, SLICES, slice, label, before, after, N, NULL), 0);
    char *text = table_of(got);
    cr_expect_eq(strncmp(text, "\nsource ", 8), 0, "%s", text);
    cr_expect(strstr(text, "before") && strstr(text, "gain"), "%s", text);
    cr_expect(strstr(text, "undefined   undefined   undefined\n"), "no positives: %s", text);
    cr_expect_null(strstr(text, "empty"), "%s", text);
    free(text);
    cr_assert_eq(sr_slices_measure(got, names, SLICES, slice, label, NULL, after, N, NULL), 0);
    text = table_of(got);
    cr_expect_null(strstr(text, "before"), "%s", text);
    cr_expect(strstr(text, "forum "), "%s", text);
    free(text);
}

Test(slices, json_has_a_member_for_each_with_rows) {
    struct sr_slice got[SLICES];
    double value;
    fill();
    cr_assert_eq(sr_slices_measure(got, names, SLICES, slice, label, NULL, after, N, NULL), 0);
    struct sr_json *list = sr_slices_json(got, SLICES);
    cr_assert_eq(sr_json_size(list), 4);
    const struct sr_json *calm = sr_json_at(list, 3);
    cr_expect_str_eq(sr_json_as_string(sr_json_get(calm, "name")), "calm");
    cr_expect(sr_json_as_number(sr_json_get(calm, "rows"), &value) && value == (double)got[4].rows);
    cr_expect(sr_json_get(calm, "after") && !sr_json_as_number(sr_json_get(calm, "after"), &value));
    cr_expect(sr_json_as_number(sr_json_get(sr_json_at(list, 0), "after"), &value) && value == got[0].after);
    sr_json_free(list);
    list = sr_slices_json(NULL, 0);
    cr_expect(sr_json_is_array(list) && sr_json_size(list) == 0);
    sr_json_free(list);
}

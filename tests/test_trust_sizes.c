/* test_trust_sizes.c: the checked arithmetic of sizes.h, and that parsers of binary files use no other on
 * what a file claims.
 *
 * The second part reads sources. It knows the names under which parsers keep what a file says of sizes; such
 * a name beside a + or * is arithmetic that may wrap around. A name that it does not know escapes it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <glob.h>

#include "nn/base/sizes.h"
#include "tests/run_program.h"

#define MOST UINT64_MAX

Test(sizes, add_mul_and_sub_say_whether_they_fit) {
    uint64_t out;
    cr_expect(sr_size_add(&out, MOST - 1, 1) && out == MOST);
    cr_expect_not(sr_size_add(&out, MOST, 1));
    cr_expect(sr_size_mul(&out, (uint64_t)1 << 32, ((uint64_t)1 << 32) - 1) && out == MOST - 0xffffffff);
    cr_expect_not(sr_size_mul(&out, (uint64_t)1 << 32, (uint64_t)1 << 32));
    cr_expect(sr_size_mul(&out, MOST, 0) && out == 0);
    cr_expect(sr_size_sub(&out, 5, 5) && out == 0);
    cr_expect_not(sr_size_sub(&out, 5, 6));
}

Test(sizes, within_holds_at_the_edges) {
    cr_expect(sr_size_within(0, 0, 0) && sr_size_within(5, 0, 5) && sr_size_within(2, 3, 5));
    cr_expect(sr_size_within(0, MOST, MOST) && sr_size_within(MOST, 0, MOST));
    cr_expect_not(sr_size_within(2, 4, 5));
    cr_expect_not(sr_size_within(6, 0, 5));
    cr_expect_not(sr_size_within(6, MOST - 2, 5)); /* 6 + n wraps to 3 */
}

Test(sizes, what_was_checked_saturates) {
    cr_expect_eq(sr_size_sum(2, 3), 5);
    cr_expect_eq(sr_size_sum(MOST, 0), MOST);
    cr_expect_eq(sr_size_sum(MOST, 2), MOST);
    cr_expect_eq(sr_size_times(6, 7), 42);
    cr_expect_eq(sr_size_times(MOST, 1), MOST);
    cr_expect_eq(sr_size_times((uint64_t)1 << 63, 2), MOST);
    cr_expect_eq(sr_size_times((uint64_t)1 << 63, 3), MOST);
}

Test(sizes, a_product_is_not_saved_by_a_zero) {
    const uint64_t fits[] = {3, 4, 5}, wraps[] = {(uint64_t)1 << 62, 8, 0}, zero[] = {0, MOST, MOST};
    uint64_t out;
    cr_expect(sr_size_product(&out, 4, fits, 3) && out == 240);
    cr_expect(sr_size_product(&out, 4, NULL, 0) && out == 4);
    cr_expect_not(sr_size_product(&out, 1, wraps, 3));
    cr_expect(sr_size_product(&out, 8, zero, 3) && out == 0);
}

/* ---- sources ---- */

/* What parsers call sizes and places that a file claims. */
static const char *const claimed[] = {"packed", "data_at", "file_bytes",   "data_bytes", "items",
                                      "offset", "extent",  "data_offsets", "name_bytes", "extra_bytes",
                                      "length", "shape",   "chunk",        "row_bytes",  "value_size",
                                      "walked", "filled"};

/* Comments and strings become spaces. */
static void blank(char *p) {
    while (*p) {
        char *end = p + 1;
        if (strncmp(p, "/*", 2) == 0)
            end = strstr(p, "*/") + 2;
        else if (*p == '"' || *p == '\'')
            for (end = p + 1; *end++ != *p;)
                end += end[-1] == '\\';
        for (const bool prose = end - p > 1; p < end; p++)
            *p = prose && *p != '\n' ? ' ' : *p;
    }
}

static bool part_of_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* Whether a binary + or * stands at either side of the word [at, at + n), members and indexes included: "x->"
 * in front, "[i]" behind. += and *= too; ++ and a * that is a declaration's or a dereference are not meant.
 */
static bool in_arithmetic(const char *text, const char *at, size_t n) {
    const char *behind = at + n, *front = at;
    if (*behind == '[')
        behind += strcspn(behind, "]") + 1;
    behind += strspn(behind, " ");
    if (((*behind == '+' && behind[1] != '+') || *behind == '*') && (behind[1] == ' ' || behind[1] == '='))
        return true;
    while (front > text && (part_of_word(front[-1]) || strchr(".->[]", front[-1])))
        front--;
    if (front - text < 3 || front[-1] != ' ')
        return false;
    const char *sign = front[-2] == '=' ? front - 3 : front - 2; /* += too */
    return (*sign == '+' || *sign == '*') && sign[-1] == ' ';
}

/* The first place in a source that does arithmetic of its own, or NULL. */
static const char *own_arithmetic(const char *text) {
    const char *builtin = strstr(text, "_overflow(");
    for (size_t i = 0; !builtin && i < SR_COUNT(claimed); i++)
        for (const char *p = text; (p = strstr(p, claimed[i])); p++)
            if (!(p > text && part_of_word(p[-1])) && !part_of_word(p[strlen(claimed[i])]) &&
                in_arithmetic(text, p, strlen(claimed[i])))
                return p;
    return builtin;
}

Test(sizes, parsers_use_no_other_arithmetic) {
    static const char *const patterns[] = {"data/zip_*.c",
                                           "data/tensors.c",
                                           "data/tensors_npy.c",
                                           "data/tensors_pt.c",
                                           "data/tensors_safetensors.c",
                                           "data/pickle*.c",
                                           "data/table_tensors.c",
                                           "data/table_hidden.c",
                                           "data/h5_*.c",
                                           "data/chunk.c",
                                           "data/isolate_*.c",
                                           "nn/base/safetensors*.c",
                                           "nn/base/option_file.c"};
    size_t files = 0;
    for (size_t i = 0; i < SR_COUNT(patterns); i++) {
        glob_t found;
        cr_assert_eq(chdir(SR_SOURCE_DIR), 0);
        cr_assert_eq(glob(patterns[i], 0, NULL, &found), 0, "no files: %s", patterns[i]);
        for (size_t k = 0; k < found.gl_pathc; k++, files++) {
            char *text = slurp(found.gl_pathv[k]);
            blank(text);
            const char *at = own_arithmetic(text);
            cr_expect_null(at, "%s: not by sizes.h: %.70s", found.gl_pathv[k], at);
            sr_free(text);
        }
        globfree(&found);
    }
    cr_expect_geq(files, (size_t)45);
}

/* The check itself. */
Test(sizes, other_arithmetic_would_be_seen) {
    static const char *const bad[] = {"x = a->file_bytes + 8;", "x = 8 + a->length;",
                                      "n *= t->shape[i];",      "y += h.packed * 4;",
                                      "t->shape[0] * 2",        "z = i * items;",
                                      "length += 8;",           "__builtin_mul_overflow(a, b, &c)"};
    static const char *const good[] = {
        "sr_size_add(&x, a->file_bytes, 8);",   "uint64_t *length;", "f(*length);",  "x = file_bytes - 8;",
        "s = \"length + 8\"; /* length + 8 */", "items++;",          "my_length + 8"};
    char text[128];
    for (size_t i = 0; i < SR_COUNT(bad); i++)
        cr_expect_not_null(own_arithmetic(bad[i]), "%s", bad[i]);
    for (size_t i = 0; i < SR_COUNT(good); i++) {
        snprintf(text, sizeof text, "%s", good[i]);
        blank(text);
        cr_expect_null(own_arithmetic(text), "%s", good[i]);
    }
}

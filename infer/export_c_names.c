/* export_c_names.c: the identifiers of exported C, and the made-up rows of its self-test.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "infer/export_c.h"

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Identifiers begin with a letter: with '_' they would be the compiler's. */
static void make_identifiers(struct sr_export_c_names *n) {
    size_t k = 0;
    if (!is_letter(n->file[0]))
        n->lower[k++] = 'r';
    for (const char *p = n->file; *p; p++)
        n->lower[k++] = is_letter(*p) || is_digit(*p) ? *p : '_';
    n->lower[k++] = '_';
    n->lower[k] = '\0';
    for (k = 0; n->lower[k]; k++)
        n->upper[k] =
            n->lower[k] >= 'a' && n->lower[k] <= 'z' ? (char)(n->lower[k] - 'a' + 'A') : n->lower[k];
    n->upper[k] = '\0';
}

int sr_export_c_names(struct sr_export_c_names *n, const char *name, struct sr_error *err) {
    const size_t length = strlen(name);
    bool fine = length > 2 && length < sizeof n->file;
    for (const char *p = name; *p; p++)
        fine = fine && (is_letter(*p) || is_digit(*p) || strchr("._+-", *p));
    if (!fine)
        return sr_fail(
            err, SR_USAGE,
            "--out %.100s: the name of a C file goes into an #include: letters, digits, '.', '_', '+' "
            "and '-' before .c",
            name);
    *n = (struct sr_export_c_names){0};
    memcpy(n->file, name, length - 2);
    snprintf(n->header, sizeof n->header, "%s.h", n->file);
    make_identifiers(n);
    return 0;
}

/* The finaliser of MurmurHash3 over a counter; 24 bits of it, which a float holds exactly, in [-2, 2). */
static float test_feature(uint32_t row, uint32_t column) {
    uint32_t h = row * 0x9e3779b9u + column;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    h = h ^ h >> 16;
    return ((float)(h >> 8) - 8388608.0f) / 4194304.0f;
}

void sr_export_c_rows(float *x, size_t width) {
    for (size_t row = 0; row < SR_EXPORT_C_ROWS; row++)
        for (size_t i = 0; i < width; i++)
            x[row * width + i] = test_feature((uint32_t)row, (uint32_t)i);
}

/* report.c: the report page put together from its parts.
 *
 * report.html is the page with slots: {{NAME}} is filled with the file of that name (styles, scripts,
 * Chart.js, the licence), {{evaluation}} with the JSON and {{policy}} with the Content-Security-Policy. The
 * policy forbids every load and every script but the ones that went in, each known by its SHA-256, so that
 * nothing a data file says can run or fetch. What is drawn and how is the page's own matter.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "eval/report.h"
#include "eval/report_asset.h"

/* What fills the slots that are no file. */
struct filling {
    const char *evaluation;
};

static const struct sr_report_asset *asset_find(const char *name, size_t length) {
    const struct sr_report_asset *a = sr_report_assets;
    while (a->name && (strlen(a->name) != length || memcmp(a->name, name, length) != 0))
        a++;
    return a->name ? a : NULL;
}

/* JSON inside <script>: '<' stands only in strings there, where \u003c means the same. Without it neither
 * "</script" nor "<!--" can be. */
static void print_json(FILE *to, const char *json) {
    for (const char *p = json; *p; p++)
        if (*p == '<')
            fputs("\\u003c", to);
        else
            fputc(*p, to);
}

/* 256 bits in base64: three hexadecimal digits are two of its digits, and the last one is padded. */
static void print_base64(FILE *to, const char hex[65]) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < 63; i += 3) {
        const char three[] = {hex[i], hex[i + 1], hex[i + 2], '\0'};
        const unsigned long bits = strtoul(three, NULL, 16);
        fputc(digit[bits >> 6], to);
        fputc(digit[bits & 63], to);
    }
    fputc(digit[strtoul(hex + 63, NULL, 16) << 2], to);
    fputc('=', to);
}

/* "script-src 'sha256-...' 'sha256-...';" of every file whose name ends so. */
static void print_sources(FILE *to, const char *directive, const char *ending) {
    fputs(directive, to);
    for (const struct sr_report_asset *a = sr_report_assets; a->name; a++) {
        const size_t length = strlen(a->name), n = strlen(ending);
        char hex[65];
        if (length < n || strcmp(a->name + length - n, ending) != 0)
            continue;
        sr_sha256(a->bytes, a->size, hex);
        fputs(" 'sha256-", to);
        print_base64(to, hex);
        fputc('\'', to);
    }
    fputs("; ", to);
}

static void print_policy(FILE *to) {
    fputs("default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; ", to);
    print_sources(to, "style-src", ".css");
    print_sources(to, "script-src", ".js");
}

static int slot_print(FILE *to, const char *name, size_t length, const struct filling *f,
                      struct sr_error *err) {
    const struct sr_report_asset *asset = asset_find(name, length);
    if (asset)
        fwrite(asset->bytes, 1, asset->size, to);
    else if (length == strlen("evaluation") && memcmp(name, "evaluation", length) == 0)
        print_json(to, f->evaluation);
    else if (length == strlen("policy") && memcmp(name, "policy", length) == 0)
        print_policy(to);
    else
        return sr_fail(err, SR_BUG, "report.html has a slot {{%.*s}} that nothing fills", (int)length, name);
    return 0;
}

static int page_print(FILE *to, const struct filling *f, struct sr_error *err) {
    const struct sr_report_asset *page = asset_find("report.html", strlen("report.html"));
    if (!page)
        return sr_fail(err, SR_BUG, "report.html was not built into this program");
    const char *at = page->bytes, *open;
    while ((open = strstr(at, "{{"))) {
        const char *close = strstr(open, "}}");
        if (!close)
            return sr_fail(err, SR_BUG, "report.html has a slot without an end");
        fwrite(at, 1, (size_t)(open - at), to);
        if (slot_print(to, open + 2, (size_t)(close - open) - 2, f, err) < 0)
            return SR_BUG;
        at = close + 2;
    }
    fputs(at, to);
    return 0;
}

int sr_report_write(const char *path, const struct sr_json *evaluation, struct sr_error *err) {
    struct sr_atomic_file *file = NULL;
    char *json = sr_json_text(evaluation, 0, err);
    int status = json ? sr_atomic_file_open(&file, path, err) : SR_NOMEM;
    if (status == 0)
        status = page_print(sr_atomic_file_stream(file), &(struct filling){json}, err);
    if (status == 0)
        status = sr_atomic_file_commit(file, err);
    else
        sr_atomic_file_discard(file);
    sr_free(json);
    return status;
}

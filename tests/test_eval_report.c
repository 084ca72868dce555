/* test_eval_report.c: the report page as a file: it holds the evaluation, loads nothing, runs nothing but its
 * own scripts, and is there whole or not at all. Where a Chromium is installed, the page as it comes out of
 * it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_program.h"

#include <signal.h>
#include <sys/resource.h>

#define VECTORS SR_SOURCE_DIR "/tests/vectors"
#define MODEL   VECTORS "/router_weights.safetensors"
#define GUARDS  VECTORS "/eval_guards.h5"
#define UNKNOWN VECTORS "/eval_unknown.h5" /* with /source */

#define EVALUATION "<script type=\"application/json\" id=\"evaluation\">"
#define HOSTILE    "</script><img src=x onerror=alert(1)><!--<script>&amp;\\"

/* ---- the page taken apart ---- */

/* Runs eval with a report into the folder's page.html; returns the page, free with sr_free. */
static char *make_page(const char *folder, const char *arguments) {
    char path[512];
    struct run r = run_program(folder, "eval %s --report %s/page.html", arguments, folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    snprintf(path, sizeof path, "%s/page.html", folder);
    return slurp(path);
}

/* What stands between two texts, from *at on, which is moved behind it; NULL if there is no more. Free with
 * free. */
static char *between(const char **at, const char *open, const char *close) {
    const char *begin = strstr(*at, open);
    if (!begin)
        return NULL;
    begin += strlen(open);
    const char *end = strstr(begin, close);
    cr_assert_not_null(end, "%s without %s", open, close);
    *at = end + strlen(close);
    return strndup(begin, (size_t)(end - begin));
}

static struct sr_json *evaluation_of(const char *page) {
    char *text = between(&page, EVALUATION, "</script>");
    struct sr_json *o = parse(text);
    cr_expect_null(strchr(text, '<'));
    free(text);
    return o;
}

/* The page with nothing in its scripts. */
static char *without_scripts(const char *page) {
    char *rest = sr_alloc(strlen(page) + 1, 1, NULL);
    size_t n = 0;
    for (const char *open; (open = strstr(page, "<script")); page = strstr(open, "</script>")) {
        const char *end = strchr(open, '>') + 1;
        memcpy(rest + n, page, (size_t)(end - page));
        n += (size_t)(end - page);
    }
    strcpy(rest + n, page);
    return rest;
}

/* The evaluation in the page of a router with other metadata. */
static struct sr_json *evaluation_with(const char *folder, const struct sr_pair *pairs, size_t n) {
    char weights[512], arguments[1024];
    struct sr_safetensors *from;
    struct sr_error err = {0};
    snprintf(weights, sizeof weights, "%s/weights.safetensors", folder);
    cr_assert_eq(sr_safetensors_open(&from, MODEL, &err), 0, "%s", err.text);
    cr_assert_eq(sr_safetensors_rewrite(weights, from, pairs, n, &err), 0, "%s", err.text);
    sr_safetensors_close(from);
    snprintf(arguments, sizeof arguments, "--model %s --data %s", weights, GUARDS);
    char *page = make_page(folder, arguments);
    struct sr_json *o = evaluation_of(page);
    cr_expect_null(strstr(page, "<img"));
    sr_free(page);
    return o;
}

/* ---- what it holds ---- */

static void expect_the_json_of(const char *arguments) {
    char *folder = folder_begin();
    char *page = make_page(folder, arguments);
    struct run r = run_program(folder, "eval %s --json", arguments);
    cr_assert_eq(r.status, 0, "%s", r.err);
    struct sr_json *in_page = evaluation_of(page), *printed = parse(r.out);
    char *a = sr_json_text(in_page, 0, NULL), *b = sr_json_text(printed, 0, NULL);
    cr_expect_str_eq(a, b);
    sr_free(a);
    sr_free(b);
    sr_json_free(in_page);
    sr_json_free(printed);
    run_end(&r);
    sr_free(page);
    folder_end(folder);
}

Test(eval_report, page_holds_what_json_prints) {
    expect_the_json_of("--model " MODEL " --data " GUARDS " --threshold .5");
    expect_the_json_of("--model " MODEL " --data " UNKNOWN " --baseline " MODEL
                       " --prevalence .05 --small-ms 20 --large-ms 120 --small-cost .1 --large-cost 1");
}

Test(eval_report, curves_of_a_run_are_in_it) {
    char *folder = folder_begin(), path[512], arguments[1024];
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    FILE *f = fopen(path, "w");
    fputs("{\"epoch\":1,\"val/auprc\":0.25}\n{\"epoch\":2,\"val/auprc\":null}\n", f);
    fclose(f);
    snprintf(arguments, sizeof arguments, "--model %s --data %s --run %s", MODEL, GUARDS, folder);
    char *page = make_page(folder, arguments);
    struct sr_json *o = evaluation_of(page);
    const struct sr_json *training = sr_json_get(o, "training");
    double auprc = 0;
    cr_assert_eq(sr_json_size(training), 2);
    cr_expect(sr_json_as_number(sr_json_get(sr_json_at(training, 0), "val/auprc"), &auprc) && auprc == 0.25);
    sr_json_free(o);
    sr_free(page);
    folder_end(folder);
}

Test(eval_report, calibration_of_the_router_is_in_it) {
    const struct sr_pair pairs[] = {{"calibration", "{\"method\":\"temperature\",\"temperature\":2.0}"}};
    char *folder = folder_begin();
    struct sr_json *o = evaluation_with(folder, pairs, SR_COUNT(pairs));
    cr_expect(sr_json_is_object(sr_json_get(sr_json_get(o, "reliability"), "calibrated")));
    sr_json_free(o);
    folder_end(folder);
}

Test(eval_report, licence_of_chart_js_is_kept) {
    char *folder = folder_begin(), *page = make_page(folder, "--model " MODEL " --data " GUARDS);
    static const char *const words[] = {"Chart.js v3.",
                                        "Released under the MIT License",
                                        "Copyright (c) 2014-2022 Chart.js Contributors",
                                        "Copyright (c) 2018-2021 Jukka Kurkela",
                                        "The above copyright notice and this permission notice shall be",
                                        "THE SOFTWARE IS PROVIDED \"AS IS\""};
    for (size_t w = 0; w < SR_COUNT(words); w++)
        cr_expect(strstr(page, words[w]), "%s", words[w]);
    sr_free(page);
    folder_end(folder);
}

/* ---- what it loads and runs ---- */

/* No address of another host but those in comments of Chart.js, and nothing that a browser would fetch. */
Test(eval_report, nothing_is_loaded) {
    char *folder = folder_begin(), *page = make_page(folder, "--model " MODEL " --data " UNKNOWN);
    char *rest = without_scripts(page);
    static const char *const words[] = {"://", " src", "@import", "url(", "<iframe", "<object", "srcset"};
    for (size_t w = 0; w < SR_COUNT(words); w++)
        cr_expect_null(strstr(rest, words[w]), "%s", words[w]);
    const char *at = rest;
    for (char *link; (link = between(&at, "href=\"", "\"")); free(link))
        cr_expect_str_eq(link, "data:,");
    at = page;
    for (char *script; (script = between(&at, "<script>", "</script>")); free(script))
        cr_expect(strstr(script, "Chart.js v3.") || !strstr(script, "://"), "%.60s", script);
    sr_free(rest);
    sr_free(page);
    folder_end(folder);
}

/* "'sha256-...'" of a text, by the book: six bits a digit of 256 bits and two of padding. */
static const char *source_of(char out[64], const char *text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct sr_sha256 s;
    char hex[65];
    size_t n = (size_t)snprintf(out, 64, "'sha256-");
    sr_sha256_begin(&s);
    sr_sha256_add(&s, text, strlen(text));
    sr_sha256_end(&s, hex);
    for (size_t bit = 0; bit < 256; bit += 6) {
        unsigned six = 0;
        for (size_t b = bit; b < bit + 6; b++) {
            const char digit[] = {b < 256 ? hex[b / 4] : '0', '\0'};
            six = 2 * six + (strtoul(digit, NULL, 16) >> (3 - b % 4) & 1);
        }
        out[n++] = digits[six];
    }
    snprintf(out + n, 64 - n, "='");
    return out;
}

static size_t count(const char *text, const char *word) {
    size_t n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

/* Every element of that kind is allowed by the directive, and it allows no others. */
static void expect_allowed(const char *page, const char *directive, const char *open, const char *close) {
    const char *at = page;
    char *policy = between(&at, "Content-Security-Policy\" content=\"", "\"");
    const char *in_policy = policy;
    char *sources = between(&in_policy, directive, ";");
    size_t elements = 0;
    cr_assert_not_null(sources);
    for (char *text; (text = between(&at, open, close)); free(text), elements++) {
        char source[64];
        cr_expect(strstr(sources, source_of(source, text)), "%s is not in %s", source, sources);
    }
    cr_expect(elements > 0);
    cr_expect_eq(count(sources, "'"), 2 * elements, "%s", sources);
    cr_expect(strstr(policy, "default-src 'none'"));
    free(sources);
    free(policy);
}

Test(eval_report, policy_allows_its_own_scripts_and_no_others) {
    char *folder = folder_begin(), *page = make_page(folder, "--model " MODEL " --data " GUARDS);
    expect_allowed(page, "script-src ", "<script>", "</script>");
    expect_allowed(page, "style-src ", "<style>", "</style>");
    cr_expect_eq(count(page, "<script>") + 1, count(page, "<script")); /* and the evaluation */
    sr_free(page);
    folder_end(folder);
}

Test(eval_report, names_cannot_end_the_script) {
    const struct sr_pair pairs[] = {{"threshold", "0.5"}, {"threshold_rule", HOSTILE}};
    char *folder = folder_begin();
    struct sr_json *o = evaluation_with(folder, pairs, SR_COUNT(pairs));
    const struct sr_json *stored = sr_json_at(sr_json_get(o, "thresholds"), 1);
    cr_expect_str_eq(sr_json_as_string(sr_json_get(stored, "rule")), HOSTILE);
    sr_json_free(o);
    folder_end(folder);
}

/* ---- there whole or not at all ---- */

static size_t files_in(const char *folder) {
    char command[512];
    unsigned long n = 0;
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
    FILE *p = popen(command, "r");
    cr_assert_eq(fscanf(p, "%lu", &n), 1);
    pclose(p);
    return n;
}

Test(eval_report, page_that_cannot_be_written_is_an_io_error) {
    char *folder = folder_begin();
    expect_failure(
        run_program(folder, "eval --model " MODEL " --data " GUARDS " --report %s/none/page.html", folder),
        74, "page.html");
    cr_expect_eq(files_in(folder), 2); /* stdout and stderr */
    folder_end(folder);
}

/* The disk is full after 100 KiB: less than Chart.js alone. */
Test(eval_report, page_that_cannot_be_finished_leaves_the_old_one) {
    char *folder = folder_begin(), *page = make_page(folder, "--model " MODEL " --data " GUARDS), path[512];
    struct rlimit old, full;
    snprintf(path, sizeof path, "%s/page.html", folder);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    full = (struct rlimit){(rlim_t)100 << 10, old.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
    struct run r = run_program(folder, "eval --model " MODEL " --data " UNKNOWN " --report %s", path);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    expect_failure(r, 74, "page.html");
    char *after = slurp(path);
    cr_expect(strcmp(after, page) == 0, "the page is not the old one");
    cr_expect_eq(files_in(folder), 3);
    sr_free(after);
    sr_free(page);
    folder_end(folder);
}

/* ---- in a browser ---- */

static const char *chromium(void) {
    static const char *const names[] = {"chromium", "chromium-browser", "google-chrome"};
    char command[128];
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        snprintf(command, sizeof command, "command -v %s >/dev/null", names[i]);
        if (system(command) == 0)
            return names[i];
    }
    cr_skip_test("no Chromium is installed: nothing has run the page's scripts");
    return NULL;
}

/* The page as the browser has it after its scripts ran; free with sr_free. Whatever the console got is a
 * failure. */
static char *dump_page(const char *browser, const char *folder, const char *hash) {
    char command[2048], path[512];
    snprintf(command, sizeof command,
             "%s --headless --no-sandbox --disable-gpu --user-data-dir='%s/profile' --enable-logging=stderr "
             "--dump-dom 'file://%s/page.html%s' >'%s/dom' 2>'%s/console'",
             browser, folder, folder, hash, folder, folder);
    cr_assert_eq(system(command), 0);
    snprintf(path, sizeof path, "%s/console", folder);
    char *console = slurp(path);
    cr_expect_null(strstr(console, "CONSOLE"), "%s", console);
    sr_free(console);
    snprintf(path, sizeof path, "%s/dom", folder);
    return slurp(path);
}

static void expect_live(const char *dom, const char *id, const struct sr_json *o, const char *key) {
    char open[64], want[64];
    int64_t n = -1;
    cr_assert(sr_json_as_integer(sr_json_get(o, key), &n), "%s", key);
    snprintf(open, sizeof open, "id=\"%s\">", id);
    snprintf(want, sizeof want, "%d", (int)n);
    char *got = between(&dom, open, "<");
    cr_assert_not_null(got, "%s", id);
    cr_expect_str_eq(got, want, "%s", id);
    free(got);
}

/* The slider at a threshold shows what eval counts there. */
static void expect_counts(const char *browser, const char *folder, const char *threshold) {
    char hash[64];
    struct run r =
        run_program(folder, "eval --model " MODEL " --data " UNKNOWN " --threshold %s --json", threshold);
    struct sr_json *o = parse(r.out);
    snprintf(hash, sizeof hash, "#threshold=%s", threshold);
    char *dom = dump_page(browser, folder, hash);
    static const char *const keys[][2] = {{"live-tp", "tp"},
                                          {"live-fp", "fp"},
                                          {"live-tn", "tn"},
                                          {"live-fn", "fn"},
                                          {"live-routed", "rows_routed"}};
    for (size_t k = 0; k < SR_COUNT(keys); k++)
        expect_live(dom, keys[k][0], o, keys[k][1]);
    cr_expect_null(strstr(dom, "<p class=\"warning\">This section"), "a section failed");
    sr_free(dom);
    sr_json_free(o);
    run_end(&r);
}

/* A threshold that is the score of a row, which is then not above it. */
static const char *score_of(char text[SR_DECIMAL_TEXT], const char *page) {
    struct sr_json *o = evaluation_of(page);
    const struct sr_json *list = sr_json_get(sr_json_get(o, "sweep"), "threshold");
    double score = 0;
    cr_assert(sr_json_as_number(sr_json_at(list, sr_json_size(list) / 2), &score));
    sr_decimal_float(text, (float)score);
    sr_json_free(o);
    return text;
}

Test(eval_report, browser_shows_what_eval_counts) {
    const char *browser = chromium();
    char *folder = folder_begin(), score[SR_DECIMAL_TEXT];
    char *page =
        make_page(folder, "--model " MODEL " --data " UNKNOWN " --baseline " MODEL " --prevalence .05");
    expect_counts(browser, folder, score_of(score, page));
    sr_free(page);
    expect_counts(browser, folder, "0.6");
    expect_counts(browser, folder, "0");
    expect_counts(browser, folder, "1");
    folder_end(folder);
}

/* test_train_bench_reading.c: the reading part of `saferoute bench`: the checksum is the values', whatever
 * the form of the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>

#include "tests/dump_fixture.h"
#include "tests/run_program.h"
#include "train/bench_reading.h"

/* By the definition, from the fixtures' formula. */
static uint64_t fixture_checksum(void) {
    uint64_t sum = 0;
    for (size_t r = 0; r < FIXTURE_ROWS; r++)
        for (size_t k = 0; k < FIXTURE_WIDTH; k++) {
            const float x = fixture_value(r, k);
            uint32_t bits;
            memcpy(&bits, &x, sizeof bits);
            sum += (uint64_t)(r + 1) * (k + 1) * bits;
        }
    return sum;
}
Test(train_bench_reading, the_checksum_does_not_see_the_form) {
    static const struct {
        const char *name, *type, *way;
    } forms[] = {{"half", "float16", "in one piece"},
                 {"half_chunked", "float16", "by chunks"},
                 {"float_big_endian", "float32", "in one piece"},
                 {"double", "float32", "through HDF5"}};
    for (size_t i = 0; i < SR_COUNT(forms); i++) {
        char text[2048];
        struct sr_bench_reading b;
        struct sr_error err = {0};
        const struct sr_data_options how = {.features_only = true};
        cr_assert_eq(sr_bench_reading(&b, fixture_paths(text, forms[i].name), &how, 3, &err), 0, "%s",
                     err.text);
        cr_expect_eq(b.checksum, fixture_checksum(), "%s", forms[i].name);
        cr_expect_eq(b.rows, FIXTURE_ROWS);
        cr_expect_eq(b.width, FIXTURE_WIDTH);
        cr_expect_eq(b.rounds, 3);
        cr_expect_str_eq(b.type, forms[i].type);
        cr_expect_str_eq(b.way, forms[i].way);
        cr_expect(b.seconds[0] > 0 && b.seconds[0] <= b.seconds[1] && b.seconds[1] <= b.seconds[2]);
        sr_free(b.seconds);
    }
}

Test(train_bench_reading, command_prints_text_and_json) {
    char *folder = folder_begin(), text[2048], checksum[17];
    const char *path = fixture_paths(text, "half,half_chunked");
    snprintf(checksum, sizeof checksum, "%016" PRIx64, fixture_checksum());
    struct run r =
        run_program(folder, "bench --parts reading --data %s/tests/dumps/half.h5 --rounds 2", SR_SOURCE_DIR);
    cr_expect_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.out, "half.h5: 12 rows of 8 float16\nread in one piece"), "%s", r.out);
    cr_expect(strstr(r.out, checksum), "%s", r.out);
    run_end(&r);
    r = run_program(folder, "bench --parts reading --data %s --rounds 2 --json", path);
    cr_expect_eq(r.status, 0, "%s", r.err);
    struct sr_json *o;
    struct sr_error err = {0};
    cr_assert_eq(sr_json_parse(&o, r.out, strlen(r.out), &err), 0, "%s", err.text);
    const struct sr_json *reading = sr_json_get(o, "reading");
    int64_t rows = 0;
    double rate = 0;
    cr_expect(sr_json_as_integer(sr_json_get(reading, "rows"), &rows) && rows == 24);
    cr_expect(sr_json_as_number(sr_json_get(reading, "rows_per_second"), &rate) && rate > 0);
    cr_expect_eq(sr_json_size(sr_json_get(reading, "seconds")), 2);
    cr_expect_str_eq(sr_json_as_string(sr_json_get(reading, "way")), "in several ways");
    sr_json_free(o);
    run_end(&r);
    folder_end(folder);
}

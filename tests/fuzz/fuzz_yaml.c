/* fuzz_yaml.c: a configuration file (nn/base/option_file.c) for the table of `saferoute train`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/config_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sr_config c;
    struct sr_options o;
    struct sr_error err = {0};
    FUZZ_CHECK(sr_options_begin(&o, sr_config_table, sr_config_count, &c, &err) == 0, "%s", err.text);
    const bool others = size > 0 && data[size - 1] == ' ';
    if (fuzz_accepted(sr_option_file_parse(&o, (const char *)data, size, "f.yaml", others, &err), &err))
        fuzz_config_check(&o);
    sr_options_end(&o);
    return 0;
}

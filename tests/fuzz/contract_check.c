/* contract_check.c: a contract written by hand, as `import` and `data convert` take it
 * (data/contract_file.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/data.h"
#include "tests/fuzz/parsers.h"

/* A pair's key is one of the list, and there once; a threshold is a number from 0 to 1. */
static void check(const struct sr_pair *pairs, size_t n, bool router) {
    for (size_t i = 0; i < n; i++) {
        double number;
        bool known =
            router && (strcmp(pairs[i].key, "threshold") == 0 || strcmp(pairs[i].key, "threshold_rule") == 0);
        for (int k = 0; k < SR_CONTRACT_KEYS; k++)
            known = known || strcmp(pairs[i].key, sr_contract_key(k)) == 0;
        FUZZ_CHECK(known && pairs[i].value && *pairs[i].value, "%s is no pair of a contract", pairs[i].key);
        for (size_t j = 0; j < i; j++)
            FUZZ_CHECK(strcmp(pairs[i].key, pairs[j].key) != 0, "%s is there twice", pairs[i].key);
        if (sr_ends_in(pairs[i].key, "threshold"))
            FUZZ_CHECK(sr_decimal_parse(&number, pairs[i].value) && number >= 0 && number <= 1, "%s is %s",
                       pairs[i].key, pairs[i].value);
    }
}

void fuzz_contract(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(0, data, size);
    size_t count[2] = {0, 0};
    int status[2];
    for (int router = 0; router < 2; router++) {
        struct sr_error err = {0};
        struct sr_pair *pairs = NULL;
        status[router] = sr_contract_file_read(&pairs, &count[router], path, router, &err);
        if (fuzz_accepted(status[router], &err)) {
            check(pairs, count[router], router);
            sr_free(pairs);
        }
    }
    FUZZ_CHECK(status[0] == status[1] && count[0] <= count[1], "a router's contract is %d, a dump's %d",
               status[1], status[0]);
}

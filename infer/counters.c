/* counters.c: saferoute_stats added up, and as Prometheus reads them.
 *
 * Text format 0.0.4 (prometheus.io, "Exposition formats"). Counters never fall, so rates over any window
 * follow.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>

#include "infer/printer.h"
#include "infer/router.h"

void saferoute_stats_add(struct saferoute_stats *total, const struct saferoute_stats *part) {
    total->rows += part->rows;
    total->large += part->large;
    for (size_t i = 0; i < SR_COUNT(total->reason); i++)
        total->reason[i] += part->reason[i];
    total->out_of_range += part->out_of_range;
    for (size_t i = 0; i < SAFEROUTE_LOGIT_BUCKETS; i++)
        total->logit[i] += part->logit[i];
    total->logit_sum += part->logit_sum;
    total->recent_rows += part->recent_rows;
    total->recent_routed += part->recent_routed;
}

static void print_counter(struct sr_printer *to, const char *name, const char *help, uint64_t value) {
    sr_print(to, "# HELP %s %s\n# TYPE %s counter\n%s %" PRIu64 "\n", name, help, name, name, value);
}

static void print_reasons(struct sr_printer *to, const struct saferoute_stats *stats) {
    sr_print(to, "# HELP saferoute_decisions_total Rows by the reason of their decision.\n"
                 "# TYPE saferoute_decisions_total counter\n");
    for (int i = 0; i < SAFEROUTE_REASON_COUNT; i++)
        sr_print(to, "saferoute_decisions_total{reason=\"%s\"} %" PRIu64 "\n", saferoute_reason_name(i),
                 stats->reason[i]);
}

/* Buckets are cumulative and named by their upper end. */
static void print_logits(struct sr_printer *to, const struct saferoute_stats *stats) {
    char sum[SR_DECIMAL_TEXT], end[SR_DECIMAL_TEXT];
    uint64_t below = 0;
    sr_print(to, "# HELP saferoute_logit Logits of the rows that have a score.\n"
                 "# TYPE saferoute_logit histogram\n");
    for (size_t i = 0; i < SAFEROUTE_LOGIT_BUCKETS; i++) {
        below += stats->logit[i];
        sr_print(to, "saferoute_logit_bucket{le=\"%s\"} %" PRIu64 "\n",
                 i + 1 < SAFEROUTE_LOGIT_BUCKETS ? sr_decimal(end, -7.5 + .5 * (double)i) : "+Inf", below);
    }
    sr_print(to, "saferoute_logit_sum %s\nsaferoute_logit_count %" PRIu64 "\n",
             sr_decimal(sum, stats->logit_sum), below);
}

size_t saferoute_stats_prometheus(char *out, size_t size, const struct saferoute_stats *stats) {
    struct sr_printer to = {.text = out, .size = size};
    print_counter(&to, "saferoute_rows_total", "Rows decided.", stats->rows);
    print_counter(&to, "saferoute_large_total", "Rows sent to the large guard.", stats->large);
    print_counter(&to, "saferoute_out_of_range_total", "Rows whose features are far from those of training.",
                  stats->out_of_range);
    print_reasons(&to, stats);
    print_logits(&to, stats);
    return to.length;
}

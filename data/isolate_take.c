/* isolate_take.c: what comes as answers, taken piece by piece. See isolate_client.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/isolate_client.h"
#include "nn/base/sizes.h"

int sr_take_exact(void *user, const void *bytes, size_t n, struct sr_error *err) {
    struct sr_exact *x = user;
    if (n > x->size - x->used)
        return sr_channel_nonsense(x->channel, x->path, err);
    memcpy(x->to + x->used, bytes, n);
    x->used += n;
    return 0;
}

int sr_away_exact(const struct sr_h5 *f, const struct sr_isolate_request *q, void *to, size_t size,
                  uint64_t *number, struct sr_error *err) {
    struct sr_exact x = {.channel = sr_away_of(f)->channel, .path = f->path, .to = to, .size = size};
    const int status = sr_away_ask(f, q, sr_take_exact, &x, number, err);
    return status == 0 && x.used != size ? sr_channel_nonsense(x.channel, f->path, err) : status;
}

int sr_take_growing(void *user, const void *bytes, size_t n, struct sr_error *err) {
    struct sr_growing *g = user;
    if (n > g->most - g->used)
        return sr_channel_nonsense(g->channel, g->path, err);
    if (n > g->room - g->used) {
        const size_t room = 2 * g->used + n; /* both are below `most` */
        char *bigger = sr_realloc(g->bytes, g->used, room, err);
        if (!bigger)
            return SR_NOMEM;
        g->bytes = bigger;
        g->room = room;
    }
    memcpy(g->bytes + g->used, bytes, n);
    g->used += n;
    return 0;
}

/* n texts, one behind the other, become *out: one block, free with sr_free. An extra NULL behind them. */
int sr_growing_texts(char ***out, const struct sr_growing *g, size_t n, struct sr_error *err) {
    if (n > g->used || (g->used > 0 && g->bytes[g->used - 1] != '\0'))
        return sr_channel_nonsense(g->channel, g->path, err);
    char **texts = sr_alloc(sr_size_sum(sr_size_times(n + 1, sizeof **out), g->used), 1, err);
    if (!texts)
        return SR_NOMEM;
    char *at = (char *)(texts + n + 1), *end = at + g->used;
    if (g->used > 0)
        memcpy(at, g->bytes, g->used);
    size_t i = 0;
    for (; i < n && at < end; i++) {
        texts[i] = at;
        at += strlen(at) + 1;
    }
    if (i < n || at != end) {
        sr_free(texts);
        return sr_channel_nonsense(g->channel, g->path, err);
    }
    *out = texts;
    return 0;
}

struct sr_growing sr_growing_of(const struct sr_h5 *f, uint64_t most) {
    struct sr_channel *c = sr_away_of(f)->channel;
    return (struct sr_growing){.channel = c, .path = f->path, .most = most < c->most ? most : c->most};
}

bool sr_take_text(char *to, const char *from, size_t size) {
    if (!memchr(from, '\0', size))
        return false;
    sr_utf8_clean(to, size, from);
    return true;
}

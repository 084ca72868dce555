/* failing_memory.h: malloc and its family for a test program, of which the n-th of our calls fails.
 *
 * "Ours" are calls that leave our code: from the program's own objects, from jansson, libyaml, libzip,
 * libdeflate and protobuf-c, and from libc on behalf of one of them (fopen, open_memstream, strdup,
 * pthread_create ...), for which the callers are looked up. Those of HDF5, OpenBLAS, libgomp and Criterion
 * pass. The names are defined here, in the executable, so that the dynamic linker finds them first; the
 * allocator below is libc's, or the sanitizer's. No line of the program knows of it.
 *
 *     memory_begin(3);                      // from here: the third call fails
 *     status = sr_thing_open(&thing, ...);
 *     struct memory_report r = memory_end();   // r.failed, r.calls, r.live blocks not freed
 *
 * Counting is atomic: calls of any thread count. To be included by one file of a test program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_FAILING_MEMORY_H
#define SR_TEST_FAILING_MEMORY_H

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <malloc.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MEMORY_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_SANITIZED 1
#endif

/* The sanitizer calls malloc before it can be called itself. */
#define MEMORY_PLAIN __attribute__((no_sanitize("address", "undefined", "thread"), noinline))

/* libzip (1.7) forgets a block of an archive that fails for want of memory; see `keeps` below.
 * The name is the sanitizer's. NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libzip";
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

#ifdef MEMORY_SANITIZED
#define BELOW(name) __interceptor_##name
#else
#define BELOW(name) __libc_##name
#endif
void *BELOW(malloc)(size_t size);
void *BELOW(calloc)(size_t count, size_t size);
void *BELOW(realloc)(void *p, size_t size);
void *BELOW(memalign)(size_t alignment, size_t size);
void BELOW(free)(void *p);

/* ---- whose code an address is ---- */

enum memory_owner { MEMORY_OTHERS, MEMORY_OURS, MEMORY_ASK }; /* ASK: it works for whoever called it */

enum {
    MEMORY_RANGES = 512,
    MEMORY_PLACES = 1 << 17,
    MEMORY_FRAMES = 48,
    MEMORY_STACKS = 1 << 14,
    MEMORY_SITES = 1 << 14
};

static struct {
    uintptr_t begin, end;
    enum memory_owner owner;
    bool keeps; /* ld.so what it has allocated for a thread; libzip (1.7) blocks of an archive that fails */
} memory_range[MEMORY_RANGES];
static size_t memory_ranges;

static enum memory_owner memory_owner_of(const char *path) {
    static const char *const ours[] = {"libjansson", "libyaml",       "libzip",
                                       "libdeflate", "libprotobuf-c", "libsaferoute"},
                             *const libc[] = {"libc.", "libm.", "libpthread", "ld-linux"};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (!*path || strncmp(name, ours[i], strlen(ours[i])) == 0)
            return MEMORY_OURS; /* the executable has no name */
    for (size_t i = 0; i < sizeof libc / sizeof *libc; i++)
        if (strncmp(name, libc[i], strlen(libc[i])) == 0)
            return MEMORY_ASK;
    return MEMORY_OTHERS;
}

static int memory_note_object(struct dl_phdr_info *info, size_t size, void *user) {
    (void)size;
    (void)user;
    for (int i = 0; i < info->dlpi_phnum && memory_ranges < MEMORY_RANGES; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        const uintptr_t begin = info->dlpi_addr + part->p_vaddr;
        memory_range[memory_ranges].begin = begin;
        memory_range[memory_ranges].end = begin + part->p_memsz;
        memory_range[memory_ranges].owner = memory_owner_of(info->dlpi_name);
        memory_range[memory_ranges++].keeps =
            strstr(info->dlpi_name, "ld-linux") || strstr(info->dlpi_name, "libzip");
    }
    return 0;
}

MEMORY_PLAIN static size_t memory_find(const void *address) {
    size_t i = 0;
    while (i < memory_ranges &&
           ((uintptr_t)address < memory_range[i].begin || (uintptr_t)address >= memory_range[i].end))
        i++;
    return i;
}

struct memory_walk {
    bool left; /* this file's frames, which are ours too, and the sanitizer's */
    enum memory_owner owner;
};

/* clang's sanitizer lies in the executable: a function around one of libc's (vasprintf, say, which HDF5
 * calls) belongs to whoever called it. The executable exports the sanitizer's functions and none of ours. */
MEMORY_PLAIN static bool memory_intercepts(void *address) {
    Dl_info there, here;
    return dladdr(address, &there) && there.dli_sname && dladdr((void *)&memory_ranges, &here) &&
           there.dli_fbase == here.dli_fbase;
}

MEMORY_PLAIN static _Unwind_Reason_Code memory_step(struct _Unwind_Context *context, void *user) {
    struct memory_walk *w = user;
    void *const address = (void *)_Unwind_GetIP(context);
    const size_t at = memory_find(address);
    enum memory_owner owner = at < memory_ranges ? memory_range[at].owner : MEMORY_OTHERS;
    if (w->left && owner == MEMORY_OURS && memory_intercepts(address))
        owner = MEMORY_ASK;
    if (owner == MEMORY_ASK)
        w->left = true;
    else if (w->left)
        w->owner = owner;
    return owner != MEMORY_ASK && w->left ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

/* Of a call from libc: the first caller outside it. */
MEMORY_PLAIN static enum memory_owner memory_ask(void) {
    struct memory_walk w = {false, MEMORY_OTHERS};
    _Unwind_Backtrace(memory_step, &w);
    return w.owner;
}

/* ---- what is counted ---- */

static atomic_bool memory_armed;
static atomic_uint_least64_t memory_calls, memory_nth, memory_refused;
static atomic_bool memory_forever;
static atomic_flag memory_lock = ATOMIC_FLAG_INIT;
static _Thread_local bool memory_inside; /* looking at its own stack */

/* Live blocks: open addressing, the number of the call beside each. */
static struct {
    void *block;
    uint64_t call;
    size_t bytes;
} memory_place[MEMORY_PLACES];
static size_t memory_live;

struct memory_report {
    uint64_t calls; /* of ours */
    bool failed;    /* one of them did */
    size_t live;    /* blocks handed out since memory_begin and not freed */
    uint64_t first; /* the call that handed out one of them, and its bytes */
    size_t first_bytes;
};

MEMORY_PLAIN static void memory_take_lock(void) {
    while (atomic_flag_test_and_set(&memory_lock))
        sched_yield();
}

MEMORY_PLAIN static size_t memory_home(const void *block) {
    return (size_t)(((uintptr_t)block >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20) % MEMORY_PLACES;
}

MEMORY_PLAIN static void memory_note(void *block, uint64_t call, size_t bytes) {
    memory_take_lock();
    size_t i = memory_home(block);
    while (memory_place[i].block)
        i = (i + 1) % MEMORY_PLACES;
    memory_place[i].block = block;
    memory_place[i].call = call;
    memory_place[i].bytes = bytes;
    if (++memory_live > MEMORY_PLACES / 4 * 3)
        abort();
    atomic_flag_clear(&memory_lock);
}

/* Those behind it that were pushed away from their own place move up. */
MEMORY_PLAIN static void memory_close_gap(size_t gap) {
    for (size_t i = (gap + 1) % MEMORY_PLACES; memory_place[i].block; i = (i + 1) % MEMORY_PLACES) {
        const size_t home = memory_home(memory_place[i].block);
        if ((i - home) % MEMORY_PLACES < (i - gap) % MEMORY_PLACES)
            continue;
        memory_place[gap] = memory_place[i];
        gap = i;
    }
    memory_place[gap].block = NULL;
}

MEMORY_PLAIN static void memory_forget(const void *block) {
    if (!block || !atomic_load_explicit(&memory_armed, memory_order_relaxed))
        return;
    memory_take_lock();
    size_t i = memory_home(block);
    while (memory_place[i].block && memory_place[i].block != block)
        i = (i + 1) % MEMORY_PLACES;
    if (memory_place[i].block) {
        memory_close_gap(i);
        memory_live--;
    }
    atomic_flag_clear(&memory_lock);
}

/* ---- where memory is asked for ---- */

/* The first of our calls with each stack: the places at which a run can lack memory. fresh: one of the calls
 * that lead there, by its return address, is in no stack before it, of this survey and earlier ones: where
 * all of those fail once, each call through which a lack of memory can come has told its caller of one. */
static uint64_t memory_stack[MEMORY_STACKS], memory_first[MEMORY_STACKS];
static bool memory_fresh[MEMORY_STACKS];
static size_t memory_stacks;
static uintptr_t memory_site[MEMORY_SITES]; /* those return addresses: open addressing */
static size_t memory_sites;
static atomic_bool memory_surveyed;

MEMORY_PLAIN static bool memory_site_is_new(uintptr_t site) {
    size_t i = (size_t)((site * UINT64_C(0x9E3779B97F4A7C15)) >> 32) % MEMORY_SITES;
    while (memory_site[i] && memory_site[i] != site)
        i = (i + 1) % MEMORY_SITES;
    if (memory_site[i] == site)
        return false;
    memory_site[i] = site;
    if (++memory_sites > MEMORY_SITES / 4 * 3)
        abort();
    return true;
}

struct memory_trail {
    uint64_t hash;
    bool fresh;
};

MEMORY_PLAIN static _Unwind_Reason_Code memory_mix(struct _Unwind_Context *context, void *user) {
    struct memory_trail *t = user;
    const uintptr_t site = _Unwind_GetIP(context);
    t->hash = (t->hash ^ site) * UINT64_C(0x9E3779B97F4A7C15);
    t->hash ^= t->hash >> 29;
    t->fresh |= memory_site_is_new(site);
    return _URC_NO_REASON;
}

MEMORY_PLAIN static void memory_note_stack(uint64_t call) {
    struct memory_trail t = {.hash = 1};
    memory_take_lock();
    _Unwind_Backtrace(memory_mix, &t);
    size_t i = 0;
    while (i < memory_stacks && memory_stack[i] != t.hash)
        i++;
    if (i == memory_stacks && i < MEMORY_STACKS) {
        memory_stack[i] = t.hash;
        memory_fresh[i] = t.fresh;
        memory_first[memory_stacks++] = call;
    }
    atomic_flag_clear(&memory_lock);
}

/* SAFEROUTE_TRACE: who asked for what was not given, for addr2line. */
MEMORY_PLAIN static void memory_trace(void) {
    void *frame[MEMORY_FRAMES];
    if (getenv("SAFEROUTE_TRACE"))
        backtrace_symbols_fd(frame, backtrace(frame, MEMORY_FRAMES), STDERR_FILENO);
}

/* The number of this call among ours; 0: not ours. *refused: it is to fail. *kept: not to be looked for
 * later. */
MEMORY_PLAIN static uint64_t memory_count(const void *caller, bool *refused, bool *kept) {
    *refused = *kept = false;
    if (!atomic_load_explicit(&memory_armed, memory_order_relaxed) || memory_inside)
        return 0;
    memory_inside = true;
    const size_t at = memory_find(caller);
    enum memory_owner owner = at < memory_ranges ? memory_range[at].owner : MEMORY_OTHERS;
    *kept = at < memory_ranges && memory_range[at].keeps;
    if (owner == MEMORY_ASK)
        owner = memory_ask();
    uint64_t call = 0;
    if (owner == MEMORY_OURS) {
        call = atomic_fetch_add(&memory_calls, 1) + 1;
        const uint64_t nth = atomic_load(&memory_nth);
        *refused = nth > 0 && (call == nth || (call > nth && atomic_load(&memory_forever)));
        if (*refused && atomic_fetch_add(&memory_refused, 1) == 0)
            memory_trace();
        if (atomic_load(&memory_surveyed))
            memory_note_stack(call);
    }
    memory_inside = false;
    return call;
}

/* From here until memory_end the n-th of our calls fails; 0: none. */
static inline void memory_begin(uint64_t nth) {
    if (memory_ranges == 0)
        dl_iterate_phdr(memory_note_object, NULL);
    memset(memory_place, 0, sizeof memory_place);
    memory_live = 0;
    atomic_store(&memory_calls, 0);
    atomic_store(&memory_refused, 0);
    atomic_store(&memory_nth, nth);
    atomic_store(&memory_forever, false);
    atomic_store(&memory_surveyed, false);
    atomic_store(&memory_armed, true);
}

/* The same, and every later one fails too. */
static inline void memory_begin_forever(uint64_t nth) {
    memory_begin(nth);
    atomic_store(&memory_forever, true);
}

/* None fails; afterwards memory_first holds memory_stacks calls, one of each stack. */
static inline void memory_begin_survey(void) {
    memory_stacks = 0;
    memory_begin(0);
    atomic_store(&memory_surveyed, true);
}

static inline struct memory_report memory_end(void) {
    struct memory_report r = {.calls = atomic_load(&memory_calls),
                              .failed = atomic_load(&memory_refused) > 0};
    atomic_store(&memory_armed, false);
    r.live = memory_live;
    for (size_t i = 0; i < MEMORY_PLACES && memory_live > 0; i++)
        if (memory_place[i].block && (r.first == 0 || memory_place[i].call < r.first)) {
            r.first = memory_place[i].call;
            r.first_bytes = memory_place[i].bytes;
        }
    return r;
}

/* ---- the family ---- */

MEMORY_PLAIN static void *memory_given(void *block, uint64_t call, bool kept, size_t bytes) {
    if (block && call > 0 && !kept)
        memory_note(block, call, bytes);
    return block;
}

#define MEMORY_ASKED                                                                                         \
    bool refused, kept;                                                                                      \
    const uint64_t call = memory_count(__builtin_return_address(0), &refused, &kept)

/* The whole of a function that gives a new block of `bytes`. */
#define MEMORY_GIVE(below, bytes)                                                                            \
    MEMORY_ASKED;                                                                                            \
    if (refused) {                                                                                           \
        errno = ENOMEM;                                                                                      \
        return NULL;                                                                                         \
    }                                                                                                        \
    return memory_given(below, call, kept, bytes)

MEMORY_PLAIN void *malloc(size_t size) {
    MEMORY_GIVE(BELOW(malloc)(size), size);
}

MEMORY_PLAIN void *calloc(size_t count, size_t size) {
    MEMORY_GIVE(BELOW(calloc)(count, size), count * size);
}

MEMORY_PLAIN void *memalign(size_t alignment, size_t size) {
    MEMORY_GIVE(BELOW(memalign)(alignment, size), size);
}

MEMORY_PLAIN void *aligned_alloc(size_t alignment, size_t size) {
    MEMORY_GIVE(BELOW(memalign)(alignment, size), size);
}

MEMORY_PLAIN void *realloc(void *p, size_t size) {
    MEMORY_ASKED;
    if (refused && size > 0) {
        errno = ENOMEM;
        return NULL;
    }
    memory_forget(p);
    return memory_given(BELOW(realloc)(p, size), call, kept, size);
}

MEMORY_PLAIN int posix_memalign(void **out, size_t alignment, size_t size) {
    MEMORY_ASKED;
    void *p = refused ? NULL : memory_given(BELOW(memalign)(alignment, size), call, kept, size);
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

MEMORY_PLAIN void free(void *p) {
    memory_forget(p);
    BELOW(free)(p);
}

#endif

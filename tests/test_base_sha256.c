/* test_base_sha256.c: SHA-256 against the vectors published with FIPS 180, and however the bytes are cut.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/base.h"

static const char *hash(char hex[65], const void *bytes, size_t size) {
    struct sr_sha256 s;
    sr_sha256_begin(&s);
    sr_sha256_add(&s, bytes, size);
    sr_sha256_end(&s, hex);
    return hex;
}

static void expect_published_digests(void) {
    static const char *const known[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmno"
         "pqrst"
         "nopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    char hex[65];
    for (size_t i = 0; i < SR_COUNT(known); i++)
        cr_expect_str_eq(hash(hex, known[i][0], strlen(known[i][0])), known[i][1]);
}

Test(sha256, gives_the_published_digests) {
    expect_published_digests();
}

/* What CPUs without the instructions do; the others above. */
Test(sha256, plain_c_gives_the_published_digests) {
    setenv("SAFEROUTE_ISA", "base", 1);
    expect_published_digests();
}

Test(sha256, gives_the_digest_of_a_million_a) {
    char block[1000], hex[65];
    struct sr_sha256 s;
    memset(block, 'a', sizeof block);
    sr_sha256_begin(&s);
    for (int i = 0; i < 1000; i++)
        sr_sha256_add(&s, block, sizeof block);
    sr_sha256_end(&s, hex);
    cr_expect_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Lengths around the ends of blocks, where padding goes into a block of its own, in pieces of every size. */
Test(sha256, does_not_depend_on_how_the_bytes_are_cut) {
    unsigned char bytes[200];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(7 * i);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        char whole[65], cut[65];
        hash(whole, bytes, size);
        for (size_t piece = 1; piece < 140; piece += 13) {
            struct sr_sha256 s;
            sr_sha256_begin(&s);
            for (size_t at = 0; at < size; at += piece)
                sr_sha256_add(&s, bytes + at, piece < size - at ? piece : size - at);
            sr_sha256_end(&s, cut);
            cr_assert_str_eq(cut, whole, "%zu bytes in pieces of %zu", size, piece);
        }
    }
}

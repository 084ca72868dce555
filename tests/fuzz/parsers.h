/* parsers.h: one function for every parser: it gives the bytes to it as the program would, and holds what was
 * accepted against what the parser's header promises (each in a file NAME_check.c). A target calls those that
 * read the same files, one behind the other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_FUZZ_PARSERS_H
#define SR_FUZZ_PARSERS_H

#include "tests/fuzz/check.h"

/* files of tensors: as archive, pickle, a pickle in a sound archive, tensors, weights */
void fuzz_zip(const uint8_t *data, size_t size);
void fuzz_pickle(const uint8_t *data, size_t size);
void fuzz_records(const uint8_t *data, size_t size);
void fuzz_safetensors(const uint8_t *data, size_t size);
void fuzz_router(const uint8_t *data, size_t size);
void fuzz_checkpoint(const uint8_t *data, size_t size);
void fuzz_inspect(const uint8_t *data, size_t size);

/* As `import` and `data convert` open them; every tensor is read twice. The outcome's digest is the SHA-256
 * over the tensors in the order of their names: name, 0, dtype, 0, the shape as "2,3", 0, the bytes. */
void fuzz_tensors(const uint8_t *data, size_t size);

/* files of rows; fuzz_rows: a dump, which has no bytes of its own where a reader tells of it */
void fuzz_rows(const char *path);
void fuzz_columns(const uint8_t *data, size_t size);
void fuzz_csv(const uint8_t *data, size_t size);
void fuzz_jsonl(const uint8_t *data, size_t size);
void fuzz_lines(const uint8_t *data, size_t size);
void fuzz_scores(const uint8_t *data, size_t size);

/* documents */
void fuzz_json(const uint8_t *data, size_t size);
void fuzz_calibrator(const uint8_t *data, size_t size);
void fuzz_contract(const uint8_t *data, size_t size);
void fuzz_decision(const uint8_t *data, size_t size);
void fuzz_gate(const uint8_t *data, size_t size);
void fuzz_sketch(const uint8_t *data, size_t size);

/* settings, and texts of a command line */
void fuzz_config(const uint8_t *data, size_t size);
void fuzz_run(const uint8_t *data, size_t size);
void fuzz_number(const uint8_t *data, size_t size);
void fuzz_utf8(const uint8_t *data, size_t size);
void fuzz_paths(const uint8_t *data, size_t size);

#endif

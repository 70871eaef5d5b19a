/* Fuzz targets: LLVMFuzzerTestOneInput, and what a target knows of its files. Built twice: with
 * libFuzzer (-DKILN_BUILD_FUZZERS=ON, clang; fuzz_mutator.c) and for short runs of every build
 * (fuzz_driver.c). No corpus is needed: targets make their own seeds. */
#ifndef KILN_TESTS_FUZZ_H
#define KILN_TESTS_FUZZ_H

#include <kiln/kiln.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The k-th sound file, at most `room` bytes; 0: there is none. A target makes the same ones each
 * time, and at least one. */
size_t fuzz_seed(size_t k, uint8_t *out, size_t room);
/* Changes the file where its structure says that it matters; or only, with `state` NULL, makes
 * checksums right. Returns its size. */
size_t fuzz_change(uint64_t *state, uint8_t *bytes, size_t size, size_t room);

/* ---- Help (fuzz_help.c) -------------------------------------------------------------------- */

uint64_t fuzz_random(uint64_t *inout_state);
/* One of the numbers at which things go wrong, or a small one. */
uint32_t fuzz_word(uint64_t *inout_state);
/* A path under which the bytes are read, until the next call: a file without a name. */
const char *fuzz_file(const uint8_t *data, size_t size);
/* The file's bytes; 0: not read, or more than `room`. */
size_t fuzz_read(const char *path, uint8_t *out, size_t room);
/* A folder of the process's own, removed at its end. */
const char *fuzz_folder(void);
/* Writes a small network: k = 0: convolutions and a dense layer; 1: with bands; 2: operators that
 * fold; 3: quantised; 4: with squeeze-and-excitation. */
#define FUZZ_NETWORKS 5
bool fuzz_write_model(size_t k, const char *path);
/* The same, compiled. */
bool fuzz_write_plan(size_t k, const char *path);
/* Ends the process: a library error without words. */
void fuzz_expect_message(const kiln_error *error);

#endif

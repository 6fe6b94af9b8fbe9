/*
 * fuzz.h - what every tests/fuzz/fuzz_<target>.c defines. libFuzzer calls it with
 * inputs of its own making, corpus.c with those that were kept.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Runs one input from a clean start; aborts if something is wrong. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

/*
 * input.h - the bytes of one fuzz input, taken as choices.
 *
 * At the end every choice is 0, so a short input is a valid one.
 */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input {
    const char *at;
    size_t left;
};

struct input input_of(const uint8_t *data, size_t size);
uint8_t input_byte(struct input *input);
/* 0..n-1, n at most 256. */
unsigned input_below(struct input *input, unsigned n);
/* Small and round numbers, limits, or eight bytes as they are. */
int64_t input_number(struct input *input);
/* All bytes up to the next |mark|, which is passed over; false if none is left. */
bool input_until(struct input *input, char mark, const char **bytes, size_t *len);
/* A length byte and so many bytes, as a C string without NULs, in one of a few static
 * places: it lasts for the next seven calls. */
const char *input_text(struct input *input);

#endif

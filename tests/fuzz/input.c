/*
 * input.c - the bytes of one fuzz input, taken as choices.
 */
#include "tests/fuzz/input.h"

#include <string.h>

#define INPUT_TEXTS 8

struct input input_of(const uint8_t *data, size_t size)
{
    return (struct input){.at = size > 0 ? (const char *)data : "", .left = size};
}

uint8_t input_byte(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return (uint8_t)*input->at++;
}

unsigned input_below(struct input *input, unsigned n)
{
    return input_byte(input) % n;
}

int64_t input_number(struct input *input)
{
    static const int64_t odd[] = {INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN,
                                  65535,     65536,     -1,        1000000000};
    uint8_t kind = input_byte(input);

    if (kind < 200)
        return kind;
    if (kind < 208)
        return odd[kind - 200];
    if (kind < 240)
        return (int64_t)(kind - 208) * 1000 + input_byte(input);
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | input_byte(input);
    return (int64_t)value;
}

bool input_until(struct input *input, char mark, const char **bytes, size_t *len)
{
    if (input->left == 0)
        return false;
    const char *end = memchr(input->at, mark, input->left);
    *bytes = input->at;
    *len = end != NULL ? (size_t)(end - input->at) : input->left;
    size_t taken = *len + (end != NULL ? 1 : 0);
    input->at += taken;
    input->left -= taken;
    return true;
}

const char *input_text(struct input *input)
{
    static char texts[INPUT_TEXTS][256];
    static unsigned next;
    char *text = texts[next++ % INPUT_TEXTS];
    size_t len = input_byte(input);

    if (len > input->left)
        len = input->left;
    memcpy(text, input->at, len);
    text[len] = '\0';
    input->at += len;
    input->left -= len;
    return text;
}

/*
 * fuzz_args.c - words and patterns: what is quoted must be read back, numbers must be
 * printed as they were read, and patterns must match as a slow matcher says.
 */
#include "common/args.h"
#include "common/assert.h"
#include "common/glob.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATTERN_MAX 64
#define TEXT_MAX 64

static void check_same_words(const struct args *a, const struct args *b)
{
    ASSERT_CMP(a->n, ==, b->n);
    for (size_t i = 0; i < a->n; i++) {
        ASSERT_CMP(a->lens[i], ==, b->lens[i]);
        ASSERT(memcmp(a->words[i], b->words[i], a->lens[i]) == 0);
    }
}

static void check_quoting(const struct args *args,
                          void (*quote)(struct buf *, const char *, size_t))
{
    struct buf line = {0};
    struct args again;

    for (size_t i = 0; i < args->n; i++) {
        buf_putc(&line, ' ');
        quote(&line, args->words[i], args->lens[i]);
    }
    ASSERT(args_split(&again, line.data, line.len) == 0);
    check_same_words(args, &again);
    args_release(&again);
    buf_release(&line);
}

static void check_number(const char *text, size_t len)
{
    int64_t value;
    uint64_t uvalue;
    char printed[32];

    if (args_int(text, len, &value)) {
        snprintf(printed, sizeof(printed), "%" PRId64, value);
        ASSERT(strlen(printed) == len && memcmp(printed, text, len) == 0);
    }
    if (args_uint(text, len, &uvalue)) {
        snprintf(printed, sizeof(printed), "%" PRIu64, uvalue);
        ASSERT(strlen(printed) == len && memcmp(printed, text, len) == 0);
    }
}

static void check_words(const char *line, size_t len)
{
    struct args args, whole = {0};
    char *word = (char *)line;

    if (args_split(&args, line, len) == 0) {
        check_quoting(&args, args_quote);
        check_quoting(&args, args_quote_always);
        for (size_t i = 0; i < args.n; i++)
            check_number(args.words[i], args.lens[i]);
    } else {
        ASSERT(args.n == 0);
    }
    args_release(&args);
    /* The line as one word. */
    whole.words = &word;
    whole.lens = &len;
    whole.n = 1;
    check_quoting(&whole, args_quote);
    check_quoting(&whole, args_quote_always);
}

/* ------------------------------------------------------------------- patterns ---- */

/* The bytes of the element that begins a pattern. */
static size_t element_len(const char *p, size_t len)
{
    size_t i = 1;

    if (*p == '\\')
        return len > 1 ? 2 : 1;
    if (*p != '[')
        return 1;
    if (i < len && p[i] == '^')
        i++;
    /* A range takes its second end whatever it is, but for a closing bracket. */
    while (i < len && p[i] != ']') {
        i += p[i] == '\\' && i + 1 < len ? 2 : 1;
        if (i + 1 < len && p[i] == '-' && p[i + 1] != ']') {
            i++;
            i += p[i] == '\\' && i + 1 < len ? 2 : 1;
        }
    }
    return i < len ? i + 1 : len;
}

/* Every way to match is tried, one element at a time; can[i] says whether what was
 * read of the pattern matches the first i bytes of |text|. */
static bool match_slowly(const char *p, size_t len, const char *text, size_t text_len,
                         bool ignore_case)
{
    bool can[TEXT_MAX + 1] = {true};

    while (len > 0) {
        size_t n = element_len(p, len);
        for (size_t i = text_len; *p != '*' && i > 0; i--)
            can[i] = can[i - 1] && glob_match(p, n, text + i - 1, 1, ignore_case);
        for (size_t i = 1; *p == '*' && i <= text_len; i++)
            can[i] = can[i] || can[i - 1];
        can[0] = can[0] && *p == '*';
        p += n;
        len -= n;
    }
    return can[text_len];
}

static void check_pattern(struct input *input)
{
    bool ignore_case = input_below(input, 2) != 0;
    size_t len = input_below(input, PATTERN_MAX);
    if (len > input->left)
        len = input->left;
    const char *pattern = input->at, *text = pattern + len;
    size_t text_len = input->left - len;

    bool found = glob_match(pattern, len, text, text_len, ignore_case);
    if (text_len <= TEXT_MAX)
        ASSERT(found == match_slowly(pattern, len, text, text_len, ignore_case));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);

    if (input_below(&input, 2) == 0)
        check_words(input.at, input.left);
    else
        check_pattern(&input);
    return 0;
}

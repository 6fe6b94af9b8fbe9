/*
 * args.c - words with Redis's quoting, and strict integers.
 */
#include "common/args.h"

#include "common/err.h"
#include "common/mem.h"

#include <string.h>

/* Own helpers: the ones of ctype.h depend on the locale. */
static bool args_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int args_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/*
 * Appends to |word| what the escape after the backslash at |p| stands for. |p| + 1 is
 * before |end|. Returns the first byte after the escape.
 */
static const char *args_unescape(struct buf *word, const char *p, const char *end)
{
    char c = p[1];
    if (c == 'x' && end - p >= 4 && args_hex(p[2]) >= 0 && args_hex(p[3]) >= 0) {
        buf_putc(word, (char)(args_hex(p[2]) << 4 | args_hex(p[3])));
        return p + 4;
    }
    switch (c) {
    case 'n':
        c = '\n';
        break;
    case 'r':
        c = '\r';
        break;
    case 't':
        c = '\t';
        break;
    case 'b':
        c = '\b';
        break;
    case 'a':
        c = '\a';
        break;
    default:
        break;
    }
    buf_putc(word, c);
    return p + 2;
}

/*
 * Appends the quoted text that opens at |p| to |word|. Returns the first byte after the
 * closing quote; NULL if it does not close, or closes before anything but a blank.
 */
static const char *args_take_quoted(struct buf *word, const char *p, const char *end)
{
    char quote = *p++;
    while (p < end && *p != quote) {
        bool is_escape = *p == '\\' && end - p > 1 && (quote == '"' || p[1] == '\'');
        if (is_escape && quote == '"') {
            p = args_unescape(word, p, end);
        } else if (is_escape) {
            buf_putc(word, '\'');
            p += 2;
        } else {
            buf_putc(word, *p++);
        }
    }
    if (p == end || (p + 1 < end && !args_is_blank(p[1])))
        return NULL;
    return p + 1;
}

/* Appends the word that starts at |p|. Returns what follows it; NULL for bad quotes. */
static const char *args_take_word(struct buf *word, const char *p, const char *end)
{
    while (p < end && !args_is_blank(*p)) {
        if (*p == '"' || *p == '\'')
            return args_take_quoted(word, p, end);
        buf_putc(word, *p++);
    }
    return p;
}

/* The arrays grow at each power of two. */
static void args_add(struct args *args, const struct buf *word)
{
    if ((args->n & (args->n - 1)) == 0) {
        size_t cap = args->n > 0 ? args->n * 2 : 1;
        args->words = mem_resize(args->words, cap, sizeof *args->words);
        args->lens = mem_resize(args->lens, cap, sizeof *args->lens);
    }
    args->words[args->n] = mem_strndup(buf_text(word), word->len);
    args->lens[args->n] = word->len;
    args->n++;
}

int args_split(struct args *args, const char *line, size_t len)
{
    const char *p = len > 0 ? line : ""; /* no bytes may come with no pointer */
    const char *end = p + len;
    struct buf word = {0};
    int rc = ERR_OK;

    *args = (struct args){0};
    for (;;) {
        while (p < end && args_is_blank(*p))
            p++;
        if (p == end)
            break;
        buf_clear(&word);
        p = args_take_word(&word, p, end);
        if (p == NULL) {
            args_release(args);
            rc = ERR_SYNTAX;
            break;
        }
        args_add(args, &word);
    }
    buf_release(&word);
    return rc;
}

void args_release(struct args *args)
{
    for (size_t i = 0; i < args->n; i++)
        mem_free(args->words[i]);
    mem_free(args->words);
    mem_free(args->lens);
    *args = (struct args){0};
}

static bool args_is_control(char c)
{
    return (unsigned char)c < ' ' || c == 127;
}

static bool args_needs_quotes(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = word[i];
        if (args_is_control(c) || c == ' ' || c == '"' || c == '\'')
            return true;
    }
    return len == 0;
}

static void args_escape(struct buf *out, char c)
{
    static const char plain[] = "\n\r\t\b\a\"\\";
    static const char names[] = "nrtba\"\\";
    static const char digits[] = "0123456789abcdef";

    const char *found = c != '\0' ? strchr(plain, c) : NULL;
    if (found != NULL) {
        buf_putc(out, '\\');
        buf_putc(out, names[found - plain]);
    } else if (args_is_control(c)) {
        buf_puts(out, "\\x");
        buf_putc(out, digits[(unsigned char)c >> 4]);
        buf_putc(out, digits[(unsigned char)c & 15]);
    } else {
        buf_putc(out, c);
    }
}

void args_quote_always(struct buf *out, const char *word, size_t len)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < len; i++)
        args_escape(out, word[i]);
    buf_putc(out, '"');
}

void args_quote(struct buf *out, const char *word, size_t len)
{
    if (args_needs_quotes(word, len))
        args_quote_always(out, word, len);
    else
        buf_append(out, word, len);
}

bool args_uint(const char *text, size_t len, uint64_t *value)
{
    uint64_t sum = 0;

    if (len == 0 || (text[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    *value = sum;
    return true;
}

bool args_int(const char *text, size_t len, int64_t *value)
{
    bool is_negative = len > 0 && text[0] == '-';
    uint64_t magnitude;

    if (is_negative) {
        text++;
        len--;
    }
    if (!args_uint(text, len, &magnitude))
        return false;
    if (!is_negative && magnitude > INT64_MAX)
        return false;
    /* "-0" is as loose as a leading zero. */
    if (is_negative && (magnitude == 0 || magnitude > (uint64_t)INT64_MAX + 1))
        return false;
    *value = (int64_t)(is_negative ? 0 - magnitude : magnitude);
    return true;
}

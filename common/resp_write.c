/*
 * resp_write.c - commands to servers and replies to clients.
 */
#include "common/resp.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RESP_HEADER_MAX 32 /* a type, a sign, 20 digits, CR LF */

/* Writes |type|, |value| and CR LF at |p|, which has room; returns the end. */
static char *resp_put_header(char *p, char type, unsigned long long value)
{
    *p++ = type;
    if (value < 10) { /* most of them */
        *p++ = (char)('0' + value);
    } else if (value < 100) {
        *p++ = (char)('0' + value / 10);
        *p++ = (char)('0' + value % 10);
    } else {
        p = buf_put_digits(p, value);
    }
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

static void resp_end(struct buf *out, char *end)
{
    *end = '\0';
    out->len = (size_t)(end - out->data);
}

static void resp_header(struct buf *out, char type, size_t value)
{
    buf_reserve(out, RESP_HEADER_MAX);
    resp_end(out, resp_put_header(out->data + out->len, type, value));
}

/* One line: a line break inside would start a reply of its own. */
static void resp_line(struct buf *out, char type, const char *text)
{
    size_t len = strlen(text);

    buf_reserve(out, len + 3);
    buf_putc(out, type);
    for (size_t i = 0; i < len; i++)
        buf_putc(out, text[i] == '\r' || text[i] == '\n' ? ' ' : text[i]);
    buf_append(out, "\r\n", 2);
}

void resp_command(struct buf *out, const char *first, ...)
{
    va_list ap;
    size_t n = 0;

    va_start(ap, first);
    for (const char *word = first; word != NULL; word = va_arg(ap, const char *))
        n++;
    va_end(ap);

    resp_header(out, '*', n);
    va_start(ap, first);
    for (const char *word = first; word != NULL; word = va_arg(ap, const char *))
        resp_bulk_str(out, word);
    va_end(ap);
}

void resp_command_v(struct buf *out, const char *const *words, size_t n)
{
    resp_array(out, n);
    for (size_t i = 0; i < n; i++)
        resp_bulk_str(out, words[i]);
}

void resp_status(struct buf *out, const char *text)
{
    resp_line(out, '+', text);
}

void resp_error(struct buf *out, const char *text)
{
    resp_line(out, '-', text);
}

/* |value| as it is written into |text|; returns where it begins. */
static char *resp_digits(char text[24], int64_t value)
{
    unsigned long long size =
        value < 0 ? 0ULL - (unsigned long long)value : (unsigned long long)value;
    char *p = buf_digits(text + 24, size);

    if (value < 0)
        *--p = '-';
    return p;
}

void resp_int(struct buf *out, int64_t value)
{
    char text[24];
    char *p = resp_digits(text, value);

    buf_reserve(out, RESP_HEADER_MAX);
    buf_putc(out, ':');
    buf_append(out, p, (size_t)(text + sizeof text - p));
    buf_append(out, "\r\n", 2);
}

void resp_bulk(struct buf *out, const char *bytes, size_t len)
{
    buf_reserve(out, RESP_HEADER_MAX + len + 2);
    char *p = resp_put_header(out->data + out->len, '$', len);
    if (len > 0)
        memcpy(p, bytes, len);
    memcpy(p + len, "\r\n", 2);
    resp_end(out, p + len + 2);
}

void resp_bulk_str(struct buf *out, const char *text)
{
    resp_bulk(out, text, strlen(text));
}

void resp_bulk_int(struct buf *out, int64_t value)
{
    char text[24];
    char *p = resp_digits(text, value);

    resp_bulk(out, p, (size_t)(text + sizeof text - p));
}

void resp_bulk_uint(struct buf *out, uint64_t value)
{
    char text[24];
    char *end = text + sizeof text;
    char *p = buf_digits(end, value);

    resp_bulk(out, p, (size_t)(end - p));
}

void resp_array(struct buf *out, size_t n)
{
    resp_header(out, '*', n);
}

void resp_map(struct buf *out, int proto, size_t n_pairs)
{
    if (proto >= 3)
        resp_header(out, '%', n_pairs);
    else
        resp_array(out, n_pairs * 2);
}

void resp_set(struct buf *out, int proto, size_t n)
{
    resp_header(out, proto >= 3 ? '~' : '*', n);
}

void resp_push(struct buf *out, int proto, size_t n)
{
    resp_header(out, proto >= 3 ? '>' : '*', n);
}

void resp_nil(struct buf *out, int proto)
{
    buf_puts(out, proto >= 3 ? "_\r\n" : "$-1\r\n");
}

void resp_nil_array(struct buf *out, int proto)
{
    buf_puts(out, proto >= 3 ? "_\r\n" : "*-1\r\n");
}

void resp_verbatim(struct buf *out, int proto, const char *bytes, size_t len)
{
    if (proto < 3) {
        resp_bulk(out, bytes, len);
        return;
    }
    resp_header(out, '=', len + 4);
    buf_append(out, "txt:", 4);
    buf_append(out, bytes, len);
    buf_append(out, "\r\n", 2);
}

void resp_double(struct buf *out, int proto, double value)
{
    char text[64];

    if (isnan(value))
        snprintf(text, sizeof text, "nan");
    else if (isinf(value))
        snprintf(text, sizeof text, "%s", value > 0 ? "inf" : "-inf");
    else
        snprintf(text, sizeof text, "%.15g", value);

    if (proto < 3) {
        resp_bulk_str(out, text);
        return;
    }
    buf_putc(out, ',');
    buf_puts(out, text);
    buf_append(out, "\r\n", 2);
}

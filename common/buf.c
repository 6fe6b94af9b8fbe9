/*
 * buf.c - a growable run of bytes.
 */
#include "common/buf.h"

#include "common/assert.h"
#include "common/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BUF_CAP_MIN 64

void buf_release(struct buf *buf)
{
    mem_free(buf->data);
    *buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
    buf_truncate(buf, 0);
}

void buf_grow(struct buf *buf, size_t extra)
{
    /* A quarter of the address space each: the doubling below cannot overflow. */
    ASSERT(extra < SIZE_MAX / 4 && buf->len < SIZE_MAX / 4);
    size_t need = buf->len + extra + 1;
    size_t cap = buf->cap > 0 ? buf->cap : BUF_CAP_MIN;
    while (cap < need)
        cap *= 2;
    buf->data = mem_resize(buf->data, cap, 1);
    buf->cap = cap;
    buf->data[buf->len] = '\0';
}

void buf_append(struct buf *buf, const void *bytes, size_t len)
{
    buf_reserve(buf, len);
    if (len > 0)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_set(struct buf *buf, const void *bytes, size_t len)
{
    size_t spare = BUF_CAP_MIN + len / 64;

    if (buf->cap <= len || buf->cap - len > 2 * spare) {
        buf_release(buf);
        buf->cap = len + spare;
        buf->data = mem_array(buf->cap, 1);
    }
    buf_clear(buf);
    buf_append(buf, bytes, len);
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c)
{
    buf_append(buf, &c, 1);
}

char *buf_digits(char *end, unsigned long long value)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return end;
}

char *buf_put_digits(char *at, unsigned long long value)
{
    char digits[24];
    char *end = digits + sizeof digits;
    const char *first = buf_digits(end, value);
    size_t len = (size_t)(end - first);

    memcpy(at, first, len);
    return at + len;
}

void buf_putint(struct buf *buf, long long value)
{
    char digits[24];
    char *end = digits + sizeof digits;
    /* Unsigned, so that the least value has a magnitude too. */
    char *p = buf_digits(end, value < 0 ? 0ULL - (unsigned long long)value
                                        : (unsigned long long)value);

    if (value < 0)
        *--p = '-';
    buf_append(buf, p, (size_t)(end - p));
}

void buf_vprintf(struct buf *buf, const char *format, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    buf_reserve(buf, BUF_CAP_MIN);

    size_t room = buf->cap - buf->len;
    int n = vsnprintf(buf->data + buf->len, room, format, ap);
    ASSERT(n >= 0);
    size_t len = (size_t)n;
    if (len >= room) {
        buf_reserve(buf, len);
        vsnprintf(buf->data + buf->len, len + 1, format, again);
    }
    va_end(again);
    buf->len += len;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    buf_vprintf(buf, format, ap);
    va_end(ap);
}

void buf_consume(struct buf *buf, size_t len)
{
    ASSERT_CMP(len, <=, buf->len);
    if (len == 0)
        return;
    memmove(buf->data, buf->data + len, buf->len - len);
    buf_truncate(buf, buf->len - len);
}

void buf_truncate(struct buf *buf, size_t len)
{
    ASSERT_CMP(len, <=, buf->len);
    buf->len = len;
    if (buf->data != NULL)
        buf->data[len] = '\0';
}

const char *buf_text(const struct buf *buf)
{
    return buf->data != NULL ? buf->data : "";
}

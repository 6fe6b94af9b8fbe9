/*
 * buf.h - a growable run of bytes.
 *
 * data is NUL-terminated whenever it is not NULL, so text can be printed directly; the
 * NUL is not counted in len. A zeroed struct buf is a valid empty one.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t len;
    size_t cap;
};

void buf_release(struct buf *buf); /* frees; leaves a valid empty buf */
void buf_clear(struct buf *buf);   /* len = 0, keeps the memory */
void buf_grow(struct buf *buf, size_t extra);
/* Room for |extra| more bytes, and the NUL. */
static inline void buf_reserve(struct buf *buf, size_t extra)
{
    /* Where there is memory at all, cap is above len. */
    if (extra >= buf->cap - buf->len)
        buf_grow(buf, extra);
}
/* Replaces the contents, in memory that fits: for what is kept for long. */
void buf_set(struct buf *buf, const void *bytes, size_t len);
void buf_append(struct buf *buf, const void *bytes, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
/* Writes |value| in decimal so that it ends before |end|, which has room for 20
 * characters before it; returns where it begins. No NUL. */
char *buf_digits(char *end, unsigned long long value);
/* Writes |value| in decimal at |at|, at most 20 characters; returns where it ends. No
 * NUL. */
char *buf_put_digits(char *at, unsigned long long value);
void buf_putint(struct buf *buf, long long value); /* decimal; the hot path */
void buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));
void buf_consume(struct buf *buf, size_t len);  /* drops |len| bytes from the front */
void buf_truncate(struct buf *buf, size_t len); /* keeps the first |len| bytes */
const char *buf_text(const struct buf *buf);    /* never NULL */

#endif

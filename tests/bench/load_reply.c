/*
 * load_reply.c - counts RESP replies.
 */
#include "tests/bench/load_reply.h"

#include <string.h>

/* One value is complete, with |n_inside| still to come within it. */
static void reply_value(struct reply_scan *scan, int64_t n_inside)
{
    scan->type = 0;
    scan->values_left += n_inside - 1;
    if (scan->values_left == 0)
        scan->n_replies++;
}

/* The header line has ended. */
static void reply_header(struct reply_scan *scan)
{
    int64_t n = scan->is_negative ? -1 : scan->number;

    switch (scan->type) {
    case '$':
    case '=':
        if (n >= 0) {
            scan->skip = n + 2;
            scan->type = 0;
            return;
        }
        reply_value(scan, 0);
        return;
    case '*':
    case '~':
    case '>':
        reply_value(scan, n > 0 ? n : 0);
        return;
    case '%':
        reply_value(scan, 2 * n);
        return;
    default:
        reply_value(scan, 0);
    }
}

static void reply_begin(struct reply_scan *scan, char type)
{
    scan->type = type;
    scan->number = 0;
    scan->is_negative = 0;
    if (scan->values_left > 0)
        return;
    scan->values_left = 1;
    if (type == '-')
        scan->n_errors++;
}

void reply_scan(struct reply_scan *scan, const char *bytes, size_t len)
{
    const char *end = bytes + len;

    while (bytes < end) {
        if (scan->skip > 0) {
            int64_t n = end - bytes < scan->skip ? end - bytes : scan->skip;
            bytes += n;
            scan->skip -= n;
            if (scan->skip == 0)
                reply_value(scan, 0);
            continue;
        }
        char c = *bytes++;
        if (scan->type == 0)
            reply_begin(scan, c);
        else if (c == '\n')
            reply_header(scan);
        else if (c >= '0' && c <= '9')
            scan->number = (scan->number * 10 + (c - '0')) & 0xffffffff;
        else if (c == '-')
            scan->is_negative = 1;
    }
}

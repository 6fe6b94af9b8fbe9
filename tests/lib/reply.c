/*
 * reply.c - replies of a server as values. A reply that is not complete is read again
 * from its beginning when more bytes come: in tests they nearly always come whole.
 */
#include "tests/lib/reply.h"

#include "common/args.h"

#include <string.h>

#define REPLY_DEPTH_MAX 16
#define REPLY_ITEMS_MAX 100000

void reply_release(struct reply_parser *parser)
{
    buf_release(&parser->in);
    arena_release(&parser->arena);
    parser->pos = 0;
}

void reply_feed(struct reply_parser *parser, const char *bytes, size_t len)
{
    if (parser->pos == parser->in.len) {
        buf_clear(&parser->in);
        parser->pos = 0;
    } else if (parser->pos > 65536) {
        buf_consume(&parser->in, parser->pos);
        parser->pos = 0;
    }
    buf_append(&parser->in, bytes, len);
}

/* The line at |*pos| without its CR LF; moves |*pos| behind it. */
static int reply_line(const struct reply_parser *parser, size_t *pos, const char **line,
                      size_t *len)
{
    const char *start = parser->in.data + *pos;
    const char *end = memchr(start, '\n', parser->in.len - *pos);

    if (end == NULL)
        return ERR_MORE;
    if (end == start || end[-1] != '\r')
        return ERR_SYNTAX;
    *line = start;
    *len = (size_t)(end - start) - 1;
    *pos += *len + 2;
    return 0;
}

static int reply_value(struct reply_parser *parser, size_t *pos, int depth,
                       struct resp_value *out);

static int reply_items(struct reply_parser *parser, size_t *pos, int depth, int64_t n,
                       struct resp_value *out)
{
    if (n < 0) {
        out->type = RESP_NIL;
        return 0;
    }
    if (n > REPLY_ITEMS_MAX)
        return ERR_SYNTAX;
    struct resp_value *items =
        arena_alloc(&parser->arena, (size_t)n * sizeof(*items) + 1);
    for (int64_t i = 0; i < n; i++) {
        int rc = reply_value(parser, pos, depth + 1, &items[i]);
        if (rc != 0)
            return rc;
    }
    out->type = RESP_ARRAY;
    out->items = items;
    out->n_items = (size_t)n;
    return 0;
}

static int reply_bulk(struct reply_parser *parser, size_t *pos, int64_t n,
                      struct resp_value *out)
{
    if (n < 0) {
        out->type = RESP_NIL;
        return 0;
    }
    if ((uint64_t)n + 2 > parser->in.len - *pos)
        return ERR_MORE;
    out->type = RESP_BULK;
    out->str = arena_strndup(&parser->arena, parser->in.data + *pos, (size_t)n);
    out->len = (size_t)n;
    *pos += (size_t)n + 2;
    return 0;
}

static int reply_value(struct reply_parser *parser, size_t *pos, int depth,
                       struct resp_value *out)
{
    const char *line;
    size_t len;
    int64_t n = 0;

    memset(out, 0, sizeof(*out));
    if (depth > REPLY_DEPTH_MAX)
        return ERR_SYNTAX;
    int rc = reply_line(parser, pos, &line, &len);
    if (rc != 0)
        return rc;
    char kind = line[0];
    if (strchr(":$*%~>=", kind) != NULL &&
        (kind == '\0' || !args_int(line + 1, len - 1, &n)))
        return ERR_SYNTAX;

    switch (kind) {
    case '+':
    case '-':
        out->type = kind == '+' ? RESP_STATUS : RESP_ERROR;
        out->str = arena_strndup(&parser->arena, line + 1, len - 1);
        out->len = len - 1;
        return 0;
    case ':':
        out->type = RESP_INT;
        out->integer = n;
        return 0;
    case '_':
        out->type = RESP_NIL;
        return 0;
    case ',':
    case '#':
        out->type = RESP_BULK;
        out->str = arena_strndup(&parser->arena, line + 1, len - 1);
        out->len = len - 1;
        return 0;
    case '$':
    case '=':
        return reply_bulk(parser, pos, n, out);
    case '*':
    case '~':
    case '>':
        return reply_items(parser, pos, depth, n, out);
    case '%':
        return reply_items(parser, pos, depth, n < REPLY_ITEMS_MAX ? 2 * n : n, out);
    default:
        return ERR_SYNTAX;
    }
}

int reply_next(struct reply_parser *parser, const struct resp_value **value)
{
    size_t pos = parser->pos;

    if (pos == parser->in.len)
        return ERR_MORE;
    arena_reset(&parser->arena);
    struct resp_value *out = arena_alloc(&parser->arena, sizeof(*out));
    int rc = reply_value(parser, &pos, 0, out);
    if (rc == 0) {
        parser->pos = pos;
        *value = out;
    }
    return rc;
}

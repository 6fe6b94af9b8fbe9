/*
 * resp_parse.c - requests of clients, as far as they have arrived (interface.md 1.3).
 *
 * Everything is remembered relative to the start of the request, so the input can be
 * moved to the front when half of it is done with: each byte is moved once on average,
 * however many requests one read brings. Nothing is sized by a count or length a client
 * announced; memory follows the bytes that came.
 */
#include "common/resp.h"

#include "common/args.h"
#include "common/assert.h"
#include "common/mem.h"

#include <string.h>

#define RESP_ARGS_MIN 8
/* An idle client gives back what one large request made it grow beyond these. */
#define RESP_IDLE_BYTES ((size_t)64 * 1024)
#define RESP_IDLE_ARGS 256

#define RESP_INLINE_MAX ((size_t)64 * 1024)
#define RESP_BULK_MAX ((int64_t)512 * 1024 * 1024)

const struct resp_limits resp_limits_default = {
    .inline_max = RESP_INLINE_MAX,
    .elements_max = INT32_MAX,
    .bulk_max = RESP_BULK_MAX,
};

const struct resp_limits resp_limits_unauth = {
    .inline_max = RESP_INLINE_MAX,
    .elements_max = 10,
    .bulk_max = 16384,
};

/* Below the least limits that can be configured, hence of a client yet to log in. */
static bool resp_is_unauth(const struct resp_limits *limits)
{
    return limits->elements_max <= resp_limits_unauth.elements_max;
}

void resp_request_release(struct resp_request *rq)
{
    buf_release(&rq->in);
    buf_release(&rq->inline_words);
    mem_free(rq->args);
    mem_free(rq->offsets);
    *rq = (struct resp_request){0};
}

/* Points the arguments at their bytes, which end where a NUL may be written. */
static void resp_bind_args(struct resp_request *rq, char *base)
{
    for (size_t i = 0; i < rq->n_args; i++) {
        char *str = base + rq->offsets[i];
        str[rq->args[i].len] = '\0';
        rq->args[i].str = str;
    }
}

static void resp_add_arg(struct resp_request *rq, size_t offset, size_t len)
{
    if (rq->n_args == rq->cap_args) {
        rq->cap_args = rq->cap_args > 0 ? rq->cap_args * 2 : RESP_ARGS_MIN;
        rq->args = mem_resize(rq->args, rq->cap_args, sizeof *rq->args);
        rq->offsets = mem_resize(rq->offsets, rq->cap_args, sizeof *rq->offsets);
    }
    rq->offsets[rq->n_args] = offset;
    rq->args[rq->n_args] = (struct resp_arg){.str = "", .len = len};
    rq->n_args++;
}

void resp_request_feed(struct resp_request *rq, const char *bytes, size_t len)
{
    /* At least as much goes as is moved, which pays for the move. */
    if (rq->start > 0 && rq->start >= rq->in.len - rq->start) {
        buf_consume(&rq->in, rq->start);
        rq->pos -= rq->start;
        rq->start = 0;
    }
    buf_append(&rq->in, bytes, len);

    /* The input may have moved under a request that the caller still looks at. */
    if (rq->multi_left == 0 && rq->inline_words.len == 0)
        resp_bind_args(rq, rq->in.data + rq->start);
}

/* Starts over at the front, with little memory: nothing is left to parse. */
static void resp_settle(struct resp_request *rq)
{
    rq->start = 0;
    rq->pos = 0;
    if (rq->in.cap > RESP_IDLE_BYTES)
        buf_release(&rq->in);
    else
        buf_clear(&rq->in);
    if (rq->inline_words.cap > RESP_IDLE_BYTES)
        buf_release(&rq->inline_words);
    if (rq->cap_args > RESP_IDLE_ARGS) {
        mem_free(rq->args);
        mem_free(rq->offsets);
        rq->args = NULL;
        rq->offsets = NULL;
        rq->cap_args = 0;
    }
}

/*
 * resp_find_line() looks for |ending| from pos on, where it stopped the last time.
 * Returns 0 and sets |len| to the bytes before it; ERR_MORE; ERR_LIMIT if the line is
 * longer than allowed, whether or not its end has arrived, so that the answer does not
 * depend on how the bytes were cut up on their way.
 */
static int resp_find_line(struct resp_request *rq, const struct resp_limits *limits,
                          char ending, size_t *len)
{
    const char *line = rq->in.data + rq->pos;
    size_t available = rq->in.len - rq->pos;
    ASSERT_CMP(rq->scanned, <=, available);

    const char *end = memchr(line + rq->scanned, ending, available - rq->scanned);
    size_t before = end != NULL ? (size_t)(end - line) : available;
    if (before > limits->inline_max)
        return ERR_LIMIT;
    /* Kept at the ending: after a CR the LF may still have to come. */
    rq->scanned = before;
    if (end == NULL)
        return ERR_MORE;
    *len = before;
    return ERR_OK;
}

static void resp_take_line(struct resp_request *rq, size_t len)
{
    rq->pos += len;
    rq->scanned = 0;
}

/* The usual line: a type byte, a few digits without leading zeros and CR LF, all there.
 * False leaves any other to the long way. */
static bool resp_read_short(struct resp_request *rq, int64_t *value)
{
    const char *first = rq->in.data + rq->pos + 1;
    const char *p = first;
    int64_t n = 0;

    if (rq->in.len - rq->pos < 4 || *p == '0')
        return false;
    for (; *p >= '0' && *p <= '9' && p - first < 9; p++)
        n = n * 10 + (*p - '0');
    /* The input ends with a NUL, so that this looks at no byte beyond. */
    if (p == first || p[0] != '\r' || p[1] != '\n')
        return false;
    *value = n;
    rq->pos = (size_t)(p + 2 - rq->in.data);
    rq->scanned = 0;
    return true;
}

/*
 * resp_read_number() reads the line at pos: a type byte, a strict integer, CR LF. Moves
 * past it only on success. Returns 0; ERR_MORE; ERR_LIMIT for an over-long line;
 * ERR_RANGE if this is no integer.
 */
static int resp_read_number(struct resp_request *rq, const struct resp_limits *limits,
                            int64_t *value)
{
    size_t len;
    if (resp_read_short(rq, value))
        return ERR_OK;
    int rc = resp_find_line(rq, limits, '\r', &len);
    if (rc != ERR_OK)
        return rc;
    if (rq->pos + len + 2 > rq->in.len)
        return ERR_MORE;

    const char *line = rq->in.data + rq->pos;
    ASSERT_CMP(len, >, 0); /* the type byte is no CR */
    if (line[len + 1] != '\n' || !args_int(line + 1, len - 1, value))
        return ERR_RANGE;
    resp_take_line(rq, len + 2);
    return ERR_OK;
}

static int resp_read_inline(struct resp_request *rq, const struct resp_limits *limits,
                            struct error *err)
{
    size_t len;
    int rc = resp_find_line(rq, limits, '\n', &len);
    if (rc == ERR_LIMIT)
        return error_set(err, ERR_SYNTAX, "Protocol error: too big inline request");
    if (rc != ERR_OK)
        return rc;

    const char *line = rq->in.data + rq->pos;
    size_t text_len = len > 0 && line[len - 1] == '\r' ? len - 1 : len;
    struct args words;
    if (args_split(&words, line, text_len) != 0)
        return error_set(err, ERR_SYNTAX,
                         "Protocol error: unbalanced quotes in request");
    resp_take_line(rq, len + 1);

    for (size_t i = 0; i < words.n; i++) {
        resp_add_arg(rq, rq->inline_words.len, words.lens[i]);
        buf_append(&rq->inline_words, words.words[i], words.lens[i] + 1);
    }
    args_release(&words);
    resp_bind_args(rq, rq->inline_words.data);
    return ERR_OK;
}

static int resp_read_count(struct resp_request *rq, const struct resp_limits *limits,
                           struct error *err)
{
    int64_t n = 0;
    int rc = resp_read_number(rq, limits, &n);
    if (rc == ERR_MORE)
        return rc;
    if (rc == ERR_LIMIT)
        return error_set(err, ERR_SYNTAX, "Protocol error: too big mbulk count string");
    if (rc != ERR_OK || n > INT32_MAX)
        return error_set(err, ERR_SYNTAX, "Protocol error: invalid multibulk length");
    if (n > limits->elements_max)
        return error_set(err, ERR_SYNTAX, "Protocol error: %s multibulk length",
                         resp_is_unauth(limits) ? "unauthenticated" : "invalid");
    rq->multi_left = n > 0 ? n : 0;
    rq->bulk_len = -1;
    return ERR_OK;
}

static int resp_read_bulk_len(struct resp_request *rq, const struct resp_limits *limits,
                              struct error *err)
{
    int64_t len = 0;
    if (rq->pos == rq->in.len)
        return ERR_MORE;
    if (rq->in.data[rq->pos] != '$')
        return error_set(err, ERR_SYNTAX, "Protocol error: expected '$', got '%c'",
                         rq->in.data[rq->pos]);

    int rc = resp_read_number(rq, limits, &len);
    if (rc == ERR_MORE)
        return rc;
    if (rc == ERR_LIMIT)
        return error_set(err, ERR_SYNTAX, "Protocol error: too big bulk count string");
    bool is_unauth = resp_is_unauth(limits);
    int64_t most = is_unauth ? resp_limits_default.bulk_max : limits->bulk_max;
    if (rc != ERR_OK || len < 0 || len > most)
        return error_set(err, ERR_SYNTAX, "Protocol error: invalid bulk length");
    if (len > limits->bulk_max)
        return error_set(err, ERR_SYNTAX,
                         "Protocol error: unauthenticated bulk length");
    rq->bulk_len = len;
    return ERR_OK;
}

/* Reads elements until the request is complete. The two bytes after a payload are not
 * looked at; the first of them makes room for the NUL. */
static int resp_read_elements(struct resp_request *rq, const struct resp_limits *limits,
                              struct error *err)
{
    while (rq->multi_left > 0) {
        if (rq->bulk_len < 0) {
            int rc = resp_read_bulk_len(rq, limits, err);
            if (rc != ERR_OK)
                return rc;
        }
        size_t len = (size_t)rq->bulk_len;
        if (rq->in.len - rq->pos < len + 2)
            return ERR_MORE;
        resp_add_arg(rq, rq->pos - rq->start, len);
        rq->pos += len + 2;
        rq->bulk_len = -1;
        rq->multi_left--;
    }
    resp_bind_args(rq, rq->in.data + rq->start);
    return ERR_OK;
}

int resp_request_next(struct resp_request *rq, const struct resp_limits *limits,
                      struct error *err)
{
    if (rq->multi_left == 0) {
        rq->start = rq->pos;
        rq->n_args = 0;
        buf_clear(&rq->inline_words);
        if (rq->pos == rq->in.len) {
            resp_settle(rq);
            return ERR_MORE;
        }
        if (rq->in.data[rq->pos] != '*')
            return resp_read_inline(rq, limits, err);
        int rc = resp_read_count(rq, limits, err);
        if (rc != ERR_OK)
            return rc;
    }
    return resp_read_elements(rq, limits, err);
}

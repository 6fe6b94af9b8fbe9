/*
 * replies.c - redisReader with an object table of our own.
 *
 * hiredis's own table would allocate whatever an array header announces; ours refuses,
 * takes the memory of a whole reply from one arena, and needs no conversion. Written
 * for the table of hiredis 1.x and that of 0.14, which knows RESP2 only.
 */
#include "sentinel/runtime/replies.h"

#include "common/assert.h"
#include "common/mem.h"

#include <hiredis/read.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What an idle reader keeps of hiredis's buffer: an INFO fits. */
#define REPLIES_IDLE_CAP ((size_t)16 << 10)

#ifdef REDIS_REPLY_MAP
typedef size_t replies_count;
#else
typedef int replies_count;
#endif

/* The place of the value that |task| is about. */
static struct resp_value *replies_slot(const redisReadTask *task)
{
    struct replies *replies = task->privdata;

    if (task->parent == NULL) {
        struct resp_value *root = arena_alloc(&replies->arena, sizeof *root);
        memset(root, 0, sizeof *root);
        return root;
    }
    /* The array is ours, and const only for those who read it. */
    const struct resp_value *parent = task->parent->obj;
    struct resp_value *items = (struct resp_value *)parent->items;
    ASSERT(task->idx >= 0 && (size_t)task->idx < parent->n_items);
    return &items[task->idx];
}

static void replies_set_text(struct replies *replies, struct resp_value *value,
                             const char *text, size_t len)
{
    replies->n_text += len;
    value->str = arena_strndup(&replies->arena, text, len);
    value->len = len;
}

static void *replies_create_string(const redisReadTask *task, char *text, size_t len)
{
    struct resp_value *value = replies_slot(task);

    if (task->type == REDIS_REPLY_STATUS)
        value->type = RESP_STATUS;
    else if (task->type == REDIS_REPLY_ERROR)
        value->type = RESP_ERROR;
    else
        value->type = RESP_BULK;
#ifdef REDIS_REPLY_VERB
    if (task->type == REDIS_REPLY_VERB && len >= 4) {
        text += 4; /* "txt:" */
        len -= 4;
    }
#endif
    replies_set_text(task->privdata, value, text, len);
    return value;
}

static void *replies_create_array(const redisReadTask *task, replies_count count)
{
    struct replies *replies = task->privdata;
    size_t n = (size_t)count;
    int depth = 0;

    for (const redisReadTask *up = task->parent; up != NULL; up = up->parent)
        depth++;
    if (depth >= REPLIES_DEPTH_MAX) {
        replies->refused = "reply nests too deep";
        return NULL;
    }
    if (n > REPLIES_ITEMS_MAX - replies->n_items) {
        replies->refused = "reply with too many elements";
        return NULL;
    }
    replies->n_items += n;

    struct resp_value *value = replies_slot(task);
    struct resp_value *items = arena_alloc(&replies->arena, n * sizeof *items);
    memset(items, 0, n * sizeof *items);
    value->type = RESP_ARRAY;
    value->items = items;
    value->n_items = n;
    return value;
}

static void *replies_create_integer(const redisReadTask *task, long long number)
{
    struct resp_value *value = replies_slot(task);
    value->type = RESP_INT;
    value->integer = number;
    return value;
}

static void *replies_create_nil(const redisReadTask *task)
{
    struct resp_value *value = replies_slot(task);
    value->type = RESP_NIL;
    return value;
}

#ifdef REDIS_REPLY_MAP
static void *replies_create_double(const redisReadTask *task, double number, char *text,
                                   size_t len)
{
    struct resp_value *value = replies_slot(task);
    (void)number;
    value->type = RESP_BULK;
    replies_set_text(task->privdata, value, text, len);
    return value;
}

static void *replies_create_bool(const redisReadTask *task, int truth)
{
    return replies_create_integer(task, truth != 0);
}
#endif

/* All memory goes with the arena. */
static void replies_free_object(void *object)
{
    (void)object;
}

static redisReplyObjectFunctions replies_functions = {
    .createString = replies_create_string,
    .createArray = replies_create_array,
    .createInteger = replies_create_integer,
    .createNil = replies_create_nil,
#ifdef REDIS_REPLY_MAP
    .createDouble = replies_create_double,
    .createBool = replies_create_bool,
#endif
    .freeObject = replies_free_object,
};

void replies_init(struct replies *replies)
{
    memset(replies, 0, sizeof *replies);
    replies->reader = redisReaderCreateWithFunctions(&replies_functions);
    ASSERT(replies->reader != NULL);
    replies->reader->privdata = replies;
    replies->reader->maxbuf = REPLIES_IDLE_CAP;
}

void replies_release(struct replies *replies)
{
    if (replies->reader != NULL)
        redisReaderFree(replies->reader);
    arena_release(&replies->arena);
    memset(replies, 0, sizeof *replies);
}

bool replies_is_idle(const struct replies *replies)
{
    const redisReader *reader = replies->reader;
    return reader->err == 0 && reader->ridx == -1 && reader->pos == reader->len;
}

/* hiredis takes a refusal of ours for a lack of memory. */
static int replies_error(const struct replies *replies, struct error *err)
{
    if (replies->refused != NULL)
        return error_set(err, ERR_LIMIT, "Protocol error, %s", replies->refused);
    return error_set(err, ERR_SYNTAX, "%s", replies->reader->errstr);
}

/* Is what hiredis has not parsed yet a line without end? It searches all of that for
 * the end again whenever something arrives. (A bulk's first line is at its begin.) */
static bool replies_is_endless(const struct replies *replies)
{
    const redisReader *reader = replies->reader;
    size_t n = reader->len - reader->pos;
    return n > REPLIES_LINE_MAX &&
           memmem(reader->buf + reader->pos, REPLIES_LINE_MAX, "\r\n", 2) == NULL;
}

int replies_feed(struct replies *replies, const char *bytes, size_t len,
                 struct error *err)
{
    replies->n_bytes += len;
    if (replies->n_bytes > REPLIES_BYTES_MAX)
        return error_set(err, ERR_LIMIT, "Protocol error, reply too long");
    if (redisReaderFeed(replies->reader, bytes, len) != REDIS_OK)
        return replies_error(replies, err);
    return 0;
}

int replies_next(struct replies *replies, const struct resp_value **value,
                 struct error *err)
{
    void *object = NULL;

    *value = NULL;
    /* Unless it holds the first part of a reply, the arena is done with. */
    if (replies->reader->ridx == -1) {
        if (replies->n_items + replies->n_text > REPLIES_IDLE_CAP)
            arena_release(&replies->arena);
        else
            arena_reset(&replies->arena);
        replies->n_items = replies->n_text = 0;
    }
    if (replies_is_idle(replies)) /* asking hiredis would begin a reply */
        return ERR_MORE;
    if (redisReaderGetReply(replies->reader, &object) != REDIS_OK)
        return replies_error(replies, err);
    if (object == NULL && replies_is_endless(replies))
        return error_set(err, ERR_LIMIT, "Protocol error, line too long");
    if (object == NULL)
        return ERR_MORE;
    replies->n_bytes = replies->reader->len - replies->reader->pos;
    *value = object;
    return 0;
}

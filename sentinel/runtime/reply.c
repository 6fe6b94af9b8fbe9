/*
 * reply.c - redisReader with an object table of our own.
 *
 * hiredis's own table would allocate whatever an array header announces; ours refuses,
 * takes the memory of a whole reply from one arena, and needs no conversion. Written
 * for the table of hiredis 1.x and that of 0.14, which knows RESP2 only.
 */
#include "sentinel/runtime/reply.h"

#include "common/assert.h"
#include "common/mem.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

/* Idle connections keep no more than this of hiredis's buffer. */
#define REPLY_IDLE_CAP 2048

#ifdef REDIS_REPLY_MAP
typedef size_t reply_count;
#else
typedef int reply_count;
#endif

/* The place of the value that |task| is about, NULL if the reply is too large. */
static struct resp_value *reply_slot(const redisReadTask *task)
{
    struct reply_reader *reader = task->privdata;

    if (task->parent == NULL) {
        struct resp_value *root = arena_alloc(&reader->arena, sizeof *root);
        memset(root, 0, sizeof *root);
        return root;
    }
    /* The array is ours, and const only for those who read it. */
    const struct resp_value *parent = task->parent->obj;
    struct resp_value *items = (struct resp_value *)parent->items;
    ASSERT(task->idx >= 0 && (size_t)task->idx < parent->n_items);
    return &items[task->idx];
}

static void reply_set_text(struct reply_reader *reader, struct resp_value *value,
                           const char *text, size_t len)
{
    value->str = arena_strndup(&reader->arena, text, len);
    value->len = len;
}

static void *reply_create_string(const redisReadTask *task, char *text, size_t len)
{
    struct resp_value *value = reply_slot(task);

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
    reply_set_text(task->privdata, value, text, len);
    return value;
}

static void *reply_create_array(const redisReadTask *task, reply_count count)
{
    struct reply_reader *reader = task->privdata;
    size_t n = (size_t)count;
    int depth = 0;

    for (const redisReadTask *up = task->parent; up != NULL; up = up->parent)
        depth++;
    if (depth >= REPLY_DEPTH_MAX) {
        reader->refused = "reply nests too deep";
        return NULL;
    }
    if (n > REPLY_ITEMS_MAX - reader->n_items) {
        reader->refused = "reply with too many elements";
        return NULL;
    }
    reader->n_items += n;

    struct resp_value *value = reply_slot(task);
    struct resp_value *items = arena_alloc(&reader->arena, n * sizeof *items);
    memset(items, 0, n * sizeof *items);
    value->type = RESP_ARRAY;
    value->items = items;
    value->n_items = n;
    return value;
}

static void *reply_create_integer(const redisReadTask *task, long long number)
{
    struct resp_value *value = reply_slot(task);
    value->type = RESP_INT;
    value->integer = number;
    return value;
}

static void *reply_create_nil(const redisReadTask *task)
{
    struct resp_value *value = reply_slot(task);
    value->type = RESP_NIL;
    return value;
}

#ifdef REDIS_REPLY_MAP
static void *reply_create_double(const redisReadTask *task, double number, char *text,
                                 size_t len)
{
    struct resp_value *value = reply_slot(task);
    (void)number;
    value->type = RESP_BULK;
    reply_set_text(task->privdata, value, text, len);
    return value;
}

static void *reply_create_bool(const redisReadTask *task, int truth)
{
    return reply_create_integer(task, truth != 0);
}
#endif

/* All memory goes with the arena. */
static void reply_free_object(void *object)
{
    (void)object;
}

static redisReplyObjectFunctions reply_functions = {
    .createString = reply_create_string,
    .createArray = reply_create_array,
    .createInteger = reply_create_integer,
    .createNil = reply_create_nil,
#ifdef REDIS_REPLY_MAP
    .createDouble = reply_create_double,
    .createBool = reply_create_bool,
#endif
    .freeObject = reply_free_object,
};

void reply_init(struct reply_reader *reader)
{
    memset(reader, 0, sizeof *reader);
    reader->reader = redisReaderCreateWithFunctions(&reply_functions);
    ASSERT(reader->reader != NULL);
    reader->reader->privdata = reader;
    reader->reader->maxbuf = REPLY_IDLE_CAP;
}

void reply_release(struct reply_reader *reader)
{
    if (reader->reader != NULL)
        redisReaderFree(reader->reader);
    arena_release(&reader->arena);
    memset(reader, 0, sizeof *reader);
}

/* hiredis takes a refusal of ours for a lack of memory. */
static int reply_error(const struct reply_reader *reader, struct error *err)
{
    if (reader->refused != NULL)
        return error_set(err, ERR_LIMIT, "Protocol error, %s", reader->refused);
    return error_set(err, ERR_SYNTAX, "%s", reader->reader->errstr);
}

int reply_feed(struct reply_reader *reader, const char *bytes, size_t len,
               struct error *err)
{
    reader->n_bytes += len;
    if (reader->n_bytes > REPLY_BYTES_MAX)
        return error_set(err, ERR_LIMIT, "Protocol error, reply too long");
    if (redisReaderFeed(reader->reader, bytes, len) != REDIS_OK)
        return reply_error(reader, err);
    return 0;
}

int reply_next(struct reply_reader *reader, const struct resp_value **value,
               struct error *err)
{
    void *object = NULL;

    *value = NULL;
    /* Unless it holds the first part of a reply, the arena is done with: an idle
     * connection owns none. */
    if (reader->reader->ridx == -1) {
        arena_release(&reader->arena);
        reader->n_items = 0;
    }
    if (redisReaderGetReply(reader->reader, &object) != REDIS_OK)
        return reply_error(reader, err);
    if (object == NULL)
        return ERR_MORE;
    reader->n_bytes = reader->reader->len - reader->reader->pos;
    *value = object;
    return 0;
}

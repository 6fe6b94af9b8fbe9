/*
 * fuzz_server.c - bytes of two clients, the second one subscribed, to a server over a
 * real core. The input is a list of pieces with the byte 0xff behind each; the first
 * byte of a piece says what is done with the rest. What the server writes must be
 * protocol from the first byte to the last.
 */
#include "common/args.h"
#include "common/assert.h"
#include "common/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/reload.h"
#include "tests/lib/clients.h"
#include "tests/lib/reply.h"

#include <string.h>

#define MARK ((char)0xff)
#define PIECES_MAX 200

static const char config[] =
    "monitor mymaster 127.0.0.1 6379 2\n"
    "monitor other 127.0.0.1 6479 1\n"
    "replica mymaster 127.0.0.1 6380\n"
    "replica mymaster ::1 6381\n"
    "sentinel mymaster 127.0.0.1 26380 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
    "sentinel other 127.0.0.1 26380 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";

/* One client: its session, and what came out of it so far. */
struct end {
    struct session *session;
    struct reply_parser parser;
};

struct table {
    struct clients clients;
    struct end ends[2];
};

static void end_open(struct table *table, struct end *end)
{
    end->session = clients_open(&table->clients);
}

static void end_close(struct end *end)
{
    session_close(end->session);
    reply_release(&end->parser);
}

static void end_check_output(struct end *end)
{
    const struct resp_value *value;
    int rc;

    while ((rc = reply_next(&end->parser, &value)) == 0)
        continue;
    ASSERT(rc == ERR_MORE);
}

/* Takes up to |len| bytes, as a socket would. */
static void end_read(struct table *table, struct end *end, size_t len)
{
    struct buf *out = session_output(end->session);

    while (out->len > 0 && len > 0 && !session_must_drop(end->session)) {
        size_t n = out->len < len ? out->len : len;
        reply_feed(&end->parser, out->data, n);
        buf_consume(out, n);
        session_written(end->session, n);
        clients_settle(&table->clients);
        len -= n;
        end_check_output(end);
    }
    if (out->len == 0 && !session_must_drop(end->session))
        ASSERT_CMP(end->parser.pos, ==, end->parser.in.len);
}

/* The connection ends when the server wants it to; another one follows. */
static void end_settle(struct table *table, struct end *end)
{
    if (!session_must_drop(end->session) &&
        (!session_wants_close(end->session) || session_output(end->session)->len > 0))
        return;
    end_close(end);
    end_open(table, end);
}

static void feed(struct table *table, struct end *end, const char *bytes, size_t len,
                 size_t chunk)
{
    for (size_t pos = 0; pos < len; pos += chunk) {
        session_feed(end->session, bytes + pos, len - pos < chunk ? len - pos : chunk);
        clients_settle(&table->clients);
    }
}

static void do_time(struct table *table, const char *text, size_t len)
{
    int64_t ms = 0;

    args_int(text, len, &ms);
    clients_wait(&table->clients, ms >= 0 && ms <= 3000 ? ms : 0);
    server_cron(table->clients.server);
}

static void do_disk(struct table *table, char how)
{
    struct clients *clients = &table->clients;

    clients->is_disk_slow = how == 's';
    clients->is_disk_bad = how == 'b';
    if (clients->asked_version != 0)
        clients_save(clients);
    clients_settle(clients);
}

static void do_piece(struct table *table, const char *piece, size_t len)
{
    struct end *end = &table->ends[piece[0] & 1];
    const char *rest = piece + 1;
    size_t rest_len = len - 1;

    switch (piece[0]) {
    case 'a': /* and b: the rest at once */
    case 'b':
        feed(table, end, rest, rest_len, rest_len + 1);
        end_read(table, end, SIZE_MAX);
        break;
    case 'c': /* and d: byte by byte */
    case 'd':
        feed(table, end, rest, rest_len, 1);
        end_read(table, end, SIZE_MAX);
        break;
    case 'e': /* and f: in chunks, and the client does not read */
    case 'f':
        feed(table, end, rest, rest_len, 7);
        break;
    case 'g': /* and h: a little is read */
    case 'h':
        end_read(table, end, rest_len);
        break;
    case 'i': /* and j: the client goes away */
    case 'j':
        end_close(end);
        end_open(table, end);
        break;
    case 't':
        do_time(table, rest, rest_len);
        break;
    case 'k':
        do_disk(table, rest_len > 0 ? rest[0] : ' ');
        break;
    default:
        break;
    }
    for (int i = 0; i < 2; i++)
        end_settle(table, &table->ends[i]);
}

static void table_init(struct table *table, uint8_t bits)
{
    static const char hello[] = "SUBSCRIBE +set\r\nPSUBSCRIBE *\r\n";
    struct server_options *options = &table->clients.options;

    clients_init(&table->clients, config);
    options->requirepass = bits & 1 ? "secret" : "";
    options->output_normal_hard = bits & 2 ? 20000 : 0;
    options->output_pubsub_hard = bits & 2 ? 5000 : 0;
    options->output_pubsub_soft = bits & 4 ? 1000 : 0;
    options->output_pubsub_soft_s = 1;
    options->query_buffer_limit = bits & 8 ? 500 : 0;
    options->timeout_s = bits & 16 ? 2 : 0;
    clients_start(&table->clients);
    for (int i = 0; i < 2; i++)
        end_open(table, &table->ends[i]);
    if (bits & 32)
        feed(table, &table->ends[1], "AUTH secret\r\n", 13, 13);
    feed(table, &table->ends[1], hello, strlen(hello), strlen(hello));
    end_read(table, &table->ends[1], SIZE_MAX);
    end_settle(table, &table->ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    struct table table = {0};
    const char *piece;
    size_t len;

    log_set_level(LOG_LVL_NOTICE);
    table_init(&table, input_byte(&input));
    for (int i = 0; i < PIECES_MAX && input_until(&input, MARK, &piece, &len); i++) {
        if (len > 0)
            do_piece(&table, piece, len);
        core_check(table.clients.core);
    }
    do_disk(&table, ' ');
    reload_check(table.clients.core);
    for (int i = 0; i < 2; i++)
        end_close(&table.ends[i]);
    clients_release(&table.clients);
    return 0;
}

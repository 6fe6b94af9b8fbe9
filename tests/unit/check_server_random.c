/*
 * check_server_random.c - clients that send whatever comes to mind, in pieces, and come
 * and go as they like. Nothing is expected but that server and core stay whole; run it
 * under the sanitizers. The number of the loop is the seed.
 */
#include "tests/lib/clients.h"
#include "tests/lib/runner.h"

#include "common/rng.h"

#include <string.h>

#define N_SEEDS 200
#define N_STEPS 300
#define N_SESSIONS 8
#define PEER "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char *const words[] = {
    "ping",
    "auth",
    "hello",
    "2",
    "3",
    "setname",
    "client",
    "list",
    "info",
    "kill",
    "type",
    "normal",
    "pubsub",
    "id",
    "1",
    "2",
    "skipme",
    "no",
    "yes",
    "pause",
    "100",
    "write",
    "unpause",
    "reply",
    "on",
    "off",
    "skip",
    "tracking",
    "bcast",
    "prefix",
    "optin",
    "redirect",
    "caching",
    "trackinginfo",
    "getredir",
    "command",
    "docs",
    "count",
    "getkeys",
    "filterby",
    "pattern",
    "*",
    "aclcat",
    "sentinel",
    "masters",
    "master",
    "m1",
    "m2",
    "replicas",
    "sentinels",
    "set",
    "quorum",
    "rename-command",
    "down-after-milliseconds",
    "auth-pass",
    "",
    "0",
    "-1",
    "config",
    "get",
    "announce-ip",
    "announce-port",
    "loglevel",
    "notice",
    "debug",
    "info-period",
    "monitor",
    "10.0.0.9",
    "6379",
    "remove",
    "reset",
    "failover",
    "flushconfig",
    "forget",
    "info-cache",
    "pending-scripts",
    "simulate-failure",
    "help",
    "ckquorum",
    "is-master-down-by-addr",
    "10.0.0.1",
    "5",
    PEER,
    "subscribe",
    "psubscribe",
    "unsubscribe",
    "punsubscribe",
    "publish",
    "__sentinel__:hello",
    "+s*",
    "+set",
    "10.0.0.13,26379,dddddddddddddddddddddddddddddddddddddddd,0,m1,10.0.0.1,6379,0",
    "get-master-addr-by-name",
    "role",
    "quit",
    "default",
    "x",
    "a b",
    "foo",
    "post",
    "shutdown",
    "abort",
    "myid",
    "sentinel",
    "client",
    "sentinel",
    "acl",
    "acl",
    "setuser",
    "deluser",
    "getuser",
    "dryrun",
    "log",
    "save",
    "load",
    "genpass",
    "whoami",
    "users",
    "cat",
    "fast",
    "nopass",
    "+@all",
    "+@all",
    "-@dangerous",
    "+ping|foo",
    "&*",
    "&+s*",
    "(+subscribe",
    "&+set)",
    "resetchannels",
    "allchannels",
};
#define N_WORDS ((uint32_t)(sizeof(words) / sizeof(words[0])))

static struct clients clients;
static struct rng rng;

static void start(uint64_t seed)
{
    rng_seed(&rng, seed, 1);
    clients_init(&clients, "monitor m1 10.0.0.1 6379 2\n"
                           "replica m1 10.0.0.2 6379\n"
                           "sentinel m1 10.0.0.11 26379 " PEER);
    clients.options.maxclients = N_SESSIONS - 2;
    clients.is_disk_slow = rng_chance(&rng, 1, 3);
    if (rng_chance(&rng, 1, 4))
        clients.options.requirepass = "x";
    if (rng_chance(&rng, 1, 2))
        clients.options.acl_file = "/x";
    clients.options.acl_log_max = rng_below(&rng, 4);
    if (rng_chance(&rng, 1, 4))
        clients.options.output_pubsub_hard = 3000;
    if (rng_chance(&rng, 1, 4))
        clients.options.timeout_s = 1;
    clients_start(&clients);
}

static void feed_rubbish(struct session *session)
{
    static const char likely[] = "*$\r\n0123 \"'";
    char bytes[40];
    uint32_t len = rng_below(&rng, sizeof(bytes));

    for (uint32_t i = 0; i < len; i++)
        bytes[i] = rng_chance(&rng, 1, 3) ? likely[rng_below(&rng, sizeof(likely) - 1)]
                                          : (char)rng_below(&rng, 256);
    session_feed(session, bytes, len);
}

static void feed_commands(struct session *session)
{
    struct buf bytes = {0};
    uint32_t n_commands = 1 + rng_below(&rng, 3);

    for (uint32_t i = 0; i < n_commands; i++) {
        uint32_t n_words = 1 + rng_below(&rng, 6);
        buf_printf(&bytes, "*%u\r\n", n_words);
        for (uint32_t j = 0; j < n_words; j++) {
            const char *word = words[rng_below(&rng, N_WORDS)];
            if (j == 0 && rng_chance(&rng, 1, 2))
                word = rng_chance(&rng, 1, 2) ? "sentinel" : "client";
            buf_printf(&bytes, "$%zu\r\n%s\r\n", strlen(word), word);
        }
    }
    size_t cut = rng_below(&rng, (uint32_t)bytes.len + 1);
    session_feed(session, bytes.data, cut);
    if (rng_chance(&rng, 1, 2))
        clients_settle(&clients);
    session_feed(session, bytes.data + cut, bytes.len - cut);
    buf_release(&bytes);
}

/* One thing that may happen. Returns the session, or NULL if it is gone. */
static struct session *step(struct session *session)
{
    switch (rng_below(&rng, 40)) {
    case 0:
        session_close(session);
        return NULL;
    case 1:
        clients_wait(&clients, rng_below(&rng, 300));
        server_cron(clients.server);
        break;
    case 2:
        server_file_done(clients.server, session_id(session), rng_chance(&rng, 1, 2),
                         (int)rng_below(&rng, 3), "user foo on nopass +@all",
                         rng_below(&rng, 25));
        if (clients.asked_version != 0)
            clients_save(&clients);
        clients_settle(&clients);
        break;
    case 3:
        server_publish(clients.server, "+set", "hello");
        break;
    case 4:
        clients_read(&clients, session);
        if (session_wants_close(session)) {
            session_close(session);
            return NULL;
        }
        break;
    case 5:
        feed_rubbish(session);
        break;
    default:
        feed_commands(session);
        if (rng_chance(&rng, 2, 3))
            clients_settle(&clients);
    }
    return session;
}

START_TEST(test_random_clients)
{
    struct session *sessions[N_SESSIONS] = {NULL};

    start((uint64_t)_i);
    for (int i = 0; i < N_STEPS; i++) {
        struct session **session = &sessions[rng_below(&rng, N_SESSIONS)];
        *session = *session != NULL ? step(*session) : clients_open(&clients);
        core_check(clients.core);
    }
    clients_release(&clients);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("server_random");
    TCase *tcase = tcase_create("random");

    tcase_add_loop_test(tcase, test_random_clients, 0, N_SEEDS);
    suite_add_tcase(suite, tcase);
    return suite;
}

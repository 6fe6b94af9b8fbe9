/*
 * cmd_sentinel.c - SENTINEL subcommands other than the ones that set something
 * (cmd_sentinel_set.c). Questions are answered from the core's data at once; changes
 * and votes are posted to it.
 */
#include "common/addr.h"
#include "common/args.h"
#include "common/hash.h"
#include "common/mem.h"
#include "sentinel/server/internal.h"

#include <string.h>

struct master *cmd_sentinel_master_arg(struct session *session,
                                       const struct resp_arg *name)
{
    struct master *master = NULL;

    if (arg_is_text(name))
        master = core_master_by_name(session->server->core, name->str);
    if (master == NULL)
        session_error(session, "ERR No such master with that name");
    return master;
}

static void cmd_sentinel_post_name(struct session *session, enum core_request_type type,
                                   const char *name)
{
    struct core_request request = {.type = type, .name = name};

    session_post(session, &request);
}

/* ------------------------------------------------------------------- listings ---- */

void cmd_sentinel_masters(struct session *session, const struct resp_arg *argv,
                          size_t argc)
{
    const struct server *server = session->server;
    const struct master *master = server->core->masters;
    size_t n = HASH_COUNT(master), before = session->out.len;

    (void)argv;
    (void)argc;
    resp_array(&session->out, n);
    for (; master != NULL; master = master->hh.next) {
        view_write_node(server, &session->out, session->proto, master->current);
        /* The others are about as long as the first: one allocation for all. */
        if (master == server->core->masters)
            buf_reserve(&session->out, n * (session->out.len - before) / 8 * 9);
    }
}

void cmd_sentinel_master(struct session *session, const struct resp_arg *argv,
                         size_t argc)
{
    const struct master *master = cmd_sentinel_master_arg(session, &argv[2]);

    (void)argc;
    if (master != NULL)
        view_write_node(session->server, &session->out, session->proto,
                        master->current);
}

void cmd_sentinel_replicas(struct session *session, const struct resp_arg *argv,
                           size_t argc)
{
    const struct master *master = cmd_sentinel_master_arg(session, &argv[2]);
    const struct node *node;
    size_t n = 0;

    (void)argc;
    if (master == NULL)
        return;
    for (node = master->replicas; node != NULL; node = node->hh.next)
        n += node->announced ? 1 : 0;
    resp_array(&session->out, n);
    for (node = master->replicas; node != NULL; node = node->hh.next)
        if (node->announced)
            view_write_node(session->server, &session->out, session->proto, node);
}

void cmd_sentinel_sentinels(struct session *session, const struct resp_arg *argv,
                            size_t argc)
{
    const struct master *master = cmd_sentinel_master_arg(session, &argv[2]);
    const struct voter *voter;

    (void)argc;
    if (master == NULL)
        return;
    resp_array(&session->out, HASH_COUNT(master->voters));
    for (voter = master->voters; voter != NULL; voter = voter->hh.next)
        view_write_voter(session->server, &session->out, session->proto, voter);
}

void cmd_sentinel_myid(struct session *session, const struct resp_arg *argv,
                       size_t argc)
{
    (void)argv;
    (void)argc;
    resp_bulk_str(&session->out, session->server->core->myid);
}

void cmd_sentinel_get_master_addr(struct session *session, const struct resp_arg *argv,
                                  size_t argc)
{
    const struct core *core = session->server->core;
    const struct master *master = NULL;

    (void)argc;
    if (arg_is_text(&argv[2]))
        master = core_master_by_name(core, argv[2].str);
    if (master == NULL) {
        resp_nil_array(&session->out, session->proto);
        return;
    }
    const struct node *node = master_address_node(master);
    resp_array(&session->out, 2);
    resp_bulk_str(&session->out, core_host(core, &node->addr));
    resp_bulk_int(&session->out, node->addr.port);
}

void cmd_sentinel_ckquorum(struct session *session, const struct resp_arg *argv,
                           size_t argc)
{
    const struct master *master = cmd_sentinel_master_arg(session, &argv[2]);

    (void)argc;
    if (master == NULL)
        return;
    uint32_t usable = master_usable_voters(master);
    bool has_quorum = usable >= master->quorum;
    bool has_majority = usable >= master_known_voters(master) / 2 + 1;
    if (has_quorum && has_majority) {
        buf_printf(&session->out,
                   "+OK %u usable Sentinels. Quorum and failover authorization can be "
                   "reached\r\n",
                   usable);
        return;
    }
    session_error(session, "NOQUORUM %u usable Sentinels. %s%s%s", usable,
                  has_quorum ? ""
                             : "Not enough available Sentinels to reach the specified "
                               "quorum for this master",
                  has_quorum || has_majority ? "" : ". ",
                  has_majority ? ""
                               : "Not enough available Sentinels to reach the majority "
                                 "and authorize a failover");
}

/* ----------------------------------------------------------------- INFO-CACHE ---- */

static void cmd_sentinel_write_cached(struct session *session, const struct node *node)
{
    struct buf *out = &session->out;

    resp_array(out, 2);
    resp_int(out, server_ms_since(session->server, node->info_at));
    if (node->info_at == CORE_NEVER)
        resp_nil(out, session->proto);
    else
        resp_bulk(out, buf_text(&node->info_text), node->info_text.len);
}

/* A master already taken into the reply. */
struct cmd_sentinel_taken {
    const struct master *master;
    UT_hash_handle hh;
};

void cmd_sentinel_info_cache(struct session *session, const struct resp_arg *argv,
                             size_t argc)
{
    const struct core *core = session->server->core;
    struct cmd_sentinel_taken *all = NULL, *taken, *next;

    for (size_t i = 2; i < argc; i++) {
        const struct master *master =
            arg_is_text(&argv[i]) ? core_master_by_name(core, argv[i].str) : NULL;
        HASH_FIND_PTR(all, &master, taken);
        if (master == NULL || taken != NULL)
            continue;
        taken = mem_zalloc(sizeof(*taken));
        taken->master = master;
        HASH_ADD_PTR(all, master, taken);
    }
    /* Not a map in RESP3 either. */
    resp_array(&session->out, (size_t)2 * HASH_COUNT(all));
    HASH_ITER(hh, all, taken, next)
    {
        const struct master *master = taken->master;
        resp_bulk_str(&session->out, master->name);
        resp_array(&session->out, 1 + HASH_COUNT(master->replicas));
        cmd_sentinel_write_cached(session, master->current);
        for (const struct node *node = master->replicas; node != NULL;
             node = node->hh.next)
            cmd_sentinel_write_cached(session, node);
        HASH_DELETE(hh, all, taken);
        mem_free(taken);
    }
}

/* ------------------------------------------------------------ PENDING-SCRIPTS ---- */

static void cmd_sentinel_write_job(struct session *session, const struct job *job)
{
    const struct server *server = session->server;
    struct buf *out = &session->out;
    bool is_running = job->running || job->starting;
    size_t n_words = 0;

    while (job->argv[n_words] != NULL)
        n_words++;
    resp_map(out, session->proto, 5);
    resp_bulk_str(out, "argv");
    resp_array(out, n_words);
    for (size_t i = 0; i < n_words; i++)
        resp_bulk_str(out, job->argv[i]);
    resp_bulk_str(out, "flags");
    resp_bulk_str(out, is_running ? "running" : "scheduled");
    resp_bulk_str(out, "pid");
    resp_bulk_int(out, job->running ? job->pid : 0);
    if (is_running) {
        resp_bulk_str(out, "run-time");
        resp_bulk_int(out, server_ms_since(server, job->start_at));
    } else {
        int64_t delay = job->start_at - core_lived(server->core, server->now);
        resp_bulk_str(out, "run-delay");
        resp_bulk_int(out, delay > 0 ? delay : 0);
    }
    resp_bulk_str(out, "retry-num");
    resp_bulk_int(out, job->n_runs);
}

void cmd_sentinel_pending_scripts(struct session *session, const struct resp_arg *argv,
                                  size_t argc)
{
    const struct job *job;
    size_t n = 0;

    (void)argv;
    (void)argc;
    DL_FOREACH(session->server->core->jobs, job)
    n++;
    resp_array(&session->out, n);
    DL_FOREACH(session->server->core->jobs, job)
    cmd_sentinel_write_job(session, job);
}

/* ----------------------------------------------------------- changes and votes ---- */

/*
 * With a run id this is a request for our vote, which only the core may give. An epoch
 * below 0 is refused: stock takes it for a huge unsigned one and can never hold an
 * election again (interface.md 10, item 4).
 */
void cmd_sentinel_is_master_down(struct session *session, const struct resp_arg *argv,
                                 size_t argc)
{
    const struct core *core = session->server->core;
    const char *host = arg_is_text(&argv[2]) ? argv[2].str : "";
    int64_t port, epoch;

    (void)argc;
    if (!args_int(argv[3].str, argv[3].len, &port) ||
        !args_int(argv[4].str, argv[4].len, &epoch) || epoch < 0) {
        session_error(session, "ERR value is not an integer or out of range");
        return;
    }
    if (strcmp(argv[5].str, "*") == 0) {
        const struct master *master = core_master_at(core, host, port);
        bool is_down = master != NULL && !core->tilt && master->current->s_down;
        if (master == NULL ? core_may_learn(core, host) : is_down && !master->o_down) {
            /* The asker holds it to be down as well: news for the core. Or it calls it
             * by a name that the core may look up. */
            struct core_request asked = {
                .type = CORE_RQ_ASKED, .host = host, .port = port};
            session->server->hooks.request(session->server->hooks.ctx, &asked);
        }
        resp_array(&session->out, 3);
        resp_int(&session->out, is_down ? 1 : 0);
        resp_bulk_str(&session->out, "*");
        resp_int(&session->out, 0);
        return;
    }
    struct core_request request = {
        .type = CORE_RQ_VOTE,
        .host = host,
        .port = port,
        .epoch = (uint64_t)epoch,
        .text = argv[5].str,
        .text_len = argv[5].len,
    };
    if (promise_is_possible(session))
        promise_vote(session, &request);
    else
        session_post(session, &request);
}

void cmd_sentinel_failover(struct session *session, const struct resp_arg *argv,
                           size_t argc)
{
    const struct master *master = cmd_sentinel_master_arg(session, &argv[2]);

    (void)argc;
    if (master != NULL)
        cmd_sentinel_post_name(session, CORE_RQ_FAILOVER, master->name);
}

void cmd_sentinel_remove(struct session *session, const struct resp_arg *argv,
                         size_t argc)
{
    const struct master *master = cmd_sentinel_master_arg(session, &argv[2]);

    (void)argc;
    if (master != NULL)
        cmd_sentinel_post_name(session, CORE_RQ_REMOVE, master->name);
}

/* "host:port", "[::1]:6379" or "::1:6379" into |host| (of ADDR_HOST_MAX + 1 bytes) and
 * |port|; false if it is nothing of the kind. */
static bool cmd_sentinel_split_addr(const struct resp_arg *arg, char *host,
                                    int64_t *port)
{
    const char *colon = arg_is_text(arg) ? strrchr(arg->str, ':') : NULL;
    const char *from = arg->str;

    if (colon == NULL)
        return false;
    size_t len = (size_t)(colon - from);
    if (len >= 2 && from[0] == '[' && colon[-1] == ']') {
        from++;
        len -= 2;
    }
    if (len == 0 || len > ADDR_HOST_MAX)
        return false;
    memcpy(host, from, len);
    host[len] = '\0';
    return args_int(colon + 1, strlen(colon + 1), port) && *port > 0 &&
           *port <= UINT16_MAX;
}

void cmd_sentinel_forget(struct session *session, const struct resp_arg *argv,
                         size_t argc)
{
    const struct master *master = cmd_sentinel_master_arg(session, &argv[2]);
    char host[ADDR_HOST_MAX + 1];
    struct core_request request = {.type = CORE_RQ_FORGET};

    (void)argc;
    if (master == NULL)
        return;
    request.name = master->name;
    if (arg_is(&argv[3], "sentinel")) {
        request.text = argv[4].str;
        request.text_len = argv[4].len;
    } else if (!arg_is(&argv[3], "replica") && !arg_is(&argv[3], "slave")) {
        session_error(session,
                      "ERR SENTINEL FORGET takes REPLICA or SENTINEL, not '%s'",
                      argv[3].str);
        return;
    } else if (!cmd_sentinel_split_addr(&argv[4], host, &request.port)) {
        session_error(session, "ERR Invalid address '%s', it must be <host>:<port>",
                      argv[4].str);
        return;
    } else {
        request.host = host;
    }
    session_post(session, &request);
}

void cmd_sentinel_reset(struct session *session, const struct resp_arg *argv,
                        size_t argc)
{
    struct core_request request = {
        .type = CORE_RQ_RESET,
        .text = argv[2].str,
        .text_len = argv[2].len,
    };

    (void)argc;
    session_post(session, &request);
}

void cmd_sentinel_flushconfig(struct session *session, const struct resp_arg *argv,
                              size_t argc)
{
    (void)argv;
    (void)argc;
    cmd_sentinel_post_name(session, CORE_RQ_FLUSH, NULL);
}

/* Every call starts from no flags; words after "help" or an unknown one do not count.
 */
void cmd_sentinel_simulate_failure(struct session *session, const struct resp_arg *argv,
                                   size_t argc)
{
    struct core_request request = {.type = CORE_RQ_SIMULATE};

    for (size_t i = 2; i < argc; i++) {
        if (arg_is(&argv[i], "crash-after-election")) {
            request.number |= 1;
        } else if (arg_is(&argv[i], "crash-after-promotion")) {
            request.number |= 2;
        } else if (arg_is(&argv[i], "help")) {
            resp_array(&session->instead, 2);
            resp_bulk_str(&session->instead, "crash-after-election");
            resp_bulk_str(&session->instead, "crash-after-promotion");
            break;
        } else {
            session->server->stats.n_errors++;
            resp_error(&session->instead, "ERR Unknown failure simulation specified");
            break;
        }
    }
    session_post(session, &request);
}

/*
 * request.c - what clients ask the core to do (behaviour.md 13).
 */
#include "common/glob.h"
#include "sentinel/core/internal.h"

#define NO_SUCH_MASTER "No such master with that name"

static void request_failover(struct core *core, const struct core_request *rq)
{
    struct master *master = core_master_by_name(core, rq->name);

    if (master == NULL) {
        emit_answer_error(core, rq->client, NO_SUCH_MASTER);
    } else if (core->tilt) {
        emit_answer_error(core, rq->client, "This Sentinel is in TILT mode, try later");
    } else if (failover_in_progress(master)) {
        emit_answer_error(core, rq->client, "INPROG Failover already in progress");
    } else if (core->save_failed) {
        emit_answer_error(core, rq->client,
                          "NOSAVE The state of this Sentinel cannot be saved, so no "
                          "failover can be started");
    } else if (select_replica(core, master, true) == NULL) {
        emit_answer_error(core, rq->client,
                          "NOGOODSLAVE No suitable replica to promote");
    } else {
        emit_log(core, LOG_LVL_NOTICE, "Executing user requested FAILOVER of '%s'",
                 master->name);
        failover_input(core, master, FI_FORCED, NULL);
        if (failover_in_progress(master))
            emit_answer_ok(core, rq->client);
        else /* the log says why */
            emit_answer_error(core, rq->client, "The failover cannot be started");
    }
}

static void request_reset(struct core *core, const struct core_request *rq)
{
    int64_t n = 0;
    struct master *master, *next;

    HASH_ITER(hh, core->masters, master, next)
    {
        if (!glob_match(rq->text, strlen(rq->text), master->name, strlen(master->name),
                        false))
            continue;
        failover_complete(core, master);
        master_reset(core, master);
        emit_master(core, LOG_LVL_WARNING, "+reset-master", master, NULL);
        n++;
    }
    durable_hurry(core);
    emit_answer_int(core, rq->client, n);
}

static void request_monitor(struct core *core, const struct core_request *rq)
{
    struct addr addr = {0};
    const char *error = NULL;

    int status = resolve_addr(core, &addr, rq->host, rq->port);
    if (status == ERR_RANGE)
        error = "Invalid port number.";
    else if (status != 0)
        error = "Invalid IP address or hostname specified";
    else if (resolve_then_monitor(core, rq))
        goto out; /* it is handled again when the name is looked up */
    else if (addr.ip[0] == '\0')
        error = "Invalid IP address or hostname specified";
    else if (core_master_by_name(core, rq->name) != NULL)
        error = "Duplicate master name.";
    if (error != NULL) {
        emit_answer_error(core, rq->client, error);
    } else {
        struct master *master = master_new(core, rq->name, &addr, rq->number);
        durable_hold_ok(core, rq->client);
        emit_master(core, LOG_LVL_WARNING, "+monitor", master, "quorum %" PRId64,
                    master->quorum);
    }
out:
    addr_release(&addr);
}

static void request_remove(struct core *core, const struct core_request *rq)
{
    struct master *master = core_master_by_name(core, rq->name);

    if (master == NULL) {
        emit_answer_error(core, rq->client, NO_SUCH_MASTER);
        return;
    }
    emit_master(core, LOG_LVL_WARNING, "-monitor", master, NULL);
    master_free(core, master);
    durable_hold_ok(core, rq->client);
}

/* The replica at |rq|'s address; NULL, and the reason in |error|. */
static struct node *forget_find_replica(struct master *master,
                                        const struct core_request *rq,
                                        const char **error)
{
    struct node *node = master->replicas;

    while (node != NULL && !addr_is(&node->addr, rq->host, rq->port))
        node = node->hh.next;
    if (node != NULL && master->failover.promoted == node)
        *error = "INPROG Failover in progress, that replica is being promoted";
    else if (node == NULL && addr_is(&master->current->addr, rq->host, rq->port))
        *error = "That is the current master, not a replica";
    else if (node == NULL)
        *error = "No such replica with that address";
    return *error == NULL ? node : NULL;
}

/* Removes one entry here. What is alive comes back: a replica with the next INFO of the
 * master that lists it, a sentinel with its next hello. */
static void request_forget(struct core *core, const struct core_request *rq)
{
    struct master *master = core_master_by_name(core, rq->name);
    const char *error = NULL;

    if (master == NULL) {
        error = NO_SUCH_MASTER;
    } else if (rq->text == NULL) {
        struct node *node = forget_find_replica(master, rq, &error);
        if (node != NULL) {
            emit_node(core, LOG_LVL_WARNING, "-slave", node, "#on request");
            node_forget(core, node);
            failover_input(core, master, FI_REPLICA_MOVED,
                           NULL); /* or not waited for */
        }
    } else {
        struct voter *voter = voter_find(master, rq->text);
        if (voter == NULL) {
            error = "No such sentinel with that run ID";
        } else if (failover_in_progress(master)) {
            error = "INPROG Failover in progress, the votes are being counted";
        } else {
            emit_voter(core, LOG_LVL_WARNING, "-sentinel", voter, "#on request");
            voter_free(core, voter);
            master_forget_former(master, rq->text);
            sign_forget(core, rq->text);
            durable_touch(core, master);
            detect_master(core, master);
        }
    }
    if (error != NULL)
        emit_answer_error(core, rq->client, error);
    else
        durable_hold_ok(core, rq->client);
}

/* What +set shows of a value: never a password. */
static void emit_set(struct core *core, struct master *master,
                     const struct core_setting *s)
{
    const char *word = s->word != NULL ? s->word : "?";

    if (s->option == CORE_OPT_RENAME_COMMAND)
        emit_master(core, LOG_LVL_WARNING, "+set", master, "%s %s %s", word, s->text,
                    s->text2);
    else if (s->option == CORE_OPT_AUTH_PASS)
        emit_master(core, LOG_LVL_WARNING, "+set", master, "%s ******", word);
    else if (s->text != NULL)
        emit_master(core, LOG_LVL_WARNING, "+set", master, "%s %s", word, s->text);
    else
        emit_master(core, LOG_LVL_WARNING, "+set", master, "%s %" PRId64, word,
                    s->number);
}

static void request_set(struct core *core, const struct core_request *rq)
{
    struct master *master = core_master_by_name(core, rq->name);
    const char *error = rq->text;
    struct error err = {{0}};

    if (master == NULL) {
        emit_answer_error(core, rq->client, NO_SUCH_MASTER);
        return;
    }
    for (size_t i = 0; i < rq->n_settings; i++) {
        if (settings_apply(core, master, &rq->settings[i], &err) != 0) {
            error = err.text;
            break;
        }
        emit_set(core, master, &rq->settings[i]);
    }
    settings_applied(core, master);
    if (error != NULL) {
        if (rq->n_settings > 0)
            durable_touch(core, master);
        emit_answer_error(core, rq->client, error);
    } else {
        durable_touch(core, master);
        durable_hold_ok(core, rq->client);
    }
}

int core_check_settings(const struct core *core, const struct core_setting *settings,
                        size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (settings[i].option == CORE_OPT_RESOLVE_HOSTNAMES &&
            settings[i].number == 0 && !resolve_may_be_off(core, err))
            return ERR_RANGE;
    }
    return sign_check_settings(core, settings, n, err);
}

static void request_settings(struct core *core, const struct core_request *rq,
                             bool save)
{
    struct error err = {{0}};

    int status = core_check_settings(core, rq->settings, rq->n_settings, &err);
    for (size_t i = 0; i < rq->n_settings && status == 0; i++)
        status = settings_apply(core, NULL, &rq->settings[i], &err);
    settings_applied(core, NULL);
    if (status != 0)
        emit_answer_error(core, rq->client, err.text);
    else if (save)
        durable_hold_ok(core, rq->client);
    else
        emit_answer_ok(core, rq->client);
}

static void request_simulate(struct core *core, const struct core_request *rq)
{
    core->simulate_flags = (uint32_t)rq->number & 3;
    if (core->simulate_flags & 1)
        emit_log(
            core, LOG_LVL_WARNING,
            "Failure simulation: this Sentinel will crash after being successfully "
            "elected as failover leader");
    if (core->simulate_flags & 2)
        emit_log(core, LOG_LVL_WARNING,
                 "Failure simulation: this Sentinel will crash after promoting the "
                 "selected replica to master");
    emit_answer_ok(core, rq->client);
}

void request_handle(struct core *core, const struct core_request *rq)
{
    switch (rq->type) {
    case CORE_RQ_VOTE:
        vote_on_request(core, rq);
        break;
    case CORE_RQ_ASKED: {
        struct master *master = core_master_at(core, rq->host, rq->port);
        if (master != NULL)
            vote_on_asked(core, master);
        else
            resolve_learn(core, rq->host); /* for the next time */
        break;
    }
    case CORE_RQ_HELLO:
        hello_on_text(core, rq->text, rq->text_len, NULL);
        emit_answer_int(core, rq->client, 1);
        break;
    case CORE_RQ_FAILOVER:
        request_failover(core, rq);
        break;
    case CORE_RQ_RESET:
        request_reset(core, rq);
        break;
    case CORE_RQ_MONITOR:
        request_monitor(core, rq);
        break;
    case CORE_RQ_REMOVE:
        request_remove(core, rq);
        break;
    case CORE_RQ_FORGET:
        request_forget(core, rq);
        break;
    case CORE_RQ_SET:
        request_set(core, rq);
        break;
    case CORE_RQ_CONFIG:
        request_settings(core, rq, true);
        break;
    case CORE_RQ_DEBUG:
        request_settings(core, rq, false);
        break;
    case CORE_RQ_SIMULATE:
        request_simulate(core, rq);
        break;
    case CORE_RQ_FLUSH:
        durable_hold_ok(core, rq->client);
        break;
    }
}

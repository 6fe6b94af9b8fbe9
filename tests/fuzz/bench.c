/*
 * bench.c - one core in a small world: what it waits for, and how time passes.
 */
#include "tests/fuzz/bench.h"

#include "common/assert.h"
#include "common/hash.h"
#include "common/mem.h"
#include "tests/fuzz/reload.h"
#include "tests/lib/mac.h"

#include <string.h>

/* More steps than this in one instant, with nobody choosing them, are endless. */
#define SPINS_MAX 1500

static bool same_link(struct slot_id a, struct slot_id b)
{
    return a.slot == b.slot && a.gen == b.gen;
}

void bench_init(struct bench *bench, uint64_t seed)
{
    memset(bench, 0, sizeof(*bench));
    bench->core = core_new(seed);
    core_use_mac(bench->core, mac_fake);
    bench->actions = core_actions_new();
    bench->now = 1000000;
    bench->wall = 1700000000000;
    bench_world_init(bench);
}

void bench_load_master(struct bench *bench, const char *name, int64_t quorum)
{
    ASSERT(core_load_monitor(bench->core, name, "127.0.0.1", BENCH_PORT, quorum,
                             NULL) == 0);
}

void bench_load_peers(struct bench *bench, const char *master, int n)
{
    for (int i = 0; i < n; i++)
        ASSERT(core_load_sentinel(bench->core, master, "127.0.0.1", BENCH_PEER_PORT + i,
                                  bench_world_peer_id(i), NULL) == 0);
}

void bench_set(struct bench *bench, const char *master, enum core_option option,
               int64_t number, const char *text)
{
    struct core_setting setting = {.option = option, .number = number, .text = text};

    ASSERT(core_load_setting(bench->core, master, &setting, NULL) == 0);
}

/* ------------------------------------------------------------- what is awaited ---- */

static struct bench_item *item_add(struct bench *bench, enum bench_wait wait)
{
    struct bench_item *item = mem_zalloc(sizeof(*item));

    item->wait = wait;
    DL_APPEND(bench->items, item);
    return item;
}

static void item_free(struct bench_item *item)
{
    mem_free(item->text);
    mem_free(item);
}

static void drop_channel(struct bench *bench, struct slot_id link, enum link_chan chan)
{
    struct bench_item *item, *next;

    DL_FOREACH_SAFE(bench->items, item, next)
    {
        if (item->wait > BENCH_REPLY || item->chan != chan ||
            !same_link(item->link, link))
            continue;
        DL_DELETE(bench->items, item);
        item_free(item);
    }
}

static void on_open(struct bench *bench, const struct core_action *action)
{
    struct bench_item *item = item_add(bench, BENCH_DIAL);

    ASSERT(action->open.ip[0] != '\0' && action->open.port != 0);
    item->link = action->open.link;
    item->chan = action->open.chan;
    item->port = action->open.port;
}

/* One item a reply, each with its command. */
static void on_send(struct bench *bench, const struct core_action *action)
{
    const struct link *link = slots_get(&bench->core->links, action->send.link);
    struct resp_request parser = {0};
    struct error err;
    int n = 0;

    resp_request_feed(&parser, action->send.bytes, action->send.len);
    while (resp_request_next(&parser, &resp_limits_default, &err) == 0) {
        struct bench_item *item = item_add(bench, BENCH_REPLY);
        struct buf text = {0};
        for (size_t i = 0; i < parser.n_args; i++)
            buf_printf(&text, "%s%s", i > 0 ? " " : "", parser.args[i].str);
        item->link = action->send.link;
        item->chan = action->send.chan;
        if (link != NULL) /* else a LINK_CLOSE follows: see check_items() */
            item->port =
                link->node != NULL ? link->node->addr.port : link->peer->addr.port;
        item->tag = action->send.tag;
        item->index = n++;
        item->text = mem_strdup(buf_text(&text));
        buf_release(&text);
    }
    ASSERT_CMP(n, ==, action->send.n_replies);
    ASSERT_CMP(parser.pos, ==, parser.in.len);
    resp_request_release(&parser);
}

static void on_answer(struct bench *bench, const struct core_action *action)
{
    uint64_t client = action->answer.client;

    if (client == 0)
        return;
    ASSERT(client <= bench->n_requests && !bench->is_answered[client]);
    bench->is_answered[client] = true;
}

static void on_action(struct bench *bench, const struct core_action *action)
{
    struct bench_item *item;

    switch (action->type) {
    case CORE_AC_LINK_OPEN:
        on_open(bench, action);
        break;
    case CORE_AC_LINK_CLOSE:
        drop_channel(bench, action->close.link, action->close.chan);
        break;
    case CORE_AC_SEND:
        on_send(bench, action);
        break;
    case CORE_AC_RESOLVE:
        item_add(bench, BENCH_RESOLVE)->text = mem_strdup(action->resolve.host);
        break;
    case CORE_AC_PERSIST:
        item = item_add(bench, BENCH_SAVE);
        item->version = action->persist.version;
        break;
    case CORE_AC_ANSWER:
        on_answer(bench, action);
        break;
    case CORE_AC_JOB_START:
        ASSERT(action->job_start.argv[0] != NULL);
        item_add(bench, BENCH_JOB_START)->job = action->job_start.job;
        break;
    case CORE_AC_EVENT:
    case CORE_AC_LOG:
    case CORE_AC_NOTE:
        ASSERT(strlen(action->event.text) < 4096);
        break;
    case CORE_AC_EXIT:
        bench->is_over = true;
        break;
    case CORE_AC_JOB_KILL:
        break;
    }
}

/* ----------------------------------------------------------------------- steps ---- */

/* A link that ends within a step is closed in the same step. */
static void check_items(const struct bench *bench)
{
    const struct bench_item *item;

    DL_FOREACH(bench->items, item)
    {
        if (item->wait == BENCH_DIAL || item->wait == BENCH_REPLY)
            ASSERT(slots_get(&bench->core->links, item->link) != NULL);
    }
}

static void after_step(struct bench *bench)
{
    const struct core_action *action;

    while ((action = core_actions_next(bench->actions)) != NULL)
        on_action(bench, action);
    check_items(bench);
    core_check(bench->core);
    if (bench->spin_at != bench->now)
        bench->n_spins = 0;
    bench->spin_at = bench->now;
    ASSERT_CMP(bench->n_spins++, <, SPINS_MAX);
    if (++bench->n_steps >= BENCH_STEPS_MAX)
        bench->is_over = true;
}

void bench_step(struct bench *bench, struct core_event *event)
{
    if (bench->is_over)
        return;
    event->now = bench->now;
    event->wall = bench->wall;
    core_step(bench->core, event, bench->actions);
    after_step(bench);
}

void bench_start(struct bench *bench)
{
    core_start(bench->core, bench->now, bench->wall, bench->actions);
    after_step(bench);
}

void bench_request(struct bench *bench, struct core_request *request)
{
    struct core_event event = {.type = CORE_EV_REQUEST, .request = request};

    if (bench->is_over || bench->n_requests == BENCH_REQUESTS_MAX)
        return;
    request->client = ++bench->n_requests;
    bench_step(bench, &event);
}

/* -------------------------------------------------------------- how items end ---- */

static void step_down(struct bench *bench, struct slot_id link, enum link_chan chan,
                      const char *reason)
{
    struct core_event event = {.type = CORE_EV_LINK_DOWN};

    event.down.link = link;
    event.down.chan = chan;
    event.down.reason = reason;
    bench_step(bench, &event);
}

static void end_dial(struct bench *bench, const struct bench_item *item,
                     bool is_refused)
{
    struct core_event event = {.type = CORE_EV_LINK_UP};

    if (is_refused) {
        step_down(bench, item->link, item->chan, "Connection refused");
        return;
    }
    event.up.link = item->link;
    event.up.chan = item->chan;
    event.up.local_ip = "127.0.0.1";
    bench_step(bench, &event);
}

static void end_save(struct bench *bench, const struct bench_item *item, bool ok)
{
    struct core_event event = {.type = CORE_EV_PERSISTED};

    event.persisted.version = item->version;
    event.persisted.ok = ok;
    bench_step(bench, &event);
}

static void end_resolve(struct bench *bench, const struct bench_item *item,
                        const char *ip)
{
    struct core_event event = {.type = CORE_EV_RESOLVED};

    event.resolved.host = item->text;
    event.resolved.ip = ip;
    bench_step(bench, &event);
}

static void end_job(struct bench *bench, const struct bench_item *item, bool ok)
{
    struct core_event event = {.type = CORE_EV_JOB_STARTED};

    if (item->wait == BENCH_JOB_START) {
        event.job_started.job = item->job;
        event.job_started.pid = ok ? 100 : -1;
        if (ok)
            item_add(bench, BENCH_JOB_EXIT)->job = item->job;
    } else {
        event.type = CORE_EV_JOB_EXIT;
        event.job_exit.job = item->job;
        event.job_exit.status = ok ? 0 : 1;
    }
    bench_step(bench, &event);
}

static void item_end(struct bench *bench, struct bench_item *item, bool ok)
{
    DL_DELETE(bench->items, item);
    switch (item->wait) {
    case BENCH_DIAL:
        end_dial(bench, item, !ok || bench_world_is_dead(bench, item->port));
        break;
    case BENCH_REPLY:
        if (ok)
            bench_world_reply(bench, item);
        else
            bench_break(bench, item->link, item->chan);
        break;
    case BENCH_SAVE:
        end_save(bench, item, ok && !bench->is_disk_bad);
        break;
    case BENCH_RESOLVE:
        end_resolve(bench, item, ok ? "127.0.0.1" : NULL);
        break;
    case BENCH_JOB_START:
    case BENCH_JOB_EXIT:
        end_job(bench, item, ok);
        break;
    }
    item_free(item);
}

bool bench_end(struct bench *bench, struct bench_item *item)
{
    if (item->wait == BENCH_REPLY && bench_world_is_dead(bench, item->port))
        return false;
    item_end(bench, item, true);
    return true;
}

void bench_fail(struct bench *bench, struct bench_item *item)
{
    item_end(bench, item, false);
}

void bench_reply(struct bench *bench, struct bench_item *item,
                 const struct resp_value *value)
{
    struct core_event event = {.type = CORE_EV_REPLY};

    event.reply.link = item->link;
    event.reply.chan = item->chan;
    event.reply.tag = item->tag;
    event.reply.index = item->index;
    event.reply.value = value;
    DL_DELETE(bench->items, item);
    bench_step(bench, &event);
    item_free(item);
}

struct bench_item *bench_item(const struct bench *bench, unsigned n)
{
    struct bench_item *item, *chosen = bench->items;

    while (n-- > 0 && chosen != NULL)
        chosen = chosen->next != NULL ? chosen->next : bench->items;
    if (chosen == NULL || chosen->wait != BENCH_REPLY)
        return chosen;
    DL_FOREACH(bench->items, item)
    {
        if (item->wait == BENCH_REPLY && item->chan == chosen->chan &&
            same_link(item->link, chosen->link))
            return item;
    }
    return NULL;
}

struct bench_item *bench_item_of(const struct bench *bench, int port,
                                 const char *command)
{
    struct bench_item *item;

    DL_FOREACH(bench->items, item)
    {
        if (item->wait == BENCH_REPLY && item->port == port &&
            strncmp(item->text, command, strlen(command)) == 0)
            return item;
    }
    return NULL;
}

/* ----------------------------------------------------------------------- links ---- */

struct link *bench_link(const struct bench *bench, unsigned n)
{
    struct link *links[64];
    size_t n_links = 0;

    for (struct master *m = bench->core->masters; m != NULL; m = m->hh.next) {
        if (n_links < 64)
            links[n_links++] = m->current->link;
        for (struct node *r = m->replicas; r != NULL && n_links < 64; r = r->hh.next)
            links[n_links++] = r->link;
    }
    for (struct peer *p = bench->core->peers; p != NULL && n_links < 64; p = p->hh.next)
        links[n_links++] = p->link;
    return n_links > 0 ? links[n % n_links] : NULL;
}

void bench_break(struct bench *bench, struct slot_id link, enum link_chan chan)
{
    drop_channel(bench, link, chan);
    step_down(bench, link, chan, "Connection reset by peer");
}

void bench_message(struct bench *bench, struct slot_id link, const char *text,
                   size_t len)
{
    struct core_event event = {.type = CORE_EV_MESSAGE};

    event.message.link = link;
    event.message.channel = "__sentinel__:hello";
    event.message.text = text;
    event.message.len = len;
    bench_step(bench, &event);
}

/* ------------------------------------------------------------------------ time ---- */

static void settle(struct bench *bench)
{
    struct bench_item *item = bench->items;

    while (item != NULL && !bench->is_over)
        item = bench_end(bench, item) ? bench->items : item->next;
}

/* To the next deadline, but not beyond |end|. False if it is beyond. */
static bool step_deadline(struct bench *bench, int64_t end)
{
    struct core_event event = {.type = CORE_EV_DEADLINE};
    int64_t due = core_deadline(bench->core);

    if (due > end)
        return false;
    if (due > bench->now) {
        bench->wall += due - bench->now;
        bench->now = due;
    }
    bench_step(bench, &event);
    return true;
}

static void pass(struct bench *bench, int64_t end)
{
    if (end > bench->now) {
        bench->wall += end - bench->now;
        bench->now = end;
    }
}

void bench_run(struct bench *bench, int64_t ms)
{
    int64_t end = bench->now + ms;

    settle(bench);
    while (!bench->is_over && step_deadline(bench, end))
        settle(bench);
    pass(bench, end);
}

void bench_wait_only(struct bench *bench, int64_t ms)
{
    int64_t end = bench->now + ms;

    if (ms == 0) {
        step_deadline(bench, CORE_NEVER - 1);
        return;
    }
    while (!bench->is_over && step_deadline(bench, end))
        continue;
    pass(bench, end);
}

/* ------------------------------------------------------------------------- end ---- */

static bool is_all_answered(const struct bench *bench)
{
    for (uint64_t i = 1; i <= bench->n_requests; i++)
        if (!bench->is_answered[i])
            return false;
    return true;
}

/* Only the disk and the name server work on. A save that failed is repeated in less
 * than a minute, and a lookup ends, whatever it finds. */
static void answer_all(struct bench *bench)
{
    int64_t end = bench->now + 120000;

    bench->n_steps = 0;
    bench->is_disk_bad = false;
    while (!is_all_answered(bench) && bench->now < end && !bench->is_over) {
        struct bench_item *item = bench->items;
        while (item != NULL && item->wait != BENCH_SAVE && item->wait != BENCH_RESOLVE)
            item = item->next;
        if (item != NULL)
            bench_end(bench, item);
        else
            step_deadline(bench, end);
    }
    ASSERT(is_all_answered(bench) || bench->is_over);
}

void bench_finish(struct bench *bench)
{
    struct bench_item *item, *next;

    if (!bench->is_over)
        answer_all(bench);
    reload_check(bench->core);
    DL_FOREACH_SAFE(bench->items, item, next)
    item_free(item);
    core_free(bench->core);
    core_actions_free(bench->actions);
}

/*
 * rig.c - one core on a bench.
 *
 * Commands the core sends are remembered per link with their tags, so that a test can
 * answer them by name: rig_reply(rig, 6379, "INFO", ...) answers the oldest INFO that
 * has not been answered on the link to port 6379.
 */
#include "tests/lib/rig.h"

#include "common/assert.h"
#include "common/mem.h"
#include "tests/lib/mac.h"

#include <stdio.h>
#include <string.h>

struct sent_command {
    struct slot_id link;
    int port;
    uint64_t tag;
    char name[32];
    int n_replies;
    struct sent_command *prev, *next;
};

static struct sent_command *commands;

static void step(struct rig *rig, struct core_event *event);

void rig_init(struct rig *rig, uint64_t seed)
{
    memset(rig, 0, sizeof(*rig));
    rig->core = core_new(seed);
    core_use_mac(rig->core, mac_fake);
    rig->actions = core_actions_new();
    rig->now = 1000000;
    rig->wall = 1700000000000;
    rig->auto_save = rig->auto_connect = true;
}

static void forget_commands(void)
{
    struct sent_command *c, *next;

    DL_FOREACH_SAFE(commands, c, next)
    {
        DL_DELETE(commands, c);
        mem_free(c);
    }
}

void rig_release(struct rig *rig)
{
    forget_commands();
    core_free(rig->core);
    core_actions_free(rig->actions);
    buf_release(&rig->log);
    buf_release(&rig->sent);
}

static struct core_event *event_at(struct rig *rig, struct core_event *event)
{
    event->now = rig->now;
    event->wall = rig->wall;
    return event;
}

static int link_port(const struct rig *rig, struct slot_id id)
{
    const struct link *link = slots_get(&rig->core->links, id);

    if (link == NULL)
        return 0;
    return link->node != NULL ? link->node->addr.port : link->peer->addr.port;
}

/* The words of an encoded command, blanks between. */
static void on_send(struct rig *rig, const struct core_action *action)
{
    struct resp_request parser = {0};
    struct error err;
    int port = link_port(rig, action->send.link);
    bool first = true;

    resp_request_feed(&parser, action->send.bytes, action->send.len);
    while (resp_request_next(&parser, &resp_limits_default, &err) == 0) {
        buf_printf(&rig->sent, "%d", port);
        for (size_t i = 0; i < parser.n_args; i++)
            buf_printf(&rig->sent, " %s", parser.args[i].str);
        buf_puts(&rig->sent, "\n");
        if (first) {
            struct sent_command *c = mem_zalloc(sizeof(*c));
            c->link = action->send.link;
            c->port = port;
            c->tag = action->send.tag;
            c->n_replies = action->send.n_replies;
            snprintf(c->name, sizeof(c->name), "%s", parser.args[0].str);
            /* is-master-down-by-addr is "SENTINEL", as it is the usual one */
            if (strcmp(c->name, "SENTINEL") == 0 && parser.n_args < 4)
                snprintf(c->name, sizeof(c->name), "%s", parser.args[1].str);
            DL_APPEND(commands, c);
        }
        first = false;
    }
    resp_request_release(&parser);
}

struct followup {
    struct core_event events[256];
    int n;
};

static void follow(struct followup *next, struct core_event event)
{
    ASSERT_CMP(next->n, <, 256);
    next->events[next->n++] = event;
}

static void perform(struct rig *rig, const struct core_action *a, struct followup *next)
{
    struct core_event event;

    memset(&event, 0, sizeof(event));
    switch (a->type) {
    case CORE_AC_RESOLVE:
        buf_printf(&rig->sent, "resolve %s\n", a->resolve.host);
        break;
    case CORE_AC_LINK_OPEN:
        buf_printf(&rig->sent, "open %s %d\n", a->open.ip, a->open.port);
        if (rig->dead[a->open.port]) {
            event.type = CORE_EV_LINK_DOWN;
            event.down.link = a->open.link;
            event.down.chan = a->open.chan;
            event.down.reason = "Connection refused";
            follow(next, event);
        } else if (rig->auto_connect) {
            event.type = CORE_EV_LINK_UP;
            event.up.link = a->open.link;
            event.up.chan = a->open.chan;
            event.up.local_ip = "127.0.0.1";
            follow(next, event);
        }
        break;
    case CORE_AC_SEND:
        on_send(rig, a);
        break;
    case CORE_AC_PERSIST:
        rig->persist = a->persist.version;
        if (rig->auto_save) {
            event.type = CORE_EV_PERSISTED;
            event.persisted.version = a->persist.version;
            event.persisted.ok = true;
            follow(next, event);
        }
        break;
    case CORE_AC_EVENT:
        buf_printf(&rig->log, "%s %s\n", a->event.channel, a->event.text);
        break;
    case CORE_AC_LOG:
        buf_printf(&rig->log, "%s\n", a->event.text);
        break;
    case CORE_AC_ANSWER:
        rig->answer = *a;
        rig->n_answers++;
        snprintf(rig->answer_text, sizeof(rig->answer_text), "%s",
                 a->answer.text != NULL ? a->answer.text : "");
        snprintf(rig->answer_leader, sizeof(rig->answer_leader), "%s",
                 a->answer.leader != NULL ? a->answer.leader : "");
        break;
    case CORE_AC_JOB_START:
        rig->job = a->job_start.job;
        rig->n_jobs_started++;
        break;
    case CORE_AC_JOB_KILL:
        rig->n_jobs_killed++;
        break;
    case CORE_AC_EXIT:
        rig->exited = true;
        rig->exit_code = a->exit.code;
        break;
    default:
        break;
    }
}

static void perform_all(struct rig *rig)
{
    struct followup *next = mem_zalloc(sizeof(*next));
    const struct core_action *action;

    while ((action = core_actions_next(rig->actions)) != NULL)
        perform(rig, action, next);
    core_check(rig->core);
    for (int i = 0; i < next->n; i++)
        step(rig, &next->events[i]);
    mem_free(next);
}

static void step(struct rig *rig, struct core_event *event)
{
    core_step(rig->core, event_at(rig, event), rig->actions);
    perform_all(rig);
}

void rig_step(struct rig *rig, struct core_event *event)
{
    step(rig, event);
}

void rig_start(struct rig *rig)
{
    core_start(rig->core, rig->now, rig->wall, rig->actions);
    perform_all(rig);
    rig_run(rig, 0);
}

void rig_set(struct rig *rig, const char *master, enum core_option option, int64_t n)
{
    struct core_setting setting = {.option = option, .number = n};

    ASSERT(core_load_setting(rig->core, master, &setting, NULL) == 0);
}

void rig_set_text(struct rig *rig, const char *master, enum core_option option,
                  const char *text)
{
    struct core_setting setting = {.option = option, .text = text};

    ASSERT(core_load_setting(rig->core, master, &setting, NULL) == 0);
}

void rig_run(struct rig *rig, int64_t ms)
{
    int64_t end = rig->now + ms;

    for (;;) {
        int64_t due = core_deadline(rig->core);
        if (due > end)
            break;
        if (due > rig->now) {
            rig->wall += due - rig->now;
            rig->now = due;
        }
        struct core_event event = {.type = CORE_EV_DEADLINE};
        step(rig, &event);
    }
    rig->wall += end - rig->now;
    rig->now = end;
}

void rig_saved(struct rig *rig, bool ok)
{
    struct core_event event = {.type = CORE_EV_PERSISTED};

    event.persisted.version = rig->persist;
    event.persisted.ok = ok;
    rig->persist = 0;
    step(rig, &event);
}

struct link *rig_link(struct rig *rig, int port)
{
    for (struct master *m = rig->core->masters; m != NULL; m = m->hh.next) {
        if (m->current->addr.port == port)
            return m->current->link;
        for (struct node *n = m->replicas; n != NULL; n = n->hh.next)
            if (n->addr.port == port)
                return n->link;
    }
    for (struct peer *p = rig->core->peers; p != NULL; p = p->hh.next)
        if (p->addr.port == port)
            return p->link;
    return NULL;
}

void rig_reply(struct rig *rig, int port, const char *command, struct resp_value value)
{
    struct sent_command *c;

    DL_FOREACH(commands, c)
    {
        if (c->port != port || strcmp(c->name, command) != 0)
            continue;
        struct core_event event = {.type = CORE_EV_REPLY};
        struct sent_command copy = *c;
        DL_DELETE(commands, c);
        mem_free(c);
        for (int i = 0; i < copy.n_replies; i++) {
            event.reply.link = copy.link;
            event.reply.tag = copy.tag;
            event.reply.index = i;
            event.reply.value = &value;
            step(rig, &event);
        }
        return;
    }
    assert_fail("a command waits for this reply", __FILE__, __LINE__, __func__);
}

void rig_reply_text(struct rig *rig, int port, const char *command, enum resp_type type,
                    const char *text)
{
    struct resp_value value = {.type = type, .str = text, .len = strlen(text)};

    rig_reply(rig, port, command, value);
}

void rig_vote_reply(struct rig *rig, int port, int down, const char *leader,
                    int64_t epoch)
{
    struct resp_value items[3] = {
        {.type = RESP_INT, .integer = down},
        {.type = RESP_BULK, .str = leader, .len = strlen(leader)},
        {.type = RESP_INT, .integer = epoch},
    };
    struct resp_value value = {.type = RESP_ARRAY, .items = items, .n_items = 3};

    rig_reply(rig, port, "SENTINEL", value);
}

void rig_request(struct rig *rig, struct core_request *request)
{
    struct core_event event = {.type = CORE_EV_REQUEST};

    event.request = request;
    step(rig, &event);
}

bool rig_saw(const struct rig *rig, const char *text)
{
    return strstr(buf_text(&rig->log), text) != NULL;
}

bool rig_sent(const struct rig *rig, const char *text)
{
    return strstr(buf_text(&rig->sent), text) != NULL;
}

void rig_forget(struct rig *rig)
{
    buf_clear(&rig->log);
    buf_clear(&rig->sent);
}

/* The sentinel at |port| answers PING, and then for itself. */
void rig_introduce(struct rig *rig, int port, const char *run_id)
{
    rig_reply_text(rig, port, "PING", RESP_STATUS, "PONG");
    rig_reply_text(rig, port, "myid", RESP_BULK, run_id);
}

void rig_say_hello(struct rig *rig, const char *text)
{
    struct core_request rq = {
        .type = CORE_RQ_HELLO, .client = 1, .text = text, .text_len = strlen(text)};

    rig_forget(rig);
    rig_request(rig, &rq);
}

void rig_confirm_master(struct rig *rig, int port, const char *master_port)
{
    struct resp_value items[2] = {
        {.type = RESP_BULK, .str = "127.0.0.1", .len = 9},
        {.type = RESP_BULK, .str = master_port, .len = strlen(master_port)},
    };
    struct resp_value value = {.type = RESP_ARRAY, .items = items, .n_items = 2};

    rig_reply(rig, port, "get-master-addr-by-name", value);
}

void rig_lose_link(struct rig *rig, int port, const char *reason)
{
    struct core_event down = {.type = CORE_EV_LINK_DOWN};

    down.down.link = rig_link(rig, port)->id;
    down.down.chan = LINK_CMD;
    down.down.reason = reason;
    step(rig, &down);
}

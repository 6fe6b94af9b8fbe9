/*
 * emit.c - the list of actions, and the text of events (behaviour.md 10).
 */
#include "sentinel/core/internal.h"

struct core_actions {
    struct arena arena;
    struct core_action *list;
    size_t n, cap, next;
};

struct core_actions *core_actions_new(void)
{
    return mem_zalloc(sizeof(struct core_actions));
}

void core_actions_free(struct core_actions *actions)
{
    if (actions == NULL)
        return;
    arena_release(&actions->arena);
    mem_free(actions->list);
    mem_free(actions);
}

const struct core_action *core_actions_next(struct core_actions *actions)
{
    return actions->next < actions->n ? &actions->list[actions->next++] : NULL;
}

void emit_begin(struct core *core, struct core_actions *actions)
{
    arena_reset(&actions->arena);
    actions->n = actions->next = 0;
    core->actions = actions;
}

struct core_action *emit(struct core *core, enum core_action_type type)
{
    struct core_actions *actions = core->actions;

    ASSERT(actions != NULL);
    if (actions->n == actions->cap) {
        actions->cap = actions->cap == 0 ? 64 : actions->cap * 2;
        actions->list = mem_resize(actions->list, actions->cap, sizeof(*actions->list));
    }
    struct core_action *action = &actions->list[actions->n++];
    memset(action, 0, sizeof(*action));
    action->type = type;
    return action;
}

struct core_action *core_action_last(struct core *core)
{
    ASSERT(core->actions->n > 0);
    return &core->actions->list[core->actions->n - 1];
}

struct arena *emit_arena(struct core *core)
{
    return &core->actions->arena;
}

/* One event: log, publish, notify; |head| is the identity, "" for none. */
static void emit_event(struct core *core, enum log_level level, const char *event,
                       const struct master *master, const char *head,
                       const char *format, va_list ap)
    __attribute__((format(printf, 6, 0)));

static void emit_event(struct core *core, enum log_level level, const char *event,
                       const struct master *master, const char *head,
                       const char *format, va_list ap)
{
    char text[EVENT_TEXT_MAX + 1];
    int len = snprintf(text, sizeof(text), "%s", head);

    if (len < 0)
        len = 0;
    if (format != NULL && len < EVENT_TEXT_MAX) {
        if (len > 0)
            text[len++] = ' ';
        vsnprintf(text + len, sizeof(text) - (size_t)len, format, ap);
    }
    struct core_action *action = emit(core, CORE_AC_EVENT);
    action->event.level = level;
    action->event.channel = event;
    action->event.text = arena_strdup(emit_arena(core), text);
    if (level == LOG_LVL_WARNING && master != NULL)
        jobs_notify(core, master, event, action->event.text);
}

/* "master <name> <host> <port>" */
static int emit_master_id(const struct core *core, const struct master *master,
                          char *out, size_t cap)
{
    const struct addr *addr = &master->current->addr;
    return snprintf(out, cap, "master %s %s %u", master->name, core_host(core, addr),
                    addr->port);
}

/* "<kind> <name> <host> <port> @ <master name> <master host> <master port>" */
static void emit_child_id(const struct core *core, const char *kind, const char *name,
                          const struct addr *addr, const struct master *master,
                          char *out, size_t cap)
{
    const struct addr *at = &master->current->addr;
    snprintf(out, cap, "%s %s %s %u @ %s %s %u", kind, name, core_host(core, addr),
             addr->port, master->name, core_host(core, at), at->port);
}

void emit_master(struct core *core, enum log_level level, const char *event,
                 struct master *master, const char *format, ...)
{
    char head[EVENT_TEXT_MAX + 1];
    va_list ap;

    emit_master_id(core, master, head, sizeof(head));
    va_start(ap, format);
    emit_event(core, level, event, master, head, format, ap);
    va_end(ap);
}

void emit_node(struct core *core, enum log_level level, const char *event,
               struct node *node, const char *format, ...)
{
    char head[EVENT_TEXT_MAX + 1];
    va_list ap;

    if (node_is_master(node))
        emit_master_id(core, node->master, head, sizeof(head));
    else
        emit_child_id(core, "slave", node->name, &node->addr, node->master, head,
                      sizeof(head));
    va_start(ap, format);
    emit_event(core, level, event, node->master, head, format, ap);
    va_end(ap);
}

void emit_voter(struct core *core, enum log_level level, const char *event,
                struct voter *voter, const char *format, ...)
{
    char head[EVENT_TEXT_MAX + 1];
    va_list ap;

    emit_child_id(core, "sentinel", voter->peer->run_id, &voter->peer->addr,
                  voter->master, head, sizeof(head));
    va_start(ap, format);
    emit_event(core, level, event, voter->master, head, format, ap);
    va_end(ap);
}

void emit_plain(struct core *core, enum log_level level, const char *event,
                struct master *master, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    emit_event(core, level, event, master, "", format, ap);
    va_end(ap);
}

void emit_log(struct core *core, enum log_level level, const char *format, ...)
{
    va_list ap;

    struct core_action *action = emit(core, CORE_AC_LOG);
    action->event.level = level;
    va_start(ap, format);
    action->event.text = arena_vprintf(emit_arena(core), format, ap);
    va_end(ap);
}

void emit_note(struct core *core, const char *format, ...)
{
    va_list ap;

    struct core_action *action = emit(core, CORE_AC_NOTE);
    action->event.level = LOG_LVL_DEBUG;
    va_start(ap, format);
    action->event.text = arena_vprintf(emit_arena(core), format, ap);
    va_end(ap);
}

static struct core_action *emit_answer(struct core *core, uint64_t client,
                                       enum core_answer_kind kind)
{
    struct core_action *action = emit(core, CORE_AC_ANSWER);
    action->answer.client = client;
    action->answer.kind = kind;
    return action;
}

void emit_answer_ok(struct core *core, uint64_t client)
{
    if (client != 0)
        emit_answer(core, client, CORE_ANSWER_OK);
}

void emit_answer_int(struct core *core, uint64_t client, int64_t number)
{
    if (client != 0)
        emit_answer(core, client, CORE_ANSWER_INT)->answer.number = number;
}

void emit_answer_error(struct core *core, uint64_t client, const char *text)
{
    if (client == 0)
        return;
    emit_answer(core, client, CORE_ANSWER_ERROR)->answer.text =
        arena_strdup(emit_arena(core), text);
}

void emit_answer_vote(struct core *core, uint64_t client, bool down, const char *leader,
                      uint64_t epoch)
{
    if (client == 0)
        return;
    struct core_action *action = emit_answer(core, client, CORE_ANSWER_VOTE);
    action->answer.down = down;
    action->answer.leader = leader != NULL && leader[0] != '\0'
                                ? arena_strdup(emit_arena(core), leader)
                                : NULL;
    action->answer.epoch = epoch;
}

/*
 * info.c - INFO text to facts (pure), and what follows from the facts (behaviour.md 4).
 */
#include "sentinel/core/internal.h"

/* "4 x publish period": a stray master is left alone so long, in case it is our view
 * that is old (behaviour.md 4.4). */
#define CONVERT_PERIODS 4
/* What a sentinel said so long ago is its view still. */
#define HELLO_FRESH_PERIODS 3

struct line {
    const char *text;
    size_t len;
};

/* The value of a line that starts with |key| ("role:"); NULL if it does not. */
static const char *line_value(const struct line *line, const char *key, size_t *len)
{
    size_t n = strlen(key);

    if (line->len < n || memcmp(line->text, key, n) != 0)
        return NULL;
    *len = line->len - n;
    return line->text + n;
}

/* Leading decimal number, as far as it goes; 0 if there is none. */
static int64_t text_number(const char *text, size_t len)
{
    bool negative = len > 0 && text[0] == '-';
    int64_t value = 0;

    for (size_t i = negative ? 1 : 0; i < len && text[i] >= '0' && text[i] <= '9';
         i++) {
        if (value > (INT64_MAX - 9) / 10)
            return negative ? -INT64_MAX : INT64_MAX;
        value = value * 10 + (text[i] - '0');
    }
    return negative ? -value : value;
}

static const char *find_text(const char *text, size_t len, const char *what)
{
    size_t n = strlen(what);

    for (size_t i = 0; i + n <= len; i++)
        if (memcmp(text + i, what, n) == 0)
            return text + i;
    return NULL;
}

/* slave0:ip=10.0.0.1,port=6379,state=online,... or slave0:10.0.0.1,6379,online */
static void info_parse_replica(struct info *info, const struct line *line)
{
    const char *end = line->text + line->len;
    const char *colon = memchr(line->text, ':', line->len);
    const char *host, *port;

    if (colon == NULL || info->n_replicas == INFO_REPLICAS_MAX)
        return;
    const char *ip = find_text(colon, (size_t)(end - colon), "ip=");
    host = ip != NULL ? ip + 3 : colon + 1;
    const char *comma = memchr(host, ',', (size_t)(end - host));
    if (comma == NULL || comma == host)
        return;
    if (ip != NULL) {
        const char *at = find_text(colon, (size_t)(end - colon), "port=");
        if (at == NULL)
            return;
        port = at + 5;
    } else {
        port = comma + 1;
        if (memchr(port, ',', (size_t)(end - port)) == NULL)
            return;
    }
    int64_t number = text_number(port, (size_t)(end - port));
    if (number <= 0 || number > 65535)
        return;
    info->replicas[info->n_replicas++] =
        (struct info_replica){host, (size_t)(comma - host), number};
}

static void info_parse_replica_fields(struct info *info, const struct line *line)
{
    const char *v;
    size_t n;

    if ((v = line_value(line, "master_host:", &n)) != NULL) {
        if (n <= ADDR_HOST_MAX) {
            memcpy(info->master_host, v, n);
            info->master_host[n] = '\0';
        }
    } else if ((v = line_value(line, "master_port:", &n)) != NULL) {
        info->master_port = text_number(v, n);
    } else if ((v = line_value(line, "master_link_status:", &n)) != NULL) {
        info->link_up = n >= 2 && strncasecmp(v, "up", 2) == 0;
    } else if ((v = line_value(line, "slave_priority:", &n)) != NULL) {
        info->priority = text_number(v, n);
    } else if ((v = line_value(line, "slave_repl_offset:", &n)) != NULL) {
        int64_t offset = text_number(v, n);
        info->has_offset = true;
        info->offset = offset < 0 ? 0 : (uint64_t)offset;
    } else if ((v = line_value(line, "replica_announced:", &n)) != NULL) {
        info->announced = text_number(v, n) != 0;
    }
}

/* An id of 40 characters; anything else leaves |id| as it is. */
static bool line_id(const struct line *line, const char *key, char *id)
{
    size_t n;
    const char *v = line_value(line, key, &n);

    if (v == NULL || n < RUN_ID_LEN)
        return false;
    memcpy(id, v, RUN_ID_LEN);
    id[RUN_ID_LEN] = '\0';
    return true;
}

static void info_parse_line(struct info *info, const struct line *line)
{
    const char *v;
    size_t n;

    switch (line->text[0]) {
    case 'r':
        if (line_id(line, "run_id:", info->run_id)) {
            break;
        } else if ((v = line_value(line, "role:", &n)) != NULL) {
            if (n >= 6 && memcmp(v, "master", 6) == 0)
                info->role = ROLE_MASTER;
            else if (n >= 5 && memcmp(v, "slave", 5) == 0)
                info->role = ROLE_REPLICA;
            else
                info->role = ROLE_NONE;
        } else if (info->role == ROLE_REPLICA) {
            info_parse_replica_fields(info, line);
        }
        break;
    case '#':
        if (line->len == 10 && memcmp(line->text, "# Keyspace", 10) == 0)
            info->has_keys = 0;
        break;
    case 'd':
        if (line->len > 3 && memcmp(line->text, "db", 2) == 0 && line->text[2] >= '0' &&
            line->text[2] <= '9')
            info->has_keys = 1;
        break;
    case 'm':
        if (line_id(line, "master_replid:", info->replid))
            break;
        if ((v = line_value(line, "master_link_down_since_seconds:", &n)) != NULL) {
            int64_t seconds = max_i64(text_number(v, n), -INT32_MAX);
            info->link_down_ms = min_i64(seconds, INT32_MAX) * 1000;
            break;
        }
        /* fall through */
    case 's':
        if (line->len > 6 && memcmp(line->text, "slave", 5) == 0 &&
            line->text[5] >= '0' && line->text[5] <= '9')
            info_parse_replica(info, line);
        else if (info->role == ROLE_REPLICA)
            info_parse_replica_fields(info, line);
        break;
    default:
        break;
    }
}

void info_parse(struct info *info, const char *text, size_t len)
{
    const char *end = text + len;

    info->run_id[0] = info->replid[0] = info->master_host[0] = '\0';
    info->role = ROLE_NONE;
    info->master_port = info->priority = -1;
    info->link_up = info->announced = info->has_keys = -1;
    info->link_down_ms = 0;
    info->has_offset = false;
    info->offset = 0;
    info->n_replicas = 0;
    while (text < end) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));
        struct line line = {text, (size_t)((eol != NULL ? eol : end) - text)};
        if (line.len > 0 && line.text[line.len - 1] == '\r')
            line.len--;
        if (line.len > 0)
            info_parse_line(info, &line);
        text = eol != NULL ? eol + 1 : end;
    }
}

static void info_apply_run_id(struct core *core, struct node *node,
                              const struct info *info)
{
    if (info->run_id[0] == '\0' || strcmp(info->run_id, node->run_id) == 0)
        return;
    if (node->run_id[0] != '\0') {
        emit_node(core, LOG_LVL_NOTICE, "+reboot", node, NULL);
        if (node_is_master(node) && node->master->reboot_down_after_ms > 0) {
            node->rebooted = true;
            node->rebooted_at = core->now;
        }
    }
    memcpy(node->run_id, info->run_id, sizeof(node->run_id));
}

/* A replica of |node| that is not known yet, or not by this name. */
static void info_apply_replica(struct core *core, struct node *node, const char *host,
                               int64_t port)
{
    struct addr addr = {0};

    if (resolve_addr(core, &addr, host, port) != 0) {
        emit_note(core, "replica '%s' of %s ignored: not a numeric address", host,
                  node->master->name);
        return;
    }
    struct node *replica = node_find(node->master, &addr);
    if (replica == NULL && !addr_equal(&node->addr, &addr)) {
        /* A name may stand for one that is known by another. */
        if (!resolve_learn(core, host)) {
            resolve_then_info(core, host, node);
        } else if (scope_accepts(core, node->link, &addr, "a replica")) {
            replica = node_add_replica(core, node->master, &addr);
            emit_node(core, LOG_LVL_NOTICE, "+slave", replica, NULL);
        }
    }
    if (replica != NULL && !node_learn_name(core, replica, host))
        replica->listed_at = core->now;
    addr_release(&addr);
}

static void info_apply_replicas(struct core *core, struct node *node,
                                const struct info *info)
{
    if (!node_is_master(node))
        return;
    node->lists_all = info->n_replicas < INFO_REPLICAS_MAX;
    for (size_t i = 0; i < info->n_replicas; i++) {
        const struct info_replica *r = &info->replicas[i];
        char host[ADDR_HOST_MAX + 1];

        if (r->host_len > ADDR_HOST_MAX)
            continue;
        memcpy(host, r->host, r->host_len);
        host[r->host_len] = '\0';
        info_apply_replica(core, node, host, r->port);
    }
}

static void info_apply_replication(struct core *core, struct node *node,
                                   const struct info *info)
{
    bool changed = false;

    if (info->master_host[0] != '\0' &&
        (node->reported_host == NULL ||
         strcasecmp(node->reported_host, info->master_host) != 0)) {
        mem_replace(&node->reported_host, info->master_host);
        changed = true;
    }
    if (info->master_port >= 0 && info->master_port != node->reported_port) {
        node->reported_port = (int)min_i64(info->master_port, 65535);
        changed = true;
    }
    if (changed)
        node->conf_changed_at = core->now;
    if (info->link_up >= 0)
        node->reported_link_up = info->link_up == 1;
    if (info->priority >= 0)
        node->priority = info->priority;
    if (info->has_offset)
        node->offset = info->offset;
    if (info->announced >= 0)
        node->announced = info->announced == 1;
    node->is_empty = info->has_keys == 0;
}

static void info_apply_role(struct core *core, struct node *node, enum role role)
{
    if (role == node->role)
        return;
    enum role wanted = node_is_master(node) ? ROLE_MASTER : ROLE_REPLICA;
    node->role = role;
    node->role_at = core->now;
    if (role == ROLE_REPLICA)
        node->conf_changed_at = core->now;
    emit_node(core, LOG_LVL_VERBOSE, role == wanted ? "+role-change" : "-role-change",
              node, "new reported role is %s",
              role == ROLE_MASTER ? "master" : "slave");
}

static bool node_no_down_for(const struct core *core, const struct node *node,
                             int64_t ms)
{
    return !node->s_down &&
           (node->s_down_at == CORE_NEVER || core->now - node->s_down_at > ms);
}

/* The INFO behind a SLAVEOF must not lead to another: a server that refuses would be
 * asked again at the speed of the network. */
static bool node_may_repair(const struct core *core, const struct node *node)
{
    return link_is_open(node->link) &&
           !node_is_same(node, master_address_node(node->master)) &&
           (node->repaired_at == CORE_NEVER ||
            core->now - node->repaired_at >= core_number(core, CORE_OPT_INFO_PERIOD));
}

static void node_repair(struct core *core, struct node *node, const char *event)
{
    node->repaired_at = core->now;
    command_slaveof(core, node, &node->master->current->addr);
    emit_node(core, LOG_LVL_NOTICE, event, node, NULL);
}

/* The id of its data, as long as it is what it had as our master: a server that becomes
 * a replica and is promoted again gets another. */
static void info_note_reign(struct node *node, const struct info *info)
{
    if (info->role == ROLE_REPLICA)
        node->reign[0] = '\0';
    else if (info->role == ROLE_MASTER && node_is_master(node))
        memcpy(node->reign, info->replid, sizeof(node->reign));
    if (info->role == ROLE_MASTER && node_is_master(node))
        node->was_seen = true;
}

/* Are we in touch with most sentinels, and does none of them know a newer
 * configuration? Else a server that was a master still and was elected again, which
 * leaves it its id, would be taken for what is left of an older one. */
static bool node_view_is_fresh(const struct core *core, const struct master *master)
{
    int64_t max = HELLO_FRESH_PERIODS * core_number(core, CORE_OPT_PUBLISH_PERIOD);
    uint32_t n = 1;

    for (const struct voter *v = master->voters; v != NULL; v = v->hh.next) {
        if (v->told_epoch > master->config_epoch)
            return false;
        n += v->hello_at != CORE_NEVER && core->now - v->hello_at <= max ? 1 : 0;
    }
    return n > master_possible_voters(core, master) / 2;
}

/* Have most sentinels spoken since |node| was seen as a master, and does none of them
 * know of an election that might have made it one? */
static bool node_reign_is_denied(const struct core *core, const struct node *node)
{
    const struct master *master = node->master;
    uint32_t n = 1;

    if (core->current_epoch != master->config_epoch)
        return false;
    for (const struct voter *v = master->voters; v != NULL; v = v->hh.next)
        n += v->hello_at != CORE_NEVER && v->hello_at > node->role_at ? 1 : 0;
    return n > master_possible_voters(core, master) / 2;
}

/* Is |node|, which says that it is a master, only what is left of an older
 * configuration (decision 0028)? Else our own view may be the old one. */
static bool node_reign_is_over(const struct core *core, const struct node *node,
                               const struct info *info)
{
    if (node->reign[0] == '\0' || node->master->failover.state != FO_NONE)
        return false;
    return (strcmp(node->reign, info->replid) == 0 &&
            node_view_is_fresh(core, node->master)) ||
           node_reign_is_denied(core, node);
}

/* A replica that reports role master although we did not promote it. */
static void info_react_stray_master(struct core *core, struct node *node,
                                    const struct info *info)
{
    struct master *master = node->master;
    int64_t wait = CONVERT_PERIODS * core_number(core, CORE_OPT_PUBLISH_PERIOD);

    if (failover_in_progress(master) && master->failover.promoted == node) {
        if (master->failover.state == FO_CONFIRM)
            failover_input(core, master, FI_IS_MASTER, node);
        return;
    }
    if (node->s_down || !master_looks_sane(core, master) ||
        !node_may_repair(core, node))
        return;
    if (node_reign_is_over(core, node, info) ||
        (node_no_down_for(core, node, wait) && core->now - node->role_at > wait))
        node_repair(core, node, "+convert-to-slave");
}

/* A replica that follows somebody else. */
static void info_react_wrong_master(struct core *core, struct node *node)
{
    struct master *master = node->master;

    if (node->reported_host == NULL)
        return;
    enum same same = resolve_compare(core, &master->current->addr, node->reported_host,
                                     node->reported_port);
    if (same == SAME_UNKNOWN)
        resolve_then_info(core, node->reported_host, node);
    if (same != SAME_NO)
        return;
    if (failover_in_progress(master) || !master_looks_sane(core, master) ||
        !node_no_down_for(core, node, master->failover_timeout_ms) ||
        core->now - node->conf_changed_at <= master->failover_timeout_ms ||
        !node_may_repair(core, node))
        return;
    node_repair(core, node, "+fix-slave-config");
}

static void info_react(struct core *core, struct node *node, const struct info *info,
                       int64_t asked_at)
{
    if (node_is_master(node)) {
        if (info->role == ROLE_MASTER)
            failover_input(core, node->master, FI_OLD_IS_MASTER, node);
        return;
    }
    if (info->role == ROLE_MASTER) {
        info_react_stray_master(core, node, info);
    } else if (info->role == ROLE_REPLICA) {
        info_react_wrong_master(core, node);
        reconf_on_info(core, node, asked_at);
    }
    failover_input(core, node->master, FI_INFO, node);
}

void info_on_reply(struct core *core, struct node *node, const struct resp_value *value)
{
    static const size_t text_max = 1u << 20;
    struct info facts, *info = &facts; /* too large for malloc() to be quick */
    int64_t asked_at = node->info_asked_at;

    node_info_next(core, node);
    if (value->type != RESP_BULK) {
        if (value->type != RESP_ERROR)
            link_confused(core, node->link);
        return;
    }
    info_parse(info, value->str, value->len);
    if (info->role != ROLE_REPLICA || info->link_up >= 0)
        node->link_down_ms = info->link_down_ms; /* nonsense is no news */
    info_apply_run_id(core, node, info);
    info_apply_replicas(core, node, info);
    info_apply_role(core, node, info->role);
    info_note_reign(node, info);
    if (info->role == ROLE_REPLICA)
        info_apply_replication(core, node, info);
    node->info_at = core->now;
    node->info_from_at = asked_at != CORE_NEVER ? asked_at : core->now;
    buf_set(&node->info_text, value->str,
            value->len < text_max ? value->len : text_max);
    detect_node(core, node);
    detect_ring(core, node->master);
    if (!core->tilt)
        info_react(core, node, info, asked_at);
    /* The role or the link state may have changed how often we want to know. */
    if (node->info_asked_at == CORE_NEVER)
        node_info_next(core, node);
}

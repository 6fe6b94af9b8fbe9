/*
 * settings.c - values that a file, SENTINEL SET, CONFIG SET or DEBUG can change, and
 * loading.
 */
#include "sentinel/core/internal.h"

void settings_init(struct core *core)
{
    static const struct {
        enum core_option option;
        int64_t number;
    } defaults[] = {
        {CORE_OPT_DENY_SCRIPTS, 1},
        {CORE_OPT_PORT, 26379},
        {CORE_OPT_INFO_PERIOD, 10000},
        {CORE_OPT_PING_PERIOD, 1000},
        {CORE_OPT_ASK_PERIOD, 1000},
        {CORE_OPT_PUBLISH_PERIOD, 2000},
        {CORE_OPT_DEFAULT_DOWN_AFTER, 30000},
        {CORE_OPT_DEFAULT_FAILOVER_TIMEOUT, 180000},
        {CORE_OPT_TILT_TRIGGER, 2000},
        {CORE_OPT_TILT_PERIOD, 30000},
        {CORE_OPT_SLAVE_RECONF_TIMEOUT, 10000},
        {CORE_OPT_MIN_LINK_RECONNECT_PERIOD, 15000},
        {CORE_OPT_ELECTION_TIMEOUT, 10000},
        {CORE_OPT_SCRIPT_MAX_RUNTIME, 60000},
        {CORE_OPT_SCRIPT_RETRY_DELAY, 30000},
    };

    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        core->numbers[defaults[i].option] = defaults[i].number;
}

void settings_release(struct core *core)
{
    mem_free(core->announce_ip);
    mem_free(core->sentinel_user);
    mem_free(core->sentinel_pass);
    mem_free(core->requirepass);
    mem_free(core->gossip_secret);
    mem_free(core->gossip_secret_also);
}

static int rename_command(struct master *master, const char *from, const char *to,
                          bool replace, struct error *err)
{
    struct renamed **slot = &master->renames;

    while (*slot != NULL && strcasecmp((*slot)->from, from) != 0)
        slot = &(*slot)->next;
    if (*slot != NULL && !replace)
        return error_set(err, ERR_DUPLICATE,
                         "Same command renamed multiple times with rename-command.");
    if (*slot == NULL) {
        *slot = mem_zalloc(sizeof(**slot));
        (*slot)->from = mem_strdup(from);
    }
    mem_free((*slot)->to);
    (*slot)->to = mem_strdup(to);
    if (replace && strcasecmp(from, to) == 0) {
        struct renamed *gone = *slot;
        *slot = gone->next;
        mem_free(gone->from);
        mem_free(gone->to);
        mem_free(gone);
    }
    return 0;
}

/* How connections are made has changed: they are made anew. */
static void relink_nodes(struct core *core, struct master *master)
{
    if (!core->started)
        return;
    link_reset(core, master->current->link);
    for (struct node *n = master->replicas; n != NULL; n = n->hh.next)
        link_reset(core, n->link);
}

static void relink_peers(struct core *core)
{
    if (!core->started)
        return;
    for (struct peer *p = core->peers; p != NULL; p = p->hh.next)
        link_reset(core, p->link);
}

void settings_applied(struct core *core, struct master *master)
{
    if (core->auth_changed && core->started) {
        for (struct peer *p = core->peers; p != NULL; p = p->hh.next)
            link_reauth(core, p->link);
    }
    core->auth_changed = false;
    sign_on_settings(core);
    if (master == NULL || !master->auth_changed)
        return;
    master->auth_changed = false;
    if (!core->started)
        return;
    link_reauth(core, master->current->link);
    for (struct node *n = master->replicas; n != NULL; n = n->hh.next)
        link_reauth(core, n->link);
}

static void apply_down_after(struct core *core, struct master *master, int64_t ms)
{
    master->down_after_ms = ms;
    link_refresh(core, master->current->link);
    for (struct node *n = master->replicas; n != NULL; n = n->hh.next) {
        link_refresh(core, n->link);
        detect_node(core, n);
    }
    for (struct voter *v = master->voters; v != NULL; v = v->hh.next) {
        link_refresh(core, v->peer->link);
        detect_voter(core, v);
    }
    detect_node(core, master->current);
}

static int apply_of_master(struct core *core, struct master *master,
                           const struct core_setting *s, struct error *err)
{
    switch (s->option) {
    case CORE_OPT_DOWN_AFTER:
        apply_down_after(core, master, s->number);
        break;
    case CORE_OPT_FAILOVER_TIMEOUT:
        master->failover_timeout_ms = s->number;
        break;
    case CORE_OPT_PARALLEL_SYNCS:
        master->parallel_syncs = s->number;
        if (failover_in_progress(master)) /* more may go at once */
            failover_input(core, master, FI_REPLICA_MOVED, NULL);
        break;
    case CORE_OPT_QUORUM:
        master->quorum = s->number;
        detect_master(core, master);
        break;
    case CORE_OPT_REBOOT_DOWN_AFTER:
        master->reboot_down_after_ms = s->number;
        break;
    case CORE_OPT_FORGET_REPLICA:
        master->forget_replica_ms = s->number;
        for (struct node *n = master->replicas; n != NULL; n = n->hh.next)
            node_arm_forget(core, n);
        break;
    case CORE_OPT_NOTIFICATION_SCRIPT:
        mem_replace(&master->notification_script, s->text);
        break;
    case CORE_OPT_RECONFIG_SCRIPT:
        mem_replace(&master->reconfig_script, s->text);
        break;
    case CORE_OPT_AUTH_PASS:
        mem_replace(&master->auth_pass, s->text);
        master->auth_changed = true;
        break;
    case CORE_OPT_AUTH_USER:
        mem_replace(&master->auth_user, s->text);
        /* Without a password it is not sent. */
        master->auth_changed = master->auth_changed || master->auth_pass != NULL;
        break;
    case CORE_OPT_TLS:
        master->tls = (int)s->number;
        relink_nodes(core, master);
        break;
    case CORE_OPT_RENAME_COMMAND:
        return rename_command(master, s->text, s->text2, core->started, err);
    case CORE_OPT_CONFIG_EPOCH:
        master->config_epoch = (uint64_t)s->number;
        core->current_epoch = max_u64(core->current_epoch, master->config_epoch);
        break;
    case CORE_OPT_LEADER_EPOCH:
        master->leader_epoch = (uint64_t)s->number;
        core->current_epoch = max_u64(core->current_epoch, master->leader_epoch);
        break;
    default:
        return error_set(err, ERR_UNKNOWN, "not an option of a master");
    }
    master_rearm(core, master);
    return 0;
}

/* A new secret that the others accept already is no reason to refuse those who do not
 * sign with it yet: the old one stays good. */
static void apply_secret(struct core *core, const char *secret)
{
    char *old = core->gossip_secret;

    if (core->started && core->gossip_secret_also != NULL &&
        strcmp(core->gossip_secret_also, secret) == 0) {
        core->gossip_secret = core->gossip_secret_also;
        core->gossip_secret_also = old;
    } else {
        mem_replace(&core->gossip_secret, secret);
    }
}

static int apply_of_sentinel(struct core *core, const struct core_setting *s,
                             struct error *err)
{
    int status = sign_check_secret(core, s, err);

    if (status != 0)
        return status;
    switch (s->option) {
    case CORE_OPT_MYID:
        if (strlen(s->text) != RUN_ID_LEN)
            return error_set(err, ERR_SYNTAX, "Malformed Sentinel id in myid option.");
        memcpy(core->myid, s->text, RUN_ID_CAP);
        core->id_is_new = false;
        break;
    case CORE_OPT_CURRENT_EPOCH:
        core->current_epoch = max_u64(core->current_epoch, (uint64_t)s->number);
        break;
    case CORE_OPT_INFO_PERIOD:
        core->numbers[s->option] = s->number;
        if (core->started)
            detect_all(core); /* a wrong role is put up with for two of them */
        break;
    case CORE_OPT_ANNOUNCE_IP:
        mem_replace(&core->announce_ip, s->text);
        if (core->started)
            scope_check_announced(core);
        break;
    case CORE_OPT_ANNOUNCE_HOSTNAMES:
        core->numbers[s->option] = s->number;
        node_rename_all(core);
        break;
    case CORE_OPT_RESOLVE_HOSTNAMES:
        core->numbers[s->option] = s->number;
        resolve_switched(core);
        break;
    case CORE_OPT_SENTINEL_USER:
        mem_replace(&core->sentinel_user, s->text);
        core->auth_changed = core->auth_changed || core->sentinel_pass != NULL;
        break;
    case CORE_OPT_SENTINEL_PASS:
        mem_replace(&core->sentinel_pass, s->text);
        core->auth_changed = true;
        break;
    case CORE_OPT_TLS_VERIFY_HOSTNAME:
        core->numbers[s->option] = s->number;
        relink_peers(core);
        for (struct master *m = core->masters; m != NULL; m = m->hh.next)
            relink_nodes(core, m);
        break;
    case CORE_OPT_GOSSIP_SECRET:
        apply_secret(core, s->text);
        break;
    case CORE_OPT_GOSSIP_SECRET_ALSO:
        mem_replace(&core->gossip_secret_also, s->text);
        break;
    case CORE_OPT_KNOWN_SIGNER:
        sign_add_signer(core, s->text);
        break;
    case CORE_OPT_REQUIREPASS:
        mem_replace(&core->requirepass, s->text);
        break;
    default:
        if (s->option >= CORE_OPT_N)
            return error_set(err, ERR_UNKNOWN, "no such option");
        core->numbers[s->option] = s->number;
        break;
    }
    return 0;
}

int settings_apply(struct core *core, struct master *master,
                   const struct core_setting *setting, struct error *err)
{
    if (setting->option <= CORE_OPT_LEADER_EPOCH) {
        if (master == NULL)
            return error_set(err, ERR_UNKNOWN, "No such master with specified name.");
        return apply_of_master(core, master, setting, err);
    }
    return apply_of_sentinel(core, setting, err);
}

/* ---------------------------------------------------------------- loading ---- */

int core_load_setting(struct core *core, const char *name,
                      const struct core_setting *setting, struct error *err)
{
    struct master *master = name != NULL ? core_master_by_name(core, name) : NULL;

    ASSERT(!core->started);
    int status = settings_apply(core, master, setting, err);
    settings_applied(core, master);
    return status;
}

/* An address of the file: behaviour.md 12.2. */
static int load_addr(struct core *core, struct addr *addr, const char *host,
                     int64_t port, struct error *err)
{
    int status = resolve_addr(core, addr, host, port);

    if (status == ERR_RANGE)
        error_set(err, status, "Invalid port number.");
    else if (status != 0)
        error_set(err, status, "Can't resolve instance hostname.");
    return status;
}

int core_load_monitor(struct core *core, const char *name, const char *host,
                      int64_t port, int64_t quorum, struct error *err)
{
    struct addr addr = {0};

    ASSERT(!core->started);
    if (quorum <= 0)
        return error_set(err, ERR_RANGE, "Quorum must be 1 or greater.");
    if (core_master_by_name(core, name) != NULL)
        return error_set(err, ERR_DUPLICATE, "Duplicate master name.");
    int status = load_addr(core, &addr, host, port, err);
    if (status == 0)
        master_new(core, name, &addr, quorum);
    addr_release(&addr);
    return status;
}

int core_load_replica(struct core *core, const char *name, const char *host,
                      int64_t port, struct error *err)
{
    struct master *master = core_master_by_name(core, name);
    struct addr addr = {0};

    ASSERT(!core->started);
    if (master == NULL)
        return error_set(err, ERR_UNKNOWN, "No such master with specified name.");
    int status = load_addr(core, &addr, host, port, err);
    if (status == 0) {
        if (node_find(master, &addr) != NULL)
            status = error_set(err, ERR_DUPLICATE,
                               "Duplicate hostname and port for replica.");
        else
            node_add_replica(core, master, &addr); /* the master itself: harmless */
    }
    addr_release(&addr);
    return status;
}

int core_load_sentinel(struct core *core, const char *name, const char *host,
                       int64_t port, const char *run_id, struct error *err)
{
    struct master *master = core_master_by_name(core, name);
    struct addr addr = {0};

    ASSERT(!core->started);
    if (master == NULL)
        return error_set(err, ERR_UNKNOWN, "No such master with specified name.");
    if (strlen(run_id) != RUN_ID_LEN)
        return error_set(err, ERR_SYNTAX, "Malformed Sentinel id in known-sentinel.");
    if (voter_find(master, run_id) != NULL)
        return error_set(err, ERR_DUPLICATE, "Duplicate runid for sentinel.");
    int status = load_addr(core, &addr, host, port, err);
    if (status == 0 && strcmp(run_id, core->myid) != 0)
        peer_add_voter(core, master, run_id, &addr, true);
    addr_release(&addr);
    return status;
}

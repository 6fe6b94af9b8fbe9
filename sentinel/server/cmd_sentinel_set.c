/*
 * cmd_sentinel_set.c - SENTINEL MONITOR, SET, CONFIG and DEBUG: what a client wants is
 * checked here, in stock's order and words (interface.md 3.11, 3.15, 3.16, 3.19), and
 * posted to the core as settings.
 */
#include "common/addr.h"
#include "common/args.h"
#include "common/glob.h"
#include "common/log.h"
#include "common/mem.h"
#include "sentinel/server/internal.h"

#include <string.h>
#include <strings.h>

#define CMD_SENTINEL_SET_NAME_MAX 255

/* Settings collected from one command. */
struct cmd_sentinel_set_list {
    struct core_setting *items;
    size_t n;
};

static struct core_setting *cmd_sentinel_set_add(struct cmd_sentinel_set_list *list)
{
    list->items = mem_resize(list->items, list->n + 1, sizeof(*list->items));
    struct core_setting *setting = &list->items[list->n++];
    *setting = (struct core_setting){.option = CORE_OPT_N};
    return setting;
}

static bool cmd_sentinel_set_number(const struct resp_arg *arg, int64_t min,
                                    int64_t max, int64_t *value)
{
    return args_int(arg->str, arg->len, value) && *value >= min && *value <= max;
}

/* ------------------------------------------------------------------------ SET ---- */

enum cmd_sentinel_set_kind {
    SET_MS,        /* > 0 */
    SET_MS_OR_0,   /* >= 0 */
    SET_COUNT,     /* > 0, 32 bits: stock cuts larger ones (interface.md 10, item 5) */
    SET_YESNO,     /* empty removes */
    SET_TEXT,      /* empty removes */
    SET_SCRIPT,    /* a path; empty removes */
    SET_TWO_NAMES, /* two words, neither empty */
};

static const struct cmd_sentinel_set_option {
    const char *name;
    enum core_option option;
    enum cmd_sentinel_set_kind kind;
} cmd_sentinel_set_options[] = {
    {"down-after-milliseconds", CORE_OPT_DOWN_AFTER, SET_MS},
    {"failover-timeout", CORE_OPT_FAILOVER_TIMEOUT, SET_MS},
    {"parallel-syncs", CORE_OPT_PARALLEL_SYNCS, SET_COUNT},
    {"quorum", CORE_OPT_QUORUM, SET_COUNT},
    {"notification-script", CORE_OPT_NOTIFICATION_SCRIPT, SET_SCRIPT},
    {"client-reconfig-script", CORE_OPT_RECONFIG_SCRIPT, SET_SCRIPT},
    {"auth-pass", CORE_OPT_AUTH_PASS, SET_TEXT},
    {"auth-user", CORE_OPT_AUTH_USER, SET_TEXT},
    {"rename-command", CORE_OPT_RENAME_COMMAND, SET_TWO_NAMES},
    {"master-reboot-down-after-period", CORE_OPT_REBOOT_DOWN_AFTER, SET_MS_OR_0},
    {"primary-reboot-down-after-period", CORE_OPT_REBOOT_DOWN_AFTER, SET_MS_OR_0},
    {"forget-replica-after", CORE_OPT_FORGET_REPLICA, SET_MS_OR_0},
    {"tls", CORE_OPT_TLS, SET_YESNO},
    {NULL, CORE_OPT_N, SET_TEXT},
};

static const struct cmd_sentinel_set_option *
cmd_sentinel_set_find(const struct resp_arg *name)
{
    const struct cmd_sentinel_set_option *o;

    for (o = cmd_sentinel_set_options; o->name != NULL; o++)
        if (arg_is(name, o->name))
            return o;
    return NULL;
}

/* Why |path| may not be set as a script; NULL if it may. */
static const char *cmd_sentinel_set_script_error(const struct server *server,
                                                 enum core_option option,
                                                 const char *path)
{
    if (server->core->numbers[CORE_OPT_DENY_SCRIPTS] != 0)
        return "ERR Reconfiguration of scripts path is denied for security reasons. "
               "Check the deny-scripts-reconfig configuration directive in your "
               "Sentinel configuration";
    if (path[0] == '\0' || (server->hooks.executable != NULL &&
                            server->hooks.executable(server->hooks.ctx, path)))
        return NULL;
    return option == CORE_OPT_NOTIFICATION_SCRIPT
               ? "ERR Notification script seems non existing or non executable"
               : "ERR Client reconfiguration script seems non existing or non "
                 "executable";
}

/* Checks the value (or values) of one option and puts them into |setting|. Returns
 * NULL, or the argument to complain about. */
static const struct resp_arg *
cmd_sentinel_set_check(const struct cmd_sentinel_set_option *option,
                       const struct resp_arg *value, struct core_setting *setting)
{
    bool is_ok = arg_is_text(value);

    setting->option = option->option;
    setting->text = value->str;
    switch (option->kind) {
    case SET_MS:
        is_ok = cmd_sentinel_set_number(value, 1, SERVER_MS_MAX, &setting->number);
        break;
    case SET_MS_OR_0:
        is_ok = cmd_sentinel_set_number(value, 0, SERVER_MS_MAX, &setting->number);
        break;
    case SET_COUNT:
        is_ok = cmd_sentinel_set_number(value, 1, INT32_MAX, &setting->number);
        break;
    case SET_YESNO:
        setting->number = arg_is(value, "yes") ? 1 : arg_is(value, "no") ? 0 : -1;
        is_ok = setting->number >= 0 || value->len == 0;
        break;
    case SET_TEXT:
    case SET_SCRIPT:
        break;
    case SET_TWO_NAMES:
        setting->text2 = value[1].str;
        if (is_ok && value[0].len > 0 && (value[1].len == 0 || !arg_is_text(&value[1])))
            return &value[1];
        is_ok = is_ok && value[0].len > 0;
        break;
    }
    return is_ok ? NULL : value;
}

/*
 * Reads options from the left until one is wrong. Those before it are collected in
 * |list|; what is wrong is put into |error|, which stays empty if all are right.
 */
static void cmd_sentinel_set_read(const struct server *server,
                                  const struct resp_arg *argv, size_t argc,
                                  struct cmd_sentinel_set_list *list, struct buf *error)
{
    for (size_t i = 3; i < argc;) {
        const struct cmd_sentinel_set_option *option = cmd_sentinel_set_find(&argv[i]);
        size_t n_values = option != NULL && option->kind == SET_TWO_NAMES ? 2 : 1;
        if (option == NULL || argc - i - 1 < n_values) {
            buf_printf(error,
                       "ERR Unknown option or number of arguments for SENTINEL SET "
                       "'%s'",
                       argv[i].str);
            return;
        }
        struct core_setting setting = {.word = argv[i].str};
        const struct resp_arg *bad =
            cmd_sentinel_set_check(option, &argv[i + 1], &setting);
        if (bad != NULL) {
            buf_printf(error, "ERR Invalid argument '%s' for SENTINEL SET '%s'",
                       bad->str, argv[i].str);
            return;
        }
        const char *why = NULL;
        if (option->kind == SET_SCRIPT)
            why = cmd_sentinel_set_script_error(server, setting.option, setting.text);
        if (why != NULL) {
            buf_puts(error, why);
            return;
        }
        *cmd_sentinel_set_add(list) = setting;
        i += 1 + n_values;
    }
}

void cmd_sentinel_set(struct session *session, const struct resp_arg *argv, size_t argc)
{
    const struct master *master = cmd_sentinel_master_arg(session, &argv[2]);
    struct cmd_sentinel_set_list list = {0};
    struct buf error = {0};

    if (master == NULL)
        return;
    cmd_sentinel_set_read(session->server, argv, argc, &list, &error);
    if (list.n == 0) {
        session_error(session, "%s", buf_text(&error));
    } else {
        struct core_request request = {
            .type = CORE_RQ_SET,
            .name = master->name,
            .text = error.len > 0 ? error.data : NULL,
            .text_len = error.len,
            .settings = list.items,
            .n_settings = list.n,
        };
        session_post(session, &request);
    }
    buf_release(&error);
    mem_free(list.items);
}

/* --------------------------------------------------------------------- CONFIG ---- */

enum cmd_sentinel_set_config_kind {
    CONFIG_BOOL,
    CONFIG_PORT,
    CONFIG_TEXT,
    CONFIG_LEVEL,
    CONFIG_AUTH /* what gossip-auth says */
};

/* In the order of CONFIG GET. */
static const struct cmd_sentinel_set_param {
    const char *name;
    enum core_option option;
    enum cmd_sentinel_set_config_kind kind;
} cmd_sentinel_set_params[] = {
    {"resolve-hostnames", CORE_OPT_RESOLVE_HOSTNAMES, CONFIG_BOOL},
    {"announce-hostnames", CORE_OPT_ANNOUNCE_HOSTNAMES, CONFIG_BOOL},
    {"announce-ip", CORE_OPT_ANNOUNCE_IP, CONFIG_TEXT},
    {"announce-port", CORE_OPT_ANNOUNCE_PORT, CONFIG_PORT},
    {"sentinel-user", CORE_OPT_SENTINEL_USER, CONFIG_TEXT},
    {"sentinel-pass", CORE_OPT_SENTINEL_PASS, CONFIG_TEXT},
    {"loglevel", CORE_OPT_N, CONFIG_LEVEL},
    {"tls-verify-hostname", CORE_OPT_TLS_VERIFY_HOSTNAME, CONFIG_BOOL},
    {"vote-for-unknown", CORE_OPT_VOTE_FOR_UNKNOWN, CONFIG_BOOL},
    {"gossip-secret", CORE_OPT_GOSSIP_SECRET, CONFIG_TEXT},
    {"gossip-secret-also", CORE_OPT_GOSSIP_SECRET_ALSO, CONFIG_TEXT},
    {"gossip-auth", CORE_OPT_GOSSIP_AUTH, CONFIG_AUTH},
};
#define N_PARAMS (sizeof(cmd_sentinel_set_params) / sizeof(cmd_sentinel_set_params[0]))
#define N_CONFIG (N_PARAMS + CMD_SENTINEL_TLS_N)

static const char *const cmd_sentinel_set_levels[] = {
    [LOG_LVL_DEBUG] = "debug",     [LOG_LVL_VERBOSE] = "verbose",
    [LOG_LVL_NOTICE] = "notice",   [LOG_LVL_WARNING] = "warning",
    [LOG_LVL_NOTHING] = "nothing",
};

static void cmd_sentinel_set_write_param(struct session *session, size_t i)
{
    const struct core *core = session->server->core;
    enum core_option option = cmd_sentinel_set_params[i].option;
    const char *text = NULL;
    struct buf *out = &session->out;

    resp_bulk_str(out, cmd_sentinel_set_params[i].name);
    switch (cmd_sentinel_set_params[i].kind) {
    case CONFIG_BOOL:
        resp_bulk_str(out, core->numbers[option] != 0 ? "yes" : "no");
        return;
    case CONFIG_PORT:
        resp_bulk_int(out, core->numbers[option]);
        return;
    case CONFIG_LEVEL:
        resp_bulk_str(out, cmd_sentinel_set_levels[log_get_level()]);
        return;
    case CONFIG_AUTH:
        resp_bulk_str(out, gossip_auth_name(core_gossip_auth(core)));
        return;
    case CONFIG_TEXT:
        break;
    }
    if (option == CORE_OPT_ANNOUNCE_IP)
        text = core->announce_ip;
    else if (option == CORE_OPT_SENTINEL_USER)
        text = core->sentinel_user;
    else if (option == CORE_OPT_SENTINEL_PASS)
        text = core->sentinel_pass;
    else if (option == CORE_OPT_GOSSIP_SECRET)
        text = core->gossip_secret;
    else if (option == CORE_OPT_GOSSIP_SECRET_ALSO)
        text = core->gossip_secret_also;
    resp_bulk_str(out, text != NULL ? text : "");
}

static void cmd_sentinel_set_config_get(struct session *session,
                                        const struct resp_arg *argv, size_t argc)
{
    size_t chosen[N_CONFIG], n = 0;
    bool is_chosen[N_CONFIG] = {false};

    for (size_t i = 3; i < argc && n < N_CONFIG; i++) {
        for (size_t j = 0; j < N_CONFIG; j++) {
            const char *name = j < N_PARAMS ? cmd_sentinel_set_params[j].name
                                            : cmd_sentinel_tls_name(j - N_PARAMS);
            if (is_chosen[j] ||
                !glob_match(argv[i].str, argv[i].len, name, strlen(name), true))
                continue;
            is_chosen[j] = true;
            chosen[n++] = j;
        }
    }
    resp_map(&session->out, session->proto, n);
    for (size_t i = 0; i < n; i++) {
        if (chosen[i] < N_PARAMS)
            cmd_sentinel_set_write_param(session, chosen[i]);
        else
            cmd_sentinel_tls_write(session, chosen[i] - N_PARAMS);
    }
}

static int cmd_sentinel_set_level(const struct resp_arg *word)
{
    for (int i = LOG_LVL_DEBUG; i <= LOG_LVL_NOTHING; i++)
        if (arg_is(word, cmd_sentinel_set_levels[i]))
            return i;
    return -1;
}

/* |level| is set for loglevel, |setting| for all others. False: a bad value. */
static bool cmd_sentinel_set_check_param(size_t i, const struct resp_arg *value,
                                         struct core_setting *setting, int *level)
{
    setting->option = cmd_sentinel_set_params[i].option;
    setting->text = value->str;
    switch (cmd_sentinel_set_params[i].kind) {
    case CONFIG_BOOL:
        setting->number = arg_is(value, "yes") ? 1 : 0;
        return arg_is(value, "yes") || arg_is(value, "no");
    case CONFIG_PORT:
        return cmd_sentinel_set_number(value, 0, UINT16_MAX, &setting->number);
    case CONFIG_LEVEL:
        *level = cmd_sentinel_set_level(value);
        return *level >= 0;
    case CONFIG_AUTH:
        setting->number = gossip_auth_named(value->str);
        return setting->number != GOSSIP_AUTH_UNSET && arg_is_text(value);
    case CONFIG_TEXT:
        break;
    }
    return arg_is_text(value);
}

/* Checks all pairs. False: the error is replied. |level| stays -1 if not given. */
static bool cmd_sentinel_set_read_config(struct session *session,
                                         const struct resp_arg *argv, size_t argc,
                                         struct cmd_sentinel_set_list *list, int *level)
{
    bool is_given[N_PARAMS] = {false};

    for (size_t i = 3; i < argc; i += 2) {
        size_t j = 0;
        while (j < N_PARAMS && !arg_is(&argv[i], cmd_sentinel_set_params[j].name))
            j++;
        if (j == N_PARAMS) {
            session_error(session, "ERR Invalid argument '%s' to SENTINEL CONFIG SET",
                          argv[i].str);
            return false;
        }
        if (is_given[j]) {
            session_error(session, "ERR Duplicate argument '%s' to SENTINEL CONFIG SET",
                          argv[i].str);
            return false;
        }
        if (i + 1 == argc) {
            session_error(session, "ERR Missing argument '%s' value", argv[i].str);
            return false;
        }
        struct core_setting setting = {.word = argv[i].str};
        if (!cmd_sentinel_set_check_param(j, &argv[i + 1], &setting, level)) {
            session_error(session, "ERR Invalid value '%s' to SENTINEL CONFIG SET '%s'",
                          argv[i + 1].str, argv[i].str);
            return false;
        }
        is_given[j] = true;
        if (setting.option != CORE_OPT_N)
            *cmd_sentinel_set_add(list) = setting;
    }
    return true;
}

static void cmd_sentinel_set_config_set(struct session *session,
                                        const struct resp_arg *argv, size_t argc)
{
    struct cmd_sentinel_set_list list = {0};
    struct error refusal;
    int level = -1;

    if (cmd_sentinel_set_read_config(session, argv, argc, &list, &level)) {
        /* The level is not the core's. It must be set before the core saves, but not
         * if the core refuses the rest. */
        if (level >= 0 && core_check_settings(session->server->core, list.items, list.n,
                                              &refusal) == 0)
            log_set_level((enum log_level)level);
        struct core_request request = {
            .type = list.n > 0 ? CORE_RQ_CONFIG : CORE_RQ_FLUSH,
            .settings = list.items,
            .n_settings = list.n,
        };
        session_post(session, &request);
    }
    mem_free(list.items);
}

void cmd_sentinel_set_config(struct session *session, const struct resp_arg *argv,
                             size_t argc)
{
    if (arg_is(&argv[2], "get"))
        cmd_sentinel_set_config_get(session, argv, argc);
    else if (arg_is(&argv[2], "set") && argc >= 5 &&
             cmd_sentinel_tls_is_meant(argv, argc))
        cmd_sentinel_tls_set(session, argv, argc);
    else if (arg_is(&argv[2], "set") && argc >= 5)
        cmd_sentinel_set_config_set(session, argv, argc);
    else
        session_error(
            session, "ERR Only SENTINEL CONFIG GET <param> [<param> <param> ...] / SET "
                     "<param> <value> [<param> <value> ...] are supported.");
}

/* ---------------------------------------------------------------------- DEBUG ---- */

/* In the order of the options, from CORE_OPT_INFO_PERIOD on. */
static const char *const cmd_sentinel_set_periods[] = {
    "INFO-PERIOD",          "PING-PERIOD",
    "ASK-PERIOD",           "PUBLISH-PERIOD",
    "DEFAULT-DOWN-AFTER",   "DEFAULT-FAILOVER-TIMEOUT",
    "TILT-TRIGGER",         "TILT-PERIOD",
    "SLAVE-RECONF-TIMEOUT", "MIN-LINK-RECONNECT-PERIOD",
    "ELECTION-TIMEOUT",     "SCRIPT-MAX-RUNTIME",
    "SCRIPT-RETRY-DELAY",
};
#define N_PERIODS                                                                      \
    (sizeof(cmd_sentinel_set_periods) / sizeof(cmd_sentinel_set_periods[0]))
_Static_assert(CORE_OPT_INFO_PERIOD + N_PERIODS == CORE_OPT_N,
               "one name for each period");

static void cmd_sentinel_set_read_debug(const struct resp_arg *argv, size_t argc,
                                        struct cmd_sentinel_set_list *list,
                                        struct buf *error)
{
    for (size_t i = 2; i < argc; i += 2) {
        size_t j = 0;
        while (j < N_PERIODS && !arg_is(&argv[i], cmd_sentinel_set_periods[j]))
            j++;
        if (j == N_PERIODS || i + 1 == argc) {
            buf_printf(error,
                       "ERR Unknown option or number of arguments for SENTINEL DEBUG "
                       "'%s'",
                       argv[i].str);
            return;
        }
        int64_t value;
        if (!cmd_sentinel_set_number(&argv[i + 1], 1, SERVER_MS_MAX, &value)) {
            buf_printf(error, "ERR Invalid argument '%s' for SENTINEL DEBUG '%s'",
                       argv[i + 1].str, argv[i].str);
            return;
        }
        struct core_setting *setting = cmd_sentinel_set_add(list);
        setting->option = (enum core_option)(CORE_OPT_INFO_PERIOD + j);
        setting->number = value;
        setting->word = argv[i].str;
    }
}

void cmd_sentinel_set_debug(struct session *session, const struct resp_arg *argv,
                            size_t argc)
{
    const struct core *core = session->server->core;
    struct cmd_sentinel_set_list list = {0};
    struct buf error = {0};

    if (argc == 2) {
        resp_map(&session->out, session->proto, N_PERIODS);
        for (size_t i = 0; i < N_PERIODS; i++) {
            resp_bulk_str(&session->out, cmd_sentinel_set_periods[i]);
            resp_bulk_int(&session->out, core->numbers[CORE_OPT_INFO_PERIOD + i]);
        }
        return;
    }
    cmd_sentinel_set_read_debug(argv, argc, &list, &error);
    if (list.n == 0) {
        session_error(session, "%s", buf_text(&error));
    } else {
        struct core_request request = {
            .type = CORE_RQ_DEBUG,
            .settings = list.items,
            .n_settings = list.n,
        };
        if (error.len > 0) {
            session->server->stats.n_errors++;
            resp_error(&session->instead, error.data);
        }
        session_post(session, &request);
    }
    buf_release(&error);
    mem_free(list.items);
}

/* -------------------------------------------------------------------- MONITOR ---- */

/* Names end up in the configuration file, in hellos and in INFO, none of which can
 * carry these (interface.md 10, item 3). */
static bool cmd_sentinel_set_name_ok(const struct resp_arg *name)
{
    if (name->len == 0 || name->len > CMD_SENTINEL_SET_NAME_MAX)
        return false;
    for (size_t i = 0; i < name->len; i++) {
        unsigned char c = (unsigned char)name->str[i];
        if (c <= ' ' || c == 0x7f || c == ',' || c == '=')
            return false;
    }
    return true;
}

/* Host names are only looked up later, by the core. */
static bool cmd_sentinel_set_host_ok(const struct core *core,
                                     const struct resp_arg *host)
{
    char ip[ADDR_IP_CAP];
    struct addr addr = {0};

    if (!arg_is_text(host))
        return false;
    if (addr_canon_ip(ip, host->str))
        return true;
    if (core->numbers[CORE_OPT_RESOLVE_HOSTNAMES] == 0)
        return false;
    bool is_ok = addr_set(&addr, host->str, 0) == 0;
    addr_release(&addr);
    return is_ok;
}

void cmd_sentinel_set_monitor(struct session *session, const struct resp_arg *argv,
                              size_t argc)
{
    const struct core *core = session->server->core;
    struct core_request request = {
        .type = CORE_RQ_MONITOR,
        .name = argv[2].str,
        .host = argv[3].str,
    };

    (void)argc;
    if (!args_int(argv[5].str, argv[5].len, &request.number) ||
        request.number > INT32_MAX)
        session_error(session, "ERR Invalid quorum");
    else if (!args_int(argv[4].str, argv[4].len, &request.port))
        session_error(session, "ERR Invalid port");
    else if (request.number <= 0)
        session_error(session, "ERR Quorum must be 1 or greater.");
    else if (!cmd_sentinel_set_host_ok(core, &argv[3]))
        session_error(session, "ERR Invalid IP address or hostname specified");
    else if (request.port < 0 || request.port > UINT16_MAX)
        session_error(session, "ERR Invalid port number.");
    else if (!cmd_sentinel_set_name_ok(&argv[2]))
        session_error(session,
                      "ERR Invalid argument: a master name has 1 to %d characters, "
                      "without blanks, control characters, ',' and '='",
                      CMD_SENTINEL_SET_NAME_MAX);
    else if (core_master_by_name(core, request.name) != NULL)
        session_error(session, "ERR Duplicate master name.");
    else
        session_post(session, &request);
}

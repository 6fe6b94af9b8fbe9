/*
 * command.c - which commands exist (interface.md 2.3), and finding one by name.
 *
 * The flags and categories are those clients see in COMMAND INFO and name in ACL rules;
 * few of the flags mean anything to a sentinel. QUIT is the one command stock of this
 * version does not have: health checks end with it (interface.md 10, item 1), so it
 * works but is not listed.
 */
#include "sentinel/server/internal.h"

#include <string.h>
#include <strings.h>

#define FLAGS_COMMON (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)
#define FLAGS_HELLO (FLAGS_COMMON | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY)
#define FLAGS_PUBSUB (CMD_PUBSUB | FLAGS_COMMON | CMD_SUBSCRIBER | CMD_UNMUTED)
#define CATS_FAST (CAT_FAST | CAT_CONNECTION)
#define CATS_SLOW (CAT_SLOW | CAT_CONNECTION)
#define CATS_ADMIN (CAT_ADMIN | CAT_SLOW | CAT_DANGEROUS)

#define ACL(name, arity, run)                                                          \
    {                                                                                  \
        "acl|" name, arity, FLAGS_COMMON, CAT_SLOW, run, NULL                          \
    }
#define ACL_ADMIN(name, arity, run)                                                    \
    {                                                                                  \
        "acl|" name, arity, CMD_ADMIN | FLAGS_COMMON, CATS_ADMIN, run, NULL            \
    }
static const struct command command_acl[] = {
    ACL("cat", -2, cmd_acl_cat),
    ACL_ADMIN("deluser", -3, cmd_acl_deluser),
    ACL_ADMIN("dryrun", -4, cmd_acl_dryrun),
    ACL("genpass", -2, cmd_acl_genpass),
    ACL_ADMIN("getuser", 3, cmd_acl_getuser),
    {"acl|help", 2, CMD_LOADING | CMD_STALE, CAT_SLOW, help_acl, NULL},
    ACL_ADMIN("list", 2, cmd_acl_list),
    ACL_ADMIN("load", 2, cmd_acl_load),
    ACL_ADMIN("log", -2, cmd_acl_log),
    ACL_ADMIN("save", 2, cmd_acl_save),
    ACL_ADMIN("setuser", -3, cmd_acl_setuser),
    ACL_ADMIN("users", 2, cmd_acl_users),
    ACL("whoami", 2, cmd_acl_whoami),
    {NULL, 0, 0, 0, NULL, NULL},
};

#define CLIENT(name, arity, run)                                                       \
    {                                                                                  \
        "client|" name, arity, FLAGS_COMMON, CATS_SLOW, run, NULL                      \
    }
#define CLIENT_ADMIN(name, arity, run)                                                 \
    {                                                                                  \
        "client|" name, arity, CMD_ADMIN | FLAGS_COMMON, CATS_ADMIN | CAT_CONNECTION,  \
            run, NULL                                                                  \
    }
static const struct command command_client[] = {
    CLIENT("caching", 3, cmd_client_caching),
    CLIENT("getname", 2, cmd_client_getname),
    CLIENT("getredir", 2, cmd_client_getredir),
    {"client|help", 2, CMD_LOADING | CMD_STALE, CATS_SLOW, help_client, NULL},
    CLIENT("id", 2, cmd_client_id),
    CLIENT("info", 2, cmd_client_info),
    CLIENT_ADMIN("kill", -3, cmd_client_kill),
    CLIENT_ADMIN("list", -2, cmd_client_list),
    CLIENT_ADMIN("no-evict", 3, cmd_client_no_evict),
    CLIENT_ADMIN("pause", -3, cmd_client_pause),
    CLIENT("reply", 3, cmd_client_reply),
    CLIENT("setinfo", 4, cmd_client_setinfo),
    CLIENT("setname", 3, cmd_client_setname),
    CLIENT("tracking", -3, cmd_client_tracking),
    CLIENT("trackinginfo", 2, cmd_client_trackinginfo),
    CLIENT_ADMIN("unblock", -3, cmd_client_unblock),
    CLIENT_ADMIN("unpause", 2, cmd_client_unpause),
    {NULL, 0, 0, 0, NULL, NULL},
};

#define COMMAND(name, arity, run)                                                      \
    {                                                                                  \
        "command|" name, arity, CMD_LOADING | CMD_STALE, CATS_SLOW, run, NULL          \
    }
static const struct command command_command[] = {
    COMMAND("count", 2, cmd_command_count),
    COMMAND("docs", -2, cmd_command_docs),
    COMMAND("getkeys", -3, cmd_command_getkeys),
    COMMAND("getkeysandflags", -3, cmd_command_getkeys),
    COMMAND("help", 2, help_command),
    COMMAND("info", -2, cmd_command_info),
    COMMAND("list", -2, cmd_command_list),
    {NULL, 0, 0, 0, NULL, NULL},
};

#define SENTINEL(name, arity, run)                                                     \
    {                                                                                  \
        "sentinel|" name, arity, CMD_ADMIN, CATS_ADMIN, run, NULL                      \
    }
static const struct command command_sentinel[] = {
    SENTINEL("get-master-addr-by-name", 3, cmd_sentinel_get_master_addr),
    SENTINEL("is-master-down-by-addr", 6, cmd_sentinel_is_master_down),
    SENTINEL("master", 3, cmd_sentinel_master),
    SENTINEL("masters", 2, cmd_sentinel_masters),
    SENTINEL("replicas", 3, cmd_sentinel_replicas),
    SENTINEL("slaves", 3, cmd_sentinel_replicas),
    SENTINEL("sentinels", 3, cmd_sentinel_sentinels),
    SENTINEL("ckquorum", 3, cmd_sentinel_ckquorum),
    SENTINEL("config", -4, cmd_sentinel_set_config),
    SENTINEL("debug", -2, cmd_sentinel_set_debug),
    SENTINEL("failover", 3, cmd_sentinel_failover),
    SENTINEL("flushconfig", 2, cmd_sentinel_flushconfig),
    SENTINEL("forget", 5, cmd_sentinel_forget),
    SENTINEL("get-primary-addr-by-name", 3, cmd_sentinel_get_master_addr),
    {"sentinel|help", 2, CMD_LOADING | CMD_STALE, CAT_SLOW, help_sentinel, NULL},
    SENTINEL("info-cache", -3, cmd_sentinel_info_cache),
    SENTINEL("is-primary-down-by-addr", 6, cmd_sentinel_is_master_down),
    SENTINEL("monitor", 6, cmd_sentinel_set_monitor),
    SENTINEL("myid", 2, cmd_sentinel_myid),
    SENTINEL("pending-scripts", 2, cmd_sentinel_pending_scripts),
    SENTINEL("primaries", 2, cmd_sentinel_masters),
    SENTINEL("primary", 3, cmd_sentinel_master),
    SENTINEL("remove", 3, cmd_sentinel_remove),
    SENTINEL("reset", 3, cmd_sentinel_reset),
    SENTINEL("set", -5, cmd_sentinel_set),
    SENTINEL("simulate-failure", -3, cmd_sentinel_simulate_failure),
    {NULL, 0, 0, 0, NULL, NULL},
};

const struct command command_table[] = {
    {"sentinel", -2, CMD_ADMIN, CATS_ADMIN, NULL, command_sentinel},
    {"ping", -1, CMD_FAST | CMD_SUBSCRIBER, CATS_FAST, cmd_connection_ping, NULL},
    {"publish", 3,
     CMD_PUBSUB | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_WRITE | CMD_CHANNEL,
     CAT_PUBSUB | CAT_FAST, pubsub_publish, NULL},
    {"acl", -2, 0, CAT_SLOW, NULL, command_acl},
    {"auth", -2, FLAGS_HELLO, CATS_FAST, cmd_connection_auth, NULL},
    {"client", -2, 0, CAT_SLOW, NULL, command_client},
    {"command", -1, CMD_LOADING | CMD_STALE, CATS_SLOW, cmd_command_all,
     command_command},
    {"hello", -1, FLAGS_HELLO, CATS_FAST, cmd_connection_hello, NULL},
    {"info", -1, CMD_LOADING | CMD_STALE, CAT_SLOW | CAT_DANGEROUS, cmd_info, NULL},
    {"psubscribe", -2, FLAGS_PUBSUB | CMD_PATTERNS, CAT_PUBSUB | CAT_SLOW,
     pubsub_psubscribe, NULL},
    {"punsubscribe", -1, FLAGS_PUBSUB, CAT_PUBSUB | CAT_SLOW, pubsub_punsubscribe,
     NULL},
    {"quit", -1, FLAGS_HELLO | CMD_HIDDEN | CMD_SUBSCRIBER, CATS_FAST,
     cmd_connection_quit, NULL},
    {"role", 1, FLAGS_COMMON | CMD_FAST, CAT_ADMIN | CAT_FAST | CAT_DANGEROUS,
     cmd_connection_role, NULL},
    {"shutdown", -1, CMD_ADMIN | FLAGS_COMMON | CMD_NO_MULTI | CMD_ALLOW_BUSY,
     CATS_ADMIN, cmd_connection_shutdown, NULL},
    {"subscribe", -2, FLAGS_PUBSUB | CMD_CHANNELS, CAT_PUBSUB | CAT_SLOW,
     pubsub_subscribe, NULL},
    {"unsubscribe", -1, FLAGS_PUBSUB, CAT_PUBSUB | CAT_SLOW, pubsub_unsubscribe, NULL},
    {NULL, 0, 0, 0, NULL, NULL},
};

static const char *const command_categories[CAT_N] = {
    "keyspace",   "read",        "write",     "set",         "sortedset", "list",
    "hash",       "string",      "bitmap",    "hyperloglog", "geo",       "stream",
    "pubsub",     "admin",       "fast",      "slow",        "blocking",  "dangerous",
    "connection", "transaction", "scripting",
};

const char *command_category_name(int bit)
{
    return command_categories[bit];
}

int command_category_by_name(const char *name, size_t len)
{
    for (int i = 0; i < CAT_N; i++)
        if (strncasecmp(command_categories[i], name, len) == 0 &&
            strlen(command_categories[i]) == len)
            return i;
    return -1;
}

/* ---------------------------------------------------------------------- numbers ----
 */

#define N_ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define TABLE(table)                                                                   \
    {                                                                                  \
        table, (int)N_ROWS(table) - 1                                                  \
    }
static const struct {
    const struct command *table;
    int n;
} command_tables[] = {TABLE(command_table), TABLE(command_acl), TABLE(command_client),
                      TABLE(command_command), TABLE(command_sentinel)};

_Static_assert(N_ROWS(command_table) + N_ROWS(command_acl) + N_ROWS(command_client) +
                       N_ROWS(command_command) + N_ROWS(command_sentinel) <=
                   COMMANDS_MAX,
               "more commands than numbers");
_Static_assert(N_ROWS(command_table) <= 64, "struct command_names has 64 bits");

int command_id(const struct command *command)
{
    int first = 0;

    for (size_t i = 0; i < N_ROWS(command_tables); i++) {
        uintptr_t at = (uintptr_t)command - (uintptr_t)command_tables[i].table;
        if (at < (uintptr_t)command_tables[i].n * sizeof(*command))
            return first + (int)(at / sizeof(*command));
        first += command_tables[i].n;
    }
    assert_fail("a command of the tables", __FILE__, __LINE__, __func__);
}

const struct command *command_by_id(int id)
{
    for (size_t i = 0; i < N_ROWS(command_tables); i++) {
        if (id < command_tables[i].n)
            return &command_tables[i].table[id];
        id -= command_tables[i].n;
    }
    return NULL;
}

/* ------------------------------------------------------------------------ names ----
 */

const char *command_word(const struct command *command)
{
    const char *bar = strchr(command->name, '|');

    return bar != NULL ? bar + 1 : command->name;
}

/* Names of |table| begin with |skip| bytes that are not looked at. */
static const struct command *command_search(const struct command *table, size_t skip,
                                            const char *word, size_t len)
{
    char first = len > 0 ? (char)(word[0] | 0x20) : '\0'; /* lower case, if a letter */

    for (const struct command *c = table; c->name != NULL; c++) {
        const char *name = c->name + skip;
        if (name[0] == first && strncasecmp(name, word, len) == 0 &&
            strlen(name) == len)
            return c;
    }
    return NULL;
}

static const struct command *command_search_sub(const struct command *container,
                                                const char *word, size_t len)
{
    return command_search(container->subs, strlen(container->name) + 1, word, len);
}

/* A command that goes by another name. */
struct command_renamed {
    const struct command *command;
    struct command_renamed *prev, *next;
    size_t len;
    char name[];
};

static bool command_is_moved(const struct command_names *names,
                             const struct command *command)
{
    return (names->moved >> command_id(command) & 1) != 0;
}

static struct command_renamed *command_renamed_find(const struct command_names *names,
                                                    const char *word, size_t len)
{
    struct command_renamed *r;

    DL_FOREACH(names->renamed, r)
    {
        if (r->len == len && strncasecmp(r->name, word, len) == 0)
            return r;
    }
    return NULL;
}

/* A top-level command by the name it goes by. */
static const struct command *command_top(const struct command_names *names,
                                         const char *word, size_t len)
{
    if (names != NULL && names->renamed != NULL) {
        const struct command_renamed *r = command_renamed_find(names, word, len);
        if (r != NULL)
            return r->command;
    }
    const struct command *command = command_search(command_table, 0, word, len);
    if (command != NULL && names != NULL && names->moved != 0 &&
        command_is_moved(names, command))
        return NULL;
    return command;
}

int command_rename(struct command_names *names, const char *from, const char *to,
                   struct error *err)
{
    const struct command *command = command_top(names, from, strlen(from));
    struct command_renamed *old = command_renamed_find(names, from, strlen(from));
    size_t len = strlen(to);

    if (command == NULL)
        return error_set(err, ERR_UNKNOWN, "No such command in rename-command");
    if (old != NULL) {
        DL_DELETE(names->renamed, old);
        mem_free(old);
    }
    names->moved |= UINT64_C(1) << command_id(command);
    if (len == 0)
        return 0;
    if (command_top(names, to, len) != NULL)
        return error_set(err, ERR_DUPLICATE, "Target command name already exists");

    struct command_renamed *renamed = mem_zalloc(sizeof(*renamed) + len + 1);
    renamed->command = command;
    renamed->len = len;
    memcpy(renamed->name, to, len);
    DL_APPEND(names->renamed, renamed);
    return 0;
}

void command_names_release(struct command_names *names)
{
    struct command_renamed *r, *next;

    DL_FOREACH_SAFE(names->renamed, r, next)
    {
        DL_DELETE(names->renamed, r);
        mem_free(r);
    }
    names->moved = 0;
}

bool command_is_callable(const struct command_names *names,
                         const struct command *command)
{
    const struct command_renamed *r;
    size_t len = strcspn(command->name, "|");
    const struct command *top = command_search(command_table, 0, command->name, len);

    if (!command_is_moved(names, top))
        return true;
    DL_FOREACH(names->renamed, r)
    {
        if (r->command == top)
            return true;
    }
    return false;
}

enum command_result command_find(const struct command_names *names,
                                 const struct resp_arg *argv, size_t argc,
                                 const struct command **out)
{
    const struct command *command = command_top(names, argv[0].str, argv[0].len);

    *out = command;
    if (command == NULL)
        return COMMAND_UNKNOWN;
    if (command->subs == NULL || argc == 1)
        return COMMAND_FOUND;

    const struct command *sub = command_search_sub(command, argv[1].str, argv[1].len);
    if (sub == NULL)
        return COMMAND_UNKNOWN_SUB;
    *out = sub;
    return COMMAND_FOUND;
}

const struct command *command_by_name(const struct command_names *names,
                                      const char *name, size_t len)
{
    const char *bar = memchr(name, '|', len);
    size_t first = bar != NULL ? (size_t)(bar - name) : len;
    const struct command *command = command_top(names, name, first);

    if (command == NULL || bar == NULL)
        return command;
    if (command->subs == NULL)
        return NULL;
    return command_search_sub(command, bar + 1, len - first - 1);
}

bool command_arity_ok(const struct command *command, size_t argc)
{
    return command->arity >= 0 ? argc == (size_t)command->arity
                               : argc >= (size_t)-command->arity;
}

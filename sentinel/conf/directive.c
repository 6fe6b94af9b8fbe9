/*
 * directive.c - generic directives: one table of those with an effect, lists of those
 * that are accepted because stock accepts them (interface.md 6.4, 6.5).
 */
#include "sentinel/conf/internal.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <unistd.h>

struct choice {
    const char *name;
    int value;
};

enum directive_type {
    DIRECTIVE_YESNO,  /* bool */
    DIRECTIVE_INT,    /* int, within min..max */
    DIRECTIVE_OCTAL,  /* int, within min..max */
    DIRECTIVE_MEMORY, /* int64_t, at least min */
    DIRECTIVE_TEXT,   /* const char * */
    DIRECTIVE_CHOICE, /* int, one of choices */
    DIRECTIVE_WORD,   /* const char *, the name of one of choices */
    DIRECTIVE_OWN     /* apply() */
};

struct directive {
    const char *name;
    enum directive_type type;
    size_t offset; /* in struct conf_options; KEPT: only checked, see conf_words() */
    int64_t min, max;
    const struct choice *choices;
    int (*apply)(struct conf *conf, const struct args *args, struct error *err);
};

#define KEPT SIZE_MAX
#define INTO(field) offsetof(struct conf_options, field)

static const struct choice choices_supervised[] = {
    {"upstart", 0}, {"systemd", 0}, {"auto", 0}, {"no", 0}, {NULL, 0}};
static const struct choice choices_loglevel[] = {
    {"debug", LOG_LVL_DEBUG},     {"verbose", LOG_LVL_VERBOSE},
    {"notice", LOG_LVL_NOTICE},   {"warning", LOG_LVL_WARNING},
    {"nothing", LOG_LVL_NOTHING}, {NULL, 0}};
static const struct choice choices_format[] = {{"legacy", LOG_FORMAT_LEGACY},
                                               {"logfmt", LOG_FORMAT_LOGFMT},
                                               {"json", LOG_FORMAT_JSON},
                                               {NULL, 0}};
static const struct choice choices_stamp[] = {{"legacy", LOG_STAMP_LEGACY},
                                              {"iso8601", LOG_STAMP_ISO8601},
                                              {"milliseconds", LOG_STAMP_MS},
                                              {NULL, 0}};
static const struct choice choices_facility[] = {
    {"user", LOG_USER},     {"local0", LOG_LOCAL0},
    {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},
    {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},
    {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7}, {NULL, 0}};
static const struct choice choices_tls_auth[] = {
    {"no", 0}, {"yes", 0}, {"optional", 0}, {NULL, 0}};
static const struct choice choices_acl_pubsub[] = {
    {"allchannels", 0}, {"resetchannels", 0}, {NULL, 0}};

static int directive_bind(struct conf *conf, const struct args *args,
                          struct error *err);
static int directive_dir(struct conf *conf, const struct args *args, struct error *err);
static int directive_output_limit(struct conf *conf, const struct args *args,
                                  struct error *err);
static int directive_client_memory(struct conf *conf, const struct args *args,
                                   struct error *err);
static int directive_mark(struct conf *conf, const struct args *args,
                          struct error *err);
static int directive_title(struct conf *conf, const struct args *args,
                           struct error *err);
static int directive_user(struct conf *conf, const struct args *args,
                          struct error *err);
static int directive_rename(struct conf *conf, const struct args *args,
                            struct error *err);

#define YESNO(name, field)                                                             \
    {                                                                                  \
        name, DIRECTIVE_YESNO, INTO(field), 0, 0, NULL, NULL                           \
    }
#define INT(name, field, min, max)                                                     \
    {                                                                                  \
        name, DIRECTIVE_INT, INTO(field), min, max, NULL, NULL                         \
    }
#define TEXT(name, field)                                                              \
    {                                                                                  \
        name, DIRECTIVE_TEXT, INTO(field), 0, 0, NULL, NULL                            \
    }
#define MEMORY(name, field, min)                                                       \
    {                                                                                  \
        name, DIRECTIVE_MEMORY, INTO(field), min, 0, NULL, NULL                        \
    }
#define CHOICE(name, field, choices)                                                   \
    {                                                                                  \
        name, DIRECTIVE_CHOICE, INTO(field), 0, 0, choices, NULL                       \
    }
#define WORD(name, field, choices)                                                     \
    {                                                                                  \
        name, DIRECTIVE_WORD, INTO(field), 0, 0, choices, NULL                         \
    }
#define OWN(name, apply)                                                               \
    {                                                                                  \
        name, DIRECTIVE_OWN, KEPT, 0, 0, NULL, apply                                   \
    }
#define KEEP(name, type, min, max, choices)                                            \
    {                                                                                  \
        name, type, KEPT, min, max, choices, NULL                                      \
    }

static const struct directive directives[] = {
    INT("port", port, 0, 65535),
    INT("tls-port", tls_port, 0, 65535),
    YESNO("tls-replication", tls_replication),
    YESNO("tls-cluster", tls_cluster),
    OWN("bind", directive_bind),
    TEXT("bind-source-addr", bind_source_addr),
    TEXT("unixsocket", unixsocket),
    {"unixsocketperm", DIRECTIVE_OCTAL, INTO(unixsocketperm), 0, 0777, NULL, NULL},
    INT("tcp-backlog", tcp_backlog, 0, INT_MAX),
    INT("tcp-keepalive", tcp_keepalive, 0, INT_MAX),
    INT("timeout", timeout_s, 0, INT_MAX),
    INT("maxclients", maxclients, 1, UINT32_MAX),
    YESNO("protected-mode", protected_mode),
    TEXT("requirepass", requirepass),
    MEMORY("client-query-buffer-limit", query_buffer_limit, 1 << 20),
    MEMORY("proto-max-bulk-len", bulk_max, 1 << 20),
    OWN("client-output-buffer-limit", directive_output_limit),
    OWN("maxmemory-clients", directive_client_memory),
    YESNO("daemonize", daemonize),
    WORD("supervised", supervised, choices_supervised),
    TEXT("pidfile", pidfile),
    OWN("dir", directive_dir),
    TEXT("logfile", logfile),
    CHOICE("loglevel", loglevel, choices_loglevel),
    CHOICE("log-format", log_format, choices_format),
    CHOICE("log-timestamp-format", log_stamp, choices_stamp),
    YESNO("syslog-enabled", syslog),
    TEXT("syslog-ident", syslog_ident),
    CHOICE("syslog-facility", syslog_facility, choices_facility),
    YESNO("always-show-logo", always_show_logo),
    YESNO("set-proc-title", set_proc_title),
    OWN("proc-title-template", directive_title),
    YESNO("crash-log-enabled", crash_log),
    OWN("socket-mark-id", directive_mark),
    /* read by others through conf_words() */
    OWN("user", directive_user),
    OWN("rename-command", directive_rename),
    KEEP("aclfile", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("acllog-max-len", DIRECTIVE_INT, 0, INT64_MAX, NULL),
    KEEP("acl-pubsub-default", DIRECTIVE_WORD, 0, 0, choices_acl_pubsub),
    KEEP("tls-cert-file", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("tls-key-file", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("tls-key-file-pass", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("tls-client-cert-file", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("tls-client-key-file", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("tls-client-key-file-pass", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("tls-ca-cert-file", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("tls-ca-cert-dir", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("tls-dh-params-file", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("tls-auth-clients", DIRECTIVE_WORD, 0, 0, choices_tls_auth),
    KEEP("tls-protocols", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("tls-ciphers", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("tls-ciphersuites", DIRECTIVE_TEXT, 0, 0, NULL),
    KEEP("tls-prefer-server-ciphers", DIRECTIVE_YESNO, 0, 0, NULL),
    KEEP("tls-session-caching", DIRECTIVE_YESNO, 0, 0, NULL),
    KEEP("tls-session-cache-size", DIRECTIVE_INT, 0, INT_MAX, NULL),
    KEEP("tls-session-cache-timeout", DIRECTIVE_INT, 0, INT_MAX, NULL),
};

void directive_defaults(struct conf_options *options)
{
    *options = (struct conf_options){
        .port = 26379,
        .bind_source_addr = "",
        .unixsocket = "",
        .tcp_backlog = 511,
        .tcp_keepalive = 300,
        .maxclients = 10000,
        .requirepass = "",
        .query_buffer_limit = 1 << 30,
        .bulk_max = 512 << 20,
        .output_pubsub = {.hard = 32 << 20, .soft = 8 << 20, .soft_s = 60},
        .supervised = "no",
        .pidfile = "",
        .dir = "",
        .logfile = "",
        .loglevel = LOG_LVL_NOTICE,
        .log_format = LOG_FORMAT_LEGACY,
        .log_stamp = LOG_STAMP_LEGACY,
        .syslog_ident = "redis",
        .syslog_facility = LOG_LOCAL0,
        .set_proc_title = true,
        .proc_title_template = "{title} {listen-addr} {server-mode}",
        .crash_log = true,
    };
}

/* ------------------------------------------------------------------- values ----- */

static int directive_wrong_count(struct error *err)
{
    return error_set(err, ERR_SYNTAX, "wrong number of arguments");
}

bool directive_yesno(const char *word, bool *value)
{
    *value = strcasecmp(word, "yes") == 0;
    return *value || strcasecmp(word, "no") == 0;
}

/* Units of memory values; none is bytes. */
static bool directive_unit(const char *unit, int64_t *factor)
{
    static const struct {
        const char *name;
        int64_t factor;
    } units[] = {{"", 1},        {"b", 1},        {"k", 1000},       {"kb", 1 << 10},
                 {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30}};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcasecmp(unit, units[i].name) == 0) {
            *factor = units[i].factor;
            return true;
        }
    }
    return false;
}

/*
 * "64mb" and the like. False if |text| is nothing of the kind. Without digits it is 0,
 * as in stock; too large for 64 bits is -1, which no range lets through.
 */
static bool directive_memory(const char *text, int64_t *value)
{
    int64_t factor;

    *value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (*value >= 0 && (__builtin_mul_overflow(*value, 10, value) ||
                            __builtin_add_overflow(*value, *text - '0', value)))
            *value = -1;
    }
    if (!directive_unit(text, &factor))
        return false;
    if (*value >= 0 && __builtin_mul_overflow(*value, factor, value))
        *value = -1;
    return true;
}

static bool directive_octal(const char *text, int64_t *value)
{
    bool is_negative = *text == '-';

    *value = 0;
    text += is_negative;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '7')
            return false;
        if (*value < 1 << 20)
            *value = *value * 8 + (*text - '0');
    }
    if (is_negative)
        *value = -*value;
    return true;
}

static int directive_check_range(int64_t value, int64_t min, int64_t max, bool is_octal,
                                 struct error *err)
{
    if (value >= min && value <= max)
        return 0;
    if (is_octal)
        return error_set(err, ERR_RANGE,
                         "argument must be between %llo and %llo inclusive",
                         (unsigned long long)min, (unsigned long long)max);
    return error_set(err, ERR_RANGE, "argument must be between %lld and %lld inclusive",
                     (long long)min, (long long)max);
}

static int directive_int(const struct directive *rule, const struct args *args,
                         int *slot, struct error *err)
{
    bool is_octal = rule->type == DIRECTIVE_OCTAL;
    int64_t value;

    if (is_octal) {
        if (!directive_octal(args->words[1], &value))
            return error_set(err, ERR_SYNTAX,
                             "argument couldn't be parsed as an octal number");
    } else if (!args_int(args->words[1], args->lens[1], &value)) {
        return error_set(err, ERR_SYNTAX,
                         "argument couldn't be parsed into an integer");
    }
    int rc = directive_check_range(value, rule->min, rule->max, is_octal, err);
    if (rc == 0 && slot != NULL)
        *slot = value > INT_MAX ? INT_MAX : (int)value;
    return rc;
}

static int directive_bytes(const struct directive *rule, const char *word,
                           int64_t *slot, struct error *err)
{
    int64_t value;

    if (!directive_memory(word, &value))
        return error_set(err, ERR_SYNTAX, "argument must be a memory value");
    int rc = directive_check_range(value, rule->min, INT64_MAX, false, err);
    if (rc == 0)
        *slot = value;
    return rc;
}

/* Bytes, or a percentage of maxmemory, which is nothing here. */
static int directive_client_memory(struct conf *conf, const struct args *args,
                                   struct error *err)
{
    const char *word = args->n == 2 ? args->words[1] : "";
    size_t len = strlen(word);
    int64_t value;

    if (args->n != 2)
        return directive_wrong_count(err);
    if (len > 1 && word[len - 1] == '%') {
        if (!args_int(word, len - 1, &value) || value < 0)
            return error_set(err, ERR_SYNTAX,
                             "argument must be a memory or percent value");
        conf->options.maxmemory_clients = 0;
        return value <= 100 ? 0
                            : error_set(err, ERR_RANGE,
                                        "percentage argument must be less or equal to "
                                        "100");
    }
    if (!directive_memory(word, &value))
        return error_set(err, ERR_SYNTAX, "argument must be a memory or percent value");
    int rc = directive_check_range(value, 0, INT64_MAX, false, err);
    if (rc == 0)
        conf->options.maxmemory_clients = value;
    return rc;
}

static int directive_choice(const struct choice *choices, const char *word,
                            const struct choice **found, struct error *err)
{
    struct buf names = {0};

    for (const struct choice *c = choices; c->name != NULL; c++) {
        if (strcasecmp(c->name, word) == 0) {
            *found = c;
            buf_release(&names);
            return 0;
        }
        buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", c->name);
    }
    error_set(err, ERR_SYNTAX, "argument(s) must be one of the following: %s",
              buf_text(&names));
    buf_release(&names);
    return ERR_SYNTAX;
}

/* ------------------------------------------- directives with their own rules ---- */

/* Lists may come as one word that holds blanks (`bind "a b"`): then |split| gets the
 * words of that one, else |args| is used as it is. Words begin at the returned *from.
 */
static const struct args *directive_list(const struct args *args, struct args *split,
                                         size_t *from)
{
    *split = (struct args){0};
    *from = 1;
    if (args->n != 2 || args_split(split, args->words[1], args->lens[1]) != 0)
        return args;
    *from = 0;
    return split;
}

static int directive_bind(struct conf *conf, const struct args *args, struct error *err)
{
    struct args split;
    size_t from;
    const struct args *list = directive_list(args, &split, &from);
    int rc = 0;

    if (list->n - from > CONF_BIND_MAX) {
        rc = error_set(err, ERR_LIMIT, "Too many bind addresses specified.");
    } else {
        conf->options.bind_set = true;
        conf->options.n_bind = 0;
        for (size_t i = from; i < list->n; i++)
            conf->options.bind[conf->options.n_bind++] =
                arena_strdup(&conf->strings, list->words[i]);
    }
    args_release(&split);
    return rc;
}

static int directive_dir(struct conf *conf, const struct args *args, struct error *err)
{
    if (args->n != 2)
        return directive_wrong_count(err);
    if (!conf->in_memory && chdir(args->words[1]) != 0)
        return error_set(err, ERR_IO, "%s", strerror(errno));
    conf->options.dir = arena_strdup(&conf->strings, args->words[1]);
    return 0;
}

/* One class with its three limits; |words| has four. */
static int directive_output_class(struct conf_options *options, char *const *words,
                                  struct error *err)
{
    int64_t hard, soft, seconds;

    bool is_normal = strcasecmp(words[0], "normal") == 0;
    bool is_pubsub = strcasecmp(words[0], "pubsub") == 0;
    if (!is_normal && !is_pubsub && strcasecmp(words[0], "replica") != 0 &&
        strcasecmp(words[0], "slave") != 0)
        return error_set(err, ERR_SYNTAX,
                         "Invalid client class specified in buffer limit "
                         "configuration.");
    if (!directive_memory(words[1], &hard) || !directive_memory(words[2], &soft) ||
        !args_int(words[3], strlen(words[3]), &seconds) || hard < 0 || soft < 0 ||
        seconds < 0)
        return error_set(err, ERR_SYNTAX,
                         "Error in hard, soft or soft_seconds setting in buffer limit "
                         "configuration.");
    int soft_s = seconds > INT_MAX ? INT_MAX : (int)seconds;
    if (is_normal) {
        options->output_normal.hard = hard;
        options->output_normal.soft = soft;
        options->output_normal.soft_s = soft_s;
    } else if (is_pubsub) {
        options->output_pubsub.hard = hard;
        options->output_pubsub.soft = soft;
        options->output_pubsub.soft_s = soft_s;
    }
    return 0;
}

static int directive_output_limit(struct conf *conf, const struct args *args,
                                  struct error *err)
{
    struct args split;
    size_t from;
    const struct args *list = directive_list(args, &split, &from);
    int rc = 0;

    if ((list->n - from) % 4 != 0)
        rc = error_set(err, ERR_SYNTAX,
                       "Wrong number of arguments in buffer limit configuration.");
    for (size_t i = from; i < list->n && rc == 0; i += 4)
        rc = directive_output_class(&conf->options, list->words + i, err);
    args_release(&split);
    return rc;
}

/* 32 bits without a sign, so that no int holds it. */
static int directive_mark(struct conf *conf, const struct args *args, struct error *err)
{
    int64_t value;

    if (args->n != 2)
        return directive_wrong_count(err);
    if (!args_int(args->words[1], args->lens[1], &value))
        return error_set(err, ERR_SYNTAX,
                         "argument couldn't be parsed into an integer");
    int rc = directive_check_range(value, 0, UINT32_MAX, false, err);
    if (rc == 0)
        conf->options.socket_mark = value;
    return rc;
}

static int directive_title(struct conf *conf, const struct args *args,
                           struct error *err)
{
    struct buf title = {0};

    if (args->n != 2)
        return directive_wrong_count(err);
    bool is_valid = title_expand(conf, args->words[1], "", "", &title);
    buf_release(&title);
    if (!is_valid)
        return error_set(err, ERR_SYNTAX,
                         "template format is invalid or contains unknown variables");
    conf->options.proc_title_template = arena_strdup(&conf->strings, args->words[1]);
    return 0;
}

static int directive_user(struct conf *conf, const struct args *args, struct error *err)
{
    const struct args *other;

    if (args->n < 2)
        return error_set(err, ERR_SYNTAX, DIRECTIVE_BAD);
    for (size_t i = 0; (other = conf_words(conf, "user", i)) != NULL; i++) {
        if (strcmp(other->words[1], args->words[1]) == 0 &&
            !users_is_declared(conf, args->words[1]))
            return error_set(err, ERR_DUPLICATE,
                             "Error in user declaration '%s': Duplicate user found. A "
                             "user can only be defined once in config files",
                             args->words[1]);
    }
    return conf->check != NULL ? conf->check(conf->check_ctx, conf, args, err) : 0;
}

static int directive_rename(struct conf *conf, const struct args *args,
                            struct error *err)
{
    if (args->n != 3)
        return error_set(err, ERR_SYNTAX, DIRECTIVE_BAD);
    return conf->check != NULL ? conf->check(conf->check_ctx, conf, args, err) : 0;
}

/* ------------------------------------------------------------------ dispatch ---- */

static int directive_store(struct conf *conf, const struct directive *rule,
                           const struct args *args, struct error *err)
{
    char *base = (char *)&conf->options;
    void *slot = rule->offset != KEPT ? base + rule->offset : NULL;
    const struct choice *choice;
    bool yes;
    int rc = 0;

    switch (rule->type) {
    case DIRECTIVE_YESNO:
        if (!directive_yesno(args->words[1], &yes))
            return error_set(err, ERR_SYNTAX, "argument must be 'yes' or 'no'");
        if (slot != NULL)
            *(bool *)slot = yes;
        break;
    case DIRECTIVE_INT:
    case DIRECTIVE_OCTAL:
        rc = directive_int(rule, args, slot, err);
        break;
    case DIRECTIVE_MEMORY:
        rc = directive_bytes(rule, args->words[1], slot, err);
        break;
    case DIRECTIVE_TEXT:
        if (slot != NULL)
            *(const char **)slot = arena_strdup(&conf->strings, args->words[1]);
        break;
    case DIRECTIVE_CHOICE:
        rc = directive_choice(rule->choices, args->words[1], &choice, err);
        if (rc == 0)
            *(int *)slot = choice->value;
        break;
    case DIRECTIVE_WORD:
        rc = directive_choice(rule->choices, args->words[1], &choice, err);
        if (rc == 0 && slot != NULL)
            *(const char **)slot = choice->name;
        break;
    case DIRECTIVE_OWN:
        break;
    }
    return rc;
}

/* A directive of the data server, or of a module. It is checked as far as all versions
 * agree, and has no effect. */
static int directive_ignore(struct conf *conf, const struct args *args,
                            struct error *err)
{
    const char *name = args->words[0];
    int64_t number;
    bool yes;

    enum known_type type = known_type_of(name);
    if (type == KNOWN_NOT && strchr(name, '.') == NULL)
        return error_set(err, ERR_UNKNOWN, DIRECTIVE_BAD);
    if (type == KNOWN_NOT && args->n < 2)
        return error_set(err, ERR_SYNTAX, "Module config specified without value");
    if (type != KNOWN_NOT && type != KNOWN_LIST && args->n != 2)
        return directive_wrong_count(err);
    if (type == KNOWN_YESNO && !directive_yesno(args->words[1], &yes))
        return error_set(err, ERR_SYNTAX, "argument must be 'yes' or 'no'");
    if (type == KNOWN_INT && !args_int(args->words[1], args->lens[1], &number))
        return error_set(err, ERR_SYNTAX,
                         "argument couldn't be parsed into an integer");
    if (type == KNOWN_MEMORY && !directive_memory(args->words[1], &number))
        return error_set(err, ERR_SYNTAX, "argument must be a memory value");
    conf_note(conf, LOG_LVL_DEBUG, "Directive '%.100s' has no effect here", name);
    return 0;
}

int directive_apply(struct conf *conf, const struct args *args, struct error *err)
{
    for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++) {
        const struct directive *rule = &directives[i];
        if (strcmp(rule->name, args->words[0]) != 0)
            continue;
        if (rule->type != DIRECTIVE_OWN && args->n != 2)
            return directive_wrong_count(err);
        return rule->type == DIRECTIVE_OWN ? rule->apply(conf, args, err)
                                           : directive_store(conf, rule, args, err);
    }
    return directive_ignore(conf, args, err);
}

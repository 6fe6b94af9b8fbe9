/*
 * statement.c - `sentinel` lines: queued while reading, handed to the core later in
 * three passes, so that their order in the file does not matter (behaviour.md 12.1).
 */
#include "sentinel/conf/internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SLINE_BAD "Unrecognized sentinel configuration statement."

#define GLOBAL(name, kind, type, option)                                               \
    {                                                                                  \
        name, SLINE_##kind, SLINE_TYPE_##type, CORE_OPT_##option, 1, 1, false          \
    }
#define MASTER(name, kind, type, option)                                               \
    {                                                                                  \
        name, SLINE_##kind, SLINE_TYPE_##type, CORE_OPT_##option, 3, 2, true           \
    }

/* Where two names mean the same, the first is the one that is written. */
static const struct sline_rule sline_rules[] = {
    GLOBAL("myid", MYID, OTHER, MYID),
    GLOBAL("deny-scripts-reconfig", DENY_SCRIPTS, YESNO, DENY_SCRIPTS),
    GLOBAL("resolve-hostnames", RESOLVE_HOSTNAMES, YESNO, RESOLVE_HOSTNAMES),
    GLOBAL("announce-hostnames", ANNOUNCE_HOSTNAMES, YESNO, ANNOUNCE_HOSTNAMES),
    GLOBAL("vote-for-unknown", VOTE_FOR_UNKNOWN, YESNO, VOTE_FOR_UNKNOWN),
    GLOBAL("current-epoch", CURRENT_EPOCH, EPOCH, CURRENT_EPOCH),
    GLOBAL("announce-ip", ANNOUNCE_IP, TEXT, ANNOUNCE_IP),
    GLOBAL("announce-port", ANNOUNCE_PORT, NUMBER, ANNOUNCE_PORT),
    GLOBAL("sentinel-user", SENTINEL_USER, TEXT, SENTINEL_USER),
    GLOBAL("sentinel-pass", SENTINEL_PASS, TEXT, SENTINEL_PASS),
    GLOBAL("tls-verify-hostname", TLS_VERIFY_HOSTNAME, YESNO, TLS_VERIFY_HOSTNAME),
    GLOBAL("gossip-secret", GOSSIP_SECRET, TEXT, GOSSIP_SECRET),
    GLOBAL("gossip-secret-also", GOSSIP_SECRET_ALSO, TEXT, GOSSIP_SECRET_ALSO),
    GLOBAL("gossip-auth", GOSSIP_AUTH, OTHER, GOSSIP_AUTH),
    GLOBAL("known-signer", KNOWN_SIGNER, OTHER, KNOWN_SIGNER),
    {"state-dir", SLINE_STATE_DIR, SLINE_TYPE_OTHER, CORE_OPT_N, 1, 1, false},
    {"monitor", SLINE_MONITOR, SLINE_TYPE_OTHER, CORE_OPT_N, 2, 4, true},
    {"declared", SLINE_DECLARED, SLINE_TYPE_OTHER, CORE_OPT_N, 2, 4, true},
    {"removed", SLINE_REMOVED, SLINE_TYPE_OTHER, CORE_OPT_N, 2, 4, true},
    MASTER("down-after-milliseconds", DOWN_AFTER, TIME, DOWN_AFTER),
    MASTER("failover-timeout", FAILOVER_TIMEOUT, TIME, FAILOVER_TIMEOUT),
    MASTER("parallel-syncs", PARALLEL_SYNCS, NUMBER, PARALLEL_SYNCS),
    MASTER("notification-script", NOTIFICATION_SCRIPT, SCRIPT, NOTIFICATION_SCRIPT),
    MASTER("client-reconfig-script", RECONFIG_SCRIPT, SCRIPT, RECONFIG_SCRIPT),
    MASTER("auth-pass", AUTH_PASS, TEXT, AUTH_PASS),
    MASTER("auth-user", AUTH_USER, TEXT, AUTH_USER),
    MASTER("master-reboot-down-after-period", REBOOT_DOWN_AFTER, NUMBER,
           REBOOT_DOWN_AFTER),
    MASTER("primary-reboot-down-after-period", REBOOT_DOWN_AFTER, NUMBER,
           REBOOT_DOWN_AFTER),
    MASTER("forget-replica-after", FORGET_REPLICA, NUMBER, FORGET_REPLICA),
    MASTER("tls", TLS, YESNO, TLS),
    MASTER("config-epoch", CONFIG_EPOCH, EPOCH, CONFIG_EPOCH),
    MASTER("leader-epoch", LEADER_EPOCH, EPOCH, LEADER_EPOCH),
    {"known-replica", SLINE_KNOWN_REPLICA, SLINE_TYPE_OTHER, CORE_OPT_N, 3, 3, true},
    {"known-slave", SLINE_KNOWN_REPLICA, SLINE_TYPE_OTHER, CORE_OPT_N, 3, 3, true},
    {"known-sentinel", SLINE_KNOWN_SENTINEL, SLINE_TYPE_OTHER, CORE_OPT_N, 3, 4, true},
    {"rename-command", SLINE_RENAME_COMMAND, SLINE_TYPE_OTHER, CORE_OPT_RENAME_COMMAND,
     3, 3, true},
};

#define N_RULES (sizeof sline_rules / sizeof sline_rules[0])

const struct sline_rule *sline_rule_by_name(const char *name)
{
    for (size_t i = 0; i < N_RULES; i++) {
        if (strcasecmp(sline_rules[i].name, name) == 0)
            return &sline_rules[i];
    }
    return NULL;
}

const struct sline_rule *sline_rule_by_kind(enum sline_kind kind)
{
    size_t i = 0;

    while (i < N_RULES && sline_rules[i].kind != kind)
        i++;
    ASSERT_CMP(i, <, N_RULES);
    return &sline_rules[i];
}

bool sline_is_setting(enum sline_kind kind)
{
    switch (kind) {
    case SLINE_MYID:
    case SLINE_MONITOR:
    case SLINE_DECLARED:
    case SLINE_REMOVED:
    case SLINE_CURRENT_EPOCH:
    case SLINE_CONFIG_EPOCH:
    case SLINE_LEADER_EPOCH:
    case SLINE_KNOWN_REPLICA:
    case SLINE_KNOWN_SENTINEL:
    case SLINE_KNOWN_SIGNER:
        return false;
    default:
        return true;
    }
}

int64_t sline_number(const char *text)
{
    int64_t value = 0;

    while (*text == ' ' || (*text >= '\t' && *text <= '\r'))
        text++;
    bool is_negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (*text - '0');
        if (value > SLINE_NUMBER_MAX)
            value = SLINE_NUMBER_MAX;
    }
    return is_negative ? -value : value;
}

int64_t sline_epoch(const char *text)
{
    int64_t value = 0;

    while (*text == ' ' || (*text >= '\t' && *text <= '\r'))
        text++;
    for (text += *text == '+'; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *text - '0', &value))
            return INT64_MAX;
    }
    return value;
}

/* Is the number of words right? known-sentinel may lack its run id, and is then
 * ignored: so old versions wrote it. */
static bool statement_is_complete(const struct statement *st)
{
    size_t n_words = st->args.n - 2;

    if (st->rule->kind == SLINE_KNOWN_SENTINEL && n_words == 3)
        return true;
    return n_words == st->rule->n_words;
}

static bool statement_is_ignored(const struct statement *st)
{
    return st->rule->kind == SLINE_KNOWN_SENTINEL && st->args.n == 5;
}

void statement_place(struct conf *conf, const struct statement *st,
                     struct doc_line *doc)
{
    struct buf key = {0};

    if (st->rule->kind == SLINE_STATE_DIR || st->source == SOURCE_TEXT ||
        (st->source == SOURCE_MAIN && doc == NULL))
        return;
    struct doc_block *block =
        doc_block(&conf->doc, st->rule->has_master ? st->args.words[2] : NULL);
    doc_key(&key, st->rule, &st->args);
    if (st->source == SOURCE_MAIN) {
        doc->key = mem_strndup(key.data, key.len);
        doc->is_old_name = sline_rule_by_kind(st->rule->kind) != st->rule &&
                           st->rule->kind == SLINE_KNOWN_REPLICA;
        doc_block_add(block, doc);
    } else {
        struct doc_included *included = mem_zalloc(sizeof *included);
        included->key = mem_strndup(key.data, key.len);
        LL_PREPEND(block->included, included);
    }
    buf_release(&key);
}

int statement_queue(struct conf *conf, enum conf_source source, int line,
                    const char *text, size_t text_len, struct args *args,
                    struct doc_line *doc, struct error *err)
{
    for (size_t i = 0; i < args->n; i++) {
        if (strlen(args->words[i]) != args->lens[i])
            return error_set(err, ERR_SYNTAX, "NUL byte in configuration line");
    }
    if (args->n == 1)
        return 0;

    struct statement *st = mem_zalloc(sizeof *st);
    st->rule = sline_rule_by_name(args->words[1]);
    st->source = source;
    st->file = conf->file;
    st->line = line;
    st->text = mem_strndup(text, text_len);
    st->text_len = text_len;
    st->args = *args;
    *args = (struct args){0};
    if (st->rule != NULL && !statement_is_complete(st))
        st->is_wrong = true;
    if (conf->queue == NULL)
        conf->queue = st;
    else
        conf->queue_tail->next = st;
    conf->queue_tail = st;
    if (st->rule != NULL && !st->is_wrong) {
        statement_place(conf, st, doc);
        if (st->rule->kind == SLINE_STATE_DIR && conf->state_file == NULL)
            conf->state_dir = arena_strdup(&conf->strings, st->args.words[2]);
    }
    return 0;
}

void statement_free_all(struct conf *conf)
{
    while (conf->queue != NULL) {
        struct statement *st = conf->queue;
        conf->queue = st->next;
        args_release(&st->args);
        mem_free(st->text);
        mem_free(st);
    }
}

/* ------------------------------------------------------------------ applying ---- */

/* Do two keys of one master speak of the same thing, of which there is one? */
static bool statement_same_subject(const char *a, const char *b)
{
    if (a[0] != b[0])
        return false;
    switch (DOC_KEY_KIND(a)) {
    case SLINE_MONITOR:
    case SLINE_CONFIG_EPOCH:
    case SLINE_LEADER_EPOCH:
        return true;
    case SLINE_KNOWN_REPLICA:
        return strcmp(a, b) == 0;
    case SLINE_KNOWN_SENTINEL:
    case SLINE_RENAME_COMMAND: {
        struct buf a_subject = {0}, b_subject = {0};
        doc_key_put_subject(&a_subject, a);
        doc_key_put_subject(&b_subject, b);
        bool is_same = strcmp(a_subject.data, b_subject.data) == 0;
        buf_release(&a_subject);
        buf_release(&b_subject);
        return is_same;
    }
    default:
        return false;
    }
}

/* Does the main file have its own line about what |st| of another source is about?
 * That line is the newer one: it is where state is written. */
static bool statement_is_overridden(struct conf *conf, const struct statement *st)
{
    struct buf key = {0};
    bool found = false;

    if (st->source == SOURCE_MAIN || !st->rule->has_master)
        return false;
    struct doc_block *block = doc_block(&conf->doc, st->args.words[2]);
    doc_key(&key, st->rule, &st->args);
    for (struct doc_line *line = block->lines; line != NULL && !found;
         line = line->block_next)
        found = statement_same_subject(line->key, key.data);
    buf_release(&key);
    return found;
}

static int statement_set(struct core *core, const struct statement *st,
                         enum core_option option, int64_t number, struct error *err)
{
    const struct sline_rule *rule = st->rule;
    size_t from = rule->has_master ? 3 : 2;
    struct core_setting setting = {
        .option = option,
        .number = number,
        .text = st->args.words[from],
        .text2 = from + 1 < st->args.n ? st->args.words[from + 1] : NULL,
        .word = rule->name,
    };
    const char *master = rule->has_master ? st->args.words[2] : NULL;

    if (option == CORE_OPT_CURRENT_EPOCH)
        master = NULL;
    return core_load_setting(core, master, &setting, err);
}

static int statement_apply_yesno(struct core *core, const struct statement *st,
                                 struct error *err)
{
    bool yes;

    if (!directive_yesno(st->args.words[st->args.n - 1], &yes))
        return error_set(
            err, ERR_SYNTAX, "Please specify yes or no for the %s option%s.",
            st->rule->name, st->rule->kind == SLINE_DENY_SCRIPTS ? "s" : "");
    return statement_set(core, st, st->rule->option, yes, err);
}

static int statement_apply_number(struct conf *conf, struct core *core,
                                  const struct statement *st, struct error *err)
{
    const char *word = st->args.words[st->args.n - 1];
    int64_t number = sline_number(word);
    bool is_optional_time = st->rule->kind == SLINE_REBOOT_DOWN_AFTER ||
                            st->rule->kind == SLINE_FORGET_REPLICA;

    if (st->rule->type == SLINE_TYPE_TIME && number <= 0)
        return error_set(err, ERR_RANGE, "negative or zero time parameter.");
    if (is_optional_time && number < 0)
        return error_set(err, ERR_RANGE, "negative time parameter.");
    if ((st->rule->type == SLINE_TYPE_TIME || is_optional_time) &&
        strtoll(word, NULL, 10) > SLINE_NUMBER_MAX)
        return error_set(err, ERR_RANGE,
                         "time parameter out of range: %lld ms at most.",
                         (long long)SLINE_NUMBER_MAX);
    if (st->rule->kind == SLINE_ANNOUNCE_PORT && (number < 0 || number > 65535)) {
        conf_note(conf, LOG_LVL_WARNING,
                  "announce-port '%.40s' is not a port and is ignored",
                  st->args.words[2]);
        return 0;
    }
    return statement_set(core, st, st->rule->option, number, err);
}

static int statement_apply_script(struct conf *conf, struct core *core,
                                  const struct statement *st, struct error *err)
{
    const char *path = st->args.words[3];

    /* "" is how render.c takes back what an included file says. */
    bool is_none =
        path[0] == '\0' && st->source == SOURCE_MAIN &&
        doc_block_includes(doc_block(&conf->doc, st->args.words[2]), st->rule->kind);
    if (!is_none && !conf->in_memory && access(path, X_OK) != 0)
        return error_set(err, ERR_IO, "%s script seems non existing or non executable.",
                         st->rule->kind == SLINE_NOTIFICATION_SCRIPT
                             ? "Notification"
                             : "Client reconfiguration");
    return statement_set(core, st, st->rule->option, 0, err);
}

/* Was the same replica line read before |st|? */
static bool statement_is_repeated(struct conf *conf, const struct statement *st)
{
    struct buf mine = {0}, other = {0};
    bool found = false;

    doc_key(&mine, st->rule, &st->args);
    for (struct statement *s = conf->queue; s != st && !found; s = s->next) {
        if (s->rule == NULL || s->rule->kind != st->rule->kind || s->is_wrong ||
            s->is_overridden || strcmp(s->args.words[2], st->args.words[2]) != 0)
            continue;
        buf_clear(&other);
        doc_key(&other, s->rule, &s->args);
        found = strcmp(mine.data, other.data) == 0;
    }
    buf_release(&mine);
    buf_release(&other);
    return found;
}

/* |status| of a line with a host; the log names the one that has no address. */
static int statement_note_host(struct conf *conf, const struct statement *st,
                               int status)
{
    if (status == ERR_SYNTAX)
        conf_note(conf, LOG_LVL_WARNING, "Failed to resolve hostname '%.255s'",
                  st->args.words[3]);
    return status;
}

/* A replica that is the master itself, or another replica by another name, is no reason
 * not to start; it is found again by INFO. The same line twice is an error, as in
 * stock.
 */
static int statement_apply_replica(struct conf *conf, struct core *core,
                                   const struct statement *st, struct error *err)
{
    char *const *words = st->args.words;

    int rc = core_load_replica(core, words[2], words[3], sline_number(words[4]), err);
    if (rc != ERR_DUPLICATE)
        return statement_note_host(conf, st, rc);
    if (statement_is_repeated(conf, st))
        return error_set(err, rc, "Duplicate hostname and port for replica.");
    conf_note(conf, LOG_LVL_WARNING,
              "Replica %.255s:%.20s of master '%.100s' is known already; its line is "
              "ignored",
              words[3], words[4], words[2]);
    return 0;
}

static int statement_apply_sentinel(struct conf *conf, struct core *core,
                                    const struct statement *st, struct error *err)
{
    char *const *words = st->args.words;

    /* Such a line would be of no use: who says hello with it is not believed. */
    if (strlen(words[5]) != RUN_ID_LEN) {
        conf_note(conf, LOG_LVL_WARNING,
                  "Run id '%.60s' of a sentinel known to '%.100s' is malformed; its "
                  "line is ignored",
                  words[5], words[2]);
        return 0;
    }
    int rc = core_load_sentinel(core, words[2], words[3], sline_number(words[4]),
                                words[5], err);
    if (rc == ERR_DUPLICATE)
        return error_set(err, rc, "Duplicate runid for sentinel.");
    return statement_note_host(conf, st, rc);
}

static int statement_apply_auth(struct core *core, const struct statement *st,
                                struct error *err)
{
    enum core_gossip_auth auth = gossip_auth_named(st->args.words[2]);

    if (auth != GOSSIP_AUTH_UNSET)
        return statement_set(core, st, CORE_OPT_GOSSIP_AUTH, auth, err);
    return error_set(
        err, ERR_SYNTAX,
        "Please specify off, prefer or require for the gossip-auth option.");
}

static int statement_apply_signer(struct conf *conf, struct core *core,
                                  const struct statement *st, struct error *err)
{
    if (strlen(st->args.words[2]) == RUN_ID_LEN)
        return statement_set(core, st, CORE_OPT_KNOWN_SIGNER, 0, err);
    conf_note(conf, LOG_LVL_WARNING,
              "Run id '%.60s' of a known signer is malformed; its line is ignored",
              st->args.words[2]);
    return 0;
}

static int statement_apply_other(struct conf *conf, struct core *core,
                                 const struct statement *st, struct error *err)
{
    char *const *words = st->args.words;
    int64_t quorum;

    switch (st->rule->kind) {
    case SLINE_MYID:
        if (strlen(words[2]) != RUN_ID_LEN)
            return error_set(err, ERR_SYNTAX, "Malformed Sentinel id in myid option.");
        return statement_set(core, st, CORE_OPT_MYID, 0, err);
    case SLINE_STATE_DIR:
    case SLINE_DECLARED:
    case SLINE_REMOVED:
        return 0; /* state.c reads them */
    case SLINE_MONITOR:
        quorum = sline_number(words[5]);
        if (quorum <= 0)
            return error_set(err, ERR_RANGE, "Quorum must be 1 or greater.");
        return statement_note_host(conf, st,
                                   core_load_monitor(core, words[2], words[3],
                                                     sline_number(words[4]), quorum,
                                                     err));
    case SLINE_GOSSIP_AUTH:
        return statement_apply_auth(core, st, err);
    case SLINE_KNOWN_SIGNER:
        return statement_apply_signer(conf, core, st, err);
    case SLINE_KNOWN_REPLICA:
        return statement_apply_replica(conf, core, st, err);
    case SLINE_KNOWN_SENTINEL:
        return statement_apply_sentinel(conf, core, st, err);
    default: {
        int rc = statement_set(core, st, CORE_OPT_RENAME_COMMAND, 0, err);
        if (rc == ERR_DUPLICATE)
            error_set(err, rc,
                      "Same command renamed multiple times with rename-command.");
        return rc;
    }
    }
}

static int statement_apply(struct conf *conf, struct core *core,
                           const struct statement *st, struct error *err)
{
    int64_t epoch;
    int rc;

    if (st->rule->pass == 3 && core_master_by_name(core, st->args.words[2]) == NULL)
        return error_set(err, ERR_UNKNOWN, "No such master with specified name.");
    switch (st->rule->type) {
    case SLINE_TYPE_YESNO:
        return statement_apply_yesno(core, st, err);
    case SLINE_TYPE_TIME:
    case SLINE_TYPE_NUMBER:
        return statement_apply_number(conf, core, st, err);
    case SLINE_TYPE_SCRIPT:
        return statement_apply_script(conf, core, st, err);
    case SLINE_TYPE_EPOCH:
        epoch = sline_epoch(st->args.words[st->args.n - 1]);
        rc = statement_set(core, st, st->rule->option, epoch, err);
        /* The current epoch is the greatest that was ever seen. */
        if (rc == 0 && st->rule->kind == SLINE_CONFIG_EPOCH)
            rc = statement_set(core, st, CORE_OPT_CURRENT_EPOCH, epoch, err);
        return rc;
    case SLINE_TYPE_TEXT:
        /* "" means nothing, or takes back what an included file says. */
        if (!st->rule->has_master && st->args.words[2][0] == '\0' &&
            !(st->source == SOURCE_MAIN &&
              doc_block_includes(&conf->doc.globals, st->rule->kind)))
            return 0;
        return statement_set(core, st, st->rule->option, 0, err);
    case SLINE_TYPE_OTHER:
        break;
    }
    return statement_apply_other(conf, core, st, err);
}

/* Is |st| about a master whose monitor line was refused? Where reading goes on, that
 * line was complained of already. */
static bool statement_is_consequence(const struct conf *conf, const struct core *core,
                                     const struct statement *st)
{
    if (conf->on_error == NULL || st->rule == NULL || st->rule->pass != 3 ||
        st->is_wrong || core_master_by_name(core, st->args.words[2]) != NULL)
        return false;
    for (const struct statement *s = conf->queue; s != NULL; s = s->next) {
        if (s->rule != NULL && s->rule->kind == SLINE_MONITOR && s->args.n > 2 &&
            strcmp(s->args.words[2], st->args.words[2]) == 0)
            return true;
    }
    return false;
}

static int statement_apply_pass(struct conf *conf, struct core *core, int pass,
                                struct conf_error *error)
{
    for (struct statement *st = conf->queue; st != NULL; st = st->next) {
        struct error err = {0};
        int rc = 0;

        if ((st->rule != NULL ? st->rule->pass : 3) != pass)
            continue;
        if (st->rule == NULL || st->is_wrong) {
            rc = error_set(&err, ERR_SYNTAX, SLINE_BAD);
        } else if (st->is_overridden || statement_is_overridden(conf, st)) {
            st->is_overridden = true;
        } else if (!statement_is_ignored(st) &&
                   !statement_is_consequence(conf, core, st)) {
            rc = statement_apply(conf, core, st, &err);
        }
        if (rc == 0)
            continue;
        error_at(error, rc, st->line, st->text, st->text_len, "%s",
                 err.text[0] != '\0' ? err.text : err_text(rc));
        if (st->source == SOURCE_MAIN)
            state_name_file(conf, error);
        if (!conf_report(conf, st->file, error))
            return rc;
    }
    return 0;
}

/* Without a secret nobody could be believed. */
static int statement_check_auth(struct conf *conf, const struct core *core,
                                struct conf_error *error)
{
    struct statement *st = conf->queue;

    if (core->numbers[CORE_OPT_GOSSIP_AUTH] != GOSSIP_AUTH_REQUIRE ||
        core->gossip_secret != NULL)
        return 0;
    while (st->rule == NULL || st->rule->kind != SLINE_GOSSIP_AUTH || st->is_wrong)
        st = st->next;
    error_at(error, ERR_STATE, st->line, st->text, st->text_len,
             "gossip-auth require needs a gossip-secret");
    return conf_report(conf, st->file, error) ? 0 : ERR_STATE;
}

int conf_apply(struct conf *conf, struct core *core, struct conf_error *error)
{
    const struct conf_options *options = &conf->options;
    struct error err = {0};

    state_reconcile(conf);
    for (int pass = 1; pass <= 3; pass++) {
        int rc = statement_apply_pass(conf, core, pass, error);
        if (rc != 0)
            return rc;
    }
    if (statement_check_auth(conf, core, error) != 0)
        return ERR_STATE;
    struct core_setting password = {.option = CORE_OPT_REQUIREPASS,
                                    .text = options->requirepass};
    struct core_setting port = {
        .option = CORE_OPT_PORT,
        .number = options->tls_replication && options->tls_port != 0 ? options->tls_port
                                                                     : options->port};
    struct core_setting tls = {.option = CORE_OPT_TLS_REPLICATION,
                               .number = options->tls_replication};
    int rc = core_load_setting(core, NULL, &password, &err);
    if (rc == 0)
        rc = core_load_setting(core, NULL, &port, &err);
    if (rc == 0)
        rc = core_load_setting(core, NULL, &tls, &err);
    if (rc != 0)
        return error_at(error, rc, 0, NULL, 0, "%s",
                        err.text[0] != '\0' ? err.text : err_text(rc));
    statement_free_all(conf);
    return 0;
}

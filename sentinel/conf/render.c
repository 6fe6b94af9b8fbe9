/*
 * render.c - the file as it should now be (behaviour.md 12.4, 12.5).
 *
 * What the core's state wants written is compared with the lines that are there, master
 * by master. A line that says what is wanted stays byte for byte; others are reused for
 * a wanted line of their kind; what is left over goes, what is still wanted is
 * appended. Masters that did not change since the last call are skipped.
 */
#include "sentinel/conf/internal.h"

#include <string.h>
#include <strings.h>

/* A file that does not say otherwise gets these. The core's own defaults can be changed
 * by SENTINEL DEBUG until the next start: they do not count here. */
#define DEFAULT_DOWN_AFTER_MS 30000
#define DEFAULT_FAILOVER_TIMEOUT_MS 180000

/* For doc_block.version: its master is gone, and that is written. */
#define BLOCK_REMOVED (UINT64_MAX - 1)

/* A line that the file should hold. The texts are offsets in wants.text, 0: none. */
struct want {
    size_t key;
    size_t other_key; /* says the same: an ip instead of a host name */
    size_t subject;   /* kind and doc_key_subject() */
    bool is_default;  /* holds without a line, too */
    bool keeps_line;  /* a line that says otherwise is corrected, not removed */
    bool is_record;   /* a state file has it whatever was declared */
    bool is_done;     /* a line for it is there, or none is needed */
    UT_hash_handle hh;
};

struct wants {
    const char *master; /* NULL: lines about no master */
    struct want *items;
    size_t n, cap;
    struct buf text;
};

enum want_match { MATCH_KEY, MATCH_OTHER_KEY, MATCH_SUBJECT };

static const char *want_text(const struct wants *wants, const struct want *want,
                             enum want_match match)
{
    size_t at = match == MATCH_KEY         ? want->key
                : match == MATCH_OTHER_KEY ? want->other_key
                                           : want->subject;
    return at != 0 ? wants->text.data + at : NULL;
}

static void wants_release(struct wants *wants)
{
    mem_free(wants->items);
    buf_release(&wants->text);
}

static void wants_clear(struct wants *wants, const char *master)
{
    wants->master = master;
    wants->n = 0;
    buf_clear(&wants->text);
    buf_putc(&wants->text, '\0'); /* so that no text has offset 0 */
}

static struct buf *wants_start(struct wants *wants, enum sline_kind kind,
                               bool is_default)
{
    if (wants->n == wants->cap) {
        wants->cap = wants->cap > 0 ? wants->cap * 2 : 32;
        wants->items = mem_resize(wants->items, wants->cap, sizeof *wants->items);
    }
    wants->items[wants->n++] =
        (struct want){.key = wants->text.len,
                      .is_default = is_default,
                      .is_record = !sline_is_setting(kind) && kind != SLINE_MONITOR};
    doc_key_start(&wants->text, kind);
    return &wants->text;
}

static void wants_end(struct wants *wants)
{
    struct want *want = &wants->items[wants->n - 1];
    struct buf subject = {0};

    buf_putc(&wants->text, '\0');
    doc_key_put_subject(&subject, wants->text.data + want->key);
    if (subject.len > 0) {
        want->subject = wants->text.len;
        buf_append(&wants->text, subject.data, subject.len + 1);
    }
    buf_release(&subject);
}

static void wants_text(struct wants *wants, enum sline_kind kind, const char *text)
{
    doc_key_text(wants_start(wants, kind, text == NULL), kind,
                 text != NULL ? text : "");
    wants_end(wants);
}

static void wants_int(struct wants *wants, enum sline_kind kind, int64_t value,
                      int64_t value_default)
{
    doc_key_int(wants_start(wants, kind, value == value_default), value);
    wants_end(wants);
}

static void wants_yesno(struct wants *wants, enum sline_kind kind, bool yes,
                        bool yes_default)
{
    doc_key_word(wants_start(wants, kind, yes == yes_default), yes ? "yes" : "no");
    wants_end(wants);
    wants->items[wants->n - 1].keeps_line = true;
}

/* An address, then |quorum| if it is > 0, then |run_id| if not NULL. */
static void wants_addr_words(struct buf *text, const char *host, uint16_t port,
                             int64_t quorum, const char *run_id)
{
    doc_key_word(text, host);
    doc_key_int(text, port);
    if (quorum > 0)
        doc_key_int(text, quorum);
    if (run_id != NULL)
        doc_key_word(text, run_id);
}

/* A place that was given by name is written by name while names may be used: its ip is
 * only what the name meant last. When names may not be used (any more), a line with one
 * would be refused at the next start, so the ip is written if it was ever known. */
static void wants_addr(struct wants *wants, const struct core *core,
                       enum sline_kind kind, const struct addr *addr, int64_t quorum,
                       const char *run_id)
{
    bool has_names = core->numbers[CORE_OPT_RESOLVE_HOSTNAMES] != 0;
    bool is_named = addr->host != NULL && (has_names || addr->ip[0] == '\0');
    const char *shown = has_names || is_named ? core_host(core, addr) : addr->ip;
    struct buf *text = wants_start(wants, kind, false);

    wants_addr_words(text, is_named ? addr->host : shown, addr->port, quorum, run_id);
    wants_end(wants);
    if (!is_named || strcmp(addr->host, shown) == 0)
        return;
    wants->items[wants->n - 1].other_key = text->len;
    doc_key_start(text, kind);
    wants_addr_words(text, shown, addr->port, quorum, run_id);
    buf_putc(text, '\0');
}

/* ----------------------------------------------------------- what is wanted ----- */

static void render_want_globals(struct wants *wants, const struct core *core)
{
    const int64_t *numbers = core->numbers;

    wants_clear(wants, NULL);
    wants_text(wants, SLINE_MYID, core->myid);
    wants_yesno(wants, SLINE_DENY_SCRIPTS, numbers[CORE_OPT_DENY_SCRIPTS], true);
    wants_yesno(wants, SLINE_RESOLVE_HOSTNAMES, numbers[CORE_OPT_RESOLVE_HOSTNAMES],
                false);
    wants_yesno(wants, SLINE_ANNOUNCE_HOSTNAMES, numbers[CORE_OPT_ANNOUNCE_HOSTNAMES],
                false);
    wants_yesno(wants, SLINE_VOTE_FOR_UNKNOWN, numbers[CORE_OPT_VOTE_FOR_UNKNOWN],
                false);
    wants_int(wants, SLINE_CURRENT_EPOCH, (int64_t)core->current_epoch, -1);
    wants_text(wants, SLINE_ANNOUNCE_IP, core->announce_ip);
    wants_int(wants, SLINE_ANNOUNCE_PORT, numbers[CORE_OPT_ANNOUNCE_PORT], 0);
    wants_text(wants, SLINE_SENTINEL_USER, core->sentinel_user);
    wants_text(wants, SLINE_SENTINEL_PASS, core->sentinel_pass);
    wants_yesno(wants, SLINE_TLS_VERIFY_HOSTNAME, numbers[CORE_OPT_TLS_VERIFY_HOSTNAME],
                false);
    wants_text(wants, SLINE_GOSSIP_SECRET, core->gossip_secret);
    wants_text(wants, SLINE_GOSSIP_SECRET_ALSO, core->gossip_secret_also);
    if (numbers[CORE_OPT_GOSSIP_AUTH] != GOSSIP_AUTH_UNSET)
        wants_text(
            wants, SLINE_GOSSIP_AUTH,
            gossip_auth_name((enum core_gossip_auth)numbers[CORE_OPT_GOSSIP_AUTH]));
    for (const struct signer *s = core->signers; s != NULL; s = s->hh.next)
        wants_text(wants, SLINE_KNOWN_SIGNER, s->run_id);
}

static void render_want_nodes(struct wants *wants, const struct master *master)
{
    const struct core *core = master->core;
    const struct node *address = master_address_node(master);
    const struct voter *voter, *voter_tmp;
    const struct node *node, *node_tmp;

    HASH_ITER(hh, master->replicas, node, node_tmp)
    {
        bool is_master = node == address || addr_equal(&node->addr, &address->addr);
        /* The promoted one is written as the master, the old master in its place. */
        if (!is_master || address != master->current)
            wants_addr(wants, core, SLINE_KNOWN_REPLICA,
                       is_master ? &master->current->addr : &node->addr, 0, NULL);
    }
    HASH_ITER(hh, master->voters, voter, voter_tmp)
    wants_addr(wants, core, SLINE_KNOWN_SENTINEL, &voter->peer->addr, 0,
               voter->peer->run_id);
    for (const struct renamed *r = master->renames; r != NULL; r = r->next) {
        struct buf *text = wants_start(wants, SLINE_RENAME_COMMAND, false);
        doc_key_word(text, r->from);
        doc_key_word(text, r->to);
        wants_end(wants);
    }
}

/* In a state file: where a master was declared, if that is not what counts any more. */
static void render_want_declared(struct wants *wants, const struct doc *doc,
                                 const struct doc_block *block,
                                 const struct master *master)
{
    const char *declared = doc_block_included(block, SLINE_MONITOR);
    struct want *monitor = &wants->items[0];

    if (!doc->is_state || declared == NULL ||
        (master->config_epoch == 0 &&
         strcmp(want_text(wants, monitor, MATCH_KEY), declared) == 0))
        return;
    monitor->is_record = true;
    buf_puts(wants_start(wants, SLINE_DECLARED, false), declared + 1);
    wants_end(wants);
}

static bool render_is_renamed(const struct master *master, const char *from)
{
    const struct renamed *r = master->renames;

    while (r != NULL && strcasecmp(r->from, from) != 0)
        r = r->next;
    return r != NULL;
}

/* Renames of included files, or declared ones, that were taken back. */
static void render_want_unrenamed(struct wants *wants, const struct doc_block *block,
                                  const struct master *master)
{
    struct args args;

    for (const struct doc_included *i = block->included; i != NULL; i = i->next) {
        if (DOC_KEY_KIND(i->key) != SLINE_RENAME_COMMAND ||
            args_split(&args, i->key + 1, strlen(i->key + 1)) != 0)
            continue;
        if (!render_is_renamed(master, args.words[0])) {
            struct buf *text = wants_start(wants, SLINE_RENAME_COMMAND, false);
            doc_key_word(text, args.words[0]);
            doc_key_word(text, args.words[0]);
            wants_end(wants);
        }
        args_release(&args);
    }
}

static void render_want_master(struct wants *wants, const struct doc *doc,
                               const struct doc_block *block,
                               const struct master *master)
{
    static const char *const tls_words[] = {NULL, "no", "yes"};

    wants_clear(wants, master->name);
    wants_addr(wants, master->core, SLINE_MONITOR, &master_address_node(master)->addr,
               master->quorum, NULL);
    render_want_declared(wants, doc, block, master);
    wants_int(wants, SLINE_DOWN_AFTER, master->down_after_ms, DEFAULT_DOWN_AFTER_MS);
    wants_int(wants, SLINE_FAILOVER_TIMEOUT, master->failover_timeout_ms,
              DEFAULT_FAILOVER_TIMEOUT_MS);
    wants_int(wants, SLINE_PARALLEL_SYNCS, master->parallel_syncs,
              DEFAULT_PARALLEL_SYNCS);
    wants_text(wants, SLINE_NOTIFICATION_SCRIPT, master->notification_script);
    wants_text(wants, SLINE_RECONFIG_SCRIPT, master->reconfig_script);
    wants_text(wants, SLINE_AUTH_PASS, master->auth_pass);
    wants_text(wants, SLINE_AUTH_USER, master->auth_user);
    wants_int(wants, SLINE_REBOOT_DOWN_AFTER, master->reboot_down_after_ms, 0);
    wants_int(wants, SLINE_FORGET_REPLICA, master->forget_replica_ms, 0);
    wants_text(wants, SLINE_TLS, tls_words[master->tls + 1]);
    wants_int(wants, SLINE_CONFIG_EPOCH, (int64_t)master->config_epoch, -1);
    wants_int(wants, SLINE_LEADER_EPOCH, (int64_t)master->leader_epoch, -1);
    render_want_nodes(wants, master);
    render_want_unrenamed(wants, block, master);
}

/* ------------------------------------------------ comparing with the lines ------ */

/* Writes what |want| wants, as |match| puts it, into |line|. */
static void want_write(const struct wants *wants, const struct want *want,
                       enum want_match match, struct doc_line *line)
{
    const char *key = want_text(wants, want, match);
    const char *words = key + 2;
    struct buf text = {0};

    buf_puts(&text, "sentinel ");
    buf_puts(&text, sline_rule_by_kind(DOC_KEY_KIND(key))->name);
    if (wants->master != NULL) {
        buf_putc(&text, ' ');
        args_quote(&text, wants->master, strlen(wants->master));
    }
    buf_putc(&text, ' ');
    buf_puts(&text, words);

    doc_set_text(line, text.data, text.len);
    buf_release(&text);
    mem_free(line->key);
    line->key = mem_strdup(key);
    line->is_old_name = false;
}

/* What of |line| is compared for |match|; |text| is room to make it in. */
static const char *block_line_text(const struct doc_line *line, enum want_match match,
                                   struct buf *text)
{
    if (match != MATCH_SUBJECT)
        return line->key;
    buf_clear(text);
    doc_key_put_subject(text, line->key);
    return text->len > 0 ? text->data : NULL;
}

/* Finds lines for wants that are not done, by equality in the sense of |match|. */
static void block_match(struct doc_block *block, struct wants *wants,
                        enum want_match match)
{
    struct want *table = NULL, *want;
    struct buf text = {0};

    for (size_t i = 0; i < wants->n; i++) {
        struct want *item = &wants->items[i];
        const char *key = want_text(wants, item, match);
        if (item->is_done || key == NULL)
            continue;
        HASH_FIND_STR(table, key, want);
        if (want == NULL)
            HASH_ADD_KEYPTR(hh, table, key, strlen(key), item);
        else if (match == MATCH_KEY) /* the next start would call it a duplicate */
            item->is_done = true;
    }
    for (struct doc_line *line = table != NULL ? block->lines : NULL; line != NULL;
         line = line->block_next) {
        const char *key = block_line_text(line, match, &text);
        if (line->is_taken || key == NULL)
            continue;
        HASH_FIND_STR(table, key, want);
        if (want == NULL || want->is_done)
            continue;
        want->is_done = true;
        line->is_taken = true;
        if (match == MATCH_SUBJECT)
            want_write(wants, want, MATCH_KEY, line);
        else if (line->is_old_name)
            want_write(wants, want, match, line);
    }
    HASH_CLEAR(hh, table);
    buf_release(&text);
}

/* Does an included file say exactly this, or, if |is_other|, something else of this
 * kind? */
static bool block_includes(const struct doc_block *block, const char *key,
                           bool is_other)
{
    for (const struct doc_included *i = block->included; i != NULL; i = i->next) {
        bool is_equal = strcmp(i->key, key) == 0;
        if (is_equal != is_other && i->key[0] == key[0])
            return true;
    }
    return false;
}

/* What is the default needs a line only where an included file says otherwise. */
static void block_drop_defaults(const struct doc_block *block, struct wants *wants,
                                bool is_last)
{
    for (size_t i = 0; i < wants->n; i++) {
        struct want *want = &wants->items[i];
        if (want->is_default && !want->is_done && (is_last || !want->keeps_line))
            want->is_done =
                !block_includes(block, want_text(wants, want, MATCH_KEY), true);
    }
}

/* Gives wants that found no line the lines of their kind that nobody wants. */
static void block_reuse(struct doc_block *block, struct wants *wants)
{
    struct doc_line *next[SLINE_N];

    for (size_t i = 0; i < SLINE_N; i++)
        next[i] = block->lines;
    for (size_t i = 0; i < wants->n; i++) {
        struct want *want = &wants->items[i];
        if (want->is_done)
            continue;
        enum sline_kind kind = DOC_KEY_KIND(want_text(wants, want, MATCH_KEY));
        struct doc_line *line = next[kind];
        while (line != NULL && (line->is_taken || DOC_KEY_KIND(line->key) != kind))
            line = line->block_next;
        next[kind] = line;
        if (line == NULL)
            continue;
        want->is_done = true;
        line->is_taken = true;
        want_write(wants, want, MATCH_KEY, line);
    }
}

/* Removes the lines that were not taken. */
static void block_sweep(struct doc *doc, struct doc_block *block)
{
    struct doc_line *line = block->lines;

    block->lines = NULL;
    while (line != NULL) {
        struct doc_line *next = line->block_next;
        if (line->is_taken) {
            line->is_taken = false;
            doc_block_add(block, line);
        } else {
            doc_remove(doc, line);
        }
        line = next;
    }
}

/* What was declared need not be in a state file, and should not: it would count there
 * when the declaration is changed. */
static void block_drop_declared(const struct doc_block *block, struct wants *wants)
{
    for (size_t i = 0; i < wants->n; i++) {
        struct want *want = &wants->items[i];
        const char *key = want_text(wants, want, MATCH_KEY);
        const char *declared = doc_block_included(block, DOC_KEY_KIND(key));
        if (want->is_record || declared == NULL)
            continue;
        want->is_done = DOC_KEY_KIND(key) == SLINE_RENAME_COMMAND
                            ? block_includes(block, key, false)
                            : strcmp(declared, key) == 0;
    }
}

/* Makes the lines there are right. What is not done then needs a new line. */
static void block_edit(struct doc *doc, struct doc_block *block, struct wants *wants)
{
    if (doc->is_state)
        block_drop_declared(block, wants);
    block_match(block, wants, MATCH_KEY);
    block_match(block, wants, MATCH_OTHER_KEY);
    block_drop_defaults(block, wants, false);
    block_match(block, wants, MATCH_SUBJECT);
    block_reuse(block, wants);
    block_drop_defaults(block, wants, true);
    block_sweep(doc, block);
}

/* Appends lines for the wants of kinds up to |last| that are not done. */
static void block_append(struct doc *doc, struct doc_block *block, struct wants *wants,
                         enum sline_kind last)
{
    for (size_t i = 0; i < wants->n; i++) {
        struct want *want = &wants->items[i];
        const char *key = want_text(wants, want, MATCH_KEY);
        if (want->is_done || DOC_KEY_KIND(key) > last)
            continue;
        want->is_done = true;
        if (!doc->is_state && block_includes(block, key, false))
            continue;
        struct doc_line *line = doc_append_generated(doc, "", 0);
        want_write(wants, want, MATCH_KEY, line);
        doc_block_add(block, line);
    }
}

/* ----------------------------------------------------------------- the file ----- */

/* Are the lines of |master| as they were last written? Its version alone does not tell:
 * when a peer goes, every master it shared loses a line. */
static bool render_is_current(const struct doc_block *block,
                              const struct master *master)
{
    return block->version == master->dirty_version &&
           block->n_replicas == HASH_COUNT(master->replicas) &&
           block->n_voters == HASH_COUNT(master->voters) &&
           block->address == master_address_node(master);
}

static void render_set_current(struct doc_block *block, const struct master *master)
{
    block->version = master->dirty_version;
    block->n_replicas = HASH_COUNT(master->replicas);
    block->n_voters = HASH_COUNT(master->voters);
    block->address = master_address_node(master);
}

/* The master of |block| is gone. What included files say of it must be known if it
 * comes back, perhaps another: what differs is then written. */
static void render_gone(struct doc *doc, struct doc_block *block)
{
    if (block->included == NULL) {
        doc_block_free(doc, block);
    } else {
        doc_block_clear(doc, block);
        block->version = UINT64_MAX;
    }
}

/* In a state file: a master that is gone although it is declared is not to come back at
 * the next start. False if it is not declared. */
static bool render_removed(struct conf *conf, struct doc_block *block,
                           struct wants *wants)
{
    const char *declared = doc_block_included(block, SLINE_MONITOR);

    if (!conf->doc.is_state || declared == NULL)
        return false;
    if (block->version == BLOCK_REMOVED)
        return true;
    block->version = BLOCK_REMOVED;
    wants_clear(wants, block->name);
    buf_puts(wants_start(wants, SLINE_REMOVED, false), declared + 1);
    wants_end(wants);
    block_edit(&conf->doc, block, wants);
    block_append(&conf->doc, block, wants, SLINE_N);
    return true;
}

static void render_masters(struct conf *conf, const struct core *core, bool is_valid)
{
    const struct master *master, *master_tmp;
    struct doc_block *block, *block_tmp;
    struct wants wants = {0};

    conf->round++;
    HASH_ITER(hh, core->masters, master, master_tmp)
    {
        block = doc_block(&conf->doc, master->name);
        block->round = conf->round;
        if (is_valid && render_is_current(block, master))
            continue;
        render_set_current(block, master);
        render_want_master(&wants, &conf->doc, block, master);
        block_edit(&conf->doc, block, &wants);
        block_append(&conf->doc, block, &wants, SLINE_N);
    }
    HASH_ITER(hh, conf->doc.blocks, block, block_tmp)
    {
        if (block->round != conf->round && !render_removed(conf, block, &wants))
            render_gone(&conf->doc, block);
    }
    wants_release(&wants);
}

/* What lines of several masters depend on: how hosts are shown, and the addresses of
 * the peers, which masters share. FNV-1a. */
static uint64_t render_stamp(const struct core *core)
{
    const struct peer *peer, *peer_tmp;
    uint64_t stamp = 14695981039346656037u;
    char name[ADDR_NAME_CAP];

    for (int i = 0; i < 2; i++) {
        stamp ^= (uint64_t)core->numbers[i == 0 ? CORE_OPT_ANNOUNCE_HOSTNAMES
                                                : CORE_OPT_RESOLVE_HOSTNAMES];
        stamp *= 1099511628211u;
    }
    HASH_ITER(hh, core->peers, peer, peer_tmp)
    {
        if (!peer->verified)
            continue;
        const char *texts[] = {peer->run_id, addr_name(&peer->addr, true, name),
                               peer->addr.ip};
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
            for (const char *c = texts[i]; *c != '\0'; c++)
                stamp = (stamp ^ (unsigned char)*c) * 1099511628211u;
            stamp *= 1099511628211u;
        }
    }
    return stamp;
}

#define RENDER_LIMIT "client-output-buffer-limit"
#define RENDER_LIMIT_WORDS 5 /* of a line about one class */

static bool render_is_limit(const struct args *line)
{
    return strcmp(line->words[0], RENDER_LIMIT) == 0;
}

/* A class of clients; one of them has two names. */
static bool render_same_class(const char *a, const char *b)
{
    a = strcasecmp(a, "slave") == 0 ? "replica" : a;
    b = strcasecmp(b, "slave") == 0 ? "replica" : b;
    return strcasecmp(a, b) == 0;
}

/* Are both, of the same name, about the same thing? Where a directive may stand several
 * times, its first word says: the class of a limit, the name of a user. */
static bool render_same_subject(const struct args *a, const struct args *b)
{
    bool is_limit = render_is_limit(a), is_user = strcmp(a->words[0], "user") == 0;

    if (!is_limit && !is_user)
        return true;
    if (a->n < 2 || b->n < 2)
        return false;
    return is_limit ? render_same_class(a->words[1], b->words[1])
                    : strcmp(a->words[1], b->words[1]) == 0;
}

static bool render_same_words(const struct args *a, const struct args *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->words[i], b->words[i]) != 0)
            return false;
    }
    return true;
}

/* The line of the file that counts for what |line| is about, and is about nothing else;
 * NULL if a new one is needed. A line about several classes of clients hides those
 * before it, and cannot be replaced by one about one class. */
static struct conf_line *render_find_line(const struct conf *conf,
                                          const struct conf_line *line)
{
    struct conf_line *first, *found = NULL;

    HASH_FIND_STR(conf->lines, line->name, first);
    for (struct conf_line *l = first; l != NULL; l = l->next) {
        if (l->doc == NULL)
            continue;
        if (render_is_limit(&l->args) && l->args.n != RENDER_LIMIT_WORDS)
            found = NULL;
        else if (render_same_subject(&l->args, &line->args))
            found = l;
    }
    return found;
}

/* Puts a directive given on the command line into the file: into the last line there is
 * for it, as that is the one that counts. */
static void render_pending(struct conf *conf, struct conf_line *line)
{
    struct conf_line *old = render_find_line(conf, line);
    struct buf text = {0};

    if (old != NULL && render_same_words(&old->args, &line->args))
        return;
    for (size_t i = 0; i < line->args.n; i++) {
        if (i > 0)
            buf_putc(&text, ' ');
        args_quote(&text, line->args.words[i], line->args.lens[i]);
    }
    if (old == NULL) {
        line->doc = doc_append_generated(&conf->doc, text.data, text.len);
    } else {
        doc_set_text(old->doc, text.data, text.len);
        line->doc = old->doc;
        old->doc = NULL;
    }
    buf_release(&text);
}

/* The same for a line with the limits of any number of classes: a line each, so that
 * the next one can be told apart from the others. */
static void render_pending_limits(struct conf *conf, const struct conf_line *line)
{
    const struct args *list = &line->args;
    struct args split = {0}, one;
    struct buf text = {0};
    size_t at = 1;

    /* Also as one word that holds blanks. */
    if (list->n == 2 && args_split(&split, list->words[1], list->lens[1]) == 0) {
        list = &split;
        at = 0;
    }
    for (; at + RENDER_LIMIT_WORDS - 1 <= list->n; at += RENDER_LIMIT_WORDS - 1) {
        buf_clear(&text);
        buf_puts(&text, RENDER_LIMIT);
        for (size_t i = 0; i < RENDER_LIMIT_WORDS - 1; i++) {
            buf_putc(&text, ' ');
            args_quote(&text, list->words[at + i], list->lens[at + i]);
        }
        int rc = args_split(&one, text.data, text.len);
        ASSERT(rc == 0);
        render_pending(conf, conf_keep_line(conf, SOURCE_MAIN, &one, NULL));
    }
    args_release(&split);
    buf_release(&text);
}

static void render_all_pending(struct conf *conf)
{
    static const char *const not_saved[] = {"rename-command", "loadmodule"};

    for (struct conf_line *line = conf->pending; line != NULL; line = line->text_next) {
        bool is_saved = true;
        for (size_t i = 0; i < sizeof not_saved / sizeof not_saved[0]; i++)
            is_saved = is_saved && strcmp(line->name, not_saved[i]) != 0;
        if (is_saved && render_is_limit(&line->args))
            render_pending_limits(conf, line);
        else if (is_saved)
            render_pending(conf, line);
    }
    conf->pending = NULL;
}

void conf_render(struct conf *conf, const struct core *core, struct buf *out)
{
    uint64_t stamp = render_stamp(core);
    bool is_valid = conf->rendered_core == core && conf->rendered_stamp == stamp;
    struct wants globals = {0};

    render_all_pending(conf);
    users_render(conf);
    render_want_globals(&globals, core);
    block_edit(&conf->doc, &conf->doc.globals, &globals);
    block_append(&conf->doc, &conf->doc.globals, &globals, SLINE_VOTE_FOR_UNKNOWN);
    render_masters(conf, core, is_valid);
    block_append(&conf->doc, &conf->doc.globals, &globals, SLINE_N);
    wants_release(&globals);

    conf->rendered_core = core;
    conf->rendered_stamp = stamp;
    doc_print(&conf->doc, out);
}

/*
 * state.c - `sentinel state-dir`: what people declare in one file that is never
 * written, what the sentinel records in another (decisions/0023).
 *
 * The state file is the main file then: doc.c remembers its lines and render.c edits
 * them. Everything else was declared, and is treated like lines of an included file: it
 * is not repeated, and the state file counts where it says something else. What differs
 * from included files is how the two are reconciled when a master comes, goes or was
 * changed on one side while the other did not look.
 */
#include "common/file.h"
#include "common/mem.h"
#include "sentinel/conf/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STATE_HEAD                                                                     \
    "# State of a sentinel, written by itself: what it learnt, and what its clients "  \
    "changed.\n# It counts where it differs from the configuration. Never give a "     \
    "copy "                                                                            \
    "to another\n# sentinel.\n"

const char *conf_state_dir(const struct conf *conf)
{
    return conf->state_dir != NULL ? conf->state_dir : "";
}

void state_name_file(const struct conf *conf, struct conf_error *error)
{
    size_t len = strlen(error->reason);

    if (conf->state_file != NULL && !error->is_file_error)
        snprintf(error->reason + len, sizeof error->reason - len, " (in %s)",
                 conf->state_file);
}

/* ------------------------------------------------------------------- reading ---- */

/* What was read so far was declared: none of it is written any more. */
static void state_make_declared(struct conf *conf)
{
    struct conf_line *first, *tmp;

    doc_release(&conf->doc);
    conf->pending = conf->pending_tail = NULL;
    HASH_ITER(hh, conf->lines, first, tmp)
    {
        for (struct conf_line *line = first; line != NULL; line = line->next) {
            line->source = SOURCE_INCLUDE;
            line->is_declared = true;
            line->doc = NULL;
        }
    }
    for (struct statement *st = conf->queue; st != NULL; st = st->next) {
        st->source = SOURCE_INCLUDE;
        if (st->rule != NULL && !st->is_wrong)
            statement_place(conf, st, NULL);
    }
}

int conf_read_state_text(struct conf *conf, const char *path, const char *text,
                         size_t len, struct conf_error *error)
{
    const char *outer = conf->file;

    state_make_declared(conf);
    if (len == 0) {
        text = STATE_HEAD;
        len = strlen(text);
    }
    conf->state_file = conf->file = arena_strdup(&conf->strings, path);
    conf->doc.is_state = conf->doc.has_header = true;
    int rc = conf_read_main(conf, text, len, error);
    conf->file = outer;
    if (rc != 0)
        state_name_file(conf, error);
    return rc;
}

int conf_read_state(struct conf *conf, const char *path, struct conf_error *error)
{
    struct buf bytes = {0};
    struct error err = {0};

    errno = 0;
    int rc = file_read(path, CONF_FILE_MAX, &bytes, &err);
    if (rc == ERR_IO && (errno == ENOENT || errno == ENOTDIR))
        rc = 0; /* the first start */
    else if (rc != 0)
        error_file(error, path, errno != 0 ? strerror(errno) : err.text);
    if (rc == 0)
        rc = conf_read_state_text(conf, path, buf_text(&bytes), bytes.len, error);
    buf_release(&bytes);
    return rc;
}

/* ---------------------------------------------------------------- reconciling ---- */

/* What both sides say about one master. */
struct state_master {
    const char *name;
    struct statement *declared; /* its monitor line, the last one */
    struct statement *recorded; /* the one of the state file */
    struct statement *note;     /* what was declared when that was written */
    struct statement *removed;  /* what was declared when it was removed */
    bool has_record;            /* the state file knows its epochs and nodes */
    bool is_dropped;
    UT_hash_handle hh;
};

static struct state_master *state_master(struct state_master **all, const char *name)
{
    struct state_master *m;

    HASH_FIND_STR(*all, name, m);
    if (m == NULL) {
        m = mem_zalloc(sizeof *m);
        m->name = name;
        HASH_ADD_KEYPTR(hh, *all, name, strlen(name), m);
    }
    return m;
}

static bool state_is_usable(const struct statement *st)
{
    return st->rule != NULL && !st->is_wrong && st->rule->has_master;
}

static void state_collect(struct state_master **all, struct statement *st)
{
    struct state_master *m = state_master(all, st->args.words[2]);
    bool is_declared = st->source == SOURCE_INCLUDE;

    switch (st->rule->kind) {
    case SLINE_MONITOR:
        *(is_declared ? &m->declared : &m->recorded) = st;
        break;
    case SLINE_DECLARED:
        m->note = st;
        break;
    case SLINE_REMOVED:
        m->removed = st;
        break;
    case SLINE_CONFIG_EPOCH:
        m->has_record = m->has_record || !is_declared;
        break;
    default:
        break;
    }
}

/* Do words |from| to |to| say the same? */
static bool state_same_words(const struct statement *a, const struct statement *b,
                             size_t from, size_t to)
{
    for (size_t i = from; i <= to; i++) {
        if (strcmp(a->args.words[i], b->args.words[i]) != 0)
            return false;
    }
    return true;
}

/* The address is what the group agreed on; the quorum is a setting: the side that
 * changed it last has its way. */
static void state_merge_monitor(struct conf *conf, const struct state_master *m)
{
    bool same_quorum = m->note != NULL && state_same_words(m->note, m->declared, 5, 5);

    m->declared->is_overridden = true;
    if (!same_quorum) {
        mem_free(m->recorded->args.words[5]);
        m->recorded->args.words[5] = mem_strdup(m->declared->args.words[5]);
        m->recorded->args.lens[5] = m->declared->args.lens[5];
    }
    if (m->note == NULL || !state_same_words(m->note, m->declared, 3, 4))
        conf_note(conf, LOG_LVL_WARNING,
                  "Master '%s' is declared at %s:%s, but is known to be at %s:%s, "
                  "which counts; SENTINEL REMOVE and MONITOR move it",
                  m->name, m->declared->args.words[3], m->declared->args.words[4],
                  m->recorded->args.words[3], m->recorded->args.words[4]);
}

static void state_decide(struct conf *conf, struct state_master *m)
{
    if (m->declared == NULL) {
        bool was_declared = m->recorded == NULL || m->note != NULL;
        m->is_dropped = was_declared;
        if (was_declared && m->has_record)
            conf_note(conf, LOG_LVL_WARNING,
                      "Master '%s' is not declared any more: what is recorded of it is "
                      "forgotten",
                      m->name);
    } else if (m->removed != NULL && m->recorded == NULL &&
               state_same_words(m->removed, m->declared, 3, 5)) {
        m->is_dropped = true;
        conf_note(conf, LOG_LVL_WARNING,
                  "Master '%s' is declared, but was removed by SENTINEL REMOVE: it is "
                  "not monitored until its line or %s is changed, or by SENTINEL "
                  "MONITOR",
                  m->name, conf->state_file);
    } else if (m->recorded != NULL) {
        state_merge_monitor(conf, m);
    }
}

/* Records that were declared (the file was a whole one once) are good for the start. */
static bool state_is_stale(const struct state_master *m, const struct statement *st)
{
    switch (st->rule->kind) {
    case SLINE_CONFIG_EPOCH:
    case SLINE_LEADER_EPOCH:
    case SLINE_KNOWN_REPLICA:
    case SLINE_KNOWN_SENTINEL:
        return m->has_record && st->source == SOURCE_INCLUDE;
    default:
        return false;
    }
}

/* People should know what of their file does not count. */
static void state_note_override(struct conf *conf, const struct statement *st)
{
    const struct doc_block *block =
        doc_block(&conf->doc, st->rule->has_master ? st->args.words[2] : NULL);

    if (st->source == SOURCE_MAIN && sline_is_setting(st->rule->kind) &&
        doc_block_includes(block, st->rule->kind))
        conf_note(conf, LOG_LVL_NOTICE,
                  "%s%s%s: the value in %s counts, not the declared one",
                  st->rule->name, st->rule->has_master ? " of " : "",
                  st->rule->has_master ? st->args.words[2] : "", conf->state_file);
}

void state_reconcile(struct conf *conf)
{
    struct state_master *all = NULL, *m, *tmp;

    if (conf->state_file == NULL)
        return;
    for (struct statement *st = conf->queue; st != NULL; st = st->next) {
        if (state_is_usable(st))
            state_collect(&all, st);
    }
    HASH_ITER(hh, all, m, tmp)
    state_decide(conf, m);
    for (struct statement *st = conf->queue; st != NULL; st = st->next) {
        if (st->rule != NULL && !st->is_wrong)
            state_note_override(conf, st);
        if (!state_is_usable(st))
            continue;
        m = state_master(&all, st->args.words[2]);
        if (m->is_dropped || state_is_stale(m, st))
            st->is_overridden = true;
    }
    HASH_ITER(hh, all, m, tmp)
    {
        HASH_DEL(all, m);
        mem_free(m);
    }
}

/*
 * conf.c - reading: files and texts in, words out to directive.c and statement.c.
 */
#include "sentinel/conf/conf.h"

#include "common/file.h"
#include "common/mem.h"
#include "sentinel/conf/internal.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

struct conf_input {
    struct conf *conf;
    enum conf_source source;
};

struct conf *conf_new(void)
{
    struct conf *conf = mem_zalloc(sizeof *conf);

    directive_defaults(&conf->options);
    conf->file = "";
    return conf;
}

static void conf_free_lines(struct conf *conf)
{
    struct conf_line *first, *tmp;

    HASH_ITER(hh, conf->lines, first, tmp)
    {
        HASH_DEL(conf->lines, first);
        while (first != NULL) {
            struct conf_line *next = first->next;
            args_release(&first->args);
            mem_free(first->name);
            mem_free(first);
            first = next;
        }
    }
}

void conf_free(struct conf *conf)
{
    if (conf == NULL)
        return;
    conf_free_lines(conf);
    statement_free_all(conf);
    while (conf->notes != NULL) {
        struct conf_note *note = conf->notes;
        LL_DELETE(conf->notes, note);
        mem_free(note->text);
        mem_free(note);
    }
    mem_free(conf->note_taken);
    doc_release(&conf->doc);
    users_release(conf);
    arena_release(&conf->strings);
    mem_free(conf);
}

void conf_on_error(struct conf *conf, conf_error_fn fn, void *ctx)
{
    conf->on_error = fn;
    conf->on_error_ctx = ctx;
}

bool conf_report(struct conf *conf, const char *file, const struct conf_error *error)
{
    if (conf->on_error == NULL || conf->n_errors >= CONF_ERRORS_MAX)
        return false;
    conf->n_errors++;
    conf->on_error(conf->on_error_ctx, file, error);
    return true;
}

const struct conf_options *conf_options(const struct conf *conf)
{
    return &conf->options;
}

void conf_note(struct conf *conf, enum log_level level, const char *format, ...)
{
    struct buf text = {0};
    struct conf_note *note = mem_zalloc(sizeof *note);
    va_list ap;

    va_start(ap, format);
    buf_vprintf(&text, format, ap);
    va_end(ap);
    note->level = level;
    note->text = mem_strndup(buf_text(&text), text.len);
    buf_release(&text);
    if (conf->notes == NULL)
        conf->notes = note;
    else
        conf->notes_tail->next = note;
    conf->notes_tail = note;
}

const char *conf_next_note(struct conf *conf, enum log_level *level)
{
    struct conf_note *note = conf->notes;

    if (note == NULL)
        return NULL;
    conf->notes = note->next;
    mem_free(conf->note_taken);
    conf->note_taken = note->text;
    *level = note->level;
    mem_free(note);
    return conf->note_taken;
}

const struct args *conf_words(const struct conf *conf, const char *name, size_t i)
{
    const struct conf_line *line;

    HASH_FIND_STR(conf->lines, name, line);
    while (line != NULL && i-- > 0)
        line = line->next;
    return line != NULL ? &line->args : NULL;
}

const char *conf_text(const struct conf *conf, const char *name)
{
    const struct conf_line *line;

    HASH_FIND_STR(conf->lines, name, line);
    if (line == NULL || line->last->args.n < 2)
        return "";
    return line->last->args.words[1];
}

void conf_set_check(struct conf *conf, conf_check_fn *fn, void *ctx)
{
    conf->check = fn;
    conf->check_ctx = ctx;
}

struct conf_line *conf_keep_line(struct conf *conf, enum conf_source source,
                                 struct args *args, struct doc_line *doc)
{
    struct conf_line *line = mem_zalloc(sizeof *line);
    struct conf_line *first;

    line->name = mem_strdup(args->words[0]);
    line->source = source;
    line->args = *args;
    line->doc = doc;
    *args = (struct args){0};
    HASH_FIND_STR(conf->lines, line->name, first);
    if (first == NULL) {
        line->last = line;
        HASH_ADD_KEYPTR(hh, conf->lines, line->name, strlen(line->name), line);
    } else {
        first->last->next = line;
        first->last = line;
    }
    if (source == SOURCE_TEXT) {
        if (conf->pending == NULL)
            conf->pending = line;
        else
            conf->pending_tail->text_next = line;
        conf->pending_tail = line;
    }
    return line;
}

/* The line of the main file with this number; NULL if |input| is something else. */
static struct doc_line *conf_doc_line(struct conf_input *input, int line)
{
    struct conf *conf = input->conf;

    if (input->source != SOURCE_MAIN)
        return NULL;
    while (conf->doc_at != NULL && conf->doc_at_line < line) {
        conf->doc_at = conf->doc_at->next;
        conf->doc_at_line++;
    }
    return conf->doc_at;
}

static int conf_include(struct conf *conf, const char *pattern, struct error *err,
                        struct conf_error *error);

/* One directive, split into |args|. A reason may be left in |err| or in |error|. */
static int conf_take_args(struct conf_input *input, struct args *args,
                          struct doc_line *doc, struct error *err,
                          struct conf_error *error)
{
    struct conf *conf = input->conf;

    for (size_t i = 0; i < args->n; i++) {
        if (strlen(args->words[i]) != args->lens[i])
            return error_set(err, ERR_SYNTAX, "NUL byte in configuration line");
    }
    for (char *c = args->words[0]; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    if (strcmp(args->words[0], "include") == 0) {
        if (args->n != 2)
            return error_set(err, ERR_SYNTAX, DIRECTIVE_BAD);
        return conf_include(conf, args->words[1], err, error);
    }
    int rc = directive_apply(conf, args, err);
    if (rc == 0 && !users_replace(conf, args, doc))
        conf_keep_line(conf, input->source, args, doc);
    return rc;
}

static int conf_take_line(void *ctx, int line, const char *text, size_t len,
                          const struct buf *words, struct conf_error *error)
{
    struct conf_input *input = ctx;
    struct doc_line *doc = conf_doc_line(input, line);
    struct error err = {0};
    struct args args;

    if (args_split(&args, words->data, words->len) != 0)
        return error_at(error, ERR_SYNTAX, line, text, len,
                        "Unbalanced quotes in configuration line");
    int rc = 0;
    if (args.n > 0 && strcasecmp(args.words[0], "sentinel") == 0)
        rc = statement_queue(input->conf, input->source, line, text, len, &args, doc,
                             &err);
    else if (args.n > 0)
        rc = conf_take_args(input, &args, doc, &err, error);
    args_release(&args);
    if (rc != 0 && err.text[0] != '\0') {
        error_at(error, rc, line, text, len, "%s", err.text);
    } else if (rc != 0 && input->conf->on_error != NULL && error->is_file_error) {
        error_set(&err, rc, "%s", error->reason); /* now the fault of this line */
        error_at(error, rc, line, text, len, "%s", err.text);
    }
    return rc;
}

/* The bytes behind the first |n| lines. */
static const char *conf_skip_lines(const char *bytes, const char *end, int n)
{
    for (; n > 0 && bytes < end; n--) {
        const char *eol = memchr(bytes, '\n', (size_t)(end - bytes));
        bytes = eol != NULL ? eol + 1 : end;
    }
    return bytes;
}

static int conf_parse(struct conf *conf, enum conf_source source, const char *bytes,
                      size_t len, int first_line, struct conf_error *error)
{
    struct conf_input input = {conf, source};
    const char *end = bytes + len;

    for (;;) {
        int rc = reader_parse(bytes, (size_t)(end - bytes), first_line, conf_take_line,
                              &input, error);
        if (rc == 0 || conf->on_error == NULL || error->line < first_line ||
            !conf_report(conf, conf->file, error))
            return rc;
        bytes = conf_skip_lines(bytes, end, error->line - first_line + 1);
        first_line = error->line + 1;
    }
}

/* Reads |path| into |out| within the limit for all files together. */
static int conf_load_file(struct conf *conf, const char *path, struct buf *out,
                          struct conf_error *error)
{
    struct error err = {0};

    errno = 0;
    int rc = file_read(path, CONF_FILE_MAX - conf->n_bytes, out, &err);
    if (rc == ERR_LIMIT)
        return error_file(error, path, "File too large");
    if (rc != 0)
        return error_file(error, path, errno != 0 ? strerror(errno) : err.text);
    conf->n_bytes += out->len;
    return 0;
}

static int conf_include_file(struct conf *conf, const char *path, struct error *err,
                             struct conf_error *error)
{
    struct buf bytes = {0};

    if (conf->depth >= CONF_DEPTH_MAX)
        return error_set(err, ERR_LIMIT, "Includes are nested too deeply");
    if (++conf->n_files > CONF_FILES_MAX)
        return error_set(err, ERR_LIMIT, "Too many files included");
    int rc = conf_load_file(conf, path, &bytes, error);
    if (rc == 0) {
        const char *outer = conf->file;
        conf->file = arena_strdup(&conf->strings, path);
        conf->depth++;
        rc = conf_parse(conf, SOURCE_INCLUDE, buf_text(&bytes), bytes.len, 1, error);
        conf->depth--;
        conf->file = outer;
    }
    buf_release(&bytes);
    return rc;
}

static int conf_include(struct conf *conf, const char *pattern, struct error *err,
                        struct conf_error *error)
{
    glob_t found;
    int rc = 0;

    if (conf->in_memory)
        return error_set(err, ERR_DENIED, "include is not possible here");
    if (strpbrk(pattern, "*?[") == NULL)
        return conf_include_file(conf, pattern, err, error);
    if (glob(pattern, 0, NULL, &found) != 0)
        return 0; /* no match is fine */
    for (size_t i = 0; i < found.gl_pathc && rc == 0; i++)
        rc = conf_include_file(conf, found.gl_pathv[i], err, error);
    globfree(&found);
    return rc;
}

/* Lines of |bytes| as they count for numbering: a last line without its end counts,
 * and so does the empty one behind a last line with an end. */
static int conf_count_lines(const char *bytes, size_t len)
{
    int n = 1;

    for (const char *p = bytes;
         (p = memchr(p, '\n', len - (size_t)(p - bytes))) != NULL; p++)
        n++;
    return n;
}

int conf_read_main(struct conf *conf, const char *bytes, size_t len,
                   struct conf_error *error)
{
    doc_load(&conf->doc, bytes, len);
    conf->doc_at = conf->doc.lines;
    conf->doc_at_line = 1;
    int rc = conf_parse(conf, SOURCE_MAIN, bytes, len, 1, error);
    conf->doc_at = NULL;
    conf->n_lines += conf_count_lines(bytes, len);
    return rc;
}

int conf_read_file(struct conf *conf, const char *path, struct conf_error *error)
{
    struct buf bytes = {0};

    int rc = conf_load_file(conf, path, &bytes, error);
    if (rc == 0) {
        conf->file = arena_strdup(&conf->strings, path);
        rc = conf_read_main(conf, buf_text(&bytes), bytes.len, error);
        conf->file = "";
    }
    buf_release(&bytes);
    return rc;
}

int conf_read_main_text(struct conf *conf, const char *text, size_t len,
                        struct conf_error *error)
{
    if (len > CONF_FILE_MAX)
        return error_file(error, "-", "File too large");
    conf->in_memory = true;
    return conf_read_main(conf, text, len, error);
}

int conf_read_text(struct conf *conf, const char *text, size_t len,
                   struct conf_error *error)
{
    if (len > CONF_FILE_MAX)
        return error_file(error, "-", "File too large");
    int first = conf->n_lines + 1;
    conf->n_lines += conf_count_lines(text, len);
    return conf_parse(conf, SOURCE_TEXT, text, len, first, error);
}

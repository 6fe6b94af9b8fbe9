/*
 * reader.c - lines of a configuration file, through inih.
 *
 * inih reads "name=value", sentinel.conf is "name value ...". So inih gets its lines
 * from reader_gets(), which turns the first blank behind the name into "=". With the
 * options of reader_setup() inih then leaves the value alone, whatever it holds.
 */
#include "common/assert.h"
#include "sentinel/conf/internal.h"

#include <ini.h>
#include <string.h>

struct reader {
    const char *bytes;
    size_t len, pos; /* taken so far */
    int line;        /* number of the line inih is working on */
    const char *text;
    size_t text_len; /* that line, trimmed */
    bool is_whole;   /* inih was given the line as value of a stand-in name */

    struct buf out; /* what inih is to see of it */
    size_t n_out;   /* given out so far */
    struct buf words;

    reader_fn fn;
    void *ctx;
    struct conf_error *error;
    int status;
};

bool reader_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* inih's options are process-wide variables; nobody else here uses it. */
static void reader_setup(void)
{
    static char prefixes[] = "#";

    ini_allow_multiline = false;
    ini_allow_bom = false;
    ini_start_comment_prefixes = prefixes;
    ini_allow_inline_comments = false;
    ini_use_stack = false;
    ini_max_line = 1 << 20;
    ini_allow_realloc = true;
    ini_initial_alloc = 65536;
    ini_stop_on_first_error = true;
    ini_allow_no_value = true;
}

/* Takes the next line that holds a directive. False at the end. */
static bool reader_next_line(struct reader *reader)
{
    while (reader->pos < reader->len) {
        const char *start = reader->bytes + reader->pos;
        const char *end = memchr(start, '\n', reader->len - reader->pos);
        if (end == NULL)
            end = reader->bytes + reader->len;
        reader->pos = (size_t)(end - reader->bytes) + 1;
        reader->line++;
        while (start < end && reader_is_blank(*start))
            start++;
        while (start < end && reader_is_blank(end[-1]))
            end--;
        /* Comments may be of any length and hold anything: inih need not know. */
        if (start < end && *start != '#') {
            reader->text = start;
            reader->text_len = (size_t)(end - start);
            return true;
        }
    }
    return false;
}

static int reader_refuse(struct reader *reader, const char *reason)
{
    reader->status = error_at(reader->error, ERR_SYNTAX, reader->line, reader->text,
                              reader->text_len, "%s", reason);
    return reader->status;
}

/* Puts the present line into |reader->out| in the form inih wants. */
static int reader_encode(struct reader *reader)
{
    const char *text = reader->text;
    size_t len = reader->text_len;
    size_t name_len = 0;

    if (len > CONF_LINE_MAX)
        return reader_refuse(reader, "Line too long");
    if (memchr(text, '\0', len) != NULL)
        return reader_refuse(reader, "NUL byte in configuration line");
    while (name_len < len && !reader_is_blank(text[name_len]))
        name_len++;
    /* Names that inih would cut or take for a section pass as a value. */
    reader->is_whole = text[0] == '[' || memchr(text, '=', name_len) != NULL ||
                       memchr(text, ':', name_len) != NULL;

    buf_clear(&reader->out);
    reader->n_out = 0;
    if (reader->is_whole) {
        buf_puts(&reader->out, "?=");
        buf_append(&reader->out, text, len);
    } else {
        buf_append(&reader->out, text, name_len);
        if (name_len < len) {
            buf_putc(&reader->out, '=');
            buf_append(&reader->out, text + name_len + 1, len - name_len - 1);
        }
    }
    buf_putc(&reader->out, '\n');
    return 0;
}

/* fgets() for inih: up to |cap| - 1 bytes, at most to the end of the line. */
static char *reader_gets(char *str, int cap, void *stream)
{
    struct reader *reader = stream;

    ASSERT(cap > 1);
    if (reader->n_out == reader->out.len) {
        if (reader->status != 0 || !reader_next_line(reader) ||
            reader_encode(reader) != 0)
            return NULL;
    }
    size_t n = reader->out.len - reader->n_out;
    if (n > (size_t)cap - 1)
        n = (size_t)cap - 1;
    memcpy(str, reader->out.data + reader->n_out, n);
    str[n] = '\0';
    reader->n_out += n;
    return str;
}

static int reader_take(void *user, const char *section, const char *name,
                       const char *value)
{
    struct reader *reader = user;

    (void)section;
    buf_clear(&reader->words);
    if (!reader->is_whole) {
        buf_puts(&reader->words, name);
        buf_putc(&reader->words, ' ');
    }
    if (value != NULL)
        buf_puts(&reader->words, value);
    reader->status = reader->fn(reader->ctx, reader->line, reader->text,
                                reader->text_len, &reader->words, reader->error);
    return reader->status == 0;
}

int reader_parse(const char *bytes, size_t len, int first_line, reader_fn fn, void *ctx,
                 struct conf_error *error)
{
    struct reader reader = {
        .bytes = bytes,
        .len = len,
        .line = first_line - 1,
        .fn = fn,
        .ctx = ctx,
        .error = error,
    };

    reader_setup();
    int rc = ini_parse_stream(reader_gets, &reader, reader_take, &reader);
    buf_release(&reader.out);
    buf_release(&reader.words);
    if (reader.status != 0)
        return reader.status;
    /* It does not happen: names and values of any kind are let through. */
    if (rc != 0)
        return error_at(error, ERR_SYNTAX, 0, NULL, 0, "Malformed configuration file");
    return 0;
}

/*
 * story.c - what is told, the words of a command, answers to clients.
 */
#include "tests/scenario/story.h"

#include "common/args.h"
#include "common/glob.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool story_fail(struct story *story, const char *what, const char *word)
{
    snprintf(story->error, sizeof(story->error), "%s: %s", what, word);
    return false;
}

/* --------------------------------------------------------------- narration ------- */

static bool is_hidden(const struct story *story, const char *line)
{
    for (int i = 0; i < story->n_hidden; i++)
        if (glob_match(story->hidden[i], strlen(story->hidden[i]), line, strlen(line),
                       false))
            return true;
    return false;
}

void story_tell(void *ctx, int64_t at, const char *who, enum sim_line kind,
                const char *text)
{
    struct story *story = ctx;
    char line[2048];

    if (kind == SIM_LINE_WORLD)
        snprintf(line, sizeof(line), "-- %s", text);
    else if (kind == SIM_LINE_EVENT)
        snprintf(line, sizeof(line), "%s > %s", who, text);
    else if (kind == SIM_LINE_LOG)
        snprintf(line, sizeof(line), "%s : %s", who, text);
    else
        snprintf(line, sizeof(line), "%s   %s", who, text);

    if (story->until != NULL &&
        glob_match(story->until, strlen(story->until), line, strlen(line), false))
        story->seen = true;
    bool is_violation = kind == SIM_LINE_WORLD && strncmp(text, "VIOLATION", 9) == 0;
    if (!is_violation && (story->silent || is_hidden(story, line)))
        return;
    if (kind == SIM_LINE_NOTE) {
        if (story->notes)
            buf_printf(&story->out, "              %s\n", text);
        return;
    }
    if (kind == SIM_LINE_LOG && !story->logs)
        return;
    buf_printf(&story->out, "[%6" PRId64 "] %s\n", at - story->base, line);
}

/* ------------------------------------------------------------------- words ------- */

const char *story_word(const struct story *story, size_t i)
{
    return i < story->words.n ? story->words.words[i] : "";
}

int64_t story_duration(const char *text)
{
    size_t len = strlen(text);
    int64_t n, factor = 1;

    if (len > 2 && strcmp(text + len - 2, "ms") == 0) {
        len -= 2;
    } else if (len > 1 && text[len - 1] == 's') {
        len -= 1;
        factor = 1000;
    }
    return args_int(text, len, &n) ? n * factor : INT64_MIN;
}

const char *story_option(const struct story *story, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 1; i < story->words.n; i++)
        if (strncmp(story_word(story, i), name, len) == 0 &&
            story_word(story, i)[len] == '=')
            return story_word(story, i) + len + 1;
    return NULL;
}

int64_t story_number(const struct story *story, const char *name, int64_t otherwise)
{
    const char *value = story_option(story, name);

    return value != NULL ? story_duration(value) : otherwise;
}

struct machine *story_machine(struct story *story, size_t i)
{
    struct machine *found = world_node_named(story->sim, story_word(story, i));

    if (found == NULL)
        story_fail(story, "no such machine", story_word(story, i));
    return found;
}

struct redis *story_redis(struct story *story, size_t i)
{
    struct machine *found = story_machine(story, i);

    if (found != NULL && found->redis == NULL)
        story_fail(story, "not a data server", story_word(story, i));
    return found != NULL ? found->redis : NULL;
}

struct host *story_host(struct story *story, size_t i)
{
    struct machine *found = story_machine(story, i);

    if (found != NULL && found->host == NULL)
        story_fail(story, "not a sentinel", story_word(story, i));
    return found != NULL ? found->host : NULL;
}

void story_print(struct story *story, const struct resp_value *value, int depth)
{
    struct buf *out = &story->out;

    switch (value->type) {
    case RESP_NIL:
        buf_puts(out, "(nil)\n");
        return;
    case RESP_STATUS:
        buf_printf(out, "%s\n", value->str);
        return;
    case RESP_ERROR:
        buf_printf(out, "(error) %s\n", value->str);
        return;
    case RESP_INT:
        buf_printf(out, "(integer) %" PRId64 "\n", value->integer);
        return;
    case RESP_BULK: {
        struct buf named = {0};
        world_names(story->sim, value->str, &named);
        buf_printf(out, "\"%s\"\n", buf_text(&named));
        buf_release(&named);
        return;
    }
    case RESP_ARRAY:
        if (value->n_items == 0)
            buf_puts(out, "(empty array)\n");
        for (size_t i = 0; i < value->n_items; i++) {
            buf_printf(out, "%*s%zu) ", i == 0 ? 0 : depth * 3, "", i + 1);
            story_print(story, &value->items[i], depth + 1);
        }
        return;
    }
}

bool story_print_fields(struct story *story, const struct resp_value *value,
                        size_t first)
{
    bool any = false;

    if (value->type != RESP_ARRAY)
        return false;
    if (value->n_items > 0 && value->items[0].type == RESP_ARRAY) {
        for (size_t i = 0; i < value->n_items; i++)
            any |= story_print_fields(story, &value->items[i], first);
        return any;
    }
    for (size_t w = first; w < story->words.n; w++)
        for (size_t i = 0; i + 1 < value->n_items; i += 2)
            if (value->items[i].str != NULL && value->items[i + 1].str != NULL &&
                strcmp(value->items[i].str, story_word(story, w)) == 0) {
                struct buf named = {0};
                world_names(story->sim, value->items[i + 1].str, &named);
                buf_printf(&story->out, "%s%s=%s", any ? " " : "", story_word(story, w),
                           buf_text(&named));
                buf_release(&named);
                any = true;
            }
    buf_puts(&story->out, any ? "\n" : "");
    return any;
}

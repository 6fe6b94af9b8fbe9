/*
 * script.c - reading, comparing and rewriting scenario files.
 */
#include "tests/scenario/script.h"

#include "common/file.h"
#include "common/mem.h"

#include <stdio.h>
#include <string.h>

#define SCRIPT_BYTES_MAX (1u << 20)
#define CONTEXT_LINES 3

/* The line at |*at| and its length without the newline; moves |*at| behind it. */
static const char *next_line(const char **at, size_t *len)
{
    const char *line = *at;

    if (*line == '\0')
        return NULL;
    *len = strcspn(line, "\n");
    *at = line + *len + (line[*len] == '\n');
    return line;
}

static bool is_rule(const char *line, size_t len)
{
    return len == 4 && memcmp(line, "----", 4) == 0;
}

static struct block *script_add(struct script *script, int line)
{
    script->blocks = mem_resize(script->blocks, script->n + 1, sizeof(*script->blocks));
    struct block *block = &script->blocks[script->n++];

    memset(block, 0, sizeof(*block));
    block->line = line;
    return block;
}

bool script_read(struct script *script, const char *path)
{
    struct buf file = {0}, text = {0};
    struct error err;
    const char *line;
    size_t len;
    int n = 0, first = 1;
    struct block *block = NULL; /* whose output is being read */

    memset(script, 0, sizeof(*script));
    if (file_read(path, SCRIPT_BYTES_MAX, &file, &err) != 0) {
        fprintf(stderr, "%s: %s\n", path, err.text);
        buf_release(&file);
        return false;
    }
    const char *at = buf_text(&file);
    while ((line = next_line(&at, &len)) != NULL) {
        n++;
        if (block != NULL && len > 0) {
            buf_append(&block->expected, line, len);
            buf_putc(&block->expected, '\n');
        } else if (block != NULL) {
            block = NULL;
            first = n + 1;
        } else if (is_rule(line, len)) {
            block = script_add(script, first);
            block->text = text;
            memset(&text, 0, sizeof(text));
        } else {
            buf_append(&text, line, len);
            buf_putc(&text, '\n');
        }
    }
    script->tail = text;
    buf_release(&file);
    return true;
}

void script_release(struct script *script)
{
    for (size_t i = 0; i < script->n; i++) {
        buf_release(&script->blocks[i].text);
        buf_release(&script->blocks[i].expected);
    }
    mem_free(script->blocks);
    buf_release(&script->tail);
    memset(script, 0, sizeof(*script));
}

bool script_write(const struct script *script, const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        perror(path);
        return false;
    }
    for (size_t i = 0; i < script->n; i++)
        fprintf(file, "%s----\n%s%s", buf_text(&script->blocks[i].text),
                buf_text(&script->blocks[i].expected),
                i + 1 < script->n || script->tail.len > 0 ? "\n" : "");
    fputs(buf_text(&script->tail), file);
    return fclose(file) == 0;
}

void script_print_difference(const char *path, const struct block *block,
                             const struct buf *got)
{
    const char *a = buf_text(&block->expected), *b = buf_text(got);
    size_t len_a = 0, len_b = 0;
    int shown = 0;

    printf("%s:%d: not what was expected after\n%s", path, block->line,
           buf_text(&block->text));
    for (;;) {
        const char *line_a = next_line(&a, &len_a), *line_b = next_line(&b, &len_b);
        if (line_a == NULL && line_b == NULL)
            break;
        if (line_a != NULL && line_b != NULL && len_a == len_b &&
            memcmp(line_a, line_b, len_a) == 0)
            continue;
        if (line_a != NULL)
            printf("  - %.*s\n", (int)len_a, line_a);
        if (line_b != NULL)
            printf("  + %.*s\n", (int)len_b, line_b);
        if (++shown == CONTEXT_LINES * 4) {
            printf("  ...\n");
            break;
        }
    }
}

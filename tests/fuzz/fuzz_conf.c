/*
 * fuzz_conf.c - sentinel.conf, and behind a line "--" the directives of a command line:
 * what is accepted must be written so that it is read back the same.
 *
 * conf_read_main_text() keeps the configuration from touching other files.
 */
#include "common/assert.h"
#include "sentinel/conf/conf.h"
#include "sentinel/core/state.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/reload.h"

#include <string.h>

#define SPLIT "\n--\n"

static void check_notes(struct conf *conf)
{
    enum log_level level;
    const char *note;

    while ((note = conf_next_note(conf, &level)) != NULL)
        ASSERT(note[0] != '\0');
}

static void check_error(int rc, const struct conf_error *error)
{
    struct buf out = {0};

    ASSERT(rc < 0 && error->reason[0] != '\0');
    conf_error_print(error, &out);
    ASSERT(out.len > 0);
    buf_release(&out);
}

/* Rendering twice gives the same, and so does loading what was rendered. */
static void check_accepted(struct conf *conf, const struct core *core)
{
    struct buf text = {0}, again = {0};

    core_check(core);
    check_notes(conf);
    conf_render(conf, core, &text);
    conf_render(conf, core, &again);
    ASSERT_CMP(text.len, ==, again.len);
    ASSERT(memcmp(text.data, again.data, text.len) == 0);
    reload_check_text(core, &text);
    buf_release(&text);
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    struct conf *conf = conf_new();
    struct core *core = core_new(7);
    struct conf_error error = {0};
    size_t len = input.left;

    const char *split = memmem(input.at, len, SPLIT, strlen(SPLIT));
    if (split != NULL)
        len = (size_t)(split - input.at) + 1;
    int rc = conf_read_main_text(conf, input.at, len, &error);
    if (rc == 0 && split != NULL) {
        const char *rest = split + strlen(SPLIT);
        rc = conf_read_text(conf, rest, (size_t)(input.at + input.left - rest), &error);
    }
    if (rc == 0)
        rc = conf_apply(conf, core, &error);
    if (rc == 0)
        check_accepted(conf, core);
    else
        check_error(rc, &error);
    core_free(core);
    conf_free(conf);
    return 0;
}

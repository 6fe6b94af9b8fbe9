/*
 * conf_fixture.h - a configuration and the core it was applied to, for check_conf_*.c.
 */
#ifndef TESTS_UNIT_CONF_FIXTURE_H
#define TESTS_UNIT_CONF_FIXTURE_H

#include "sentinel/conf/conf.h"
#include "sentinel/core/state.h"
#include "tests/lib/runner.h"

#include <string.h>

struct fixture {
    struct conf *conf;
    struct core *core;
    struct core_actions *actions;
    struct buf out; /* what fixture_render() gave */
};

/* A core with |text| as its main file. */
static inline void fixture_init(struct fixture *f, const char *text, size_t len)
{
    struct conf_error error = {0};

    f->conf = conf_new();
    f->core = core_new(7);
    f->actions = core_actions_new();
    f->out = (struct buf){0};
    int rc = conf_read_main_text(f->conf, text, len, &error);
    if (rc == 0)
        rc = conf_apply(f->conf, f->core, &error);
    ck_assert_msg(rc == 0, "line %d: %s: %s\nin:\n%s", error.line, error.text,
                  error.reason, text);
}

static inline void fixture_release(struct fixture *f)
{
    core_actions_free(f->actions);
    core_free(f->core);
    conf_free(f->conf);
    buf_release(&f->out);
}

static inline const char *fixture_render(struct fixture *f)
{
    conf_render(f->conf, f->core, &f->out);
    return buf_text(&f->out);
}

static inline struct master *fixture_master(struct fixture *f, const char *name)
{
    struct master *master = core_master_by_name(f->core, name);

    ck_assert_msg(master != NULL, "no master %s", name);
    return master;
}

/* A request as from a client. */
static inline void fixture_request(struct fixture *f,
                                   const struct core_request *request)
{
    struct core_event event = {
        .type = CORE_EV_REQUEST, .now = 1000, .wall = 1000000, .request = request};

    if (!f->core->started)
        core_start(f->core, 1000, 1000000, f->actions);
    core_step(f->core, &event, f->actions);
}

static inline void fixture_set_number(struct fixture *f, const char *master,
                                      enum core_option option, int64_t number)
{
    struct core_setting setting = {.option = option, .number = number, .word = "x"};

    fixture_request(f, &(struct core_request){.type = CORE_RQ_SET,
                                              .client = 1,
                                              .name = master,
                                              .settings = &setting,
                                              .n_settings = 1});
}

static inline void fixture_set_text(struct fixture *f, const char *master,
                                    enum core_option option, const char *text,
                                    const char *text2)
{
    struct core_setting setting = {
        .option = option, .text = text, .text2 = text2, .word = "x"};

    fixture_request(f, &(struct core_request){.type = CORE_RQ_SET,
                                              .client = 1,
                                              .name = master,
                                              .settings = &setting,
                                              .n_settings = 1});
}

/* Does the file written from a core hold, and keep, the state of that core? */
static inline void fixture_check_reload(struct fixture *f)
{
    struct fixture again;

    const char *text = fixture_render(f);
    fixture_init(&again, text, f->out.len);
    memcpy(again.core->myid, f->core->myid, RUN_ID_CAP);
    ck_assert_str_eq(fixture_render(&again), text);
    fixture_release(&again);
    /* Nothing is left to do, whether or not the state is compared afresh. */
    struct buf first = {0};
    buf_puts(&first, text);
    ck_assert_str_eq(fixture_render(f), first.data);
    buf_release(&first);
}

#endif

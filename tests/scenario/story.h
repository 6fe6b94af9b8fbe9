/*
 * story.h - one story while it is told.
 */
#ifndef TESTS_SCENARIO_STORY_H
#define TESTS_SCENARIO_STORY_H

#include "common/args.h"
#include "tests/sim/check.h"

#define HIDDEN_MAX 16

struct story {
    struct sim *sim;
    struct buf out;
    int64_t base;
    bool silent; /* nothing is told while the world settles */
    bool notes, logs;
    char *hidden[HIDDEN_MAX];
    int n_hidden;
    const char *until;
    bool seen;
    struct args words; /* of the command under way */
    char error[256];
};

/* Remembers why the command cannot be carried out. Always false. */
bool story_fail(struct story *story, const char *what, const char *about);

/* The sim_sink of a story. */
void story_tell(void *ctx, int64_t at, const char *who, enum sim_line kind,
                const char *text);

/* The |i|-th word of the command, 0 being its name; "" if there are fewer. */
const char *story_word(const struct story *story, size_t i);
/* The value of "name=..." among the words, or NULL. */
const char *story_option(const struct story *story, const char *name);
int64_t story_number(const struct story *story, const char *name, int64_t otherwise);
/* "3s", "500ms" or "500" in ms. Anything else is INT64_MIN. */
int64_t story_duration(const char *text);

/* What the |i|-th word names; NULL, and story_fail(), if there is none such. */
struct machine *story_machine(struct story *story, size_t i);
struct redis *story_redis(struct story *story, size_t i);
struct host *story_host(struct story *story, size_t i);

/* An answer as redis-cli shows it. */
void story_print(struct story *story, const struct resp_value *value, int depth);
/* Of a flat list of names and values (or a list of such lists), the fields that the
 * words from |first| on name. False: there are none. */
bool story_print_fields(struct story *story, const struct resp_value *value,
                        size_t first);

#endif

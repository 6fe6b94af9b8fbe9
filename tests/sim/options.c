/*
 * options.c - the options of a run as text: on the command line of the simulator, and
 * in the stories that a failing seed is shrunk to.
 */
#include "tests/sim/sim.h"

#include "common/args.h"

#include <inttypes.h>
#include <string.h>

static bool parse_kinds(const char *text, uint64_t *kinds)
{
    *kinds = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        int kind = 0;
        while (kind < FAULT_N && (strlen(fault_name((enum fault_kind)kind)) != len ||
                                  memcmp(fault_name((enum fault_kind)kind), text, len)))
            kind++;
        if (kind == FAULT_N)
            return false;
        *kinds |= FAULT_BIT(kind);
        text += len + (text[len] == ',');
    }
    return true;
}

/* "3,17,42"; "-" is none. */
static bool parse_strikes(const char *text, struct sim_options *options)
{
    options->is_kept = true;
    memset(options->keep, 0, sizeof(options->keep));
    while (strcmp(text, "-") != 0 && *text != '\0') {
        size_t len = strcspn(text, ",");
        int64_t strike = 0;
        if (!args_int(text, len, &strike) || strike < 0 || strike >= SIM_STRIKES_MAX)
            return false;
        options->keep[strike / 64] |= UINT64_C(1) << strike % 64;
        text += len + (text[len] == ',');
    }
    return true;
}

bool sim_options_set(struct sim_options *options, const char *name, const char *value)
{
    int64_t number = 0;

    if (strcmp(name, "without") == 0)
        return parse_kinds(value, &options->without);
    if (strcmp(name, "with") == 0)
        return parse_kinds(value, &options->with);
    if (strcmp(name, "keep") == 0)
        return parse_strikes(value, options);
    if (!args_int(value, strlen(value), &number) || number < 0 || number > INT32_MAX)
        return false;
    if (strcmp(name, "seed") == 0)
        options->seed = (uint64_t)number;
    else if (strcmp(name, "sentinels") == 0 && number <= 9)
        options->n_sentinels = (int)number;
    else if (strcmp(name, "groups") == 0 && number <= SIM_GROUPS_MAX)
        options->n_groups = (int)number;
    else if (strcmp(name, "servers") == 0 && number <= 4)
        options->n_servers = (int)number;
    else if (strcmp(name, "horizon") == 0)
        options->horizon_ms = number;
    else if (strcmp(name, "check-every") == 0)
        options->check_every = (int)number;
    else
        return false;
    return true;
}

bool sim_options_keep(const struct sim_options *options, uint32_t strike)
{
    return !options->is_kept || (strike < SIM_STRIKES_MAX &&
                                 (options->keep[strike / 64] >> strike % 64 & 1) != 0);
}

static void print_number(struct buf *out, const char *before, const char *name,
                         const char *after, int64_t number)
{
    if (number > 0)
        buf_printf(out, " %s%s%s%" PRId64, before, name, after, number);
}

static void print_kinds(struct buf *out, const char *before, const char *name,
                        const char *after, uint64_t kinds)
{
    bool first = true;

    for (int i = 0; i < FAULT_N; i++) {
        if ((kinds & FAULT_BIT(i)) == 0)
            continue;
        if (first)
            buf_printf(out, " %s%s%s", before, name, after);
        buf_printf(out, "%s%s", first ? "" : ",", fault_name((enum fault_kind)i));
        first = false;
    }
}

void sim_options_print(const struct sim_options *options, bool as_story,
                       struct buf *out)
{
    const char *before = as_story ? "" : "--", *after = as_story ? "=" : " ";
    bool first = true;

    print_number(out, before, "seed", after, (int64_t)options->seed);
    print_number(out, before, "sentinels", after, options->n_sentinels);
    print_number(out, before, "groups", after, options->n_groups);
    print_number(out, before, "servers", after, options->n_servers);
    print_number(out, before, "horizon", after, options->horizon_ms);
    if (options->check_every != SIM_CHECK_EVERY)
        print_number(out, before, "check-every", after, options->check_every);
    print_kinds(out, before, "with", after, options->with);
    print_kinds(out, before, "without", after, options->without);
    if (!options->is_kept)
        return;
    buf_printf(out, " %skeep%s", before, after);
    for (uint32_t i = 0; i < SIM_STRIKES_MAX; i++) {
        if (!sim_options_keep(options, i))
            continue;
        buf_printf(out, "%s%u", first ? "" : ",", i);
        first = false;
    }
    buf_puts(out, first ? "-" : "");
}

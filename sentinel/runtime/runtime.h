/*
 * runtime.h - the driver of the core in the real world: a libuv loop that turns what
 * happens into events, hands them to core_step() one after the other, and performs the
 * actions that come back. It decides nothing.
 *
 * A turn of the loop: callbacks post events and the core answers each at once; what is
 * to be written gathers; then runtime_end_turn() writes once per connection, starts a
 * save if one was asked for, and arms one timer for core_deadline().
 */
#ifndef SENTINEL_RUNTIME_RUNTIME_H
#define SENTINEL_RUNTIME_RUNTIME_H

#include "common/addr.h"
#include "sentinel/conf/conf.h"
#include "sentinel/core/core.h"
#include "sentinel/runtime/aclfile.h"
#include "sentinel/runtime/clock.h"
#include "sentinel/runtime/conn.h"
#include "sentinel/runtime/dns.h"
#include "sentinel/runtime/lag.h"
#include "sentinel/runtime/listener.h"
#include "sentinel/runtime/persist.h"
#include "sentinel/runtime/proc.h"
#include "sentinel/runtime/queue.h"
#include "sentinel/runtime/signals.h"
#include "sentinel/runtime/stream.h"
#include "sentinel/runtime/tlsconf.h"
#include "sentinel/server/server.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct runtime {
    uv_loop_t loop;
    struct core *core;
    struct conf *conf;
    const struct conf_options *options;
    struct server *server;
    struct core_actions *actions;
    const char *state_path; /* the file that is written; absolute */
    const char *supervised;
    int maxclients;
    size_t n_links_expected; /* for which the descriptor limit was raised */
    char bind_source[ADDR_IP_CAP];

    struct clock clock;
    struct lag lag;
    struct queue queue;
    bool in_step;  /* core_step() or its actions are under way */
    bool stopping; /* asked to end */
    bool stopped;  /* the core hears nothing any more */

    uv_timer_t deadline_timer;
    int64_t armed_at; /* what deadline_timer stands at; CORE_NEVER: not armed */
    uv_timer_t cron_timer;
    uv_timer_t watchdog_timer;
    uv_prepare_t turn_end;
    uv_idle_t again; /* active while work is left over for the next turn */
    uv_idle_t look;  /* active while the loop stays awake for clients */
    int n_heard;     /* clients, in this turn: how often they were read from */
    int n_looks;     /* turns until it may sleep */

    struct streams streams;
    struct tlsconf tls;
    struct conns conns;
    struct listeners listeners;
    struct client *clients;
    struct persist persist;
    struct aclfile aclfile;
    struct dns dns;
    struct procs procs;
    struct signals signals;
};

/* What main() has found out. Everything is borrowed for as long as the runtime lives.
 */
struct runtime_setup {
    struct core *core;
    struct conf *conf;
    const char *conf_path;  /* NULL if there is none */
    const char *state_path; /* where the state is saved: |conf_path|, or a file of
                             * state-dir */
    const char *executable;
    const char *supervised; /* "no", "systemd" or "upstart" */
    const char *run_id;
    int maxclients; /* what the descriptor limit allows */
};

/* How many connections of our own the configuration asks for; |is_guess|: with those
 * that will be discovered, as far as one can know. */
int runtime_count_links(const struct core *core, bool is_guess);
/* NULL, after a log line, if it cannot listen as configured. */
struct runtime *runtime_new(const struct runtime_setup *setup);
/* core_start() and the loop, until somebody asks for the end. False, after a log line,
 * if it does not start because a new run id cannot be saved. */
bool runtime_run(struct runtime *rt);
/* Closes everything. Returns false if something could not be waited for, so that
 * memory is still in use by another thread; the process should then just exit. */
bool runtime_free(struct runtime *rt);

/* ---- for the other files of runtime/ ---- */

/* Reads the clocks and tells the server, before each call into it. May post. */
void runtime_tick(struct runtime *rt);

/*
 * runtime_post() tells the core that |event| happened; now and wall are filled in. If
 * the core is idle it steps before this returns, otherwise the event is copied and
 * waits its turn.
 */
void runtime_post(struct runtime *rt, const struct core_event *event);

/* The same for an event of connection |dial| of a link: dropped if that has been closed
 * or dialled anew before the event's turn comes. */
void runtime_post_link(struct runtime *rt, const struct core_event *event,
                       enum link_chan chan, uint64_t dial);

/* From within the server, which must not be called back: waits in any case, until
 * runtime_pump(). */
void runtime_post_later(struct runtime *rt, const struct core_event *event);

/* Steps through what waits. After each call into the server that may have posted. */
void runtime_pump(struct runtime *rt);

/* The loop is to take another turn at once. */
void runtime_again(struct runtime *rt);

/* Ends runtime_run() at the end of this turn. */
void runtime_stop(struct runtime *rt);

#endif

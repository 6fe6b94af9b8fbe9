/*
 * sim.h - a small world in virtual time: machines, a network, data servers that are
 * models, and sentinels that are real (core, configuration file and client sessions).
 *
 * The same options give the same world, event by event: chance comes from the seed
 * only, in streams split by purpose, and the clock is a number that jumps to the next
 * entry of a queue ordered by (time, order of insertion).
 *
 * Users: main.c (swarms of faults judged by invariants) and tests/scenario/run.c
 * (stories with exact narration).
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "common/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_GROUPS_MAX 50
#define SIM_STRIKES_MAX 4096
#define SIM_CHECK_EVERY 64 /* events between two looks at all states */

struct sim;

/* Kinds of faults; a run has each switched on or off. */
#define FAULT_MAP(X)                                                                   \
    X(FAULT_CRASH, "crash")         /* a data server dies and comes back later */      \
    X(FAULT_REBOOT, "reboot")       /* dies and is back at once, maybe empty */        \
    X(FAULT_HANG, "hang")           /* SIGSTOP for a while */                          \
    X(FAULT_LOADING, "loading")     /* restarts and loads for long */                  \
    X(FAULT_BUSY, "busy")           /* a script blocks it */                           \
    X(FAULT_GARBAGE, "garbage")     /* answers nonsense */                             \
    X(FAULT_REFUSE, "refuse")       /* may not be reconfigured */                      \
    X(FAULT_ROLE, "role")           /* somebody changes roles behind our back */       \
    X(FAULT_KILL, "kill")           /* a sentinel dies and comes back */               \
    X(FAULT_STALL, "stall")         /* a sentinel is frozen for a while */             \
    X(FAULT_PARTITION, "partition") /* the machines fall into two parts */             \
    X(FAULT_ISOLATE, "isolate")     /* one machine is cut off */                       \
    X(FAULT_ONEWAY, "oneway")       /* packets pass in one direction only */           \
    X(FAULT_FLAP, "flap")           /* a path goes down and up, quickly */             \
    X(FAULT_SLOW, "slow")           /* a path gets slow */                             \
    X(FAULT_CLOCK, "clock")         /* wall clocks step, clocks drift */               \
    X(FAULT_DISK, "disk")           /* a sentinel's disk is full or slow */            \
    X(FAULT_MANUAL, "manual")       /* SENTINEL FAILOVER at bad moments */             \
    X(FAULT_TWICE, "twice")         /* the same on two sentinels at once */            \
    X(FAULT_RESET, "reset")         /* SENTINEL RESET */                               \
    X(FAULT_SET, "set")             /* SENTINEL SET */                                 \
    X(FAULT_QUERY, "query")         /* clients ask for all sorts of things */          \
    X(FAULT_DNS, "dns")             /* names are not looked up, or late */             \
    X(FAULT_MOVE, "move")           /* a machine comes back with another address */    \
    X(FAULT_READONLY, "readonly")   /* a sentinel's disk takes no writes */            \
    X(FAULT_MOMENT, "moment")     /* administrators act in the middle of failovers */  \
    X(FAULT_FORGET, "forget")     /* SENTINEL REMOVE, and later MONITOR */             \
    X(FAULT_ECHO, "echo")         /* hellos are read twice, the second time late */    \
    X(FAULT_TOGETHER, "together") /* all masters die at once */                        \
    X(FAULT_ASYM, "asym")         /* two parts, packets pass one way only */           \
    X(FAULT_FORGE, "forge")       /* forged hellos and vote requests */                \
    X(FAULT_STOCK, "stock")       /* some of the sentinels are stock's (stock.h) */

enum fault_kind {
#define FAULT_X(name, text) name,
    FAULT_MAP(FAULT_X)
#undef FAULT_X
        FAULT_N
};

#define FAULT_BIT(kind) (UINT64_C(1) << (kind))

const char *fault_name(enum fault_kind kind);

/* Why a healed majority need not come to agree (excuse.c). */
#define EXCUSE_MAP(X)                                                                  \
    X(EXCUSE_NONE, "nothing excuses it")                                               \
    X(EXCUSE_NO_CANDIDATE, "no replica has priority and data that is fresh enough")    \
    X(EXCUSE_NO_REPLICA, "made to forget at a master that is none: no replica known")  \
    X(EXCUSE_ESTRANGED, "they forgot each other and share no server")                  \
    X(EXCUSE_NO_EPOCH, "REMOVE and MONITOR at different masters, no epoch left")       \
    X(EXCUSE_STOCK_TIE, "stock stays at another master of the same config epoch")      \
    X(EXCUSE_STOCK_DEMOTED, "stock made the only server left follow a dead one")

enum excuse {
#define EXCUSE_X(name, text) name,
    EXCUSE_MAP(EXCUSE_X)
#undef EXCUSE_X
        EXCUSE_N
};

const char *excuse_text(enum excuse excuse);

enum sim_line {
    SIM_LINE_EVENT, /* an event of a sentinel: log and Pub/Sub */
    SIM_LINE_LOG,   /* a log line of a sentinel */
    SIM_LINE_NOTE,  /* narration of a sentinel: why */
    SIM_LINE_WORLD, /* something that happened to the world */
};

/* Called for each line of narration; |who| is "s1", or "" for the world. Addresses and
 * run ids in |text| are already replaced by names. */
typedef void sim_sink(void *ctx, int64_t at, const char *who, enum sim_line kind,
                      const char *text);

struct sim_options {
    uint64_t seed;
    /* 0: drawn from the seed */
    int n_sentinels, n_groups, n_servers;
    int64_t horizon_ms; /* length of the phase in which faults happen */
    uint64_t with;      /* FAULT_BIT(): these happen, whatever is drawn */
    uint64_t without;   /* and these do not */
    bool is_kept;       /* of the strikes of faults, only those in |keep| happen */
    uint64_t keep[SIM_STRIKES_MAX / 64];
    int check_every; /* core_check() after each n-th event; 0: only now and then */
    bool calm;       /* no chance at all: fixed delays, no faults, nothing built */
    sim_sink *sink;  /* NULL: no narration */
    void *sink_ctx;
};

/* What main.c adds up over many seeds. */
struct sim_statistics {
    uint64_t n_events, n_steps;
    int64_t virtual_ms;
    uint32_t n_elections, n_contested; /* epochs with candidates; with several */
    uint32_t n_elected, n_promotions, n_switches;
    uint32_t n_aborts_votes, n_aborts_replica, n_aborts_timeout;
    uint32_t n_strikes; /* of faults */
    uint32_t n_tilts, n_restarts, n_votes_withheld;
    /* from the death of the master to ..., in the last phase; -1: none */
    int n_groups;
    int64_t promoted_ms[SIM_GROUPS_MAX], agreed_ms[SIM_GROUPS_MAX];
    int64_t detect_ms[SIM_GROUPS_MAX];
    uint32_t n_excused[EXCUSE_N]; /* runs without agreement in the end, and why */
    int64_t settle_ms;            /* from the healing of the majority to agreement */
};

/* "seed", "without", "keep" and so on from text; false: there is no such option or
 * value. And the options that are set, as words of a command line or of a story. */
bool sim_options_set(struct sim_options *options, const char *name, const char *value);
void sim_options_print(const struct sim_options *options, bool as_story,
                       struct buf *out);
/* Does the |strike|-th strike of a fault happen? */
bool sim_options_keep(const struct sim_options *options, uint32_t strike);

struct sim *sim_new(const struct sim_options *options);
void sim_free(struct sim *sim);

/* Lets |for_ms| of virtual time pass. False: an invariant is broken. */
bool sim_run(struct sim *sim, int64_t for_ms);

/* Runs one seed from its first to its last phase. False: an invariant is broken. */
bool sim_play(struct sim *sim);

/* The first broken invariant, NULL if none. */
const char *sim_violation(const struct sim *sim);
uint64_t sim_hash(const struct sim *sim);
const struct sim_statistics *sim_statistics(const struct sim *sim);
int64_t sim_now(const struct sim *sim);

/* Sizes and switched-on faults of a run in one line. */
void sim_describe(const struct sim *sim, struct buf *out);

#endif

/*
 * check.h - what the judges remember.
 */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include "tests/sim/world.h"

/* A vote that left a sentinel. */
struct vote {
    int sentinel, group;
    uint64_t epoch;
    char leader[RUN_ID_CAP];
};

struct election {
    int group;
    uint64_t epoch;
    int winner;   /* node id; -1 none yet */
    int promoted; /* told SLAVEOF NO ONE; -1 none yet */
    int n_candidates;
    bool exempt;
};

/* What a sentinel has told the world about itself. */
struct told {
    char run_id[RUN_ID_CAP];
    uint64_t current_epoch;
    uint64_t config_epoch[SIM_GROUPS_MAX];
};

#define INFO_UP_MS 31000 /* the age of an INFO that may be relied upon */

/* What a peer last told a sentinel about a master, or which master it came to. */
struct opinion {
    int about; /* the server; node id + 1, 0: none (is down) */
    int64_t at;
};
#define FORGE_OVERHEARD 32

/* A sentinel's down-after, and a shorter one that it had until |at|. */
struct patience {
    int64_t now_ms, was_ms, at;
};

/* Switches of one sentinel without a newer configuration. */
struct switches {
    uint64_t config_epoch;
    int n;
};

struct judge {
    bool is_off; /* scenarios with forged messages */
    struct vote *votes;
    size_t n_votes;
    struct election *elections;
    size_t n_elections;
    struct told told[SIM_NODES_MAX];
    node_set allowed[SIM_GROUPS_MAX]; /* servers clients may be sent to */
    /* by sentinel and server: last valid reply to a PING; end of the last silence that
     * was longer than down-after, or of its time as a replica, 0 none */
    int64_t valid_at[SIM_NODES_MAX][SIM_NODES_MAX];
    int64_t silence_end[SIM_NODES_MAX][SIM_NODES_MAX];
    /* by sentinel and group: last switch from an address where nobody was left */
    int64_t moved_on_at[SIM_NODES_MAX][SIM_GROUPS_MAX];
    int64_t heir_at[SIM_NODES_MAX]; /* check_note_heirs(); 0 never */
    int64_t told_at[SIM_NODES_MAX]; /* last SLAVEOF NO ONE */
    int n_told[SIM_NODES_MAX];
    uint64_t told_epoch[SIM_GROUPS_MAX];
    bool tried_forced[SIM_NODES_MAX][SIM_GROUPS_MAX]; /* the last attempt was */
    node_set stock_demoted;                 /* masters that stock made replicas */
    int64_t stock_tried_at[SIM_GROUPS_MAX]; /* last failover that stock began */
    int64_t odown_at[SIM_GROUPS_MAX];       /* first +odown since it was set to -1 */
    /* by sentinel (NULL: it never ran), peer and group */
    struct opinion (*opinions[SIM_NODES_MAX])[SIM_GROUPS_MAX];
    /* by sentinel and group: when it came to its present master */
    struct opinion adopted[SIM_NODES_MAX][SIM_GROUPS_MAX];
    struct patience patience[SIM_NODES_MAX][SIM_GROUPS_MAX];
    struct switches switches[SIM_NODES_MAX][SIM_GROUPS_MAX];
    struct resp_request parser;
    char overheard[FORGE_OVERHEARD][512]; /* hellos, to be replayed */
    uint32_t n_overheard;
};

/* check_evidence.c */
/* Did |peer| say lately, to |host|, that the server |node| is down? */
bool check_said_down(const struct host *host, int peer, int group, int node);
void check_odown(struct host *host, int group, const char *text);
void check_sdown(struct host *host, const struct master *master, int group,
                 const char *text);
void check_stale(struct host *host, const struct master *master,
                 const struct redis *redis);
/* forge.c */
void forge_strike(struct sim *sim, struct rng *rng);
void forge_remember(struct sim *sim, const char *payload);
void forge_check(const struct sim *sim, const struct host *host,
                 const struct master *master);
void forge_check_signed(const struct sim *sim, const struct host *host);
void forge_check_vote(const struct host *host, int group, uint64_t epoch,
                      const char *leader);

int check_group_named(const struct sim *sim, const char *name, size_t len);

#endif

/*
 * rig.h - one core on a bench: feed it events by hand, look at its actions.
 */
#ifndef TESTS_LIB_RIG_H
#define TESTS_LIB_RIG_H

#include "common/buf.h"
#include "sentinel/core/core.h"
#include "sentinel/core/state.h"

#include <stdbool.h>

struct rig {
    struct core *core;
    struct core_actions *actions;
    int64_t now, wall;
    struct buf log;   /* "event text" lines of events and logs, newest last */
    struct buf sent;  /* commands sent, "port word word ...", one a line; "open ip port"
                       * and "resolve host", too */
    uint64_t persist; /* version last asked for; 0: none since the last rig_saved */
    bool auto_save;   /* PERSISTED follows each PERSIST at once */
    bool auto_connect;         /* LINK_OPEN to live_ports succeeds at once */
    bool dead[65536];          /* ports that refuse */
    struct core_action answer; /* last ANSWER */
    char answer_text[128], answer_leader[RUN_ID_CAP];
    int n_answers;
    struct slot_id job; /* last JOB_START */
    int n_jobs_started, n_jobs_killed, exit_code;
    bool exited;
};

/* A core with |setup| lines loaded by the caller between new and start. */
void rig_init(struct rig *rig, uint64_t seed);
void rig_release(struct rig *rig);
void rig_start(struct rig *rig);
void rig_set(struct rig *rig, const char *master, enum core_option option, int64_t n);
void rig_set_text(struct rig *rig, const char *master, enum core_option option,
                  const char *text);
void rig_step(struct rig *rig, struct core_event *event);
/* Lets |ms| pass, delivering deadlines exactly when they are due. */
void rig_run(struct rig *rig, int64_t ms);
void rig_saved(struct rig *rig, bool ok);
/* Answers to the oldest unanswered commands of the link to |port|. */
struct link *rig_link(struct rig *rig, int port);
void rig_reply(struct rig *rig, int port, const char *command, struct resp_value value);
void rig_reply_text(struct rig *rig, int port, const char *command, enum resp_type type,
                    const char *text);
void rig_vote_reply(struct rig *rig, int port, int down, const char *leader,
                    int64_t epoch);
void rig_request(struct rig *rig, struct core_request *request);
/* Has an event or log line that contains |text| come since the last rig_forget()? */
bool rig_saw(const struct rig *rig, const char *text);
bool rig_sent(const struct rig *rig, const char *text);
void rig_forget(struct rig *rig);
/* The sentinel at |port| answers PING, and then for itself. */
void rig_introduce(struct rig *rig, int port, const char *run_id);
/* Forgets, then a client publishes a hello. */
void rig_say_hello(struct rig *rig, const char *text);
/* The sentinel at |port|, asked, says that the master is at |master_port|. */
void rig_confirm_master(struct rig *rig, int port, const char *master_port);
void rig_lose_link(struct rig *rig, int port, const char *reason);

#endif

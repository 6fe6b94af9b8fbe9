/*
 * run.c - runs the stories in tests/scenario.
 *
 * A story is a list of blocks: commands, a line `----`, and exactly what is told while
 * they run; a blank line ends the block, `ok` stands for silence. The world has no
 * chance in it: every packet takes 1 ms, every write to disk 2 ms, so that all numbers
 * repeat. Times are shown in ms since the last `stabilize`.
 *
 *     [  3001] s2 > +sdown master m1 r1       an event: log and Pub/Sub
 *                   PING unanswered for ...   why: narration of the core
 *     [  3004] s2 : s1 voted for s2 1         a log line that is no event
 *     [  3100] -- s2 runs /bin/sh ...         something in the world
 *
 * Addresses and run ids are replaced by names. `--rewrite` writes what happens into the
 * files: only commit such changes if you can say why each line is right.
 */
#include "tests/scenario/script.h"
#include "tests/scenario/story.h"

#include "common/mem.h"
#include "tests/lib/mac.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_MS 120000

/* ---------------------------------------------------------------- building ------- */

static struct group *group_named(struct story *story, const char *name)
{
    struct sim *sim = story->sim;
    int i = check_group_named(sim, name, strlen(name));

    if (i >= 0)
        return &sim->groups[i];
    if (sim->n_groups == SIM_GROUPS_MAX)
        return NULL;
    struct group *group = &sim->groups[sim->n_groups++];
    snprintf(group->name, sizeof(group->name), "%s", name);
    group->master = -1;
    group->quorum = 1;
    group->down_after_ms = 3000;
    group->failover_timeout_ms = 20000;
    group->parallel_syncs = 1;
    return group;
}

/*
 * master m1 [quorum=2] [down-after=3000] [failover-timeout=20000] [parallel-syncs=1]
 *           [auth=secret] [scripts=yes] [reboot=ms]
 * Settings of a master, before its servers are named. Those above are the defaults, but
 * for the quorum, which is 1. m1 need not be declared to have them.
 */
static bool do_master(struct story *story)
{
    struct group *group = group_named(story, story_word(story, 1));

    if (group == NULL)
        return story_fail(story, "too many masters", story_word(story, 1));
    group->quorum = (int)story_number(story, "quorum", group->quorum);
    group->down_after_ms = story_number(story, "down-after", group->down_after_ms);
    group->failover_timeout_ms =
        story_number(story, "failover-timeout", group->failover_timeout_ms);
    group->parallel_syncs =
        story_number(story, "parallel-syncs", group->parallel_syncs);
    group->reboot_ms = story_number(story, "reboot", group->reboot_ms);
    if (story_option(story, "auth") != NULL)
        snprintf(group->password, sizeof(group->password), "%s",
                 story_option(story, "auth"));
    group->scripts = story_option(story, "scripts") != NULL || group->scripts;
    return true;
}

/*
 * redis r1 [master=m1] [replica-of=r2] [priority=100] [lag=ms] [sync=ms] [rate=bytes/s]
 * A data server, running; of m1 if nothing else is said. Its full synchronisation takes
 * `sync` (50 ms), and as a replica it is behind by `lag` (0).
 */
static bool do_redis(struct story *story)
{
    struct sim *sim = story->sim;
    const char *of = story_option(story, "replica-of");
    const char *name = story_option(story, "master");
    struct group *group = group_named(story, name != NULL ? name : "m1");
    int master = -1;

    if (of != NULL) {
        struct machine *found = world_node_named(sim, of);
        if (found == NULL || found->redis == NULL)
            return story_fail(story, "no such master", of);
        master = found->id;
        group = &sim->groups[found->redis->group];
    }
    int index = (int)(group - sim->groups);
    struct redis *redis = redis_new(sim, story_word(story, 1), index, master,
                                    story_number(story, "priority", 100));
    redis->lag_ms = story_number(story, "lag", 0);
    redis->sync_ms = story_number(story, "sync", 50);
    redis->rate = story_number(story, "rate", 1000);
    if (group->master < 0) {
        group->master = redis->machine->id;
        check_allow(sim, index, redis->machine->id);
    }
    redis_start(redis, false);
    return true;
}

/*
 * sentinels 3 [stock=1] [quorum=2] [down-after=3000] ...
 * s1, s2, s3 with run ids 1111..., 2222... and so on, monitoring all masters declared
 * so far; the options are those of `master`, for all of them. They start at once. The
 * last `stock` of them are models of stock sentinels (tests/sim/stock.h).
 */
static bool do_sentinels(struct story *story)
{
    struct sim *sim = story->sim;
    int n = (int)story_duration(story_word(story, 1));
    char name[8], id[RUN_ID_CAP];

    int n_stock = (int)story_number(story, "stock", 0);
    if (n < 1 || n > 9)
        return story_fail(story, "how many?", story_word(story, 1));
    if (story_option(story, "gossip") != NULL)
        sim->auth = gossip_auth_named(story_option(story, "gossip"));
    for (int i = 0; i < sim->n_groups; i++) {
        struct args words = story->words;
        char *first = words.words[1];
        story->words.words[1] = sim->groups[i].name;
        do_master(story);
        story->words.words[1] = first;
    }
    for (int i = 1; i <= n; i++) {
        snprintf(name, sizeof(name), "s%c", '0' + i);
        memset(id, '0' + i, RUN_ID_LEN);
        id[RUN_ID_LEN] = '\0';
        struct host *host = host_new(sim, name, id);
        if (i > n - n_stock)
            host->kind = &stock_kind;
        build_config(host);
        host_start(host);
    }
    return true;
}

/* -------------------------------------------------------------------- time ------- */

static bool is_settled(const struct sim *sim)
{
    int n_hosts = 0;

    for (int i = 0; i < sim->n_nodes; i++)
        n_hosts += sim->nodes[i].host != NULL && sim->nodes[i].up;
    for (int i = 0; i < sim->n_nodes; i++) {
        const struct host *host = sim->nodes[i].host;
        for (int g = 0; g < sim->n_groups && host != NULL && host->core != NULL; g++) {
            const struct master *m = host_master(host, g);
            if (m == NULL)
                continue;
            if ((int)HASH_COUNT(m->voters) < n_hosts - 1 || m->current->s_down)
                return false;
            for (int r = 0; r < sim->n_nodes; r++)
                if (sim->nodes[r].redis != NULL && sim->nodes[r].redis->group == g &&
                    sim->nodes[r].up && !check_is_known(sim, NODE_BIT(i), r, true))
                    return false;
        }
    }
    return true;
}

/* stabilize: everybody finds everybody, then 15 s pass; nothing is told, and the clock
 * of the story starts again at 0. */
static bool do_stabilize(struct story *story)
{
    story->silent = true;
    for (int i = 0; i < 60 && !is_settled(story->sim); i++)
        sim_run(story->sim, 1000);
    sim_run(story->sim, 15000);
    story->silent = false;
    story->base = story->sim->now;
    return is_settled(story->sim) || story_fail(story, "it does not settle", "");
}

/*
 * run 5s                           time passes
 * run until "s* > +switch-master*" [limit=60s]
 *                                  until a line like this is told (a * at the end may
 *                                  be left out); at most 120 s
 */
static bool do_run(struct story *story)
{
    int64_t ms = story_duration(story_word(story, 1));
    char pattern[256];

    if (strcmp(story_word(story, 1), "until") != 0) {
        if (ms < 0)
            return story_fail(story, "how long?", story_word(story, 1));
        sim_run(story->sim, ms);
        return true;
    }
    snprintf(pattern, sizeof(pattern), "%s*", story_word(story, 2));
    int64_t end = story->sim->now + story_number(story, "limit", LIMIT_MS);
    story->until = pattern;
    story->seen = false;
    while (!story->seen && story->sim->now < end && sim_run(story->sim, 1))
        ;
    story->until = NULL;
    if (!story->seen)
        buf_printf(&story->out, "never: %s\n", story_word(story, 2));
    return true;
}

/* ------------------------------------------------------------------ faults ------- */

/*
 * crash r1                         the process dies: connections are reset
 * crash r1 power                   the whole machine: packets vanish
 * crash s2 after-sending SLAVEOF   as soon as it has sent a command with this word
 */
static bool do_crash(struct story *story)
{
    struct machine *m = story_machine(story, 1);

    if (m == NULL)
        return false;
    if (strcmp(story_word(story, 2), "after-sending") == 0) {
        if (m->host == NULL)
            return story_fail(story, "not a sentinel", story_word(story, 1));
        snprintf(m->host->crash_after, sizeof(m->host->crash_after), "%s",
                 story_word(story, 3));
        return true;
    }
    m->off = strcmp(story_word(story, 2), "power") == 0;
    if (m->redis != NULL)
        redis_crash(m->redis);
    else
        host_crash(m->host);
    return true;
}

/* restart r1 [empty]: the process starts from its own configuration file; a server
 * keeps its data unless it comes back empty. One that runs is killed first. */
static bool do_restart(struct story *story)
{
    struct machine *m = story_machine(story, 1);

    if (m == NULL)
        return false;
    if (m->redis != NULL) {
        redis_crash(m->redis);
        redis_start(m->redis, strcmp(story_word(story, 2), "empty") == 0);
    } else {
        host_crash(m->host);
        host_start(m->host);
    }
    return true;
}

/* hang r1, resume r1: SIGSTOP and SIGCONT. The kernel still accepts connections. */
static bool do_hang(struct story *story)
{
    struct machine *m = story_machine(story, 1);

    if (m == NULL)
        return false;
    if (strcmp(story_word(story, 0), "hang") == 0)
        world_freeze(story->sim, m->id);
    else
        world_thaw(story->sim, m->id);
    return true;
}

/* stall s1 3s: frozen for so long, then it goes on. The time passes. */
static bool do_stall(struct story *story)
{
    struct machine *m = story_machine(story, 1);
    int64_t ms = story_duration(story_word(story, 2));

    if (m == NULL || ms < 0)
        return story_fail(story, "stall", story_word(story, 2));
    world_freeze(story->sim, m->id);
    sim_run(story->sim, ms);
    world_thaw(story->sim, m->id);
    return true;
}

/* step-clock s1 5s: its wall clock jumps (a minus sign goes back). */
static bool do_step_clock(struct story *story)
{
    struct host *host = story_host(story, 1);

    if (host == NULL)
        return false;
    host_step_clock(host, story_duration(story_word(story, 2)));
    return true;
}

/* partition s1 r1: these on one side, all others on the other; black holes between. */
static bool do_partition(struct story *story)
{
    struct sim *sim = story->sim;
    node_set side = 0;

    for (size_t i = 1; i < story->words.n; i++) {
        struct machine *m = story_machine(story, i);
        if (m == NULL)
            return false;
        side |= NODE_BIT(m->id);
    }
    for (int i = 0; i < sim->n_nodes; i++)
        for (int j = 0; j < sim->n_nodes; j++)
            if (((side >> i ^ side >> j) & 1) != 0)
                net_block(sim, i, j, true);
    redis_refresh_all(sim);
    return true;
}

/* cut s1 r1: packets from the first to the second vanish; the others still pass. */
static bool do_cut(struct story *story)
{
    struct machine *from = story_machine(story, 1), *to = story_machine(story, 2);

    if (from == NULL || to == NULL)
        return false;
    net_block(story->sim, from->id, to->id, true);
    redis_refresh_all(story->sim);
    return true;
}

/* heal: all paths are open and fast again. */
static bool do_heal(struct story *story)
{
    net_unblock_all(story->sim);
    redis_refresh_all(story->sim);
    return true;
}

/* names [announce=yes] [servers=addresses]: all are called by name from now on, which
 * sentinels announce as well, and servers list in INFO, unless by addresses. */
static bool do_names(struct story *story)
{
    struct names *names = &story->sim->names;

    names->used = true;
    names->shown = story_option(story, "announce") != NULL;
    names->announced = story_option(story, "servers") == NULL;
    return true;
}

/* dns s1 fine | fails | hangs | slow [ms=500]: how its name server answers. */
static bool do_dns(struct story *story)
{
    static const char *const words[] = {"fine", "fails", "slow", "hangs"};
    struct host *host = story_host(story, 1);

    for (unsigned i = 0; host != NULL && i < 4; i++) {
        if (strcmp(story_word(story, 2), words[i]) != 0)
            continue;
        host->dns = i;
        host->dns_ms = story_number(story, "ms", 500);
        return true;
    }
    return host != NULL && story_fail(story, "dns", story_word(story, 2));
}

/* move r1 [dns=0]: the machine vanishes, and starts at once with a new address, of
 * which the name server hears so many ms later. */
static bool do_move(struct story *story)
{
    struct machine *m = story_machine(story, 1);

    if (m == NULL)
        return false;
    names_move(story->sim, m, story_number(story, "dns", 0));
    if (m->redis != NULL)
        redis_start(m->redis, false);
    else
        host_start(m->host);
    return true;
}

/* slow r1 300ms: packets from and to it take that much longer. */
static bool do_slow(struct story *story)
{
    struct machine *m = story_machine(story, 1);
    int64_t ms = story_duration(story_word(story, 2));

    if (m == NULL || ms < 0 || ms > INT16_MAX)
        return story_fail(story, "slow", story_word(story, 2));
    for (int j = 0; j < SIM_NODES_MAX; j++)
        story->sim->slow[m->id][j] = story->sim->slow[j][m->id] = (int16_t)ms;
    return true;
}

/*
 * disk s1 full | ok | 500ms: writes fail, work, or take that much longer.
 */
static bool do_disk(struct story *story)
{
    struct host *host = story_host(story, 1);

    if (host == NULL)
        return false;
    host->disk_full = strcmp(story_word(story, 2), "full") == 0;
    int64_t ms = story_duration(story_word(story, 2));
    host->disk_slow_ms = ms > 0 ? ms : 0;
    return true;
}

/*
 * server r1 refuse | obey           may SLAVEOF be used?
 * server r1 deny=config,exec        what nobody may use; deny= ends it
 * server r1 busy | idle             a script blocks it; SCRIPT KILL ends that...
 * server r1 unkillable              ...unless this was said before
 * server r1 load=5s                 its next start loads for so long
 * server r1 priority=0 lag=ms sync=ms rate=bytes/s
 * server r1 master | replica-of=r2  somebody types SLAVEOF on it
 */
static bool do_server(struct story *story)
{
    struct redis *redis = story_redis(story, 1);
    const char *what = story_word(story, 2);
    const char *of = story_option(story, "replica-of");

    if (redis == NULL)
        return false;
    if (strcmp(what, "refuse") == 0 || strcmp(what, "obey") == 0)
        redis->refuses = strcmp(what, "refuse") == 0;
    const char *denied = story_option(story, "deny");
    if (denied != NULL)
        snprintf(redis->denied, sizeof(redis->denied), "%s", denied);
    if (strcmp(what, "busy") == 0 || strcmp(what, "idle") == 0)
        redis->busy = strcmp(what, "busy") == 0;
    redis->unkillable |= strcmp(what, "unkillable") == 0;
    redis->loading_ms = story_number(story, "load", redis->loading_ms);
    redis->priority = story_number(story, "priority", redis->priority);
    redis->lag_ms = story_number(story, "lag", redis->lag_ms);
    redis->sync_ms = story_number(story, "sync", redis->sync_ms);
    if (strcmp(what, "master") == 0)
        redis_slaveof(redis, -1);
    if (of != NULL) {
        const struct machine *master = world_node_named(story->sim, of);
        if (master == NULL)
            return story_fail(story, "no such server", of);
        redis_slaveof(redis, master->id);
    }
    return true;
}

/* scripts s1 1 1 0: how the next scripts end: status, or minus a signal. run=ms: how
 * long each takes. */
static bool do_scripts(struct story *story)
{
    struct host *host = story_host(story, 1);

    if (host == NULL)
        return false;
    host->job_ms = story_number(story, "run", host->job_ms);
    host->n_job_status = 0;
    for (size_t i = 2; i < story->words.n && host->n_job_status < 16; i++)
        if (strchr(story_word(story, i), '=') == NULL)
            host->job_status[host->n_job_status++] =
                (int)story_duration(story_word(story, i));
    return true;
}

/* ------------------------------------------------------------------ clients ------ */

/* cli s1 SENTINEL MASTER m1 [-> flags quorum]: what a client of s1 is answered; with an
 * arrow, only these fields. */
static bool do_cli(struct story *story)
{
    struct host *host = story_host(story, 1);
    struct reply_parser parser = {0};
    struct buf bytes = {0};
    const struct resp_value *value;
    size_t n = 2;

    if (host != NULL && host->impl != NULL && story->words.n >= 5) {
        host_tell(host, story_word(story, 2), story_word(story, 3),
                  story_word(story, 4), NULL);
        return true;
    }
    if (host == NULL || host->core == NULL)
        return story_fail(story, "it does not run", story_word(story, 1));
    while (n < story->words.n && strcmp(story_word(story, n), "->") != 0)
        n++;
    resp_command_v(&bytes, (const char *const *)story->words.words + 2, n - 2);
    struct client *client = host_admin(host);
    host_feed(client, bytes.data, bytes.len);
    buf_release(&bytes);
    for (int i = 0; i < 5000 && client->out.len == 0; i++)
        sim_run(story->sim, 1);
    reply_feed(&parser, buf_text(&client->out), client->out.len);
    if (reply_next(&parser, &value) != 0)
        buf_puts(&story->out, "no answer\n");
    else if (n == story->words.n || !story_print_fields(story, value, n + 1))
        story_print(story, value, 0);
    reply_release(&parser);
    host_client_free(client);
    return true;
}

/*
 * swarm seed=N [sentinels=N] [groups=N] [servers=N] [horizon=ms] [with=kind,kind]
 *       [without=kind,kind] [keep=strike,strike]
 * Plays a seed of the simulator, in a world of its own: `--story` of the simulator
 * writes such stories. Tells only what is broken.
 */
static bool do_swarm(struct story *story)
{
    struct sim_options options = {.check_every = SIM_CHECK_EVERY};
    char name[16];

    for (size_t i = 1; i < story->words.n; i++) {
        const char *word = story_word(story, i), *value = strchr(word, '=');
        if (value == NULL || (size_t)(value - word) >= sizeof(name))
            return story_fail(story, "no option of a swarm", word);
        snprintf(name, sizeof(name), "%.*s", (int)(value - word), word);
        if (!sim_options_set(&options, name, value + 1))
            return story_fail(story, "no option of a swarm", word);
    }
    struct sim *sim = sim_new(&options);
    if (!sim_play(sim))
        buf_printf(&story->out, "broken: %s\n", sim_violation(sim));
    sim_free(sim);
    return true;
}

/* config s1: the `sentinel` lines of its file, as they are on disk. */
static bool do_config(struct story *story)
{
    struct host *host = story_host(story, 1);

    if (host == NULL)
        return false;
    struct buf named = {0};
    world_names(story->sim, buf_text(&host->disk), &named);
    for (const char *line = buf_text(&named); *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (strncmp(line, "sentinel ", 9) == 0)
            buf_printf(&story->out, "%.*s\n", (int)len, line);
        line += len + (line[len] == '\n');
    }
    buf_release(&named);
    return true;
}

/* roles: what the data servers are. */
static bool do_roles(struct story *story)
{
    static const char *const links[] = {"down", "syncing", "up", "silent"};
    struct sim *sim = story->sim;

    for (int i = 0; i < sim->n_nodes; i++) {
        const struct redis *redis = sim->nodes[i].redis;
        if (redis == NULL)
            continue;
        buf_printf(&story->out, "%s ", sim->nodes[i].name);
        if (!sim->nodes[i].up)
            buf_puts(&story->out, "dead\n");
        else if (redis_is_master(redis))
            buf_puts(&story->out, "master\n");
        else
            buf_printf(&story->out, "replica of %s, link %s\n",
                       redis->master >= 0 ? sim->nodes[redis->master].name : "?",
                       links[redis->repl]);
    }
    return true;
}

/*
 * hello r1|s1 s9 epoch=9 master=r2 [of=m1] config-epoch=9 [ip=10.9.9.9] [port=26379]
 *     [signed="with that secret"] [stamp=-20000, ms from now]
 * Somebody publishes a hello in the name of a sentinel: on a data server, or to a
 * sentinel directly. s1 to s9 stand for the run ids 1111... to 9999...
 */
static bool do_hello(struct story *story)
{
    struct sim *sim = story->sim;
    struct machine *to = story_machine(story, 1);
    const char *master = story_option(story, "master");
    const struct machine *named = world_node_named(sim, master != NULL ? master : "r1");
    const struct machine *self = world_node_named(sim, story_word(story, 2));
    const char *ip = story_option(story, "ip"), *of = story_option(story, "of");
    const char *epoch = story_option(story, "epoch");
    const char *config_epoch = story_option(story, "config-epoch");
    char id[RUN_ID_CAP];
    struct buf text = {0};

    if (to == NULL || named == NULL || story_word(story, 2)[0] != 's')
        return story_fail(story, "hello", story_word(story, 2));
    memset(id, story_word(story, 2)[1], RUN_ID_LEN);
    id[RUN_ID_LEN] = '\0';
    if (ip == NULL)
        ip = self != NULL ? self->ip : "10.9.9.9";
    buf_printf(&text, "%s,%" PRId64 ",%s,%s,%s,%s,%d,%s", ip,
               story_number(story, "port", 26379), id, epoch != NULL ? epoch : "0",
               of != NULL ? of : "m1", named->ip, named->port,
               config_epoch != NULL ? config_epoch : "0");
    if (story_option(story, "signed") != NULL)
        mac_companion(&text, story_option(story, "signed"),
                      HOST_WALL_BASE + sim->now + story_number(story, "stamp", 0), 0);
    if (to->redis != NULL)
        redis_publish(to->redis, text.data, text.len, redis_is_master(to->redis), 0);
    else
        host_tell(to->host, "PUBLISH", SIM_HELLO, text.data, NULL);
    buf_release(&text);
    sim_run(sim, 5);
    return true;
}

/* ------------------------------------------------------------------- telling ----- */

/* hide "pattern": such lines are not told from now on. */
static bool do_hide(struct story *story)
{
    if (story->n_hidden == HIDDEN_MAX)
        return story_fail(story, "too much is hidden", story_word(story, 1));
    story->hidden[story->n_hidden++] = mem_strdup(story_word(story, 1));
    return true;
}

/* notes on|off, logs on|off: narration of the core (off to begin with), and log lines
 * that are no events (on). */
static bool do_telling(struct story *story)
{
    bool on = strcmp(story_word(story, 1), "on") == 0;

    if (strcmp(story_word(story, 0), "notes") == 0)
        story->notes = on;
    else
        story->logs = on;
    return true;
}

/* judges off: lies are told from now on, what the judges think does not matter. */
static bool do_judges(struct story *story)
{
    story->sim->judge->is_off = true;
    return true;
}

/* ------------------------------------------------------------------- running ----- */

static const struct {
    const char *name;
    size_t n_words_min;
    bool (*run)(struct story *story);
} commands[] = {
    {"master", 2, do_master},
    {"redis", 2, do_redis},
    {"sentinels", 2, do_sentinels},
    {"stabilize", 1, do_stabilize},
    {"run", 2, do_run},
    {"crash", 2, do_crash},
    {"restart", 2, do_restart},
    {"hang", 2, do_hang},
    {"resume", 2, do_hang},
    {"stall", 3, do_stall},
    {"step-clock", 3, do_step_clock},
    {"partition", 2, do_partition},
    {"cut", 3, do_cut},
    {"heal", 1, do_heal},
    {"slow", 3, do_slow},
    {"names", 1, do_names},
    {"dns", 3, do_dns},
    {"move", 2, do_move},
    {"disk", 3, do_disk},
    {"server", 3, do_server},
    {"scripts", 2, do_scripts},
    {"cli", 3, do_cli},
    {"config", 2, do_config},
    {"swarm", 2, do_swarm},
    {"roles", 1, do_roles},
    {"hello", 3, do_hello},
    {"hide", 2, do_hide},
    {"notes", 2, do_telling},
    {"logs", 2, do_telling},
    {"judges", 2, do_judges},
};

static bool run_line(struct story *story, const char *line, size_t len)
{
    bool ok = false;

    if (args_split(&story->words, line, len) != 0)
        return story_fail(story, "unbalanced quotes", "");
    if (story->words.n == 0 || story_word(story, 0)[0] == '#') {
        args_release(&story->words);
        return true;
    }
    size_t i = 0, n = sizeof(commands) / sizeof(commands[0]);
    while (i < n && strcmp(commands[i].name, story_word(story, 0)) != 0)
        i++;
    if (i == n || story->words.n < commands[i].n_words_min)
        story_fail(story, "unknown command, or too short", story_word(story, 0));
    else
        ok = commands[i].run(story);
    args_release(&story->words);
    return ok;
}

static void run_block(struct story *story, const struct block *block)
{
    const char *at = buf_text(&block->text);

    buf_clear(&story->out);
    while (*at != '\0') {
        size_t len = strcspn(at, "\n");
        if (len > 0 && at[0] != '#' && !run_line(story, at, len)) {
            buf_printf(&story->out, "BAD COMMAND %s\n", story->error);
            break;
        }
        at += len + (at[len] == '\n');
    }
    if (story->out.len == 0)
        buf_puts(&story->out, "ok\n");
}

static void story_release(struct story *story)
{
    sim_free(story->sim);
    for (int i = 0; i < story->n_hidden; i++)
        mem_free(story->hidden[i]);
    buf_release(&story->out);
}

/* False: something else was told. */
static bool run_file(const char *path, bool rewrite)
{
    struct script script;
    struct story story = {.logs = true};
    struct sim_options options = {
        .calm = true, .check_every = 1, .sink = story_tell, .sink_ctx = &story};
    bool ok = true;

    if (!script_read(&script, path))
        return false;
    story.sim = sim_new(&options);
    story.hidden[story.n_hidden++] = mem_strdup("*link-reconnection*");
    story.hidden[story.n_hidden++] = mem_strdup("*script-child*");
    for (size_t i = 0; i < script.n && (ok || rewrite); i++) {
        struct block *block = &script.blocks[i];
        run_block(&story, block);
        bool same = strcmp(buf_text(&block->expected), buf_text(&story.out)) == 0;
        if (!same && !rewrite)
            script_print_difference(path, block, &story.out);
        ok &= same;
        buf_clear(&block->expected);
        buf_append(&block->expected, buf_text(&story.out), story.out.len);
    }
    if (rewrite && !ok)
        ok = script_write(&script, path);
    story_release(&story);
    script_release(&script);
    return ok;
}

/* In a process of its own: a failed assertion is one failed story. */
static bool run_apart(const char *path, bool rewrite)
{
    int status;

    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0) {
        bool ok = run_file(path, rewrite);
        fflush(NULL);
        exit(ok ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("%s: died of signal %d\n", path, WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    bool rewrite = false;
    int n = 0, n_failed = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rewrite") == 0) {
            rewrite = true;
            continue;
        }
        n++;
        n_failed += !run_apart(argv[i], rewrite);
    }
    printf("%d stories, %d failed\n", n, n_failed);
    return n == 0 || n_failed > 0;
}

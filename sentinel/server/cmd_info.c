/*
 * cmd_info.c - INFO (interface.md 4.9). The order of fields is that of Redis 7.4; what
 * has no meaning in a sentinel is 0, because monitoring tools look the names up.
 */
#include "sentinel/server/internal.h"

#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>

enum cmd_info_section {
    SECTION_SERVER = 1 << 0,
    SECTION_CLIENTS = 1 << 1,
    SECTION_STATS = 1 << 2,
    SECTION_CPU = 1 << 3,
    SECTION_SENTINEL = 1 << 4,
    SECTION_ALL = (1 << 5) - 1,
};

#define MS_PER_DAY INT64_C(86400000)

static void cmd_info_listeners(const struct server *server, struct buf *out)
{
    const char *line = server->options.listeners;

    for (int i = 0; *line != '\0'; i++) {
        size_t len = strcspn(line, "\n");
        if (len > 0)
            buf_printf(out, "listener%d:%.*s\r\n", i, (int)len, line);
        line += len + (line[len] != '\0' ? 1 : 0);
    }
}

static void cmd_info_build(struct buf *out)
{
    struct utsname name;
    const char *os = "Unix", *release = "", *machine = "";

    if (uname(&name) == 0) {
        os = name.sysname;
        release = name.release;
        machine = name.machine;
    }
    buf_printf(out,
               "redis_version:%s\r\n"
               "redis_git_sha1:00000000\r\n"
               "redis_git_dirty:0\r\n"
               "redis_build_id:0000000000000000\r\n"
               "redis_mode:sentinel\r\n"
               "os:%s %s %s\r\n"
               "arch_bits:%d\r\n"
               "monotonic_clock:POSIX clock_gettime\r\n"
               "multiplexing_api:epoll\r\n"
               "atomicvar_api:c11-builtin\r\n"
               "gcc_version:%d.%d.%d\r\n",
               SERVER_COMPAT_VERSION, os, release, machine, (int)sizeof(void *) * 8,
               __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
}

static void cmd_info_server(const struct server *server, struct buf *out)
{
    const struct server_options *options = &server->options;
    int64_t up_ms = server->now - server->started_at;

    buf_puts(out, "# Server\r\n");
    cmd_info_build(out);
    buf_printf(out,
               "process_id:%d\r\n"
               "process_supervised:%s\r\n"
               "run_id:%s\r\n"
               "tcp_port:%d\r\n"
               "server_time_usec:%" PRId64 "\r\n"
               "uptime_in_seconds:%" PRId64 "\r\n"
               "uptime_in_days:%" PRId64 "\r\n"
               "hz:10\r\n"
               "configured_hz:10\r\n"
               "lru_clock:%" PRId64 "\r\n"
               "executable:%s\r\n"
               "config_file:%s\r\n"
               "io_threads_active:0\r\n",
               options->pid, options->supervised, options->run_id, options->tcp_port,
               server->wall * 1000, up_ms / 1000, up_ms / MS_PER_DAY,
               server->wall / 1000 & 0xffffff, options->executable,
               options->config_file);
    cmd_info_listeners(server, out);
}

static void cmd_info_clients(const struct server *server, struct buf *out)
{
    buf_printf(out,
               "# Clients\r\n"
               "connected_clients:%u\r\n"
               "cluster_connections:0\r\n"
               "maxclients:%d\r\n"
               "client_recent_max_input_buffer:%zu\r\n"
               "client_recent_max_output_buffer:%zu\r\n"
               "blocked_clients:%u\r\n"
               "tracking_clients:%u\r\n"
               "pubsub_clients:%u\r\n"
               "watching_clients:0\r\n"
               "clients_in_timeout_table:0\r\n"
               "total_watched_keys:0\r\n"
               "total_blocking_keys:0\r\n"
               "total_blocking_keys_on_nokey:0\r\n",
               HASH_COUNT(server->sessions), server->options.maxclients,
               server->stats.max_input, server->stats.max_output, server->n_waiting,
               server->n_tracking, server->n_subscribers);
}

static void cmd_info_uint(struct buf *out, const char *field, uint64_t value)
{
    buf_puts(out, field);
    buf_putc(out, ':');
    buf_printf(out, "%" PRIu64 "\r\n", value);
}

static void cmd_info_zeros(struct buf *out, const char *const *fields)
{
    for (; *fields != NULL; fields++)
        cmd_info_uint(out, *fields, 0);
}

static void cmd_info_traffic(const struct server *server, struct buf *out)
{
    const struct server_stats *stats = &server->stats;
    const struct server_rates *rates = &server->rates;

    cmd_info_uint(out, "total_connections_received", stats->n_connections);
    cmd_info_uint(out, "total_commands_processed", stats->n_commands);
    cmd_info_uint(out, "instantaneous_ops_per_sec", (uint64_t)rates->ops);
    cmd_info_uint(out, "total_net_input_bytes", stats->n_in_bytes);
    cmd_info_uint(out, "total_net_output_bytes", stats->n_out_bytes);
    buf_printf(out,
               "total_net_repl_input_bytes:0\r\n"
               "total_net_repl_output_bytes:0\r\n"
               "instantaneous_input_kbps:%.2f\r\n"
               "instantaneous_output_kbps:%.2f\r\n"
               "instantaneous_input_repl_kbps:0.00\r\n"
               "instantaneous_output_repl_kbps:0.00\r\n",
               rates->in_kbps, rates->out_kbps);
    cmd_info_uint(out, "rejected_connections", stats->n_rejected);
}

/* Ours alone, hence last in its section. */
static void cmd_info_lag(const struct server *server, struct buf *out)
{
    double ms[2] = {0};

    if (server->hooks.lag != NULL)
        server->hooks.lag(server->hooks.ctx, ms);
    buf_printf(out, "loop_lag_p99_ms:%.3f\r\nloop_lag_max_ms:%.3f\r\n", ms[0], ms[1]);
}

static void cmd_info_stats(const struct server *server, struct buf *out)
{
    static const char *const keyspace[] = {"sync_full",        "sync_partial_ok",
                                           "sync_partial_err", "expired_subkeys",
                                           "expired_keys",     NULL};
    static const char *const eviction[] = {"expired_time_cap_reached_count",
                                           "expire_cycle_cpu_milliseconds",
                                           "evicted_keys", NULL};
    static const char *const misses[] = {"evicted_scripts",
                                         "total_eviction_exceeded_time",
                                         "current_eviction_exceeded_time",
                                         "keyspace_hits",
                                         "keyspace_misses",
                                         NULL};
    static const char *const forks[] = {"pubsubshard_channels",
                                        "latest_fork_usec",
                                        "total_forks",
                                        "migrate_cached_sockets",
                                        "slave_expires_tracked_keys",
                                        "active_defrag_hits",
                                        "active_defrag_misses",
                                        "active_defrag_key_hits",
                                        "active_defrag_key_misses",
                                        "total_active_defrag_time",
                                        "current_active_defrag_time",
                                        "tracking_total_keys",
                                        "tracking_total_items",
                                        "tracking_total_prefixes",
                                        "unexpected_error_replies",
                                        NULL};
    static const char *const io[] = {"io_threaded_reads_processed",
                                     "io_threaded_writes_processed", NULL};
    static const char *const loop[] = {"reply_buffer_shrinks",
                                       "reply_buffer_expands",
                                       "eventloop_cycles",
                                       "eventloop_duration_sum",
                                       "eventloop_duration_cmd_sum",
                                       "instantaneous_eventloop_cycles_per_sec",
                                       "instantaneous_eventloop_duration_usec",
                                       NULL};
    const struct server_stats *stats = &server->stats;

    buf_puts(out, "# Stats\r\n");
    cmd_info_traffic(server, out);
    cmd_info_zeros(out, keyspace);
    buf_puts(out, "expired_stale_perc:0.00\r\n");
    cmd_info_zeros(out, eviction);
    cmd_info_uint(out, "evicted_clients", stats->n_evicted);
    cmd_info_zeros(out, misses);
    cmd_info_uint(out, "pubsub_channels", HASH_COUNT(server->channels));
    cmd_info_uint(out, "pubsub_patterns", HASH_COUNT(server->patterns));
    cmd_info_zeros(out, forks);
    cmd_info_uint(out, "total_error_replies", stats->n_errors);
    cmd_info_uint(out, "dump_payload_sanitizations", 0);
    cmd_info_uint(out, "total_reads_processed", stats->n_reads);
    cmd_info_uint(out, "total_writes_processed", stats->n_writes);
    cmd_info_zeros(out, io);
    cmd_info_uint(out, "client_query_buffer_limit_disconnections",
                  stats->n_query_limit_closes);
    cmd_info_uint(out, "client_output_buffer_limit_disconnections",
                  stats->n_output_limit_closes);
    cmd_info_zeros(out, loop);
    cmd_info_uint(out, "acl_access_denied_auth", stats->n_denied_auth);
    cmd_info_uint(out, "acl_access_denied_cmd", stats->n_denied_command);
    cmd_info_uint(out, "acl_access_denied_key", 0);
    cmd_info_uint(out, "acl_access_denied_channel", stats->n_denied_channel);
    cmd_info_lag(server, out);
}

static void cmd_info_cpu(const struct server *server, struct buf *out)
{
    double cpu[4] = {0}; /* user, system; of children: user, system */

    if (server->hooks.cpu != NULL)
        server->hooks.cpu(server->hooks.ctx, cpu);
    buf_printf(out,
               "# CPU\r\n"
               "used_cpu_sys:%.6f\r\n"
               "used_cpu_user:%.6f\r\n"
               "used_cpu_sys_children:%.6f\r\n"
               "used_cpu_user_children:%.6f\r\n"
               "used_cpu_sys_main_thread:%.6f\r\n"
               "used_cpu_user_main_thread:%.6f\r\n",
               cpu[1], cpu[0], cpu[3], cpu[2], cpu[1], cpu[0]);
}

static void cmd_info_sentinel(const struct server *server, struct buf *out)
{
    const struct core *core = server->core;
    const struct master *master;
    int i = 0;

    buf_printf(out,
               "# Sentinel\r\n"
               "sentinel_masters:%u\r\n"
               "sentinel_tilt:%d\r\n"
               "sentinel_tilt_since_seconds:%" PRId64 "\r\n"
               "sentinel_running_scripts:%u\r\n"
               "sentinel_scripts_queue_length:%u\r\n"
               "sentinel_simulate_failure_flags:%u\r\n",
               HASH_COUNT(core->masters), core->tilt ? 1 : 0,
               core->tilt ? server_ms_since(server, core->tilt_at) / 1000 : -1,
               core->n_jobs_running, core->n_jobs, core->simulate_flags);
    for (master = core->masters; master != NULL; master = master->hh.next) {
        const struct node *node = master->current;
        const char *status = "ok";
        if (master->o_down)
            status = "odown";
        else if (node->s_down)
            status = "sdown";
        buf_printf(
            out, "master%d:name=%s,status=%s,address=%s:%u,slaves=%u,sentinels=%u\r\n",
            i++, master->name, status, core_host(core, &node->addr), node->addr.port,
            HASH_COUNT(master->replicas), HASH_COUNT(master->voters) + 1);
    }
    buf_printf(out, "sentinel_state_saved:%d\r\n",
               core->save_failed_at == CORE_NEVER ? 1 : 0);
    buf_printf(out,
               "sentinel_unverified_peers:%u\r\n"
               "sentinel_hellos_malformed:%" PRIu64 "\r\n"
               "sentinel_hellos_contradicted:%" PRIu64 "\r\n"
               "sentinel_hellos_unsigned:%" PRIu64 "\r\n"
               "sentinel_hellos_bad_signature:%" PRIu64 "\r\n"
               "sentinel_hellos_stale:%" PRIu64 "\r\n"
               "sentinel_votes_refused:%" PRIu64 "\r\n"
               "sentinel_duplicate_myid:%s\r\n",
               core->n_strangers, core->n_bad_hellos, core->n_contradicted,
               core->n_unsigned, core->n_bad_signatures, core->n_stale,
               core->n_refused_votes, core_has_twin(core) ? core->twin : "none");
}

static const struct {
    const char *name;
    enum cmd_info_section section;
    void (*write)(const struct server *server, struct buf *out);
} cmd_info_sections[] = {
    {"server", SECTION_SERVER, cmd_info_server},
    {"clients", SECTION_CLIENTS, cmd_info_clients},
    {"stats", SECTION_STATS, cmd_info_stats},
    {"cpu", SECTION_CPU, cmd_info_cpu},
    {"sentinel", SECTION_SENTINEL, cmd_info_sentinel},
};
#define N_SECTIONS (sizeof(cmd_info_sections) / sizeof(cmd_info_sections[0]))

/* Names of sections that a sentinel does not have add nothing. */
static unsigned cmd_info_select(const struct resp_arg *argv, size_t argc)
{
    unsigned chosen = 0;

    for (size_t i = 1; i < argc; i++) {
        if (arg_is(&argv[i], "default") || arg_is(&argv[i], "all") ||
            arg_is(&argv[i], "everything"))
            chosen = SECTION_ALL;
        for (size_t j = 0; j < N_SECTIONS; j++)
            if (arg_is(&argv[i], cmd_info_sections[j].name))
                chosen |= cmd_info_sections[j].section;
    }
    return argc > 1 ? chosen : (unsigned)SECTION_ALL;
}

void cmd_info(struct session *session, const struct resp_arg *argv, size_t argc)
{
    unsigned chosen = cmd_info_select(argv, argc);
    struct buf text = {0};

    for (size_t i = 0; i < N_SECTIONS; i++) {
        if ((chosen & cmd_info_sections[i].section) == 0)
            continue;
        if (text.len > 0)
            buf_puts(&text, "\r\n");
        cmd_info_sections[i].write(session->server, &text);
    }
    resp_bulk(&session->out, buf_text(&text), text.len);
    buf_release(&text);
}

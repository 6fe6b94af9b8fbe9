/*
 * clients.c - see clients.h.
 */
#include "tests/lib/clients.h"

#include "common/args.h"
#include "common/assert.h"
#include "common/hash.h"
#include "common/mem.h"

#include <string.h>

/* A deep copy of a posted request, as every driver needs one. */
struct clients_request {
    struct core_request request;
    struct core_setting *settings;
    struct clients_request *prev, *next;
};

static char *clients_copy(const char *text)
{
    return text != NULL ? mem_strdup(text) : NULL;
}

static void clients_on_request(void *ctx, const struct core_request *request)
{
    struct clients *clients = ctx;
    struct clients_request *copy = mem_zalloc(sizeof(*copy));

    copy->request = *request;
    copy->request.name = clients_copy(request->name);
    copy->request.host = clients_copy(request->host);
    if (request->text != NULL)
        copy->request.text = mem_strndup(request->text, request->text_len);
    copy->settings = mem_array(request->n_settings, sizeof(*copy->settings));
    for (size_t i = 0; i < request->n_settings; i++) {
        copy->settings[i] = request->settings[i];
        copy->settings[i].text = clients_copy(request->settings[i].text);
        copy->settings[i].text2 = clients_copy(request->settings[i].text2);
        copy->settings[i].word = clients_copy(request->settings[i].word);
    }
    copy->request.settings = copy->settings;
    DL_APPEND(clients->queue, copy);
}

static void clients_free_request(struct clients_request *copy)
{
    for (size_t i = 0; i < copy->request.n_settings; i++) {
        mem_free((char *)copy->settings[i].text);
        mem_free((char *)copy->settings[i].text2);
        mem_free((char *)copy->settings[i].word);
    }
    mem_free(copy->settings);
    mem_free((char *)copy->request.name);
    mem_free((char *)copy->request.host);
    mem_free((char *)copy->request.text);
    mem_free(copy);
}

static void clients_on_wake(void *ctx, struct session *session)
{
    struct clients *clients = ctx;

    (void)session;
    clients->n_wakes++;
}

static void clients_on_shutdown(void *ctx)
{
    struct clients *clients = ctx;

    clients->is_stopped = true;
}

static bool clients_on_executable(void *ctx, const char *path)
{
    (void)ctx;
    return strcmp(path, "/bin/good") == 0;
}

/* The test calls server_file_done(). */
static void clients_on_file(void *ctx, const struct server_file_job *job)
{
    struct clients *clients = ctx;

    buf_clear(&clients->file);
    buf_append(&clients->file, job->bytes, job->len);
}

static void clients_on_random(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 0xab, len);
}

static void clients_on_log(void *ctx, enum log_level level, const char *text)
{
    struct clients *clients = ctx;

    (void)level;
    buf_puts(&clients->log, text);
    buf_putc(&clients->log, '\n');
}

/* -------------------------------------------------------------------- the core ---- */

static void clients_perform(struct clients *clients)
{
    const struct core_action *action;

    while ((action = core_actions_next(clients->actions)) != NULL) {
        if (action->type == CORE_AC_ANSWER)
            server_answer(clients->server, action);
        else if (action->type == CORE_AC_EVENT && action->event.level != LOG_LVL_DEBUG)
            server_publish(clients->server, action->event.channel, action->event.text);
        else if (action->type == CORE_AC_PERSIST)
            clients->asked_version = action->persist.version;
    }
}

static void clients_step(struct clients *clients, struct core_event *event)
{
    event->now = clients->now;
    event->wall = clients->wall;
    core_step(clients->core, event, clients->actions);
    clients_perform(clients);
}

void clients_save(struct clients *clients)
{
    struct core_event event = {.type = CORE_EV_PERSISTED};

    event.persisted.version = clients->asked_version;
    event.persisted.ok = !clients->is_disk_bad;
    clients->asked_version = 0;
    clients_step(clients, &event);
}

void clients_resolve(struct clients *clients, const char *host, const char *ip)
{
    struct core_event event = {.type = CORE_EV_RESOLVED};

    event.resolved.host = host;
    event.resolved.ip = ip;
    clients_step(clients, &event);
    clients_settle(clients);
}

void clients_settle(struct clients *clients)
{
    while (clients->queue != NULL ||
           (clients->asked_version != 0 && !clients->is_disk_slow)) {
        struct clients_request *copy = clients->queue;
        if (copy == NULL) {
            clients_save(clients);
            continue;
        }
        struct core_event event = {.type = CORE_EV_REQUEST, .request = &copy->request};
        DL_DELETE(clients->queue, copy);
        clients_step(clients, &event);
        clients_free_request(copy);
    }
}

void clients_wait(struct clients *clients, int64_t ms)
{
    int64_t until = clients->now + ms;

    while (core_deadline(clients->core) <= until) {
        struct core_event event = {.type = CORE_EV_DEADLINE};
        int64_t at = core_deadline(clients->core);
        clients->wall += at > clients->now ? at - clients->now : 0;
        clients->now = at > clients->now ? at : clients->now;
        server_set_time(clients->server, clients->now, clients->wall);
        clients_step(clients, &event);
        clients_settle(clients);
    }
    clients->wall += until - clients->now;
    clients->now = until;
    server_set_time(clients->server, clients->now, clients->wall);
}

/* -------------------------------------------------------------------- life cycle ----
 */

static void clients_load_line(struct clients *clients, const struct args *line)
{
    struct error err;
    int64_t port, quorum;
    int rc = ERR_SYNTAX;

    ASSERT(line->n >= 4);
    ASSERT(args_int(line->words[3], line->lens[3], &port));
    if (strcmp(line->words[0], "replica") == 0) {
        rc = core_load_replica(clients->core, line->words[1], line->words[2], port,
                               &err);
    } else if (strcmp(line->words[0], "sentinel") == 0) {
        rc = core_load_sentinel(clients->core, line->words[1], line->words[2], port,
                                line->words[4], &err);
    } else if (strcmp(line->words[0], "monitor") == 0) {
        ASSERT(args_int(line->words[4], line->lens[4], &quorum));
        rc = core_load_monitor(clients->core, line->words[1], line->words[2], port,
                               quorum, &err);
    }
    ASSERT(rc == 0);
}

void clients_init(struct clients *clients, const char *config)
{
    struct core_setting myid = {.option = CORE_OPT_MYID, .text = CLIENTS_MYID};
    struct error err;

    *clients = (struct clients){.now = 1000000, .wall = 1700000000000};
    clients->options = (struct server_options){
        .maxclients = 10000,
        .query_buffer_limit = INT64_C(1) << 30,
        .bulk_max = INT64_C(512) << 20,
        .tcp_port = 26379,
        .pid = 42,
        .run_id = "2222222222222222222222222222222222222222",
        .executable = "/usr/bin/redis-sentinel",
        .config_file = "/etc/sentinel.conf",
        .supervised = "no",
        .listeners = "name=tcp,bind=127.0.0.1,port=26379",
    };
    clients->core = core_new(1);
    clients->actions = core_actions_new();
    ASSERT(core_load_setting(clients->core, NULL, &myid, &err) == 0);
    while (config != NULL && *config != '\0') {
        size_t len = strcspn(config, "\n");
        struct args line;
        ASSERT(args_split(&line, config, len) == 0);
        clients_load_line(clients, &line);
        args_release(&line);
        config += len + (config[len] != '\0' ? 1 : 0);
    }
}

void clients_start(struct clients *clients)
{
    struct server_hooks hooks = {
        .ctx = clients,
        .request = clients_on_request,
        .wake = clients_on_wake,
        .shutdown = clients_on_shutdown,
        .executable = clients_on_executable,
        .file = clients_on_file,
        .random = clients_on_random,
        .log = clients_on_log,
    };

    clients->server = server_new(clients->core, &clients->options, &hooks);
    server_set_time(clients->server, clients->now, clients->wall);
    core_start(clients->core, clients->now, clients->wall, clients->actions);
    clients_perform(clients);
    clients_settle(clients);
}

void clients_release(struct clients *clients)
{
    struct clients_request *copy, *next;

    DL_FOREACH_SAFE(clients->queue, copy, next)
    clients_free_request(copy);
    server_free(clients->server);
    core_actions_free(clients->actions);
    core_free(clients->core);
    buf_release(&clients->log);
    buf_release(&clients->file);
}

/* ---------------------------------------------------------------------- sessions ----
 */

struct session *clients_open(struct clients *clients)
{
    return session_open(clients->server, "127.0.0.1:5000", "127.0.0.1:26379", 9, false,
                        true, NULL);
}

const char *clients_read(struct clients *clients, struct session *session)
{
    static struct buf text;

    (void)clients;
    buf_clear(&text);
    /* Reading may let held up requests go on. */
    while (session_output(session)->len > 0) {
        struct buf *out = session_output(session);
        size_t len = out->len;
        buf_append(&text, out->data, len);
        buf_clear(out);
        session_written(session, len);
    }
    return buf_text(&text);
}

void clients_read_some(struct session *session, size_t len)
{
    buf_consume(session_output(session), len);
    session_written(session, len);
}

const char *clients_send_n(struct clients *clients, struct session *session,
                           const char *bytes, size_t len)
{
    session_feed(session, bytes, len);
    clients_settle(clients);
    return clients_read(clients, session);
}

const char *clients_send(struct clients *clients, struct session *session,
                         const char *bytes)
{
    return clients_send_n(clients, session, bytes, strlen(bytes));
}

/*
 * tlsconf.c - see tlsconf.h.
 */
#include "sentinel/runtime/tlsconf.h"

#include "common/args.h"
#include "common/assert.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/mem.h"
#include "sentinel/core/state.h"
#include "sentinel/runtime/runtime.h"

#include <string.h>

/* One reading of the files, with some settings other than those in force. */
struct tlsconf_job {
    struct tlsconf_job *prev, *next;
    uint64_t session; /* who waits for it; 0: SIGHUP */
    struct server_tls_setting *settings;
    size_t n;
    struct tlsctx_config config; /* texts are of |settings| or of the conf */
    struct tlsctx *ctx;          /* what became of it; NULL: see |err| */
    struct error err;
};

/* ------------------------------------------------------------------- settings --- */

/* What an unset directive means; "" for all others. */
static const char *tlsconf_default(const char *name)
{
    static const char *const defaults[][2] = {{"tls-auth-clients", "yes"},
                                              {"tls-prefer-server-ciphers", "no"},
                                              {"tls-session-caching", "yes"},
                                              {"tls-session-cache-size", "20480"},
                                              {"tls-session-cache-timeout", "300"}};

    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (strcmp(defaults[i][0], name) == 0)
            return defaults[i][1];
    return "";
}

static const char *tlsconf_text(const struct conf *conf, const struct tlsconf_job *job,
                                const char *name)
{
    const char *text = conf_text(conf, name);

    for (size_t i = 0; job != NULL && i < job->n; i++)
        if (strcmp(job->settings[i].name, name) == 0)
            text = job->settings[i].value;
    return text[0] != '\0' ? text : tlsconf_default(name);
}

static bool tlsconf_yesno(const struct conf *conf, const struct tlsconf_job *job,
                          const char *name)
{
    return strcasecmp(tlsconf_text(conf, job, name), "yes") == 0;
}

static int tlsconf_int(const struct conf *conf, const struct tlsconf_job *job,
                       const char *name)
{
    const char *text = tlsconf_text(conf, job, name);
    int64_t number = 0;

    args_int(text, strlen(text), &number);
    return (int)number;
}

/* The settings in force, with those of |job| (may be NULL) in their place. */
static struct tlsctx_config tlsconf_read(const struct conf *conf,
                                         const struct tlsconf_job *job)
{
    const struct conf_options *options = conf_options(conf);

    return (struct tlsctx_config){
        .cert_file = tlsconf_text(conf, job, "tls-cert-file"),
        .key_file = tlsconf_text(conf, job, "tls-key-file"),
        .key_pass = tlsconf_text(conf, job, "tls-key-file-pass"),
        .client_cert_file = tlsconf_text(conf, job, "tls-client-cert-file"),
        .client_key_file = tlsconf_text(conf, job, "tls-client-key-file"),
        .client_key_pass = tlsconf_text(conf, job, "tls-client-key-file-pass"),
        .ca_file = tlsconf_text(conf, job, "tls-ca-cert-file"),
        .ca_dir = tlsconf_text(conf, job, "tls-ca-cert-dir"),
        .auth_clients = tlsconf_text(conf, job, "tls-auth-clients"),
        .protocols = tlsconf_text(conf, job, "tls-protocols"),
        .ciphers = tlsconf_text(conf, job, "tls-ciphers"),
        .ciphersuites = tlsconf_text(conf, job, "tls-ciphersuites"),
        .dh_file = tlsconf_text(conf, job, "tls-dh-params-file"),
        .prefers_server_ciphers = tlsconf_yesno(conf, job, "tls-prefer-server-ciphers"),
        .caches_sessions = tlsconf_yesno(conf, job, "tls-session-caching"),
        .session_cache_size = tlsconf_int(conf, job, "tls-session-cache-size"),
        .session_cache_timeout_s = tlsconf_int(conf, job, "tls-session-cache-timeout"),
        .is_server =
            options->tls_port != 0 || options->tls_replication || options->tls_cluster,
        .needs_ca = options->tls_replication || options->tls_cluster,
    };
}

/* Does a line `sentinel tls <master> yes` need it? */
static bool tlsconf_is_wanted(const struct core *core)
{
    for (const struct master *m = core->masters; m != NULL; m = m->hh.next)
        if (m->tls == 1)
            return true;
    return false;
}

bool tlsconf_start(struct runtime *rt)
{
    struct tlsctx_config config = tlsconf_read(rt->conf, NULL);

    rt->tls.ctx = tlsctx_new(&config, &rt->tls.why);
    if (rt->tls.ctx != NULL || (!config.is_server && !tlsconf_is_wanted(rt->core)))
        return true;
    log_line(LOG_LVL_WARNING, "%s", rt->tls.why.text);
    log_line(LOG_LVL_WARNING, "Failed to configure TLS. Check logs for more info.");
    return false;
}

void tlsconf_each_error(const struct conf *conf, const struct core *core,
                        tlsctx_error_fn *each, void *each_ctx)
{
    struct tlsctx_config config = tlsconf_read(conf, NULL);

    if (config.is_server || tlsconf_is_wanted(core))
        tlsctx_each_error(&config, each, each_ctx);
}

/* ----------------------------------------------------------------------- jobs --- */

static void tlsconf_free(struct runtime *rt, struct tlsconf_job *job)
{
    DL_DELETE(rt->tls.jobs, job);
    for (size_t i = 0; i < job->n; i++) {
        mem_free((char *)job->settings[i].name);
        mem_free((char *)job->settings[i].value);
    }
    mem_free(job->settings);
    tlsctx_free(job->ctx);
    mem_free(job);
}

/* On a thread of the pool. */
static void tlsconf_work(uv_work_t *work)
{
    struct runtime *rt = work->data;
    struct tlsconf_job *job = rt->tls.jobs;

    job->ctx = tlsctx_new(&job->config, &job->err);
}

/* Puts what |job| has read in force. */
static void tlsconf_take(struct runtime *rt, struct tlsconf_job *job)
{
    struct error ignored;

    tlsctx_free(rt->tls.ctx);
    rt->tls.ctx = job->ctx;
    job->ctx = NULL;
    for (size_t i = 0; i < job->n; i++) {
        int rc =
            conf_set(rt->conf, job->settings[i].name, job->settings[i].value, &ignored);
        ASSERT(rc == 0); /* checked before the files were read */
    }
}

static void tlsconf_end(struct runtime *rt, struct tlsconf_job *job)
{
    bool is_ok = job->ctx != NULL;

    if (is_ok)
        tlsconf_take(rt, job);
    else if (rt->tls.ctx == NULL && job->n == 0)
        rt->tls.why = job->err; /* of the settings in force */
    if (is_ok)
        log_line(LOG_LVL_NOTICE, "TLS certificates and settings were read anew");
    else
        log_line(LOG_LVL_WARNING, "TLS settings stay as they were: %s", job->err.text);
    if (job->session == 0)
        return;
    runtime_tick(rt);
    server_tls_done(rt->server, job->session, is_ok ? NULL : job->err.text);
    runtime_pump(rt);
}

static void tlsconf_next(struct runtime *rt);

static void tlsconf_done(uv_work_t *work, int status)
{
    struct runtime *rt = work->data;
    struct tlsconf_job *job = rt->tls.jobs;

    if (status == 0 && !rt->stopped)
        tlsconf_end(rt, job);
    tlsconf_free(rt, job);
    if (rt->tls.jobs != NULL && !rt->stopped)
        tlsconf_next(rt);
}

static void tlsconf_next(struct runtime *rt)
{
    rt->tls.work.data = rt;
    rt->tls.jobs->config = tlsconf_read(rt->conf, rt->tls.jobs);
    int rc = uv_queue_work(&rt->loop, &rt->tls.work, tlsconf_work, tlsconf_done);
    ASSERT(rc == 0);
}

static void tlsconf_add(struct runtime *rt, struct tlsconf_job *job)
{
    DL_APPEND(rt->tls.jobs, job);
    if (rt->tls.jobs == job)
        tlsconf_next(rt);
}

void tlsconf_reload(struct runtime *rt)
{
    struct tlsctx_config config = tlsconf_read(rt->conf, NULL);

    /* Files that could not be used may be in order by now; where none are named TLS is
     * not wanted. */
    if (rt->tls.ctx != NULL || config.ca_file[0] != '\0' || config.ca_dir[0] != '\0')
        tlsconf_add(rt, mem_zalloc(sizeof(struct tlsconf_job)));
}

void tlsconf_cancel(struct runtime *rt)
{
    while (rt->tls.jobs != NULL && rt->tls.jobs->next != NULL)
        tlsconf_free(rt, rt->tls.jobs->next);
}

void tlsconf_release(struct runtime *rt)
{
    while (rt->tls.jobs != NULL)
        tlsconf_free(rt, rt->tls.jobs);
    tlsctx_free(rt->tls.ctx);
    rt->tls.ctx = NULL;
}

/* ---------------------------------------------------------------------- hooks --- */

const char *tlsconf_hook_get(void *ctx, const char *name)
{
    const struct runtime *rt = ctx;
    const char *text = tlsconf_text(rt->conf, NULL, name);
    size_t len = strlen(name);
    bool is_secret = len > 5 && strcmp(name + len - 5, "-pass") == 0;

    return is_secret && text[0] != '\0' ? "******" : text;
}

void tlsconf_hook_set(void *ctx, uint64_t session,
                      const struct server_tls_setting *settings, size_t n)
{
    struct runtime *rt = ctx;
    struct tlsconf_job *job = mem_zalloc(sizeof *job);

    job->session = session;
    job->n = n;
    job->settings = mem_array(n, sizeof *job->settings);
    for (size_t i = 0; i < n; i++) {
        job->settings[i].name = mem_strdup(settings[i].name);
        job->settings[i].value = mem_strdup(settings[i].value);
    }
    tlsconf_add(rt, job);
}

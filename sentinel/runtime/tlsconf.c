/*
 * tlsconf.c - see tlsconf.h.
 */
#include "sentinel/runtime/tlsconf.h"

#include "common/args.h"
#include "common/log.h"
#include "sentinel/core/state.h"
#include "sentinel/runtime/runtime.h"

#include <string.h>

static bool tlsconf_yesno(const struct conf *conf, const char *name, bool otherwise)
{
    const char *text = conf_text(conf, name);
    return text[0] != '\0' ? strcasecmp(text, "yes") == 0 : otherwise;
}

static int tlsconf_int(const struct conf *conf, const char *name, int otherwise)
{
    const char *text = conf_text(conf, name);
    int64_t number;

    return args_int(text, strlen(text), &number) ? (int)number : otherwise;
}

/* Texts belong to |conf|. */
static void tlsconf_read(const struct conf *conf, struct tlsctx_config *config)
{
    const struct conf_options *options = conf_options(conf);

    *config = (struct tlsctx_config){
        .cert_file = conf_text(conf, "tls-cert-file"),
        .key_file = conf_text(conf, "tls-key-file"),
        .key_pass = conf_text(conf, "tls-key-file-pass"),
        .client_cert_file = conf_text(conf, "tls-client-cert-file"),
        .client_key_file = conf_text(conf, "tls-client-key-file"),
        .client_key_pass = conf_text(conf, "tls-client-key-file-pass"),
        .ca_file = conf_text(conf, "tls-ca-cert-file"),
        .ca_dir = conf_text(conf, "tls-ca-cert-dir"),
        .auth_clients = conf_text(conf, "tls-auth-clients"),
        .protocols = conf_text(conf, "tls-protocols"),
        .ciphers = conf_text(conf, "tls-ciphers"),
        .ciphersuites = conf_text(conf, "tls-ciphersuites"),
        .dh_file = conf_text(conf, "tls-dh-params-file"),
        .prefers_server_ciphers =
            tlsconf_yesno(conf, "tls-prefer-server-ciphers", false),
        .caches_sessions = tlsconf_yesno(conf, "tls-session-caching", true),
        .session_cache_size = tlsconf_int(conf, "tls-session-cache-size", 20480),
        .session_cache_timeout_s = tlsconf_int(conf, "tls-session-cache-timeout", 300),
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
    struct tlsctx_config config;

    tlsconf_read(rt->conf, &config);
    rt->tls.ctx = tlsctx_new(&config, &rt->tls.why);
    if (rt->tls.ctx != NULL || (!config.is_server && !tlsconf_is_wanted(rt->core)))
        return true;
    log_line(LOG_LVL_WARNING, "%s", rt->tls.why.text);
    log_line(LOG_LVL_WARNING, "Failed to configure TLS. Check logs for more info.");
    return false;
}

void tlsconf_release(struct runtime *rt)
{
    tlsctx_free(rt->tls.ctx);
    rt->tls.ctx = NULL;
}

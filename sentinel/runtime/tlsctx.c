/*
 * tlsctx.c - see tlsctx.h.
 */
/* Both OpenSSL and common/err.h call something ERR_STATE. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#undef ERR_STATE

#include "sentinel/runtime/tlsctx.h"

#include "common/args.h"
#include "common/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TLSCTX_ERROR_CAP 256

struct tlsctx {
    SSL_CTX *server, *client;
};

/* A certificate with its key. */
struct tlsctx_identity {
    const char *cert_file, *key_file, *key_pass;
};

/* The first thing that OpenSSL complained about, as stock prints it. */
static const char *tlsctx_error(char text[TLSCTX_ERROR_CAP])
{
    ERR_error_string_n(ERR_get_error(), text, TLSCTX_ERROR_CAP);
    return text;
}

/* |pass| is the passphrase, "" if there is none: nobody is asked at a terminal. */
static int tlsctx_on_pass(char *buf, int size, int is_writing, void *pass)
{
    size_t len = strlen(pass);

    (void)is_writing;
    if (len == 0 || size < 0 || len > (size_t)size)
        return -1;
    memcpy(buf, pass, len);
    return (int)len;
}

/* The options that switch off what |protocols| does not name; -1 if it names what is
 * not a protocol. "": TLSv1.2 and TLSv1.3. */
static int64_t tlsctx_protocols(const char *protocols)
{
    static const struct {
        const char *name;
        uint64_t off;
        bool is_default;
    } known[] = {{"TLSv1", SSL_OP_NO_TLSv1, false},
                 {"TLSv1.1", SSL_OP_NO_TLSv1_1, false},
                 {"TLSv1.2", SSL_OP_NO_TLSv1_2, true},
                 {"TLSv1.3", SSL_OP_NO_TLSv1_3, true}};
    uint64_t off = 0;
    struct args words;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (protocols[0] != '\0' || !known[i].is_default)
            off |= known[i].off;
    if (args_split(&words, protocols, strlen(protocols)) != 0)
        return -1;
    for (size_t w = 0; w < words.n; w++) {
        size_t i = 0;
        while (i < sizeof known / sizeof known[0] &&
               strcasecmp(words.words[w], known[i].name) != 0)
            i++;
        if (i == sizeof known / sizeof known[0]) {
            args_release(&words);
            return -1;
        }
        off &= ~known[i].off;
    }
    args_release(&words);
    return (int64_t)off;
}

static int tlsctx_use_cert(SSL_CTX *ssl, const struct tlsctx_identity *identity,
                           struct error *err)
{
    char text[TLSCTX_ERROR_CAP];

    if (SSL_CTX_use_certificate_chain_file(ssl, identity->cert_file) > 0)
        return 0;
    return error_set(err, ERR_DENIED, "Failed to load certificate: %s: %s",
                     identity->cert_file, tlsctx_error(text));
}

/* Behind tlsctx_use_cert() it also fails if the two do not belong together. */
static int tlsctx_use_key(SSL_CTX *ssl, const struct tlsctx_identity *identity,
                          struct error *err)
{
    char text[TLSCTX_ERROR_CAP];

    SSL_CTX_set_default_passwd_cb(ssl, tlsctx_on_pass);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, (void *)identity->key_pass);
    int is_ok =
        SSL_CTX_use_PrivateKey_file(ssl, identity->key_file, SSL_FILETYPE_PEM) > 0;
    SSL_CTX_set_default_passwd_cb_userdata(ssl, (void *)"");
    if (is_ok)
        return 0;
    return error_set(err, ERR_DENIED, "Failed to load private key: %s: %s",
                     identity->key_file, tlsctx_error(text));
}

static int tlsctx_use_ca(SSL_CTX *ssl, const struct tlsctx_config *config,
                         struct error *err)
{
    const char *file = config->ca_file[0] != '\0' ? config->ca_file : NULL;
    const char *dir = config->ca_dir[0] != '\0' ? config->ca_dir : NULL;
    char text[TLSCTX_ERROR_CAP];

    if ((file == NULL && dir == NULL) ||
        SSL_CTX_load_verify_locations(ssl, file, dir) > 0)
        return 0;
    return error_set(err, ERR_DENIED,
                     "Failed to configure CA certificate(s) file/directory: %s",
                     tlsctx_error(text));
}

/* NULL if openssl.cnf names no provider that works, for instance. */
static SSL_CTX *tlsctx_make_empty(struct error *err)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_method());
    char text[TLSCTX_ERROR_CAP];

    if (ssl == NULL)
        error_set(err, ERR_DENIED, "OpenSSL cannot be used: %s", tlsctx_error(text));
    return ssl;
}

/* What is the same for both directions; |identity| may be NULL. */
static SSL_CTX *tlsctx_make(const struct tlsctx_config *config, uint64_t off,
                            const struct tlsctx_identity *identity, struct error *err)
{
    SSL_CTX *ssl = tlsctx_make_empty(err);
    int rc = 0;

    if (ssl == NULL)
        return NULL;
    SSL_CTX_set_options(ssl, SSL_OP_NO_SSLv3 | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_NO_RENEGOTIATION | SSL_OP_SINGLE_DH_USE | off);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (identity != NULL)
        rc = tlsctx_use_cert(ssl, identity, err);
    if (rc == 0 && identity != NULL)
        rc = tlsctx_use_key(ssl, identity, err);
    if (rc == 0)
        rc = tlsctx_use_ca(ssl, config, err);
    if (rc == 0 && config->ciphers[0] != '\0' &&
        !SSL_CTX_set_cipher_list(ssl, config->ciphers))
        rc = error_set(err, ERR_DENIED, "Failed to configure ciphers: %s",
                       config->ciphers);
    if (rc == 0 && config->ciphersuites[0] != '\0' &&
        !SSL_CTX_set_ciphersuites(ssl, config->ciphersuites))
        rc = error_set(err, ERR_DENIED, "Failed to configure ciphersuites: %s",
                       config->ciphersuites);
    if (rc == 0)
        return ssl;
    SSL_CTX_free(ssl);
    return NULL;
}

static int tlsctx_use_dh(SSL_CTX *ssl, const char *path, struct error *err)
{
    char text[TLSCTX_ERROR_CAP];

    if (path[0] == '\0') {
        SSL_CTX_set_dh_auto(ssl, 1);
        return 0;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(err, ERR_DENIED, "Failed to load %s: %s", path,
                         strerror(errno));
    BIO *bio = BIO_new_fp(file, BIO_CLOSE);
    EVP_PKEY *dh = PEM_read_bio_Parameters(bio, NULL);
    BIO_free(bio);
    if (dh == NULL)
        return error_set(err, ERR_DENIED, "%s: failed to read DH params.", path);
    if (SSL_CTX_set0_tmp_dh_pkey(ssl, dh) > 0)
        return 0;
    EVP_PKEY_free(dh);
    return error_set(err, ERR_DENIED, "Failed to load DH params file: %s: %s", path,
                     tlsctx_error(text));
}

static int tlsctx_set_server(SSL_CTX *ssl, const struct tlsctx_config *config,
                             struct error *err)
{
    static const unsigned char id[] = "redis";

    if (strcasecmp(config->auth_clients, "no") == 0)
        SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    else if (strcasecmp(config->auth_clients, "optional") == 0)
        SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (config->caches_sessions) {
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_SERVER);
        SSL_CTX_sess_set_cache_size(ssl, config->session_cache_size);
        SSL_CTX_set_timeout(ssl, config->session_cache_timeout_s);
    } else {
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    }
    SSL_CTX_set_session_id_context(ssl, id, sizeof id - 1);
    if (config->prefers_server_ciphers)
        SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    return tlsctx_use_dh(ssl, config->dh_file, err);
}

/* What must be there at all, in stock's order. */
static int tlsctx_check(const struct tlsctx_config *config, struct error *err)
{
    bool has_ca = config->ca_file[0] != '\0' || config->ca_dir[0] != '\0';
    bool needs_ca = !config->is_server || config->needs_ca ||
                    strcasecmp(config->auth_clients, "no") != 0;

    if (config->is_server && config->cert_file[0] == '\0')
        return error_set(err, ERR_DENIED, "No tls-cert-file configured!");
    if (config->is_server && config->key_file[0] == '\0')
        return error_set(err, ERR_DENIED, "No tls-key-file configured!");
    if (needs_ca && !has_ca)
        return error_set(err, ERR_DENIED,
                         "Either tls-ca-cert-file or tls-ca-cert-dir must be specified "
                         "when tls-cluster, tls-replication or tls-auth-clients are "
                         "enabled!");
    return 0;
}

static SSL_CTX *tlsctx_make_client(const struct tlsctx_config *config, uint64_t off,
                                   struct error *err)
{
    struct tlsctx_identity own = {config->client_cert_file, config->client_key_file,
                                  config->client_key_pass};
    struct tlsctx_identity shared = {config->cert_file, config->key_file,
                                     config->key_pass};
    const struct tlsctx_identity *identity = NULL;

    if (own.cert_file[0] != '\0' && own.key_file[0] != '\0')
        identity = &own;
    else if (shared.cert_file[0] != '\0' && shared.key_file[0] != '\0')
        identity = &shared;
    return tlsctx_make(config, off, identity, err);
}

struct tlsctx *tlsctx_new(const struct tlsctx_config *config, struct error *err)
{
    struct tlsctx_identity identity = {config->cert_file, config->key_file,
                                       config->key_pass};
    struct tlsctx *ctx = mem_zalloc(sizeof *ctx);
    int64_t off = tlsctx_protocols(config->protocols);
    int rc = tlsctx_check(config, err);

    ERR_clear_error();
    if (rc == 0 && off < 0)
        rc = error_set(err, ERR_DENIED,
                       "Invalid tls-protocols specified. Use a combination of "
                       "'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.");
    if (rc == 0 && config->is_server) {
        ctx->server = tlsctx_make(config, (uint64_t)off, &identity, err);
        rc = ctx->server == NULL ? ERR_DENIED
                                 : tlsctx_set_server(ctx->server, config, err);
    }
    if (rc == 0) {
        ctx->client = tlsctx_make_client(config, (uint64_t)off, err);
        rc = ctx->client == NULL ? ERR_DENIED : 0;
    }
    ERR_clear_error();
    if (rc == 0)
        return ctx;
    tlsctx_free(ctx);
    return NULL;
}

static bool tlsctx_try_identity(const struct tlsctx_identity *identity,
                                tlsctx_error_fn *each, void *each_ctx)
{
    struct error err;
    bool is_ok = true;

    if (identity->cert_file[0] == '\0' || identity->key_file[0] == '\0')
        return true;
    SSL_CTX *ssl = SSL_CTX_new(TLS_method());
    if (ssl == NULL)
        return true; /* tlsctx_new() will say so */
    if (tlsctx_use_cert(ssl, identity, &err) != 0) {
        each(each_ctx, err.text);
        is_ok = false;
    }
    ERR_clear_error();
    if (tlsctx_use_key(ssl, identity, &err) != 0) {
        each(each_ctx, err.text);
        is_ok = false;
    }
    ERR_clear_error();
    SSL_CTX_free(ssl);
    return is_ok;
}

void tlsctx_each_error(const struct tlsctx_config *config, tlsctx_error_fn *each,
                       void *each_ctx)
{
    struct tlsctx_identity own = {config->cert_file, config->key_file,
                                  config->key_pass};
    struct tlsctx_identity client = {config->client_cert_file, config->client_key_file,
                                     config->client_key_pass};
    SSL_CTX *ssl = SSL_CTX_new(TLS_method());
    struct error err;
    bool is_ok = tlsctx_try_identity(&own, each, each_ctx);

    is_ok = tlsctx_try_identity(&client, each, each_ctx) && is_ok;
    if (ssl != NULL && tlsctx_use_ca(ssl, config, &err) != 0) {
        each(each_ctx, err.text);
        is_ok = false;
    }
    SSL_CTX_free(ssl);
    if (!is_ok && tlsctx_check(config, &err) != 0)
        each(each_ctx, err.text);
    struct tlsctx *ctx = is_ok ? tlsctx_new(config, &err) : NULL;
    if (is_ok && ctx == NULL)
        each(each_ctx, err.text);
    tlsctx_free(ctx);
    ERR_clear_error();
}

void tlsctx_free(struct tlsctx *ctx)
{
    if (ctx == NULL)
        return;
    SSL_CTX_free(ctx->server);
    SSL_CTX_free(ctx->client);
    mem_free(ctx);
}

struct ssl_ctx_st *tlsctx_of(const struct tlsctx *ctx, bool is_server)
{
    return is_server ? ctx->server : ctx->client;
}

/*
 * tls.c - see tls.h. OpenSSL reads from and writes to a BIO of our own, which takes
 * what tls_feed() brought and never blocks.
 */
/* Both OpenSSL and common/err.h call something ERR_STATE. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "sentinel/runtime/tls.h"

#include "common/assert.h"
#include "common/mem.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct tls {
    SSL *ssl;
    struct buf *wire;
    const char *in; /* of tls_feed(), not yet read */
    size_t in_len;
    bool in_ended, has_begun;
    bool is_server;
    char *host;        /* the certificate must be for; or NULL */
    char why_bad[320]; /* what is wrong with the other side's certificate */
};

/* ------------------------------------------------------------------- the BIO ---- */

static int tls_bio_read(BIO *bio, char *out, int cap)
{
    struct tls *tls = BIO_get_data(bio);
    size_t n = tls->in_len;

    BIO_clear_retry_flags(bio);
    if (n == 0 && tls->in_ended)
        return 0;
    if (n == 0 || cap <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (n > (size_t)cap)
        n = (size_t)cap;
    memcpy(out, tls->in, n);
    tls->in += n;
    tls->in_len -= n;
    return (int)n;
}

static int tls_bio_write(BIO *bio, const char *bytes, int len)
{
    struct tls *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (len > 0)
        buf_append(tls->wire, bytes, (size_t)len);
    return len;
}

static long tls_bio_ctrl(BIO *bio, int command, long number, void *what)
{
    struct tls *tls = BIO_get_data(bio);

    (void)number;
    (void)what;
    if (command == BIO_CTRL_EOF)
        return tls->in_len == 0 && tls->in_ended;
    return command == BIO_CTRL_FLUSH;
}

static const BIO_METHOD *tls_bio_method(void)
{
    static BIO_METHOD *method;

    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
        BIO_meth_set_read(method, tls_bio_read);
        BIO_meth_set_write(method, tls_bio_write);
        BIO_meth_set_ctrl(method, tls_bio_ctrl);
    }
    return method;
}

/* ---------------------------------------------------------------------- life ---- */

/* Only remembers what is wrong: OpenSSL's verdict stands. */
static int tls_on_verify(int is_good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *tls = SSL_get_app_data(ssl);
    int code = X509_STORE_CTX_get_error(store);
    X509 *cert = X509_STORE_CTX_get0_cert(store);
    char subject[160] = "";

    if (is_good || tls->why_bad[0] != '\0')
        return is_good;
    if (cert != NULL)
        X509_NAME_oneline(X509_get_subject_name(cert), subject, sizeof subject);
    bool is_name =
        code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH;
    snprintf(tls->why_bad, sizeof tls->why_bad, "%s%s%.80s, certificate of %s",
             X509_verify_cert_error_string(code), is_name ? ", it is not for " : "",
             is_name && tls->host != NULL ? tls->host : "", subject);
    return is_good;
}

static struct tls *tls_new(struct ssl_ctx_st *ctx, bool is_server)
{
    struct tls *tls = mem_zalloc(sizeof *tls);
    BIO *bio = BIO_new(tls_bio_method());

    tls->ssl = SSL_new(ctx);
    tls->is_server = is_server;
    ASSERT(tls->ssl != NULL && bio != NULL);
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    SSL_set_verify(tls->ssl, SSL_get_verify_mode(tls->ssl), tls_on_verify);
    if (is_server)
        SSL_set_accept_state(tls->ssl);
    else
        SSL_set_connect_state(tls->ssl);
    return tls;
}

struct tls *tls_accept(const struct tlsctx *ctx)
{
    struct ssl_ctx_st *ssl = tlsctx_of(ctx, true);
    return ssl != NULL ? tls_new(ssl, true) : NULL;
}

struct tls *tls_connect(const struct tlsctx *ctx, const char *host)
{
    struct tls *tls = tls_new(tlsctx_of(ctx, false), false);
    unsigned char address[sizeof(struct in6_addr)];

    if (host == NULL)
        return tls;
    tls->host = mem_strdup(host);
    if (inet_pton(AF_INET, host, address) == 1 ||
        inet_pton(AF_INET6, host, address) == 1) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), host);
    } else {
        SSL_set1_host(tls->ssl, host);
        SSL_set_tlsext_host_name(tls->ssl, host);
    }
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl); /* and the BIO */
    mem_free(tls->host);
    mem_free(tls);
}

void tls_set_wire(struct tls *tls, struct buf *wire)
{
    tls->wire = wire;
}

/* -------------------------------------------------------------------- errors ---- */

/* A sentence about a failure of our own attempt to connect. */
static int tls_explain_outgoing(const struct tls *tls, unsigned long code,
                                struct error *err)
{
    const char *reason = ERR_reason_error_string(code);
    int number = ERR_GET_REASON(code);

    if (reason == NULL)
        return error_set(err, ERR_DENIED, "TLS failed");
    if (number == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return error_set(err, ERR_DENIED, "%s: %s", reason, tls->why_bad);
    if (number == SSL_R_WRONG_VERSION_NUMBER || number == SSL_R_PACKET_LENGTH_TOO_LONG)
        return error_set(err, ERR_DENIED, "the other side does not speak TLS (%s)",
                         reason);
    if (number == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return error_set(err, ERR_DENIED,
                         "the other side closed the connection in the handshake");
    if (number >= SSL_AD_REASON_OFFSET)
        return error_set(err, ERR_DENIED, "the other side refused: %s", reason);
    return error_set(err, ERR_DENIED, "%s", reason);
}

/* Why the last call failed: of an outgoing connection for people, of an incoming one as
 * stock prints it, with what is wrong with a certificate behind. */
static int tls_explain(const struct tls *tls, struct error *err)
{
    unsigned long code = ERR_get_error();
    char text[256];

    if (!tls->is_server)
        return tls_explain_outgoing(tls, code, err);
    ERR_error_string_n(code, text, sizeof text);
    return error_set(err, ERR_DENIED, "%s%s%s", text,
                     tls->why_bad[0] != '\0' ? ": " : "", tls->why_bad);
}

/* ---------------------------------------------------------------------- bytes --- */

void tls_feed(struct tls *tls, const char *bytes, size_t len)
{
    ASSERT_CMP(tls->in_len, ==, 0);
    tls->in = bytes;
    tls->in_len = len;
    tls->in_ended = len == 0;
    tls->has_begun = tls->has_begun || len > 0;
}

int tls_handshake(struct tls *tls, struct error *err)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(tls->ssl);
    if (rc == 1)
        return 0;
    if (SSL_get_error(tls->ssl, rc) == SSL_ERROR_WANT_READ)
        return ERR_MORE;
    return tls_explain(tls, err);
}

int tls_read(struct tls *tls, char *out, size_t cap, struct error *err)
{
    ERR_clear_error();
    int n = SSL_read(tls->ssl, out, cap < INT_MAX ? (int)cap : INT_MAX);
    if (n > 0)
        return n;
    switch (SSL_get_error(tls->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        return ERR_MORE;
    case SSL_ERROR_ZERO_RETURN:
        return ERR_STATE;
    default:
        return tls_explain(tls, err);
    }
}

bool tls_has_begun(const struct tls *tls)
{
    return tls->has_begun;
}

bool tls_is_up(const struct tls *tls)
{
    return SSL_is_init_finished(tls->ssl) == 1;
}

int tls_write(struct tls *tls, const char *bytes, size_t len, struct error *err)
{
    size_t n = 0;

    ERR_clear_error();
    if (len == 0 || SSL_write_ex(tls->ssl, bytes, len, &n) == 1)
        return 0;
    return tls_explain(tls, err);
}

void tls_end(struct tls *tls)
{
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

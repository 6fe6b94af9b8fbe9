/*
 * check_tls.c - two ends of TLS in one process, the network between them two buffers.
 */
/* Both OpenSSL and common/err.h call something ERR_STATE. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "common/buf.h"
#include "sentinel/runtime/tls.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_S (24L * 3600)

static char dir[64];
static char cert_path[128], key_path[128];

/* ------------------------------------------------------------- certificates ----- */

static void put_names(X509 *cert, const char *names)
{
    X509_EXTENSION *extension =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

    ck_assert_ptr_nonnull(extension);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

/* A certificate that vouches for itself, until |days| from now, for |names|. */
static void make_identity(long days, const char *names)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -30 * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(cert), days * DAY_S);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"unit",
                               -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    put_names(cert, names);
    ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);

    FILE *file = fopen(cert_path, "we");
    ck_assert_ptr_nonnull(file);
    PEM_write_X509(file, cert);
    fclose(file);
    file = fopen(key_path, "we");
    ck_assert_ptr_nonnull(file);
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/check_tls.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(cert_path, sizeof cert_path, "%s/cert", dir);
    snprintf(key_path, sizeof key_path, "%s/key", dir);
}

static void teardown(void)
{
    unlink(cert_path);
    unlink(key_path);
    rmdir(dir);
}

static struct tlsctx_config make_config(void)
{
    return (struct tlsctx_config){
        .cert_file = cert_path,
        .key_file = key_path,
        .key_pass = "",
        .client_cert_file = "",
        .client_key_file = "",
        .client_key_pass = "",
        .ca_file = cert_path,
        .ca_dir = "",
        .auth_clients = "yes",
        .protocols = "",
        .ciphers = "",
        .ciphersuites = "",
        .dh_file = "",
        .is_server = true,
    };
}

/* ------------------------------------------------------------ a connection ------ */

struct end {
    struct tls *tls;
    struct buf wire; /* from here to the other one */
    struct buf got;
    struct error err;
    int status; /* of the last call that did not work */
};

static struct end client, server;

static void end_init(struct end *end, struct tls *tls)
{
    memset(end, 0, sizeof *end);
    end->tls = tls;
    tls_set_wire(tls, &end->wire);
}

static void connect_ends(const struct tlsctx_config *config, const char *host)
{
    struct error err = {{0}};
    struct tlsctx *ctx = tlsctx_new(config, &err);

    ck_assert_msg(ctx != NULL, "%s", err.text);
    end_init(&client, tls_connect(ctx, host));
    end_init(&server, tls_accept(ctx));
    tlsctx_free(ctx); /* the connections have what they need */
}

static void end_release(struct end *end)
{
    tls_free(end->tls);
    buf_release(&end->wire);
    buf_release(&end->got);
}

static void disconnect_ends(void)
{
    end_release(&client);
    end_release(&server);
}

/* Goes on with what was fed, as stream.c does. */
static void end_go_on(struct end *end)
{
    char plain[512];
    int n;

    if (!tls_is_up(end->tls)) {
        end->status = tls_handshake(end->tls, &end->err);
        if (end->status != 0)
            return;
    }
    while ((n = tls_read(end->tls, plain, sizeof plain, &end->err)) > 0)
        buf_append(&end->got, plain, (size_t)n);
    end->status = n;
}

/* Carries all that waits over, |n| bytes at a time; false if there is nothing. */
static bool carry(struct end *from, struct end *to, size_t n)
{
    struct buf wire = from->wire;

    from->wire = (struct buf){0};
    for (size_t at = 0; at < wire.len && (to->status == 0 || to->status == ERR_MORE);
         at += n) {
        tls_feed(to->tls, wire.data + at, n < wire.len - at ? n : wire.len - at);
        end_go_on(to);
    }
    bool is_any = wire.len > 0;
    buf_release(&wire);
    return is_any;
}

static void carry_all(size_t piece)
{
    if (!tls_is_up(client.tls) && client.wire.len == 0 && server.wire.len == 0)
        end_go_on(&client);
    while (carry(&client, &server, piece) || carry(&server, &client, piece))
        ;
}

/* ------------------------------------------------------------------- tests ------ */

/* In pieces of any size, in both versions. */
START_TEST(test_bytes_go_through)
{
    static const char *const versions[] = {"TLSv1.2", "TLSv1.3", ""};
    static const size_t pieces[] = {1, 7, 100000};
    struct tlsctx_config config = make_config();
    struct buf big = {0};

    make_identity(1, "IP:127.0.0.1");
    for (int i = 0; i < 50000; i++)
        buf_printf(&big, "%d ", i);
    config.protocols = versions[_i / 3];
    connect_ends(&config, NULL);
    carry_all(pieces[_i % 3]);
    ck_assert(tls_is_up(client.tls) && tls_is_up(server.tls));
    ck_assert_int_eq(tls_write(client.tls, "PING\r\n", 6, &client.err), 0);
    ck_assert_int_eq(tls_write(server.tls, big.data, big.len, &server.err), 0);
    carry_all(pieces[_i % 3]);
    ck_assert_str_eq(buf_text(&server.got), "PING\r\n");
    ck_assert_uint_eq(client.got.len, big.len);
    ck_assert_str_eq(buf_text(&client.got), big.data);
    tls_end(server.tls);
    carry_all(pieces[_i % 3]);
    ck_assert_int_eq(client.status, ERR_STATE);
    buf_release(&big);
    disconnect_ends();
}
END_TEST

START_TEST(test_names)
{
    static const struct {
        const char *names, *host, *reason; /* NULL: it is accepted */
    } cases[] = {
        {"IP:127.0.0.1", NULL, NULL},
        {"IP:127.0.0.1", "127.0.0.1", NULL},
        {"IP:::1", "::1", NULL},
        {"DNS:a.example", "a.example", NULL},
        {"DNS:*.a.example", "b.a.example", NULL},
        {"IP:127.0.0.1", "127.0.0.2",
         "certificate verify failed: IP address mismatch, it is not for 127.0.0.2, "
         "certificate of /CN=unit"},
        {"DNS:a.example", "b.example",
         "certificate verify failed: hostname mismatch, it is not for b.example, "
         "certificate of /CN=unit"},
        {"DNS:a.example", "127.0.0.1",
         "certificate verify failed: IP address mismatch, it is not for 127.0.0.1, "
         "certificate of /CN=unit"},
    };
    struct tlsctx_config config = make_config();

    make_identity(1, cases[_i].names);
    connect_ends(&config, cases[_i].host);
    carry_all(100000);
    ck_assert_int_eq(tls_is_up(client.tls), cases[_i].reason == NULL);
    if (cases[_i].reason != NULL)
        ck_assert_str_eq(client.err.text, cases[_i].reason);
    disconnect_ends();
}
END_TEST

START_TEST(test_expired)
{
    struct tlsctx_config config = make_config();

    make_identity(-1, "IP:127.0.0.1");
    connect_ends(&config, NULL);
    carry_all(100000);
    ck_assert_int_eq(client.status, ERR_DENIED);
    ck_assert_str_eq(client.err.text, "certificate verify failed: certificate has "
                                      "expired, certificate of /CN=unit");
    /* The other side is told. */
    ck_assert_int_eq(server.status, ERR_DENIED);
    ck_assert_ptr_nonnull(strstr(server.err.text, "alert certificate expired"));
    disconnect_ends();
}
END_TEST

/* What is not TLS, from either side; an end in the middle of the handshake. */
START_TEST(test_no_tls)
{
    static const struct {
        const char *bytes, *reason;
        bool is_client;
    } cases[] = {
        {"PING\r\n", "error:0A00010B:SSL routines::wrong version number", false},
        {"GET / HTTP/1.0\r\n", "error:0A00009C:SSL routines::http request", false},
        {"-ERR Protocol error\r\n",
         "the other side does not speak TLS (wrong version number)", true},
        {"", "the other side closed the connection in the handshake", true},
        {"", "error:0A000126:SSL routines::unexpected eof while reading", false},
    };
    struct tlsctx_config config = make_config();

    make_identity(1, "IP:127.0.0.1");
    connect_ends(&config, NULL);
    struct end *end = cases[_i].is_client ? &client : &server;
    end_go_on(end);
    ck_assert_int_eq(end->status, ERR_MORE);
    ck_assert(!tls_has_begun(end->tls));
    tls_feed(end->tls, cases[_i].bytes, strlen(cases[_i].bytes));
    end_go_on(end);
    ck_assert_int_eq(end->status, ERR_DENIED);
    ck_assert_str_eq(end->err.text, cases[_i].reason);
    disconnect_ends();
}
END_TEST

/* A context for outgoing connections only needs no certificate, but an authority. */
START_TEST(test_only_outgoing)
{
    struct tlsctx_config config = make_config();
    struct error err;

    make_identity(1, "IP:127.0.0.1");
    config.is_server = false;
    config.cert_file = config.key_file = "";
    struct tlsctx *ctx = tlsctx_new(&config, &err);
    ck_assert_ptr_nonnull(ctx);
    ck_assert_ptr_null(tls_accept(ctx));
    struct tls *tls = tls_connect(ctx, NULL);
    ck_assert_ptr_nonnull(tls);
    tls_free(tls);
    tlsctx_free(ctx);
    config.ca_file = "";
    ck_assert_ptr_null(tlsctx_new(&config, &err));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("tls");
    TCase *tcase = tcase_create("tls");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_bytes_go_through, 0, 9);
    tcase_add_loop_test(tcase, test_names, 0, 8);
    tcase_add_test(tcase, test_expired);
    tcase_add_loop_test(tcase, test_no_tls, 0, 5);
    tcase_add_test(tcase, test_only_outgoing);
    suite_add_tcase(suite, tcase);
    return suite;
}

/*
 * title.c - what `ps` shows of the process, by proc-title-template.
 */
#include "sentinel/conf/internal.h"

#include <string.h>

/* The first address to listen on, or the Unix socket if there is nothing else. */
static void title_put_address(struct buf *out, const struct conf_options *options,
                              int port)
{
    const char *address = "*";

    if (port == 0 && options->unixsocket[0] != '\0') {
        buf_puts(out, options->unixsocket);
        return;
    }
    if (options->n_bind > 0)
        address = options->bind[0];
    if (address[0] == '-')
        address++;
    bool is_ipv6 = strchr(address, ':') != NULL;
    buf_printf(out, is_ipv6 ? "[%s]:%d" : "%s:%d", address, port);
}

/* The value of the variable |name| of |len| bytes. False if there is none. */
static bool title_put(const struct conf *conf, const char *name, size_t len,
                      const char *program, const char *conf_path, struct buf *out)
{
    static const char *const names[] = {"title",      "listen-addr", "server-mode",
                                        "port",       "tls-port",    "unixsocket",
                                        "config-file"};
    const struct conf_options *options = &conf->options;
    int port = options->port != 0 ? options->port : options->tls_port;
    size_t i = 0;

    while (i < sizeof names / sizeof names[0] &&
           (strlen(names[i]) != len || memcmp(names[i], name, len) != 0))
        i++;
    switch (i) {
    case 0:
        buf_puts(out, program);
        return true;
    case 1:
        title_put_address(out, options, port);
        return true;
    case 2:
        buf_puts(out, "[sentinel]");
        return true;
    case 3:
        buf_printf(out, "%d", options->port);
        return true;
    case 4:
        buf_printf(out, "%d", options->tls_port);
        return true;
    case 5:
        buf_puts(out, options->unixsocket);
        return true;
    case 6:
        buf_puts(out, conf_path);
        return true;
    default:
        return false;
    }
}

static void title_trim(struct buf *out)
{
    size_t start = 0;

    while (out->len > 0 && out->data[out->len - 1] == ' ')
        buf_truncate(out, out->len - 1);
    while (start < out->len && out->data[start] == ' ')
        start++;
    buf_consume(out, start);
}

bool title_expand(const struct conf *conf, const char *template, const char *program,
                  const char *conf_path, struct buf *out)
{
    buf_clear(out);
    while (*template != '\0') {
        size_t len = strcspn(template, "{");
        buf_append(out, template, len);
        template += len;
        if (*template == '\0')
            break;
        const char *end = strchr(template, '}');
        if (end == NULL || !title_put(conf, template + 1, (size_t)(end - template - 1),
                                      program, conf_path, out))
            return false;
        template = end + 1;
    }
    title_trim(out);
    return out->len > 0;
}

bool conf_title(const struct conf *conf, const char *program, const char *conf_path,
                struct buf *out)
{
    if (!conf->options.set_proc_title)
        return false;
    return title_expand(conf, conf->options.proc_title_template, program, conf_path,
                        out);
}

/*
 * startcheck.c - see startcheck.h.
 */
#include "sentinel/runtime/startcheck.h"

#include "common/mem.h"
#include "sentinel/runtime/aclfile.h"
#include "sentinel/server/server.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* May we do |mode| in this folder? 0 or an errno. */
static int startcheck_folder(const char *dir, int mode)
{
    struct stat info;

    if (stat(dir, &info) != 0)
        return errno;
    if (!S_ISDIR(info.st_mode))
        return ENOTDIR;
    return access(dir, mode) == 0 ? 0 : errno;
}

/* May we make files beside |path|? 0 or an errno. */
static int startcheck_beside(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return startcheck_folder(".", W_OK | X_OK);
    char *dir = mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    int error = startcheck_folder(dir, W_OK | X_OK);
    mem_free(dir);
    return error;
}

int startcheck_state(const char *dir, const char *conf_path, struct error *err)
{
    int error;

    if (dir[0] != '\0') {
        error = startcheck_folder(dir, R_OK | W_OK | X_OK);
        if (error == 0)
            return 0;
        return error_set(err, ERR_IO, "Sentinel state-dir %.*s is not writable: %s",
                         400, dir, strerror(error));
    }
    if (conf_path == NULL)
        return error_set(err, ERR_IO,
                         "Sentinel needs config file on disk to save state");
    if (access(conf_path, W_OK) == 0)
        return 0;
    error = errno;
    return error_set(err, ERR_IO, "Sentinel config file %.*s is not writable: %s", 400,
                     conf_path, strerror(error));
}

/* As log_configure() opens it. */
static int startcheck_log(const char *path, struct error *err)
{
    struct stat info;
    int error = 0;

    if (path[0] == '\0')
        return 0;
    if (stat(path, &info) != 0)
        error = errno == ENOENT ? startcheck_beside(path) : errno;
    else if (S_ISDIR(info.st_mode))
        error = EISDIR;
    else if (access(path, W_OK) != 0)
        error = errno;
    if (error == 0)
        return 0;
    return error_set(err, ERR_IO, "Can't open the log file %.*s: %s", 400, path,
                     strerror(error));
}

/* As listeners_open() opens them; an address may be taken or free by then. */
static int startcheck_listeners(const struct conf_options *options, struct error *err)
{
    const struct sockaddr_un *address = NULL;
    const char *path = options->unixsocket;
    struct stat info;
    int error;

    if (path[0] == '\0' && options->port == 0 && options->tls_port == 0)
        return error_set(err, ERR_IO, "Configured to not listen anywhere");
    if (path[0] == '\0')
        return 0;
    if (strlen(path) >= sizeof address->sun_path)
        error = ENAMETOOLONG;
    else if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        error = EISDIR;
    else
        error = startcheck_beside(path);
    if (error == 0)
        return 0;
    return error_set(err, ERR_IO, "Failed opening Unix socket %.*s: %s", 400, path,
                     strerror(error));
}

/* A server that nobody talks to gets the users. */
static void startcheck_users(const struct conf *conf, const struct core *core,
                             startcheck_error_fn *each, void *ctx)
{
    struct server_options options = {
        .requirepass = conf_options(conf)->requirepass,
        .acl_file = conf_text(conf, "aclfile"),
        .has_open_channels =
            strcasecmp(conf_text(conf, "acl-pubsub-default"), "allchannels") == 0,
    };
    struct server_hooks hooks = {0};
    struct server *server = server_new(core, &options, &hooks);
    struct buf why = {0};

    if (aclfile_load(server, conf, &why) != 0)
        each(ctx, buf_text(&why));
    buf_release(&why);
    server_free(server);
}

void startcheck_each_error(const struct conf *conf, const struct core *core,
                           const char *conf_path, startcheck_error_fn *each, void *ctx)
{
    const struct conf_options *options = conf_options(conf);
    struct error err;

    if (startcheck_state(conf_state_dir(conf), conf_path, &err) != 0)
        each(ctx, err.text);
    if (startcheck_log(options->logfile, &err) != 0)
        each(ctx, err.text);
    if (startcheck_listeners(options, &err) != 0)
        each(ctx, err.text);
    startcheck_users(conf, core, each, ctx);
}

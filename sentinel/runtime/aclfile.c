/*
 * aclfile.c - see aclfile.h.
 */
#include "sentinel/runtime/aclfile.h"

#include "common/assert.h"
#include "common/file.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/mem.h"
#include "sentinel/runtime/runtime.h"

#include <errno.h>
#include <string.h>

#define ACLFILE_MAX ((size_t)64 << 20)

struct aclfile_job {
    struct aclfile_job *prev, *next;
    uint64_t session;
    bool is_write;
    char *path;
    struct buf bytes; /* belongs to the thread while the job is under way */
    int error;
};

static void aclfile_free(struct runtime *rt, struct aclfile_job *job)
{
    DL_DELETE(rt->aclfile.jobs, job);
    mem_free(job->path);
    buf_release(&job->bytes);
    mem_free(job);
}

/* On a thread of the pool. */
static void aclfile_work(uv_work_t *work)
{
    struct runtime *rt = work->data;
    struct aclfile_job *job = rt->aclfile.jobs;
    struct error err;
    int rc;

    errno = 0;
    if (job->is_write)
        rc = file_replace(job->path, job->bytes.data, job->bytes.len, &err);
    else
        rc = file_read(job->path, ACLFILE_MAX, &job->bytes, &err);
    if (rc != 0)
        job->error = errno != 0 ? errno : EFBIG;
}

static void aclfile_next(struct runtime *rt);

static void aclfile_done(uv_work_t *work, int status)
{
    struct runtime *rt = work->data;
    struct aclfile_job *job = rt->aclfile.jobs;

    if (status == 0 && !rt->stopped) {
        runtime_tick(rt);
        server_file_done(rt->server, job->session, job->is_write, job->error,
                         buf_text(&job->bytes), job->bytes.len);
        runtime_pump(rt);
    }
    aclfile_free(rt, job);
    if (rt->aclfile.jobs != NULL && !rt->stopped)
        aclfile_next(rt);
}

static void aclfile_next(struct runtime *rt)
{
    rt->aclfile.work.data = rt;
    int rc = uv_queue_work(&rt->loop, &rt->aclfile.work, aclfile_work, aclfile_done);
    ASSERT(rc == 0);
}

void aclfile_hook(void *ctx, const struct server_file_job *job)
{
    struct runtime *rt = ctx;
    struct aclfile_job *copy = mem_zalloc(sizeof *copy);

    copy->session = job->session;
    copy->is_write = job->is_write;
    copy->path = mem_strdup(job->path);
    buf_append(&copy->bytes, job->bytes, job->len);
    DL_APPEND(rt->aclfile.jobs, copy);
    if (rt->aclfile.jobs == copy)
        aclfile_next(rt);
}

void aclfile_cancel(struct runtime *rt)
{
    while (rt->aclfile.jobs != NULL && rt->aclfile.jobs->next != NULL)
        aclfile_free(rt, rt->aclfile.jobs->next);
}

void aclfile_release(struct runtime *rt)
{
    while (rt->aclfile.jobs != NULL)
        aclfile_free(rt, rt->aclfile.jobs);
}

/* ------------------------------------------------------------------------ start -- */

static int aclfile_read_users(struct server *server, const struct conf *conf,
                              const char *path, struct buf *why)
{
    struct buf text = {0}, errors = {0};
    struct error err;
    int rc = ERR_IO;

    if (conf_words(conf, "user", 0) != NULL) {
        buf_puts(why,
                 "Users are defined both in the configuration file and in an ACL file. "
                 "This is likely to lead to mistakes and security holes: please use "
                 "one of the two only.");
        return ERR_STATE;
    }
    errno = 0;
    if (file_read(path, ACLFILE_MAX, &text, &err) != 0)
        buf_printf(&errors, "Error loading ACLs, opening file '%s': %s", path,
                   strerror(errno != 0 ? errno : EFBIG));
    else
        rc = server_read_users(server, buf_text(&text), text.len, &errors);
    if (rc != 0)
        buf_printf(why, "Aborting Redis startup because of ACL errors: %s",
                   buf_text(&errors));
    buf_release(&text);
    buf_release(&errors);
    return rc;
}

int aclfile_load(struct server *server, const struct conf *conf, struct buf *why)
{
    const char *path = conf_text(conf, "aclfile");
    const struct args *line;
    struct error err;
    int rc;

    for (size_t i = 0; (line = conf_words(conf, "rename-command", i)) != NULL; i++) {
        rc = server_rename_command(server, line, &err);
        if (rc != 0) {
            buf_printf(why, "rename-command: %s", err.text);
            return rc;
        }
    }
    if (path[0] != '\0')
        return aclfile_read_users(server, conf, path, why);
    for (size_t i = 0; (line = conf_words(conf, "user", i)) != NULL; i++) {
        rc = server_add_user(server, line, &err);
        if (rc != 0) {
            buf_puts(why, err.text);
            return rc;
        }
    }
    return 0;
}

bool aclfile_start(struct runtime *rt)
{
    struct buf why = {0};
    int rc = aclfile_load(rt->server, rt->conf, &why);

    if (rc != 0)
        log_line(LOG_LVL_WARNING, "%s", buf_text(&why));
    if (rc != 0 && conf_text(rt->conf, "aclfile")[0] == '\0')
        log_line(LOG_LVL_WARNING, "Critical error while loading ACLs. Exiting.");
    buf_release(&why);
    return rc == 0;
}

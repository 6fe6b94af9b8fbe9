/*
 * file.c - whole files, read and replaced safely.
 */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LINKS_MAX 40 /* as the kernel follows */
#define FILE_CHUNK ((size_t)64 * 1024)

/* ---- fault injection ---- */

static atomic_int fail_after;
static atomic_int fail_error;

void file_fail_after(int n, int error)
{
    atomic_store(&fail_error, error);
    atomic_store(&fail_after, n);
}

/* Asked before each system call; true: it is the one to fail. errno is set then. */
static bool file_fails(void)
{
    int left = atomic_load(&fail_after);
    if (left <= 0)
        return false;
    atomic_store(&fail_after, left - 1);
    if (left > 1)
        return false;
    errno = atomic_load(&fail_error);
    return true;
}

static int file_open(const char *path, int flags)
{
    return file_fails() ? -1 : open(path, flags | O_CLOEXEC);
}

static int file_sync(int fd)
{
    return file_fails() ? -1 : fsync(fd);
}

/* Writes all of it from where |fd| stands; |n_written| says how far it came. */
static int file_write_all(int fd, const char *bytes, size_t len, size_t *n_written)
{
    *n_written = 0;
    while (*n_written < len) {
        ssize_t n = file_fails() ? -1 : write(fd, bytes + *n_written, len - *n_written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        *n_written += (size_t)n;
    }
    return 0;
}

/* ERR_IO with "|what| (reason)"; errno stays. */
static int file_error(struct error *err, const char *what)
{
    int saved_errno = errno;
    char text[128];
    error_set(err, ERR_IO, "%s (%s)", what, strerror_r(saved_errno, text, sizeof text));
    errno = saved_errno;
    return ERR_IO;
}

/* Closing must not hide why. */
static void file_close(int fd)
{
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
}

static void file_unlink(const char *path)
{
    int saved_errno = errno;
    unlink(path);
    errno = saved_errno;
}

/* ---- reading ---- */

/* Reads to the end, at most |max| bytes. Returns 0, ERR_IO or ERR_LIMIT. */
static int file_read_all(int fd, size_t max, struct buf *out)
{
    size_t n_read = 0;
    for (;;) {
        buf_reserve(out, FILE_CHUNK);
        ssize_t n = file_fails() ? -1 : read(fd, out->data + out->len, FILE_CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            return ERR_OK;
        n_read += (size_t)n;
        if (n_read > max)
            return ERR_LIMIT;
        out->len += (size_t)n;
        out->data[out->len] = '\0';
    }
}

int file_read(const char *path, size_t max, struct buf *out, struct error *err)
{
    size_t old_len = out->len;
    int fd = file_open(path, O_RDONLY | O_NOCTTY);
    int rc = fd < 0 ? ERR_IO : file_read_all(fd, max, out);

    if (fd >= 0)
        file_close(fd);
    if (rc == ERR_OK)
        return rc;

    buf_truncate(out, old_len);
    if (rc == ERR_LIMIT)
        return error_set(err, rc, "the file is larger than %zu bytes", max);
    int saved_errno = errno;
    char text[128];
    error_set(err, rc, "%s", strerror_r(saved_errno, text, sizeof text));
    errno = saved_errno;
    return rc;
}

/* ---- replacing ---- */

/* What file_replace() works on. */
struct replacement {
    char target[PATH_MAX]; /* the file itself, after symbolic links */
    char temp[PATH_MAX];
    int fd;          /* of temp */
    bool is_new;     /* there is no old file */
    struct stat old; /* the old file, if any */
    const char *bytes;
    size_t len;
};

/* Appends |name| to the folder part of |path|. */
static int file_join(char out[PATH_MAX], const char *path, const char *name)
{
    const char *slash = name[0] != '/' ? strrchr(path, '/') : NULL;
    int dir_len = slash != NULL ? (int)(slash - path) + 1 : 0;
    int len = snprintf(out, PATH_MAX, "%.*s%s", dir_len, path, name);
    if (len < PATH_MAX)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

/*
 * Follows |path| to the file it stands for, which need not exist: rename() would put
 * the new file in the place of the link, and the link's owner made it for a reason.
 */
static int file_resolve(const char *path, char out[PATH_MAX])
{
    char next[PATH_MAX];
    char link[PATH_MAX];

    if (file_join(out, "", path) != 0)
        return -1;
    for (int n_links = 0; n_links <= FILE_LINKS_MAX; n_links++) {
        ssize_t len = file_fails() ? -1 : readlink(out, link, sizeof link - 1);
        if (len < 0)
            return errno == EINVAL || errno == ENOENT ? 0 : -1;
        link[len] = '\0';
        if (file_join(next, out, link) != 0)
            return -1;
        memcpy(out, next, sizeof next);
    }
    errno = ELOOP;
    return -1;
}

/* Finds the target, what is there now, and a name for the temporary file. */
static int file_locate(struct replacement *rep, const char *path, struct error *err)
{
    errno = ENOENT;
    if (path[0] == '\0')
        return file_error(err, "Could not create tmp config file");
    if (file_resolve(path, rep->target) != 0) {
        if (errno == ENAMETOOLONG)
            return error_set(err, ERR_IO, "Config file full path is too long");
        return file_error(err, "Could not create tmp config file");
    }

    int rc = file_fails() ? -1 : stat(rep->target, &rep->old);
    rep->is_new = rc != 0 && errno == ENOENT;
    if (rc != 0 && !rep->is_new)
        return file_error(err, "Could not create tmp config file");
    if (rc == 0 && !S_ISREG(rep->old.st_mode)) {
        /* rename() would do away with a device or a pipe. */
        errno = S_ISDIR(rep->old.st_mode) ? EISDIR : EINVAL;
        return file_error(err, "Could not rename tmp config file");
    }

    int len = snprintf(rep->temp, sizeof rep->temp, "%s.XXXXXX", rep->target);
    if (len >= (int)sizeof rep->temp) {
        errno = ENAMETOOLONG;
        return error_set(err, ERR_IO, "Config file full path is too long");
    }
    return ERR_OK;
}

/*
 * Gives the temporary file the owner and the mode of the old one. Only root may give
 * files away; for others the write matters more than the owner. But rights of a group
 * that could not be kept must not go to another one: the file holds passwords.
 */
static int file_keep_owner(const struct replacement *rep, struct error *err)
{
    mode_t mode = rep->old.st_mode & 0777;
    uid_t uid = rep->old.st_uid;
    gid_t gid = rep->old.st_gid;
    struct stat now;

    if (file_fails() || fstat(rep->fd, &now) != 0)
        return file_error(err, "Could not chmod config file");
    bool is_other = now.st_uid != uid || now.st_gid != gid;
    if (is_other && (file_fails() || fchown(rep->fd, uid, gid) != 0)) {
        /* Root of a container may lack the right, too. */
        if (geteuid() == 0 && errno != EPERM)
            return file_error(err, "Could not chown config file");
        if (now.st_gid != gid && fchown(rep->fd, (uid_t)-1, gid) != 0)
            mode &= (mode_t)(0707 | (mode & 07) << 3);
    }
    if (file_fails() || fchmod(rep->fd, mode) != 0)
        return file_error(err, "Could not chmod config file");
    return ERR_OK;
}

/* Puts everything into the temporary file, down to the disk. */
static int file_fill_temp(const struct replacement *rep, struct error *err)
{
    size_t n_written;
    if (file_write_all(rep->fd, rep->bytes, rep->len, &n_written) != 0) {
        char what[96];
        snprintf(what, sizeof what,
                 "Failed after writing (%zu) bytes to tmp config file", n_written);
        return file_error(err, what);
    }
    if (!rep->is_new && file_keep_owner(rep, err) != 0)
        return ERR_IO;
    if (file_sync(rep->fd) != 0)
        return file_error(err, "Could not sync tmp config file to disk");
    return ERR_OK;
}

/* Makes |fd| hold |len| |bytes|. */
static int file_overwrite(int fd, const char *bytes, size_t len)
{
    size_t n_written;
    if (file_fails() || lseek(fd, 0, SEEK_SET) != 0)
        return -1;
    if (file_write_all(fd, bytes, len, &n_written) != 0)
        return -1;
    if (file_fails() || ftruncate(fd, (off_t)len) != 0)
        return -1;
    return file_sync(fd);
}

/* Sets disk space aside, so that a full disk is noticed before the old bytes go. */
static int file_set_aside(int fd, size_t len)
{
    int rc = file_fails() ? -1 : fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)len);
    if (rc != 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
        return 0; /* this file system cannot: then it goes without */
    return rc;
}

/* No file can be made beside it, or put in its place (errno says why), but it can be
 * written itself: it is mounted into a read-only system, lies in somebody else's
 * folder, or is somebody else's in a folder with the sticky bit. */
static bool file_is_only_target_ours(const struct replacement *rep)
{
    int saved_errno = errno;
    bool is_refused = errno == EROFS || errno == EACCES || errno == EPERM;

    if (rep->is_new || !is_refused)
        return false;
    bool is_ours = faccessat(AT_FDCWD, rep->target, R_OK | W_OK, AT_EACCESS) == 0;
    errno = saved_errno;
    return is_ours;
}

/*
 * The way for a file that cannot be renamed over. It is not safe against a crash in the
 * middle, but then the temporary file, kept until the end, still has the new contents
 * (where there may be one). After a failed write the old contents are put back.
 */
static int file_rewrite_in_place(const struct replacement *rep, struct error *err)
{
    struct buf old = {0};
    int rc = -1;
    int fd = file_open(rep->target, O_RDWR);

    if (fd >= 0 && file_read_all(fd, SIZE_MAX, &old) == 0 &&
        (rep->len == 0 || file_set_aside(fd, rep->len) == 0)) {
        rc = file_overwrite(fd, rep->bytes, rep->len);
        if (rc != 0) {
            int saved_errno = errno;
            (void)file_overwrite(fd, buf_text(&old), old.len);
            errno = saved_errno;
        }
    }
    if (rc != 0)
        rc = file_error(err, "Could not rewrite config file in place");
    if (fd >= 0)
        file_close(fd);
    buf_release(&old);
    return rc;
}

/* Puts the finished temporary file in the place of the old one. */
static int file_commit(const struct replacement *rep, struct error *err)
{
    static const char sync_failed[] = "Could not sync config file dir";
    char dir[PATH_MAX];

    /* Opened first: once the new file is in place, only its fsync is left to fail. */
    int dir_fd = -1;
    if (file_join(dir, rep->target, ".") == 0)
        dir_fd = file_open(dir, O_RDONLY | O_DIRECTORY);
    if (dir_fd < 0)
        return file_error(err, sync_failed);

    int rc = ERR_OK;
    if (file_fails() || rename(rep->temp, rep->target) != 0) {
        if (errno == EBUSY || errno == EXDEV || file_is_only_target_ours(rep)) {
            rc = file_rewrite_in_place(rep, err);
            file_unlink(rep->temp);
        } else {
            rc = file_error(err, "Could not rename tmp config file");
        }
    } else if (file_sync(dir_fd) != 0 && errno != EINVAL) {
        /* EINVAL: some file systems have no such thing for a directory. */
        rc = file_error(err, sync_failed);
    }
    file_close(dir_fd);
    return rc;
}

int file_replace(const char *path, const char *bytes, size_t len, struct error *err)
{
    struct replacement rep = {.bytes = bytes, .len = len};
    if (file_locate(&rep, path, err) != 0)
        return ERR_IO;

    rep.fd = file_fails() ? -1 : mkostemp(rep.temp, O_CLOEXEC);
    if (rep.fd < 0) {
        if (file_is_only_target_ours(&rep))
            return file_rewrite_in_place(&rep, err);
        return file_error(err, "Could not create tmp config file");
    }
    int rc = file_fill_temp(&rep, err);
    file_close(rep.fd);
    if (rc == ERR_OK)
        rc = file_commit(&rep, err);
    if (rc != ERR_OK)
        file_unlink(rep.temp);
    return rc;
}

/*
 * check_file.c - a file is the old one or the new one, whatever fails.
 */
#include "common/err.h"
#include "common/file.h"
#include "tests/lib/runner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OLD "the old contents, which are longer than the new\n"
#define NEW "new\n"
#define N_CALLS_MAX 40 /* more than file_replace() ever makes here */
#define OTHER_ID 12345 /* a user and group nobody here is */

static char dir[64];
static char path[128];

static void make_dir(void)
{
    umask(022);
    snprintf(dir, sizeof dir, "/tmp/check_file.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/sentinel.conf", dir);
}

static void remove_dir(void)
{
    file_fail_after(0, 0);
    DIR *entries = opendir(dir);
    for (struct dirent *entry; entries && (entry = readdir(entries)) != NULL;)
        unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
    ck_assert_int_eq(rmdir(dir), 0);
}

/* Without file.c: it is what is tested. */
static void put(const char *file, const char *text, mode_t mode)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    fchmod(fd, mode);
    close(fd);
}

static const char *get(const char *file)
{
    static char text[512];
    int fd = open(file, O_RDONLY);
    if (fd < 0)
        return "no file";
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    close(fd);
    return text;
}

static struct stat stat_of(const char *file)
{
    struct stat st;
    ck_assert_int_eq(lstat(file, &st), 0);
    return st;
}

static int n_files(void)
{
    int n = 0;
    DIR *entries = opendir(dir);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(entries);
    return n;
}

static int replace(const char *file, const char *text, struct error *err)
{
    return file_replace(file, text, strlen(text), err);
}

/* ---- replacing ---- */

START_TEST(new_file_is_private)
{
    make_dir();
    ck_assert_int_eq(replace(path, NEW, NULL), 0);
    ck_assert_str_eq(get(path), NEW);
    ck_assert_uint_eq(stat_of(path).st_mode & 07777, 0600);
    ck_assert_int_eq(n_files(), 1);
    remove_dir();
}
END_TEST

START_TEST(mode_stays)
{
    static const mode_t modes[] = {0600, 0640, 0644, 0666, 0400};
    make_dir();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        put(path, OLD, modes[i]);
        ck_assert_int_eq(replace(path, NEW, NULL), 0);
        ck_assert_str_eq(get(path), NEW);
        ck_assert_uint_eq(stat_of(path).st_mode & 07777, modes[i]);
        unlink(path);
    }
    remove_dir();
}
END_TEST

/* Readers that have the old file open keep it whole. */
START_TEST(replaced_not_overwritten)
{
    make_dir();
    put(path, OLD, 0644);
    ino_t inode = stat_of(path).st_ino;
    int fd = open(path, O_RDONLY);
    ck_assert_int_eq(replace(path, NEW, NULL), 0);
    char text[100] = "";
    ck_assert_int_eq(read(fd, text, sizeof text), (ssize_t)strlen(OLD));
    ck_assert_uint_ne(stat_of(path).st_ino, inode);
    close(fd);
    remove_dir();
}
END_TEST

START_TEST(empty_and_large_contents)
{
    make_dir();
    size_t len = 3 * 1024 * 1024 + 17;
    char *large = malloc(len);
    for (size_t i = 0; i < len; i++)
        large[i] = (char)(i * 7);
    struct buf read_back = {0};

    ck_assert_int_eq(file_replace(path, large, len, NULL), 0);
    ck_assert_int_eq(file_read(path, len, &read_back, NULL), 0);
    ck_assert_uint_eq(read_back.len, len);
    ck_assert_int_eq(memcmp(read_back.data, large, len), 0);
    ck_assert_int_eq(file_replace(path, "", 0, NULL), 0);
    ck_assert_int_eq(stat_of(path).st_size, 0);
    buf_release(&read_back);
    free(large);
    remove_dir();
}
END_TEST

START_TEST(relative_paths)
{
    make_dir();
    char before[4096];
    ck_assert_ptr_nonnull(getcwd(before, sizeof before));
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(replace("sentinel.conf", NEW, NULL), 0);
    ck_assert_str_eq(get(path), NEW);
    ck_assert_int_eq(replace("./sentinel.conf", OLD, NULL), 0);
    ck_assert_str_eq(get(path), OLD);
    ck_assert_int_eq(chdir(before), 0);
    remove_dir();
}
END_TEST

/* A link to a link, one relative and one absolute, in two folders. */
START_TEST(symbolic_links_stay)
{
    char sub[160];
    char link[160];
    char target[160];
    make_dir();
    snprintf(sub, sizeof sub, "%s/sub", dir);
    snprintf(link, sizeof link, "%s/sub/link", dir);
    snprintf(target, sizeof target, "%s/target", dir);
    ck_assert_int_eq(mkdir(sub, 0755), 0);
    ck_assert_int_eq(symlink("../target", link), 0);
    ck_assert_int_eq(symlink(link, path), 0);

    /* Also while there is nothing at its end. */
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(replace(path, round == 0 ? NEW : OLD, NULL), 0);
        ck_assert(S_ISLNK(stat_of(path).st_mode));
        ck_assert(S_ISLNK(stat_of(link).st_mode));
        ck_assert(S_ISREG(stat_of(target).st_mode));
        ck_assert_str_eq(get(target), round == 0 ? NEW : OLD);
    }
    unlink(link);
    rmdir(sub);
    remove_dir();
}
END_TEST

START_TEST(what_cannot_be_replaced)
{
    struct error err;
    char missing[160];
    char pipe_path[160];
    static char long_path[5000];
    make_dir();

    snprintf(missing, sizeof missing, "%s/none/sentinel.conf", dir);
    ck_assert_int_eq(replace(missing, NEW, &err), ERR_IO);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_str_eq(err.text,
                     "Could not create tmp config file (No such file or directory)");

    ck_assert_int_eq(replace(dir, NEW, &err), ERR_IO);
    ck_assert_int_eq(errno, EISDIR);
    ck_assert_str_eq(err.text, "Could not rename tmp config file (Is a directory)");

    snprintf(pipe_path, sizeof pipe_path, "%s/pipe", dir);
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    ck_assert_int_eq(replace(pipe_path, NEW, &err), ERR_IO);
    ck_assert(S_ISFIFO(stat_of(pipe_path).st_mode));

    memset(long_path, 'x', sizeof long_path - 1);
    ck_assert_int_eq(replace(long_path, NEW, &err), ERR_IO);
    ck_assert_str_eq(err.text, "Config file full path is too long");
    /* Valid, but no room for the suffix of the temporary name. */
    memset(long_path, '/', sizeof long_path);
    snprintf(long_path + 4090 - strlen(path), sizeof path, "%s", path);
    ck_assert_int_eq(replace(long_path, NEW, &err), ERR_IO);
    ck_assert_int_eq(errno, ENAMETOOLONG);
    ck_assert_str_eq(err.text, "Config file full path is too long");
    ck_assert_int_eq(replace("", NEW, &err), ERR_IO);
    ck_assert_int_eq(errno, ENOENT);

    ck_assert_int_eq(symlink("sentinel.conf", path), 0);
    ck_assert_int_eq(replace(path, NEW, &err), ERR_IO);
    ck_assert_int_eq(errno, ELOOP);
    ck_assert_int_eq(n_files(), 2);
    remove_dir();
}
END_TEST

/* ---- failures ---- */

/*
 * Lets one system call after the other fail until the replacement succeeds, and says by
 * which sentences on the way. After each attempt the file holds either contents, whole,
 * and no temporary file is left.
 */
static void fail_each_call(const char *before, int error, struct buf *sentences)
{
    struct error err;
    int rc = ERR_IO;
    for (int n = 1; rc != 0; n++) {
        ck_assert_int_lt(n, N_CALLS_MAX);
        if (before != NULL && strcmp(get(path), before) != 0)
            put(path, before, 0640);
        else if (before == NULL)
            unlink(path);

        err.text[0] = '\0';
        file_fail_after(n, error);
        rc = replace(path, NEW, &err);
        int saved_errno = errno;
        file_fail_after(0, 0);
        buf_printf(sentences, "%s\n", err.text);

        const char *now = get(path);
        const char *old = before != NULL ? before : "no file";
        bool has_new = strcmp(now, NEW) == 0;
        ck_assert_msg(has_new || strcmp(now, old) == 0, "call %d left '%s'", n, now);
        if (rc == 0)
            ck_assert(has_new);
        else
            ck_assert_int_eq(saved_errno, error);
        /* The one failure that comes after the deed. */
        if (rc != 0 && has_new)
            ck_assert_ptr_nonnull(strstr(err.text, "Could not sync config file dir"));
        ck_assert_int_eq(n_files(), has_new || before != NULL ? 1 : 0);
    }
}

static void expect_sentences(struct buf *sentences, const char *const *expected)
{
    for (; *expected != NULL; expected++)
        ck_assert_msg(strstr(buf_text(sentences), *expected) != NULL, "no '%s' in\n%s",
                      *expected, buf_text(sentences));
    buf_release(sentences);
}

START_TEST(each_call_fails_once)
{
    static const char *const expected[] = {
        "Could not create tmp config file (Input/output error)\n",
        "Failed after writing (0) bytes to tmp config file (Input/output error)\n",
        "Could not sync tmp config file to disk (Input/output error)\n",
        "Could not chmod config file (Input/output error)\n",
        "Could not rename tmp config file (Input/output error)\n",
        "Could not sync config file dir (Input/output error)\n",
        NULL,
    };
    struct buf sentences = {0};
    make_dir();
    fail_each_call(OLD, EIO, &sentences);
    expect_sentences(&sentences, expected);
    remove_dir();
}
END_TEST

START_TEST(each_call_fails_once_for_a_new_file)
{
    static const char *const expected[] = {
        "Failed after writing (0) bytes to tmp config file (No space left on device)\n",
        "Could not sync config file dir (No space left on device)\n",
        NULL,
    };
    struct buf sentences = {0};
    make_dir();
    fail_each_call(NULL, ENOSPC, &sentences);
    expect_sentences(&sentences, expected);
    remove_dir();
}
END_TEST

/* An interrupted write is none: it goes on. */
START_TEST(interruptions_of_writes_do_not_matter)
{
    struct error err;
    bool wrote = true;
    make_dir();
    for (int n = 1; n < N_CALLS_MAX; n++) {
        put(path, OLD, 0600);
        file_fail_after(n, EINTR);
        if (replace(path, NEW, &err) != 0 && strstr(err.text, "writing") != NULL)
            wrote = false;
        file_fail_after(0, 0);
    }
    ck_assert(wrote);
    remove_dir();
}
END_TEST

/* One of the calls is rename(), and when that one says EBUSY the file stays where it is
 * and gets the new contents all the same. */
START_TEST(busy_file_is_rewritten_in_place)
{
    int n_in_place = 0;
    make_dir();
    for (int n = 1; n < N_CALLS_MAX; n++) {
        put(path, OLD, 0640);
        ino_t inode = stat_of(path).st_ino;
        file_fail_after(n, EBUSY);
        int rc = replace(path, NEW, NULL);
        file_fail_after(0, 0);
        ck_assert_int_eq(n_files(), 1);
        if (rc == 0 && stat_of(path).st_ino == inode) {
            n_in_place++;
            ck_assert_str_eq(get(path), NEW);
            ck_assert_uint_eq(stat_of(path).st_mode & 07777, 0640);
        }
    }
    ck_assert_int_eq(n_in_place, 1);
    remove_dir();
}
END_TEST

/* ---- what needs rights: done in a child, which says how it went by its status ---- */

enum { CHILD_FINE, CHILD_WRONG, CHILD_MAY_NOT };

static int run_child(int (*act)(void))
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(act());
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool is_new_or_old(const char *text)
{
    return strcmp(text, NEW) == 0 || strcmp(text, OLD) == 0;
}

/* A file mounted over itself, as containers mount single files: rename() says EBUSY. */
static int replace_mounted(void)
{
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(path, path, NULL, MS_BIND, NULL) != 0)
        return CHILD_MAY_NOT;

    static const char *const contents[] = {NEW, OLD OLD OLD, ""};
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++)
        if (replace(path, contents[i], NULL) != 0 ||
            strcmp(get(path), contents[i]) != 0)
            return CHILD_WRONG;

    int rc = ERR_IO;
    for (int n = 1; rc != 0; n++) {
        struct error err = {""};
        int fd = open(path, O_WRONLY | O_TRUNC);
        if (write(fd, OLD, strlen(OLD)) != (ssize_t)strlen(OLD))
            return CHILD_WRONG;
        close(fd);
        file_fail_after(n, EIO);
        rc = replace(path, NEW, &err);
        file_fail_after(0, 0);
        if (n == N_CALLS_MAX || !is_new_or_old(get(path)) || n_files() != 1)
            return CHILD_WRONG;
        if (rc != 0 && strcmp(get(path), OLD) != 0)
            return CHILD_WRONG;
    }
    return strcmp(get(path), NEW) == 0 ? CHILD_FINE : CHILD_WRONG;
}

START_TEST(mounted_file)
{
    make_dir();
    put(path, OLD, 0600);
    ck_assert_int_ne(run_child(replace_mounted), CHILD_WRONG);
    remove_dir();
}
END_TEST

START_TEST(root_keeps_the_owner)
{
    make_dir();
    put(path, OLD, 0640);
    if (chown(path, OTHER_ID, OTHER_ID + 1) == 0) {
        struct buf sentences = {0};
        static const char *const expected[] = {
            "Could not chown config file (Input/output error)\n", NULL};
        ck_assert_int_eq(replace(path, NEW, NULL), 0);
        ck_assert_uint_eq(stat_of(path).st_uid, OTHER_ID);
        ck_assert_uint_eq(stat_of(path).st_gid, OTHER_ID + 1);
        ck_assert_uint_eq(stat_of(path).st_mode & 07777, 0640);

        put(path, OLD, 0640);
        fail_each_call(OLD, EIO, &sentences);
        expect_sentences(&sentences, expected);

        /* Root of a container without that right still saves. */
        put(path, OLD, 0640);
        ck_assert_int_eq(chown(path, OTHER_ID, OTHER_ID + 1), 0);
        fail_each_call(OLD, EPERM, &sentences);
        ck_assert_ptr_null(strstr(buf_text(&sentences), "chown"));
        buf_release(&sentences);
    }
    remove_dir();
}
END_TEST

static int replace_as_nobody(void)
{
    if (setgid(OTHER_ID) != 0 || setuid(OTHER_ID) != 0)
        return CHILD_MAY_NOT;
    if (replace(path, NEW, NULL) != 0 || strcmp(get(path), NEW) != 0)
        return CHILD_WRONG;
    return CHILD_FINE;
}

/* The file belongs to somebody else, the directory to us: saving has to work, but the
 * rights of the old group must not pass to ours. */
START_TEST(others_save_without_the_owner)
{
    make_dir();
    put(path, OLD, 0664);
    if (chown(dir, OTHER_ID, OTHER_ID) == 0) {
        ck_assert_int_eq(run_child(replace_as_nobody), CHILD_FINE);
        ck_assert_uint_eq(stat_of(path).st_uid, OTHER_ID);
        ck_assert_uint_eq(stat_of(path).st_mode & 07777, 0644);
    }
    remove_dir();
}
END_TEST

static int replace_sticky(void)
{
    struct error err = {""};

    if (setgid(OTHER_ID) != 0 || setuid(OTHER_ID) != 0)
        return CHILD_MAY_NOT;
    if (access(path, W_OK) == 0)
        return replace(path, NEW, NULL) == 0 ? CHILD_FINE : CHILD_WRONG;
    return replace(path, NEW, &err) == ERR_IO &&
                   strcmp(err.text, "Could not rename tmp config file (Operation not "
                                    "permitted)") == 0
               ? CHILD_FINE
               : CHILD_WRONG;
}

/* Everybody may make files in such a directory, but replace only those of their own. */
START_TEST(file_of_another_in_a_sticky_directory)
{
    make_dir();
    if (geteuid() == 0 && chmod(dir, 01777) == 0) {
        put(path, OLD, 0666);
        ino_t inode = stat_of(path).st_ino;
        ck_assert_int_eq(run_child(replace_sticky), CHILD_FINE);
        ck_assert_str_eq(get(path), NEW);
        ck_assert_uint_eq(stat_of(path).st_ino, inode);
        ck_assert_uint_eq(stat_of(path).st_uid, 0);
        ck_assert_int_eq(n_files(), 1);

        put(path, OLD, 0644);
        ck_assert_int_eq(run_child(replace_sticky), CHILD_FINE);
        ck_assert_str_eq(get(path), OLD);
        ck_assert_int_eq(n_files(), 1);
    }
    remove_dir();
}
END_TEST

/* ---- reading ---- */

START_TEST(reading_appends)
{
    struct buf out = {0};
    make_dir();
    put(path, OLD, 0600);
    buf_puts(&out, "before: ");
    ck_assert_int_eq(file_read(path, strlen(OLD), &out, NULL), 0);
    ck_assert_str_eq(buf_text(&out), "before: " OLD);
    put(path, "", 0600);
    ck_assert_int_eq(file_read(path, 0, &out, NULL), 0);
    ck_assert_str_eq(buf_text(&out), "before: " OLD);
    buf_release(&out);
    remove_dir();
}
END_TEST

START_TEST(reading_fails_cleanly)
{
    struct buf out = {0};
    struct error err;
    make_dir();
    buf_puts(&out, "before");

    ck_assert_int_eq(file_read(path, 100, &out, &err), ERR_IO);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_str_eq(err.text, "No such file or directory");
    ck_assert_int_eq(file_read(dir, 100, &out, &err), ERR_IO);
    ck_assert_int_eq(errno, EISDIR);

    put(path, OLD, 0600);
    ck_assert_int_eq(file_read(path, strlen(OLD) - 1, &out, &err), ERR_LIMIT);
    int rc = ERR_IO;
    for (int n = 1; rc != 0; n++) {
        ck_assert_str_eq(buf_text(&out), "before");
        file_fail_after(n, EIO);
        rc = file_read(path, 100, &out, &err);
        file_fail_after(0, 0);
        ck_assert_int_lt(n, N_CALLS_MAX);
    }
    ck_assert_str_eq(buf_text(&out), "before" OLD);
    buf_release(&out);
    remove_dir();
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("file");
    TCase *tc = tcase_create("file");
    tcase_add_test(tc, new_file_is_private);
    tcase_add_test(tc, mode_stays);
    tcase_add_test(tc, replaced_not_overwritten);
    tcase_add_test(tc, empty_and_large_contents);
    tcase_add_test(tc, relative_paths);
    tcase_add_test(tc, symbolic_links_stay);
    tcase_add_test(tc, what_cannot_be_replaced);
    tcase_add_test(tc, each_call_fails_once);
    tcase_add_test(tc, each_call_fails_once_for_a_new_file);
    tcase_add_test(tc, interruptions_of_writes_do_not_matter);
    tcase_add_test(tc, busy_file_is_rewritten_in_place);
    tcase_add_test(tc, mounted_file);
    tcase_add_test(tc, root_keeps_the_owner);
    tcase_add_test(tc, others_save_without_the_owner);
    tcase_add_test(tc, file_of_another_in_a_sticky_directory);
    tcase_add_test(tc, reading_appends);
    tcase_add_test(tc, reading_fails_cleanly);
    suite_add_tcase(suite, tc);
    return suite;
}

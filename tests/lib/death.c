/*
 * death.c - runs what must end the process in a process of its own.
 */
#include "tests/lib/death.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void death_child(void (*act)(void), int fd)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(fd, STDERR_FILENO);
    act();
    _exit(EXIT_SUCCESS);
}

bool death_aborts(void (*act)(void), char *out, size_t cap)
{
    int fds[2];
    if (cap == 0 || pipe(fds) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        death_child(act, fds[1]);
    close(fds[1]);

    size_t len = 0;
    ssize_t n;
    while (len + 1 < cap && (n = read(fds[0], out + len, cap - len - 1)) > 0)
        len += (size_t)n;
    out[len] = '\0';
    close(fds[0]);

    int status = 0;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

/*
 * crash.c - a last report when a signal ends the process because of a mistake of ours.
 *
 * Everything in the handler must be safe in a process whose memory may be damaged: no
 * allocation, no stdio, no locks. backtrace() is called once beforehand, since its
 * first call loads a library.
 */
#include "sentinel/runtime/crash.h"

#include "sentinel/runtime/logthread.h"
#include "sentinel/runtime/version.h"
#include "sentinel/server/server.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define CRASH_FRAMES 100
#define CRASH_STACK_BYTES (64 << 10)

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CRASH_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define CRASH_SANITIZED 1
#endif
#ifndef CRASH_SANITIZED
#define CRASH_SANITIZED 0
#endif

static struct {
    char path[4096];
    char stack[CRASH_STACK_BYTES]; /* ours may be what is full */
    void *frames[CRASH_FRAMES];
} crash;

/* A line under construction; what does not fit is left out. */
struct crash_line {
    char text[512];
    size_t len;
};

static void crash_puts(struct crash_line *line, const char *text)
{
    while (*text != '\0' && line->len < sizeof line->text)
        line->text[line->len++] = *text++;
}

static void crash_put_number(struct crash_line *line, uint64_t number, unsigned base)
{
    char digits[24];
    size_t i = sizeof digits - 1;

    digits[i] = '\0';
    do {
        digits[--i] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    crash_puts(line, digits + i);
}

static void crash_put_int(struct crash_line *line, const char *name, int64_t number)
{
    crash_puts(line, name);
    crash_puts(line, number < 0 ? "-" : "");
    crash_put_number(line, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10);
}

static void crash_put_address(struct crash_line *line, const char *name,
                              uintptr_t address)
{
    crash_puts(line, name);
    crash_puts(line, "0x");
    crash_put_number(line, address, 16);
}

static void crash_write(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static void crash_begin(struct crash_line *line)
{
    line->len = 0;
    crash_put_int(line, "", getpid());
    crash_put_int(line, ":signal-handler (", time(NULL));
    crash_puts(line, ") ");
}

static void crash_end(struct crash_line *line, int fd)
{
    if (line->len == sizeof line->text)
        line->len--;
    line->text[line->len++] = '\n';
    crash_write(fd, line->text, line->len);
}

static uintptr_t crash_instruction(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

static void crash_write_cause(int fd, int number, const siginfo_t *info,
                              const ucontext_t *context)
{
    struct crash_line line;

    crash_begin(&line);
    crash_puts(&line, "Redis " SERVER_COMPAT_VERSION " crashed by signal: ");
    crash_put_int(&line, "", number);
    crash_put_int(&line, ", si_code: ", info->si_code);
    crash_end(&line, fd);

    crash_begin(&line);
    crash_puts(&line, "This is redis-sentinel " SENTINEL_VERSION);
    crash_end(&line, fd);

    crash_begin(&line);
    if (info->si_code <= 0) {
        crash_put_int(&line, "Killed by PID: ", info->si_pid);
        crash_put_int(&line, ", UID: ", info->si_uid);
    } else {
        crash_put_address(&line, "Accessing address: ", (uintptr_t)info->si_addr);
    }
    crash_end(&line, fd);

    crash_begin(&line);
    crash_put_address(
        &line, "Crashed running the instruction at: ", crash_instruction(context));
    crash_end(&line, fd);
}

static void crash_on_signal(int number, siginfo_t *info, void *context)
{
    static const char start[] =
        "\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n";
    static const char trace[] = "\n------ STACK TRACE ------\n";
    static const char end[] =
        "\n=== REDIS BUG REPORT END. Please send all of it, from START to END, to "
        "whoever\n    maintains this redis-sentinel, not to the Redis project. ===\n";
    int fd = STDOUT_FILENO;

    logthread_drain_in_handler();
    if (crash.path[0] != '\0')
        fd = open(crash.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
                  0644);
    if (fd >= 0) {
        crash_write(fd, start, sizeof start - 1);
        crash_write_cause(fd, number, info, context);
        crash_write(fd, trace, sizeof trace - 1);
        int n = backtrace(crash.frames, CRASH_FRAMES);
        backtrace_symbols_fd(crash.frames, n, fd);
        crash_write(fd, end, sizeof end - 1);
    }
    /* The default action is in force again, and comes when we return. */
    raise(number);
}

void crash_watch(const char *path)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct sigaction action = {.sa_sigaction = crash_on_signal,
                               .sa_flags =
                                   (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND)};
    stack_t stack = {.ss_sp = crash.stack, .ss_size = sizeof crash.stack};

    if (CRASH_SANITIZED || strlen(path) >= sizeof crash.path)
        return;
    memcpy(crash.path, path, strlen(path) + 1);
    backtrace(crash.frames, 1);
    if (sigaltstack(&stack, NULL) != 0)
        return;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
}

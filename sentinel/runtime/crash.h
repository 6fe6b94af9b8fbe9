/*
 * crash.h - a last report when a signal ends the process because of a mistake of ours.
 */
#ifndef SENTINEL_RUNTIME_CRASH_H
#define SENTINEL_RUNTIME_CRASH_H

/*
 * crash_watch() has SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT write a report in
 * stock's frame, then end the process as they do without it. |path| is the log file; ""
 * is standard output.
 */
void crash_watch(const char *path);

#endif

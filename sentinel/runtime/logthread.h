/*
 * logthread.h - a thread that writes the log, so that a disk, a pipe or syslog may take
 * their time.
 *
 * A line is written in the order in which it was logged, but maybe after what it speaks
 * of has left for clients. Some megabytes wait at most; more is lost, and counted.
 */
#ifndef SENTINEL_RUNTIME_LOGTHREAD_H
#define SENTINEL_RUNTIME_LOGTHREAD_H

#include <stdbool.h>

/* Call it after the last fork() of this process. Without a thread, lines are written at
 * once, as before. */
void logthread_start(void);

/* Waits until all is written, at most |timeout_ms|; false if that was not enough. */
bool logthread_drain(int timeout_ms);

/* The same in a signal handler, for a process that is about to end. */
void logthread_drain_in_handler(void);

/* Drains, and ends the thread. False if it is stuck in a write: then there is no end to
 * wait for, and lines are still accepted. */
bool logthread_stop(int timeout_ms);

#endif

/*
 * file.h - whole files, read and replaced safely.
 */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>

/* Appends the contents of |path| to |out|; at most |max| bytes, else ERR_LIMIT. ERR_IO
 * (errno set, its text in |err|) if it cannot be read. |out| is unchanged then. */
int file_read(const char *path, size_t max, struct buf *out, struct error *err);

/*
 * file_replace() makes |path| hold exactly |len| bytes, so that after a crash at any
 * moment the file is either the old one or the new one: temporary file in the same
 * directory, fsync, rename, fsync of the directory. A symbolic link is followed and
 * stays; mode and owner of an existing file are kept, a new one gets 0600. Where rename
 * says EBUSY (a bind-mounted file) or is not allowed (somebody else's file in a
 * directory with the sticky bit), or where no file may be made in the directory, the
 * file is rewritten in place and fsynced.
 *
 * May be called from any thread: it touches nothing but its arguments. Returns 0 or
 * ERR_IO with stock's sentence in |err| ("Could not create tmp config file (...)",
 * behaviour.md 10.3) and errno set; the old contents then still stand, unless only the
 * fsync of the directory failed.
 */
int file_replace(const char *path, const char *bytes, size_t len, struct error *err);

/* Fault injection for tests: the n-th system call from now on fails with |error|, once
 * (0 turns it off). */
void file_fail_after(int n, int error);

#endif

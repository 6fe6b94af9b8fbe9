/*
 * digest.h - SHA-256 of passwords, by libcrypto. Kept apart from everything else, whose
 * names (ERR_STATE) would meet those of the library.
 */
#ifndef SENTINEL_SERVER_DIGEST_H
#define SENTINEL_SERVER_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN 32

void digest_make(uint8_t digest[DIGEST_LEN], const void *bytes, size_t len);
/* Takes the same time wherever they differ. */
bool digest_equal(const uint8_t a[DIGEST_LEN], const uint8_t b[DIGEST_LEN]);

#endif

/*
 * hmac.h - HMAC-SHA256, by libcrypto: the function that the runtime gives the core.
 * Kept apart from everything else, whose names (ERR_STATE) would meet those of the
 * library.
 */
#ifndef SENTINEL_RUNTIME_HMAC_H
#define SENTINEL_RUNTIME_HMAC_H

#include <stddef.h>

#define HMAC_LEN 32

/* A core_mac_fn. A key of length 0 is none and aborts. */
void hmac_sha256(unsigned char mac[HMAC_LEN], const char *key, size_t key_len,
                 const char *text, size_t text_len);

#endif

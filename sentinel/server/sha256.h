/*
 * sha256.h - FIPS 180-4 SHA-256, for password hashes only.
 */
#ifndef SENTINEL_SERVER_SHA256_H
#define SENTINEL_SERVER_SHA256_H

#include <stddef.h>
#include <stdint.h>

void sha256(uint8_t out[32], const void *bytes, size_t len);

#endif

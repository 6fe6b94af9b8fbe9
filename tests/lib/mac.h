/*
 * mac.h - stands for HMAC-SHA256 where no cryptography is needed: depends on every bit
 * of key and text, and is quick. Anybody who has the source can forge it; those who
 * forge in tests do not.
 */
#ifndef TESTS_LIB_MAC_H
#define TESTS_LIB_MAC_H

#include "common/buf.h"
#include "sentinel/core/core.h"

#include <inttypes.h>
#include <string.h>

static inline uint64_t mac_mix(uint64_t hash, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211u;
        hash ^= hash >> 29;
    }
    return hash;
}

static inline void mac_fake(unsigned char mac[CORE_MAC_LEN], const char *key,
                            size_t key_len, const char *text, size_t text_len)
{
    uint64_t hash = mac_mix(14695981039346656037u, key, key_len);

    hash = mac_mix(mac_mix(hash, text, text_len), key, key_len);
    for (size_t i = 0; i < CORE_MAC_LEN; i++) {
        mac[i] = (unsigned char)(hash >> 56);
        hash = hash * 6364136223846793005u + 1442695040888963407u;
    }
}

/* Makes |hello| a companion, signed with |secret| at |stamp|. */
static inline void mac_companion(struct buf *hello, const char *secret, int64_t stamp,
                                 uint64_t stands)
{
    unsigned char mac[CORE_MAC_LEN];

    buf_printf(hello, ",hmac-sha256,%" PRId64 ",%" PRIu64, stamp, stands);
    mac_fake(mac, secret, strlen(secret), hello->data, hello->len);
    buf_putc(hello, ',');
    for (size_t i = 0; i < CORE_MAC_LEN; i++)
        buf_printf(hello, "%02x", mac[i]);
}

#endif

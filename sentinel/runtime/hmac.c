/*
 * hmac.c - see hmac.h.
 */
#include "sentinel/runtime/hmac.h"

#include "common/assert.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void hmac_sha256(unsigned char mac[HMAC_LEN], const char *key, size_t key_len,
                 const char *text, size_t text_len)
{
    unsigned int len = 0;

    ASSERT(key_len > 0 && key_len <= INT_MAX);
    const unsigned char *done = HMAC(EVP_sha256(), key, (int)key_len,
                                     (const unsigned char *)text, text_len, mac, &len);
    ASSERT(done != NULL && len == HMAC_LEN);
}

/*
 * digest.c - see digest.h.
 */
#include "sentinel/server/digest.h"

#include "common/assert.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

void digest_make(uint8_t digest[DIGEST_LEN], const void *bytes, size_t len)
{
    int ok = EVP_Digest(bytes, len, digest, NULL, EVP_sha256(), NULL);

    ASSERT(ok == 1);
}

bool digest_equal(const uint8_t a[DIGEST_LEN], const uint8_t b[DIGEST_LEN])
{
    return CRYPTO_memcmp(a, b, DIGEST_LEN) == 0;
}

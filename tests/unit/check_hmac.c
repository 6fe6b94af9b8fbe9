/*
 * check_hmac.c - the test cases of RFC 4231 for HMAC-SHA256.
 */
#include "sentinel/runtime/hmac.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <string.h>

static void expect(const char *key, size_t key_len, const char *text, size_t text_len,
                   const char *expected)
{
    unsigned char mac[HMAC_LEN];
    char hex[2 * HMAC_LEN + 1];

    hmac_sha256(mac, key, key_len, text, text_len);
    for (size_t i = 0; i < HMAC_LEN; i++)
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    ck_assert_str_eq(hex, expected);
}

START_TEST(test_short_keys)
{
    char key[25], text[50];

    memset(key, 0x0b, 20);
    expect(key, 20, "Hi There", 8,
           "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    expect("Jefe", 4, "what do ya want for nothing?", 28,
           "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, 20);
    memset(text, 0xdd, 50);
    expect(key, 20, text, 50,
           "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    for (int i = 0; i < 25; i++)
        key[i] = (char)(i + 1);
    memset(text, 0xcd, 50);
    expect(key, 25, text, 50,
           "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
}
END_TEST

START_TEST(test_keys_longer_than_a_block)
{
    static const char long_text[] =
        "This is a test using a larger than block-size key and a larger than "
        "block-size data. The key needs to be hashed before being used by the HMAC "
        "algorithm.";
    static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    char key[131];

    memset(key, 0xaa, sizeof(key));
    expect(key, sizeof(key), text, strlen(text),
           "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    expect(key, sizeof(key), long_text, strlen(long_text),
           "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("hmac");
    TCase *tc = tcase_create("rfc4231");

    tcase_add_test(tc, test_short_keys);
    tcase_add_test(tc, test_keys_longer_than_a_block);
    suite_add_tcase(suite, tc);
    return suite;
}

/*
 * check_addr.c - hosts, numeric addresses and ports.
 */
#include "common/addr.h"
#include "common/err.h"
#include "tests/lib/runner.h"

#include <string.h>

START_TEST(canonical_numeric_forms)
{
    static const char *const forms[][2] = {
        {"127.0.0.1", "127.0.0.1"},
        {"1.2.3", "1.2.0.3"},
        {"1.2.772", "1.2.3.4"},
        {"10.1", "10.0.0.1"},
        {"10.16777215", "10.255.255.255"},
        {"2130706433", "127.0.0.1"},
        {"0", "0.0.0.0"},
        {"4294967295", "255.255.255.255"},
        {"::1", "::1"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"FE80::00A1", "fe80::a1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"::ffff:10.0.0.1", "::ffff:10.0.0.1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char out[ADDR_IP_CAP];
        ck_assert_msg(addr_canon_ip(out, forms[i][0]), "%s", forms[i][0]);
        ck_assert_str_eq(out, forms[i][1]);
        /* What is canonical stays as it is. */
        ck_assert(addr_canon_ip(out, forms[i][1]));
        ck_assert_str_eq(out, forms[i][1]);
    }
}
END_TEST

START_TEST(not_numeric)
{
    static const char *const texts[] = {
        "",
        "localhost",
        "256.0.0.1",
        "1.2.3.256",
        "1.2.3.4.5",
        "1.2.3.",
        ".1.2.3",
        "1..2",
        "01.2.3.4",
        "1.2.3.04",
        "0x7f.1",
        "-1",
        "+1",
        " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.65536",
        "1.16777216",
        "4294967296",
        "99999999999999999999999",
        "::1::",
        "[::1]",
        "1:2",
        "fe80::1%lo",
        "12345::",
        "1.2.3.4a",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char out[ADDR_IP_CAP] = "old";
        ck_assert_msg(!addr_canon_ip(out, texts[i]), "%s", texts[i]);
        ck_assert_str_eq(out, "");
    }
}
END_TEST

START_TEST(set_tells_names_from_numbers)
{
    struct addr addr = {0};
    ck_assert_int_eq(addr_set(&addr, "redis-1.example", 6379), 0);
    ck_assert_str_eq(addr.host, "redis-1.example");
    ck_assert_str_eq(addr.ip, "");
    ck_assert_uint_eq(addr.port, 6379);

    /* A name that becomes its own part must not be freed too early. */
    ck_assert_int_eq(addr_set(&addr, addr.host + 8, 0), 0);
    ck_assert_str_eq(addr.host, "example");

    ck_assert_int_eq(addr_set(&addr, "0:0::1", 65535), 0);
    ck_assert_ptr_null(addr.host);
    ck_assert_str_eq(addr.ip, "::1");
    ck_assert_uint_eq(addr.port, 65535);
    addr_release(&addr);
}
END_TEST

START_TEST(set_refuses_and_changes_nothing)
{
    struct addr addr = {0};
    char long_name[ADDR_HOST_MAX + 2];
    static const char *const bad[] = {"", "a b", "a,b", "a\tb", "a\n", "\x7f", " "};

    ck_assert_int_eq(addr_set(&addr, "10.0.0.1", 6379), 0);
    ck_assert_int_eq(addr_set(&addr, "10.0.0.2", -1), ERR_RANGE);
    ck_assert_int_eq(addr_set(&addr, "10.0.0.2", 65536), ERR_RANGE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(addr_set(&addr, bad[i], 1), ERR_SYNTAX);

    memset(long_name, 'x', sizeof long_name);
    long_name[ADDR_HOST_MAX + 1] = '\0';
    ck_assert_int_eq(addr_set(&addr, long_name, 1), ERR_SYNTAX);
    ck_assert_str_eq(addr.ip, "10.0.0.1");
    ck_assert_uint_eq(addr.port, 6379);

    long_name[ADDR_HOST_MAX] = '\0';
    ck_assert_int_eq(addr_set(&addr, long_name, 1), 0);
    char name[ADDR_NAME_CAP];
    ck_assert_uint_eq(strlen(addr_name(&addr, true, name)), ADDR_HOST_MAX + 2);
    addr_release(&addr);
}
END_TEST

START_TEST(places_as_text)
{
    char out[ADDR_NAME_CAP];
    char host[ADDR_HOST_MAX + 2];

    ck_assert_uint_eq(addr_place(out, "10.0.0.1", ':', 65535), 14);
    ck_assert_str_eq(out, "10.0.0.1:65535");
    ck_assert_uint_eq(addr_place(out, "db", ' ', 0), 4);
    ck_assert_str_eq(out, "db 0");
    ck_assert_uint_eq(addr_place(out, "db", ':', 65536), 0);
    ck_assert_str_eq(out, "");
    ck_assert_uint_eq(addr_place(out, "db", ':', -1), 0);

    memset(host, 'x', sizeof host);
    host[ADDR_HOST_MAX + 1] = '\0';
    ck_assert_uint_eq(addr_place(out, host, ':', 1), 0);
    host[ADDR_HOST_MAX] = '\0';
    ck_assert_uint_eq(addr_place(out, host, ':', 65535), ADDR_HOST_MAX + 6);
}
END_TEST

START_TEST(equal_places)
{
    struct addr a = {0};
    struct addr b = {0};

    addr_set(&a, "10.0.0.1", 6379);
    addr_set(&b, "10.0.0.1", 6379);
    ck_assert(addr_equal(&a, &b));
    addr_set(&b, "10.0.0.1", 6380);
    ck_assert(!addr_equal(&a, &b));

    /* Two names without addresses are not equal for want of an address. */
    addr_set(&a, "one", 6379);
    addr_set(&b, "two", 6379);
    ck_assert(!addr_equal(&a, &b));
    addr_set(&b, "ONE", 6379);
    ck_assert(addr_equal(&a, &b));

    /* Two names of one address are one place. */
    addr_set(&b, "two", 6379);
    addr_set_ip(&a, "10.0.0.1");
    addr_set_ip(&b, "10.0.0.1");
    ck_assert(addr_equal(&a, &b));

    addr_copy(&b, &a);
    ck_assert(addr_equal(&a, &b));
    ck_assert_str_eq(b.host, "one");
    ck_assert_ptr_ne(a.host, b.host);
    addr_copy(&b, &b);
    ck_assert_str_eq(b.host, "one");
    addr_release(&a);
    addr_release(&b);
}
END_TEST

START_TEST(is_takes_names_and_numbers)
{
    struct addr addr = {0};
    addr_set(&addr, "db.example", 6379);
    ck_assert(addr_is(&addr, "DB.example", 6379));
    ck_assert(!addr_is(&addr, "10.0.0.1", 6379));
    addr_set_ip(&addr, "10.0.0.1");
    ck_assert(addr_is(&addr, "10.0.0.1", 6379));
    ck_assert(addr_is(&addr, "10.1", 6379));
    ck_assert(addr_is(&addr, "db.example", 6379));
    ck_assert(!addr_is(&addr, "other", 6379));
    ck_assert(!addr_is(&addr, "db.example", 6380));
    ck_assert(!addr_is(&addr, "db.example", 6379 + 65536));
    ck_assert(!addr_is(&addr, "", 6379));
    addr_release(&addr);
}
END_TEST

START_TEST(what_others_are_told)
{
    struct addr addr = {0};
    char name[ADDR_NAME_CAP];

    ck_assert_str_eq(addr_host(&addr, true), "");
    addr_set(&addr, "db", 6379);
    ck_assert_str_eq(addr_host(&addr, false), "db");
    addr_set_ip(&addr, "fe80::1");
    ck_assert_str_eq(addr_host(&addr, true), "db");
    ck_assert_str_eq(addr_host(&addr, false), "fe80::1");
    ck_assert_str_eq(addr_name(&addr, true, name), "db:6379");
    ck_assert_str_eq(addr_name(&addr, false, name), "[fe80::1]:6379");
    addr_set(&addr, "10.0.0.1", 1);
    ck_assert_str_eq(addr_name(&addr, true, name), "10.0.0.1:1");
    addr_release(&addr);
}
END_TEST

START_TEST(names_are_told_from_numbers)
{
    char long_name[ADDR_HOST_MAX + 2];

    memset(long_name, 'a', sizeof long_name);
    long_name[ADDR_HOST_MAX] = '\0';
    ck_assert(addr_is_name("redis-0.redis"));
    ck_assert(addr_is_name(long_name));
    long_name[ADDR_HOST_MAX] = 'a';
    long_name[ADDR_HOST_MAX + 1] = '\0';
    ck_assert(!addr_is_name(long_name));
    ck_assert(!addr_is_name(""));
    ck_assert(!addr_is_name("a b"));
    ck_assert(!addr_is_name("a,b"));
    ck_assert(!addr_is_name("10.0.0.1"));
    ck_assert(!addr_is_name("::1"));
}
END_TEST

START_TEST(scopes)
{
    static const char *const any[] = {"0.0.0.0", "0", "::", "::ffff:0.0.0.0"};
    static const char *const loopback[] = {"127.0.0.1", "127.9.8.7", "127.1", "::1",
                                           "::ffff:127.0.0.1"};
    static const char *const other[] = {"10.0.0.1",  "128.0.0.1", "0.0.0.1", "fe80::1",
                                        "localhost", "12.7.0.0",  "1::",     ""};

    for (size_t i = 0; i < sizeof any / sizeof any[0]; i++)
        ck_assert_int_eq(addr_scope(any[i]), ADDR_SCOPE_ANY);
    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
        ck_assert_int_eq(addr_scope(loopback[i]), ADDR_SCOPE_LOOPBACK);
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        ck_assert_int_eq(addr_scope(other[i]), ADDR_SCOPE_OTHER);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("addr");
    TCase *tc = tcase_create("addr");
    tcase_add_test(tc, canonical_numeric_forms);
    tcase_add_test(tc, not_numeric);
    tcase_add_test(tc, set_tells_names_from_numbers);
    tcase_add_test(tc, set_refuses_and_changes_nothing);
    tcase_add_test(tc, places_as_text);
    tcase_add_test(tc, equal_places);
    tcase_add_test(tc, names_are_told_from_numbers);
    tcase_add_test(tc, scopes);
    tcase_add_test(tc, is_takes_names_and_numbers);
    tcase_add_test(tc, what_others_are_told);
    suite_add_tcase(suite, tc);
    return suite;
}

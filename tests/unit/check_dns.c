/*
 * check_dns.c - questions about host names: deadlines, the cache, threads that hang.
 */
#include "common/mem.h"
#include "sentinel/runtime/dns.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <string.h>

/* Deadlines: one that a test waits for, and one that does not pass, however busy the
 * machine is. */
#define SHORT_MS 50
#define LONG_MS 600000

/* How look-ups of this test behave; shared with its threads. */
static struct {
    uv_mutex_t lock;
    uv_cond_t changed;
    bool is_open; /* look-ups of "slow..." return */
    char ips[2][ADDR_IP_CAP];
    int n_ips;
    int n_calls, n_inside, most_inside;
} server;

static uv_loop_t loop;
static struct dns dns;
static char told[4096]; /* "host=ip " per answer */
static int n_told, n_awaited;

static int look_up(const char *host, char ips[DNS_IPS_MAX][ADDR_IP_CAP])
{
    uv_mutex_lock(&server.lock);
    server.n_calls++;
    server.n_inside++;
    if (server.n_inside > server.most_inside)
        server.most_inside = server.n_inside;
    uv_cond_broadcast(&server.changed);
    while (strncmp(host, "slow", 4) == 0 && !server.is_open)
        uv_cond_wait(&server.changed, &server.lock);
    int n = strncmp(host, "bad", 3) == 0 ? 0 : server.n_ips;
    for (int i = 0; i < n; i++)
        memcpy(ips[i], server.ips[i], ADDR_IP_CAP);
    server.n_inside--;
    uv_cond_broadcast(&server.changed);
    uv_mutex_unlock(&server.lock);
    return n;
}

static void on_answer(void *ctx, const char *host, const char *ip)
{
    (void)ctx;
    size_t len = strlen(told);
    snprintf(told + len, sizeof told - len, "%s=%s ", host, ip != NULL ? ip : "?");
    if (++n_told == n_awaited)
        uv_stop(&loop);
}

static void answer_with(const char *first, const char *second)
{
    uv_mutex_lock(&server.lock);
    snprintf(server.ips[0], ADDR_IP_CAP, "%s", first);
    snprintf(server.ips[1], ADDR_IP_CAP, "%s", second != NULL ? second : "");
    server.n_ips = second != NULL ? 2 : 1;
    uv_mutex_unlock(&server.lock);
}

static void let_slow_ones_go(void)
{
    uv_mutex_lock(&server.lock);
    server.is_open = true;
    uv_cond_broadcast(&server.changed);
    while (server.n_inside > 0)
        uv_cond_wait(&server.changed, &server.lock);
    uv_mutex_unlock(&server.lock);
}

static void wait_inside(int n)
{
    uv_mutex_lock(&server.lock);
    while (server.n_inside < n)
        uv_cond_wait(&server.changed, &server.lock);
    uv_mutex_unlock(&server.lock);
}

static void setup(void)
{
    memset(&server, 0, sizeof server);
    memset(&dns, 0, sizeof dns);
    uv_mutex_init(&server.lock);
    uv_cond_init(&server.changed);
    answer_with("10.0.0.1", NULL);
    told[0] = '\0';
    n_told = n_awaited = 0;
    uv_loop_init(&loop);
    dns_open(&dns, &loop, look_up, on_answer, NULL);
    dns.deadline_ms = LONG_MS;
    dns.good_ms = 1000000;
}

static void teardown(void)
{
    dns_close(&dns);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    dns_release(&dns);
    let_slow_ones_go();
}

/* Not UV_RUN_ONCE: when a deadline has passed already it is told, and only then does
 * the loop wait, for what may never come. */
static void run_until(int n)
{
    n_awaited = n;
    while (n_told < n)
        uv_run(&loop, UV_RUN_DEFAULT);
}

START_TEST(an_answer_is_told_once)
{
    dns_resolve(&dns, "a");
    dns_resolve(&dns, "a");
    run_until(1);
    ck_assert_str_eq(told, "a=10.0.0.1 ");
    ck_assert_int_eq(server.n_calls, 1);
}
END_TEST

START_TEST(an_answer_is_given_again_for_a_while)
{
    dns.good_ms = dns.bad_ms = 1000000;
    dns_resolve(&dns, "a");
    dns_resolve(&dns, "bad");
    run_until(2);
    answer_with("10.0.0.2", NULL);
    dns_resolve(&dns, "a");
    dns_resolve(&dns, "bad");
    ck_assert_int_eq(n_told, 4);
    ck_assert_int_eq(server.n_calls, 2);
    ck_assert_ptr_nonnull(strstr(told + 14, "a=10.0.0.1 bad=? "));
}
END_TEST

START_TEST(an_old_answer_is_not_given_again)
{
    dns.good_ms = 0;
    dns_resolve(&dns, "a");
    run_until(1);
    answer_with("10.0.0.2", NULL);
    dns_resolve(&dns, "a");
    run_until(2);
    ck_assert_str_eq(told, "a=10.0.0.1 a=10.0.0.2 ");
}
END_TEST

START_TEST(a_question_has_a_deadline)
{
    dns.deadline_ms = SHORT_MS;
    dns_resolve(&dns, "slow");
    wait_inside(1);
    run_until(1);
    ck_assert_str_eq(told, "slow=? ");
    dns.deadline_ms = LONG_MS;
    dns_resolve(&dns, "quick"); /* does not wait behind it */
    run_until(2);
    ck_assert_str_eq(told, "slow=? quick=10.0.0.1 ");
    /* It is not begun a second time. */
    dns_resolve(&dns, "slow");
    ck_assert_int_eq(server.n_calls, 2);
    let_slow_ones_go();
    run_until(3);
    ck_assert_str_eq(told, "slow=? quick=10.0.0.1 slow=10.0.0.1 ");
}
END_TEST

START_TEST(a_late_answer_is_told_too)
{
    dns.deadline_ms = SHORT_MS;
    dns_resolve(&dns, "slow");
    run_until(1);
    ck_assert_str_eq(told, "slow=? ");
    let_slow_ones_go();
    run_until(2);
    ck_assert_str_eq(told, "slow=? slow=10.0.0.1 ");
    dns_resolve(&dns, "slow"); /* from the cache */
    ck_assert_int_eq(n_told, 3);
    ck_assert_int_eq(server.n_calls, 1);
}
END_TEST

START_TEST(an_address_that_is_still_there_is_kept)
{
    dns.good_ms = 0;
    dns_resolve(&dns, "a");
    run_until(1);
    answer_with("10.0.0.9", "10.0.0.1");
    dns_resolve(&dns, "a");
    run_until(2);
    ck_assert_str_eq(told, "a=10.0.0.1 a=10.0.0.1 ");
    answer_with("10.0.0.9", "10.0.0.8");
    dns_resolve(&dns, "a");
    run_until(3);
    ck_assert_str_eq(told, "a=10.0.0.1 a=10.0.0.1 a=10.0.0.9 ");
}
END_TEST

/* The threads are few, and names that hang use them up only until they come back. */
START_TEST(threads_are_bounded)
{
    char host[16];

    dns.deadline_ms = SHORT_MS;
    for (int i = 0; i < DNS_THREADS_MAX + 3; i++) {
        snprintf(host, sizeof host, "slow%d", i);
        dns_resolve(&dns, host);
    }
    wait_inside(DNS_THREADS_MAX);
    run_until(DNS_THREADS_MAX + 3); /* their deadlines */
    ck_assert_int_eq(server.n_calls, DNS_THREADS_MAX);
    let_slow_ones_go();
    run_until(2 * (DNS_THREADS_MAX + 3));
    ck_assert_int_eq(server.most_inside, DNS_THREADS_MAX);
}
END_TEST

START_TEST(names_are_bounded)
{
    char host[16];

    for (int i = 0; i <= DNS_NAMES_MAX; i++) {
        snprintf(host, sizeof host, "slow%d", i);
        dns_resolve(&dns, host);
    }
    ck_assert_int_eq(n_told, 1);
    snprintf(host, sizeof host, "slow%d=? ", DNS_NAMES_MAX);
    ck_assert_str_eq(told, host);
    wait_inside(DNS_THREADS_MAX); /* none may begin in the next test */
}
END_TEST

/* teardown() hangs or reports a leak otherwise. */
START_TEST(the_end_waits_for_no_look_up)
{
    dns_resolve(&dns, "a");
    run_until(1);
    dns_resolve(&dns, "slow");
    dns_resolve(&dns, "slow too");
    wait_inside(2);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("dns");
    TCase *tc = tcase_create("dns");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_answer_is_told_once);
    tcase_add_test(tc, an_answer_is_given_again_for_a_while);
    tcase_add_test(tc, an_old_answer_is_not_given_again);
    tcase_add_test(tc, a_question_has_a_deadline);
    tcase_add_test(tc, a_late_answer_is_told_too);
    tcase_add_test(tc, an_address_that_is_still_there_is_kept);
    tcase_add_test(tc, threads_are_bounded);
    tcase_add_test(tc, names_are_bounded);
    tcase_add_test(tc, the_end_waits_for_no_look_up);
    suite_add_tcase(suite, tc);
    return suite;
}

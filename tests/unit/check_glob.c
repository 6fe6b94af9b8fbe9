/*
 * check_glob.c - Redis patterns.
 */
#include "common/glob.h"
#include "common/rng.h"
#include "tests/lib/runner.h"

#include <ctype.h>
#include <string.h>

static bool match(const char *pattern, const char *text)
{
    return glob_match(pattern, strlen(pattern), text, strlen(text), false);
}

START_TEST(patterns_and_texts)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "+switch-master", true},
        {"+switch-*", "+switch-master", true},
        {"*down", "+sdown", true},
        {"*down", "+sdowns", false},
        {"+?down", "+odown", true},
        {"+?down", "+down", false},
        {"?", "", false},
        {"h[ae]llo", "hallo", true},
        {"h[ae]llo", "hillo", false},
        {"h[^e]llo", "hallo", true},
        {"h[^e]llo", "hello", false},
        {"h[a-c]llo", "hbllo", true},
        {"h[a-c]llo", "hdllo", false},
        {"h[c-a]llo", "hbllo", true},
        {"[a-]", "-", true},
        {"[a-]", "b", false},
        {"[\\]]", "]", true},
        {"[\\^a]", "^", true},
        {"[a\\-c]", "b", false},
        {"[a\\-c]", "-", true},
        {"[]", "a", false},
        {"[^]", "a", true},
        {"[abc", "b", true},
        {"[abc", "d", false},
        {"[", "[", false},
        {"\\*", "*", true},
        {"\\*", "x", false},
        {"\\?", "?", true},
        {"\\a", "a", true},
        {"\\", "\\", true},
        {"a\\", "a\\", true},
        {"a\\\\b", "a\\b", true},
        {"**", "", true},
        {"a**b", "ab", true},
        {"a*b*c", "a-b-b-c", true},
        {"a*b*c", "a-c-b", false},
        {"*ab", "aab", true},
        {"ABC", "abc", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(match(cases[i].pattern, cases[i].text) == cases[i].matches,
                      "%s on %s", cases[i].pattern, cases[i].text);
}
END_TEST

START_TEST(case_can_be_ignored)
{
    ck_assert(glob_match("MY*[A-C]", 8, "myMASTERb", 9, true));
    ck_assert(glob_match("my*[a-c]", 8, "MYmasterB", 9, true));
    ck_assert(!glob_match("MY*", 3, "mymaster", 8, false));
    ck_assert(!glob_match("[^a]", 4, "A", 1, true));
}
END_TEST

START_TEST(bytes_are_bytes)
{
    ck_assert(glob_match("a\0*", 3, "a\0b", 3, false));
    ck_assert(!glob_match("a\0c", 3, "a\0b", 3, false));
    ck_assert(match("[\x80-\xff]", "\xc3"));
    ck_assert(!match("[\x80-\xff]", "a"));
}
END_TEST

/*
 * The naive matcher: tries everything, and reads a class into a table first.
 */
static const char *read_class(const char *p, const char *end, bool in[256])
{
    bool negated = p < end && *p == '^';
    bool set[256] = {false};

    p += negated;
    while (p < end && *p != ']') {
        unsigned char ends[2];
        int n = 0;
        do {
            if (n == 1)
                p++;
            if (*p == '\\' && p + 1 < end)
                p++;
            ends[n++] = (unsigned char)*p++;
        } while (n < 2 && p + 1 < end && p[0] == '-' && p[1] != ']');
        unsigned int low = ends[0];
        unsigned int high = ends[n - 1];
        for (unsigned int c = low < high ? low : high; c <= (low < high ? high : low);
             c++)
            set[c] = true;
    }
    for (int c = 0; c < 256; c++)
        in[c] = set[c] != negated;
    return p < end ? p + 1 : p;
}

static bool naive(const char *p, const char *p_end, const char *t, const char *t_end)
{
    if (p == p_end)
        return t == t_end;
    if (*p == '*') {
        for (const char *rest = t; rest <= t_end; rest++)
            if (naive(p + 1, p_end, rest, t_end))
                return true;
        return false;
    }
    if (t == t_end)
        return false;

    bool in[256];
    if (*p == '[') {
        p = read_class(p + 1, p_end, in);
    } else {
        bool any = *p == '?';
        if (*p == '\\' && p + 1 < p_end)
            p++;
        for (int c = 0; c < 256; c++)
            in[c] = any || c == (unsigned char)*p;
        p++;
    }
    return in[(unsigned char)*t] && naive(p, p_end, t + 1, t_end);
}

static size_t make_text(struct rng *rng, const char *letters, char *text, size_t most)
{
    size_t len = rng_below(rng, (uint32_t)most + 1);
    for (size_t i = 0; i < len; i++)
        text[i] = letters[rng_below(rng, (uint32_t)strlen(letters))];
    return len;
}

static void fold(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = (char)tolower((unsigned char)text[i]);
}

START_TEST(agrees_with_a_naive_matcher)
{
    struct rng rng;
    int n_matches = 0;

    rng_seed(&rng, (uint64_t)_i, 5);
    for (int round = 0; round < 5000; round++) {
        char p[10];
        char t[8];
        size_t p_len = make_text(&rng, "aBcb-^]*?[\\*", p, sizeof p);
        size_t t_len = make_text(&rng, "abBc-^]\\", t, sizeof t);
        bool expected = naive(p, p + p_len, t, t + t_len);
        ck_assert_msg(glob_match(p, p_len, t, t_len, false) == expected,
                      "seed %d: '%.*s' on '%.*s'", _i, (int)p_len, p, (int)t_len, t);
        n_matches += expected;

        bool folded = glob_match(p, p_len, t, t_len, true);
        fold(p, p_len);
        fold(t, t_len);
        ck_assert_msg(folded == naive(p, p + p_len, t, t + t_len),
                      "seed %d: '%.*s' on '%.*s', any case", _i, (int)p_len, p,
                      (int)t_len, t);
    }
    ck_assert_int_gt(n_matches, 100);
}
END_TEST

/* One star after another makes a matcher that tries everything take for ever. */
START_TEST(hostile_pattern_is_cheap)
{
    char pattern[4001];
    char text[4000];
    for (size_t i = 0; i < 4000; i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    pattern[4000] = 'b';
    memset(text, 'a', sizeof text);
    ck_assert(!glob_match(pattern, sizeof pattern, text, sizeof text, false));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("glob");
    TCase *tc = tcase_create("glob");
    tcase_add_test(tc, patterns_and_texts);
    tcase_add_test(tc, case_can_be_ignored);
    tcase_add_test(tc, bytes_are_bytes);
    tcase_add_loop_test(tc, agrees_with_a_naive_matcher, 0, 10);
    tcase_add_test(tc, hostile_pattern_is_cheap);
    suite_add_tcase(suite, tc);
    return suite;
}

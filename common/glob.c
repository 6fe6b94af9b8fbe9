/*
 * glob.c - Redis patterns.
 *
 * Everything but a star stands for exactly one byte of text. So when the match goes
 * wrong it is enough to let the last star swallow one byte more: what an earlier star
 * could swallow, the last one can, too. That bounds the work and needs no recursion.
 */
#include "common/glob.h"

static unsigned char glob_fold(char c, bool ignore_case)
{
    if (ignore_case && c >= 'A' && c <= 'Z')
        c = (char)(c - 'A' + 'a');
    return (unsigned char)c;
}

/* One byte that stands for itself, or escaped; |*p| moves past it. */
static char glob_take_byte(const char **p, const char *end)
{
    if (**p == '\\' && end - *p > 1)
        (*p)++;
    return *(*p)++;
}

/*
 * Is |c| in the class whose bytes begin at |*p|, just after the bracket? |*p| moves
 * past the class; one that never closes ends with the pattern.
 */
static bool glob_in_class(const char **p, const char *end, char c, bool ignore_case)
{
    unsigned char wanted = glob_fold(c, ignore_case);
    bool negated = *p < end && **p == '^';
    bool found = false;

    if (negated)
        (*p)++;
    while (*p < end && **p != ']') {
        unsigned char low = glob_fold(glob_take_byte(p, end), ignore_case);
        unsigned char high = low;
        if (end - *p > 1 && **p == '-' && (*p)[1] != ']') {
            (*p)++;
            high = glob_fold(glob_take_byte(p, end), ignore_case);
        }
        if ((low <= wanted && wanted <= high) || (high <= wanted && wanted <= low))
            found = true;
    }
    if (*p < end)
        (*p)++;
    return found != negated;
}

/* Does the element at |*p|, which is no star, match |c|? |*p| moves past it. */
static bool glob_match_one(const char **p, const char *end, char c, bool ignore_case)
{
    switch (*(*p)) {
    case '?':
        (*p)++;
        return true;
    case '[':
        (*p)++;
        return glob_in_class(p, end, c, ignore_case);
    default:
        /* A backslash at the very end stands for itself. */
        return glob_fold(glob_take_byte(p, end), ignore_case) ==
               glob_fold(c, ignore_case);
    }
}

bool glob_match(const char *pattern, size_t pattern_len, const char *text,
                size_t text_len, bool ignore_case)
{
    const char *p = pattern;
    const char *p_end = pattern + pattern_len;
    const char *t = text;
    const char *t_end = text + text_len;
    const char *after_star = NULL; /* pattern behind the last star seen */
    const char *star_t = NULL;     /* text that star has not swallowed */

    while (t < t_end) {
        if (p < p_end && *p == '*') {
            after_star = ++p;
            star_t = t;
        } else if (p < p_end && glob_match_one(&p, p_end, *t, ignore_case)) {
            t++;
        } else if (after_star != NULL) {
            p = after_star;
            t = ++star_t;
        } else {
            return false;
        }
    }
    while (p < p_end && *p == '*')
        p++;
    return p == p_end;
}

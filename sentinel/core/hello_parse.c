/*
 * hello_parse.c - the eight fields of a hello (behaviour.md 5.1).
 */
#include "sentinel/core/internal.h"

#define HELLO_FIELDS 8

static bool field_copy(char *out, size_t cap, const char *text, size_t len)
{
    if (len == 0 || len >= cap || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

bool hello_parse_number(uint64_t *out, const char *text, size_t len)
{
    uint64_t value = 0;

    if (len == 0 || len > 19)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out = value;
    return value <= (uint64_t)INT64_MAX;
}

static bool field_port(int64_t *out, const char *text, size_t len)
{
    uint64_t value;

    if (!hello_parse_number(&value, text, len) || value > 65535)
        return false;
    *out = (int64_t)value;
    return true;
}

const char *hello_parse(struct hello *hello, const char *text, size_t len)
{
    struct {
        const char *text;
        size_t len;
    } f[HELLO_FIELDS];
    size_t n = 0;
    const char *end = text + len;

    if (len >= HELLO_TEXT_MAX)
        return "too long";
    while (n < HELLO_FIELDS) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        f[n].text = text;
        f[n++].len = (size_t)((comma != NULL ? comma : end) - text);
        if (comma == NULL)
            break;
        text = comma + 1;
        if (n == HELLO_FIELDS)
            return "more than 8 fields";
    }
    if (n != HELLO_FIELDS)
        return "fewer than 8 fields";
    if (!field_copy(hello->ip, sizeof(hello->ip), f[0].text, f[0].len))
        return "bad address";
    if (!field_port(&hello->port, f[1].text, f[1].len))
        return "bad port";
    if (f[2].len != RUN_ID_LEN ||
        !field_copy(hello->run_id, sizeof(hello->run_id), f[2].text, f[2].len) ||
        !vote_run_id_ok(hello->run_id))
        return "bad run id";
    if (!hello_parse_number(&hello->epoch, f[3].text, f[3].len))
        return "bad epoch";
    if (!field_copy(hello->master, sizeof(hello->master), f[4].text, f[4].len))
        return "bad master name";
    if (!field_copy(hello->host, sizeof(hello->host), f[5].text, f[5].len))
        return "bad master address";
    if (!field_port(&hello->master_port, f[6].text, f[6].len))
        return "bad master port";
    if (!hello_parse_number(&hello->config_epoch, f[7].text, f[7].len))
        return "bad config epoch";
    return NULL;
}

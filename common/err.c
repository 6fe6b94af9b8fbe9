/*
 * err.c - texts of error codes.
 */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_text(int code)
{
    switch (code) {
    case ERR_OK:
        return "no error";
#define ERR_X(name, text)                                                              \
    case name:                                                                         \
        return text;
        ERR_MAP(ERR_X)
#undef ERR_X
    default:
        return "unknown error";
    }
}

int error_set(struct error *err, int code, const char *format, ...)
{
    if (err == NULL)
        return code;

    /* Not straight into |err|: callers add context to the text that is there. */
    char text[sizeof err->text];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    memcpy(err->text, text, strlen(text) + 1);
    return code;
}

/*
 * error.c - why a file was refused, and how people are told.
 */
#include "sentinel/conf/internal.h"

#include <stdio.h>
#include <string.h>

int error_at(struct conf_error *error, int code, int line, const char *text, size_t len,
             const char *format, ...)
{
    va_list ap;

    if (error == NULL)
        return code;
    *error = (struct conf_error){.line = text != NULL ? line : 0};
    if (text != NULL) {
        if (len >= sizeof error->text)
            len = sizeof error->text - 1;
        memcpy(error->text, text, len);
    }
    va_start(ap, format);
    vsnprintf(error->reason, sizeof error->reason, format, ap);
    va_end(ap);
    return code;
}

int error_file(struct conf_error *error, const char *path, const char *why)
{
    if (error != NULL) {
        *error = (struct conf_error){.is_file_error = true};
        /* A long path must not push out the part that says what is wrong. */
        snprintf(error->reason, sizeof error->reason,
                 "Fatal error, can't open config file '%.*s': %s", 400, path, why);
    }
    return ERR_IO;
}

/* Whatever the file holds goes to a terminal, so control characters do not. */
static void error_put_text(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        bool is_control = (unsigned char)*text < ' ' || *text == 127;
        buf_putc(out, is_control && *text != '\t' ? '?' : *text);
    }
}

void conf_error_print_at(const struct conf_error *error, const char *file,
                         struct buf *out)
{
    error_put_text(out, file[0] != '\0' ? file : "-");
    if (error->line > 0)
        buf_printf(out, ":%d", error->line);
    buf_puts(out, ": ");
    error_put_text(out, error->reason);
    if (error->line > 0) {
        buf_puts(out, "\n>>> '");
        error_put_text(out, error->text);
        buf_putc(out, '\'');
    }
    buf_putc(out, '\n');
}

void conf_error_print(const struct conf_error *error, struct buf *out)
{
    buf_puts(out,
             "\n*** FATAL CONFIG FILE ERROR (Redis " CONF_COMPAT_VERSION ") ***\n");
    if (error->line > 0) {
        buf_printf(out, "Reading the configuration file, at line %d\n>>> '",
                   error->line);
        error_put_text(out, error->text);
        buf_puts(out, "'\n");
    }
    error_put_text(out, error->reason);
    buf_putc(out, '\n');
}

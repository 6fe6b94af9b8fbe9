/*
 * cmd_command.c - COMMAND and its subcommands (interface.md 2.4).
 *
 * redis-cli asks for COMMAND DOCS when it starts and parses the reply with assertions,
 * so the shape of a document matters more than its words.
 */
#include "common/glob.h"
#include "sentinel/server/internal.h"

#include <ctype.h>
#include <string.h>

#define TIPS_SHARDS "request_policy:all_shards"
#define TIPS_NODES "request_policy:all_nodes"
#define TIPS_ALL_OK "response_policy:all_succeeded"

static const char *const cmd_command_flags[] = {
    "admin", "pubsub",  "noscript", "loading",    "stale",
    "fast",  "no_auth", "no_multi", "allow_busy",
};
#define N_FLAGS (sizeof(cmd_command_flags) / sizeof(cmd_command_flags[0]))

static const struct cmd_command_tips {
    const char *name;
    const char *tips[3];
} cmd_command_tips[] = {
    {"ping", {TIPS_SHARDS, TIPS_ALL_OK}},
    {"info", {"nondeterministic_output", TIPS_SHARDS, "response_policy:special"}},
    {"command", {"nondeterministic_output_order"}},
    {"command|docs", {"nondeterministic_output_order"}},
    {"command|info", {"nondeterministic_output_order"}},
    {"command|list", {"nondeterministic_output_order"}},
    {"client|list", {"nondeterministic_output"}},
    {"client|info", {"nondeterministic_output"}},
    {"acl|deluser", {TIPS_NODES, TIPS_ALL_OK}},
    {"acl|save", {TIPS_NODES, TIPS_ALL_OK}},
    {"acl|setuser", {TIPS_NODES, TIPS_ALL_OK}},
    {"client|setname", {TIPS_NODES, TIPS_ALL_OK}},
    {"client|setinfo", {TIPS_NODES, TIPS_ALL_OK}},
};
#define N_TIPS (sizeof(cmd_command_tips) / sizeof(cmd_command_tips[0]))

static bool cmd_command_is_listed(const struct session *session,
                                  const struct command *command)
{
    return command != NULL && (command->flags & CMD_HIDDEN) == 0 &&
           command_is_callable(&session->server->names, command);
}

static size_t cmd_command_count_table(const struct session *session,
                                      const struct command *table)
{
    size_t n = 0;

    if (table == NULL)
        return 0;
    for (; table->name != NULL; table++)
        n += cmd_command_is_listed(session, table) ? 1 : 0;
    return n;
}

static const struct command *cmd_command_by_name(const struct session *session,
                                                 const struct resp_arg *name)
{
    return command_by_name(&session->server->names, name->str, name->len);
}

void cmd_command_count(struct session *session, const struct resp_arg *argv,
                       size_t argc)
{
    (void)argv;
    (void)argc;
    resp_int(&session->out, (int64_t)cmd_command_count_table(session, command_table));
}

/* ------------------------------------------------------------------------ INFO ---- */

static size_t cmd_command_count_bits(uint32_t bits)
{
    return (size_t)__builtin_popcount(bits);
}

static void cmd_command_write_tips(struct buf *out, int proto, const char *name)
{
    for (size_t i = 0; i < N_TIPS; i++) {
        const struct cmd_command_tips *tips = &cmd_command_tips[i];
        size_t n = 0;
        if (strcmp(tips->name, name) != 0)
            continue;
        while (n < 3 && tips->tips[n] != NULL)
            n++;
        resp_set(out, proto, n);
        for (size_t j = 0; j < n; j++)
            resp_bulk_str(out, tips->tips[j]);
        return;
    }
    resp_set(out, proto, 0);
}

/* One entry, without its subcommands, whose number is left to the caller. */
static void cmd_command_write_entry(struct buf *out, int proto,
                                    const struct command *command)
{
    resp_array(out, 10);
    resp_bulk_str(out, command->name);
    resp_int(out, command->arity);
    resp_set(out, proto, cmd_command_count_bits(command->flags & CMD_SHOWN));
    for (size_t i = 0; i < N_FLAGS; i++)
        if ((command->flags >> i & 1) != 0)
            resp_status(out, cmd_command_flags[i]);
    resp_int(out, 0); /* first key, last key, step */
    resp_int(out, 0);
    resp_int(out, 0);
    resp_set(out, proto, cmd_command_count_bits(command->categories));
    for (int i = 0; i < CAT_N; i++)
        if ((command->categories >> i & 1) != 0)
            buf_printf(out, "+@%s\r\n", command_category_name(i));
    cmd_command_write_tips(out, proto, command->name);
    resp_set(out, proto, 0); /* key specifications */
}

static void cmd_command_write_info(struct session *session,
                                   const struct command *command)
{
    struct buf *out = &session->out;
    int proto = session->proto;

    cmd_command_write_entry(out, proto, command);
    if (command->subs == NULL) {
        resp_set(out, proto, 0);
        return;
    }
    resp_array(out, cmd_command_count_table(session, command->subs));
    for (const struct command *sub = command->subs; sub->name != NULL; sub++) {
        cmd_command_write_entry(out, proto, sub);
        resp_set(out, proto, 0);
    }
}

void cmd_command_all(struct session *session, const struct resp_arg *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    resp_array(&session->out, cmd_command_count_table(session, command_table));
    for (const struct command *c = command_table; c->name != NULL; c++)
        if (cmd_command_is_listed(session, c))
            cmd_command_write_info(session, c);
}

void cmd_command_info(struct session *session, const struct resp_arg *argv, size_t argc)
{
    if (argc == 2) {
        cmd_command_all(session, argv, argc);
        return;
    }
    resp_array(&session->out, argc - 2);
    for (size_t i = 2; i < argc; i++) {
        const struct command *command = cmd_command_by_name(session, &argv[i]);
        if (cmd_command_is_listed(session, command))
            cmd_command_write_info(session, command);
        else
            resp_nil(&session->out, session->proto);
    }
}

/* ------------------------------------------------------------------------ LIST ---- */

enum cmd_command_filter {
    FILTER_NONE,
    FILTER_NOTHING,
    FILTER_CATEGORY,
    FILTER_PATTERN
};

struct cmd_command_choice {
    enum cmd_command_filter filter;
    uint32_t category;
    const struct resp_arg *pattern;
};

static bool cmd_command_is_chosen(const struct command *command,
                                  const struct cmd_command_choice *choice)
{
    switch (choice->filter) {
    case FILTER_NONE:
        return true;
    case FILTER_NOTHING:
        return false;
    case FILTER_CATEGORY:
        return (command->categories & choice->category) != 0;
    case FILTER_PATTERN:
        return glob_match(choice->pattern->str, choice->pattern->len, command->name,
                          strlen(command->name), true);
    }
    return false;
}

/* Writes the chosen names to |out|, or only counts them if it is NULL. */
static size_t cmd_command_list_names(const struct session *session,
                                     const struct command *table,
                                     const struct cmd_command_choice *choice,
                                     struct buf *out)
{
    size_t n = 0;

    for (const struct command *c = table; c->name != NULL; c++) {
        if (!cmd_command_is_listed(session, c))
            continue;
        if (cmd_command_is_chosen(c, choice)) {
            n++;
            if (out != NULL)
                resp_bulk_str(out, c->name);
        }
        if (c->subs != NULL)
            n += cmd_command_list_names(session, c->subs, choice, out);
    }
    return n;
}

static uint32_t cmd_command_category(const struct resp_arg *word)
{
    for (int i = 0; i < CAT_N; i++)
        if (arg_is(word, command_category_name(i)))
            return UINT32_C(1) << i;
    return 0;
}

void cmd_command_list(struct session *session, const struct resp_arg *argv, size_t argc)
{
    struct cmd_command_choice choice = {.filter = FILTER_NONE};

    if (argc != 2 && (argc != 5 || !arg_is(&argv[2], "filterby"))) {
        session_error(session, "ERR syntax error");
        return;
    }
    if (argc == 5) {
        choice.pattern = &argv[4];
        if (arg_is(&argv[3], "module")) {
            choice.filter = FILTER_NOTHING;
        } else if (arg_is(&argv[3], "aclcat")) {
            choice.filter = FILTER_CATEGORY;
            choice.category = cmd_command_category(&argv[4]);
        } else if (arg_is(&argv[3], "pattern")) {
            choice.filter = FILTER_PATTERN;
        } else {
            session_error(session, "ERR syntax error");
            return;
        }
    }
    resp_array(&session->out,
               cmd_command_list_names(session, command_table, &choice, NULL));
    cmd_command_list_names(session, command_table, &choice, &session->out);
}

/* ------------------------------------------------------------------------ DOCS ---- */

/* One argument of a usage, as docs.c explains it; parts that are not there are empty.
 */
struct cmd_command_argument {
    struct resp_arg token, name, type, since, deprecated, inner;
    bool is_optional, is_multiple, repeats_token;
};

/* Cuts |text| off at |mark| and returns what was behind it. */
static struct resp_arg cmd_command_cut(struct resp_arg *text, char mark)
{
    const char *at = memchr(text->str, mark, text->len);
    struct resp_arg rest = {.str = "", .len = 0};

    if (at == NULL)
        return rest;
    rest.len = (size_t)(text->str + text->len - at) - 1;
    rest.str = at + 1;
    text->len = (size_t)(at - text->str);
    return rest;
}

/* How long the list in brackets is that |text| begins with. */
static size_t cmd_command_bracket_len(const struct resp_arg *text)
{
    size_t len = 0;
    int depth = 0;

    do {
        depth += text->str[len] == '(' ? 1 : text->str[len] == ')' ? -1 : 0;
        len++;
    } while (depth > 0 && len < text->len);
    return len;
}

static void cmd_command_read_flags(struct resp_arg *word,
                                   struct cmd_command_argument *arg)
{
    for (; word->len > 0; word->len--) {
        char last = word->str[word->len - 1];
        if (last == '?')
            arg->is_optional = true;
        else if (last == '*')
            arg->is_multiple = true;
        else if (last == '+')
            arg->repeats_token = true;
        else
            return;
    }
}

/* Takes the first argument off |usage|; false if there is none. */
static bool cmd_command_next_argument(struct resp_arg *usage,
                                      struct cmd_command_argument *arg)
{
    size_t n_blanks = strspn(usage->str, " ");

    if (n_blanks >= usage->len)
        return false;
    *arg = (struct cmd_command_argument){0};
    struct resp_arg word = {.str = usage->str + n_blanks, .len = usage->len - n_blanks};
    struct resp_arg rest = word;
    word.len = strcspn(word.str, " ()");
    if (word.len > rest.len)
        word.len = rest.len;
    rest.str += word.len;
    rest.len -= word.len;
    if (rest.len > 0 && rest.str[0] == '(') {
        size_t len = cmd_command_bracket_len(&rest);
        arg->inner = (struct resp_arg){.str = rest.str + 1, .len = len - 2};
        rest.str += len;
        rest.len -= len;
    }
    *usage = rest;

    cmd_command_read_flags(&word, arg);
    arg->deprecated = cmd_command_cut(&word, '!');
    arg->since = cmd_command_cut(&word, '@');
    arg->type = cmd_command_cut(&word, '#');
    arg->name = cmd_command_cut(&word, '=');
    if (arg->name.len > 0)
        arg->token = word;
    else
        arg->name = word;
    return true;
}

static size_t cmd_command_count_arguments(struct resp_arg usage)
{
    struct cmd_command_argument arg;
    size_t n = 0;

    while (cmd_command_next_argument(&usage, &arg))
        n++;
    return n;
}

/* A field of an argument, unless it is empty. Returns how many that makes; |out| may be
 * NULL, then they are only counted. */
static size_t cmd_command_put(struct buf *out, const char *name, struct resp_arg value)
{
    if (value.len == 0)
        return 0;
    if (out != NULL) {
        resp_bulk_str(out, name);
        resp_bulk(out, value.str, value.len);
    }
    return 1;
}

static size_t cmd_command_put_flags(struct buf *out, int proto,
                                    const struct cmd_command_argument *arg)
{
    size_t n = (size_t)arg->is_optional + arg->is_multiple + arg->repeats_token;

    if (n == 0)
        return 0;
    if (out == NULL)
        return 1;
    resp_bulk_str(out, "flags");
    resp_set(out, proto, n);
    if (arg->is_optional)
        resp_status(out, "optional");
    if (arg->is_multiple)
        resp_status(out, "multiple");
    if (arg->repeats_token)
        resp_status(out, "multiple_token");
    return 1;
}

/* All fields but the list of what is inside. */
static size_t cmd_command_put_fields(struct buf *out, int proto,
                                     const struct cmd_command_argument *arg)
{
    bool is_token = arg_is(&arg->type, "token"), is_word = arg_is(&arg->type, "word");
    struct resp_arg type = arg->type, token = arg->token, none = {.str = "", .len = 0};
    char upper[32];
    size_t n = 0;

    if (type.len == 0)
        type = arg_of("string");
    if (is_token || is_word)
        type = arg_of("pure-token");
    if (is_token) {
        for (size_t i = 0; i < arg->name.len && i < sizeof(upper); i++)
            upper[i] = (char)toupper((unsigned char)arg->name.str[i]);
        token = (struct resp_arg){.str = upper, .len = arg->name.len};
    }
    n += cmd_command_put(out, "name", arg->name);
    n += cmd_command_put(out, "type", type);
    n += cmd_command_put(out, "display_text", arg->inner.len > 0 ? none : arg->name);
    n += cmd_command_put(out, "token", token);
    n += cmd_command_put(out, "since", arg->since);
    n += cmd_command_put(out, "deprecated_since", arg->deprecated);
    return n + cmd_command_put_flags(out, proto, arg);
}

static void cmd_command_write_arguments(struct buf *out, int proto,
                                        struct resp_arg usage)
{
    struct cmd_command_argument arg;

    resp_bulk_str(out, "arguments");
    resp_array(out, cmd_command_count_arguments(usage));
    while (cmd_command_next_argument(&usage, &arg)) {
        size_t n_fields = cmd_command_put_fields(NULL, proto, &arg);
        resp_map(out, proto, n_fields + (arg.inner.len > 0 ? 1 : 0));
        cmd_command_put_fields(out, proto, &arg);
        if (arg.inner.len > 0)
            cmd_command_write_arguments(out, proto, arg.inner);
    }
}

static const char *cmd_command_group(const char *name)
{
    static const char *const groups[][2] = {
        {"sentinel", "sentinel"},  {"client", "connection"},   {"auth", "connection"},
        {"hello", "connection"},   {"ping", "connection"},     {"psubscribe", "pubsub"},
        {"publish", "pubsub"},     {"punsubscribe", "pubsub"}, {"subscribe", "pubsub"},
        {"unsubscribe", "pubsub"},
    };
    size_t len = strcspn(name, "|");

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        if (strlen(groups[i][0]) == len && memcmp(groups[i][0], name, len) == 0)
            return groups[i][1];
    return "server";
}

/* The only command that has a successor. */
static bool cmd_command_is_deprecated(const struct command *command)
{
    return strcmp(command->name, "sentinel|slaves") == 0;
}

static void cmd_command_write_deprecation(struct session *session)
{
    struct buf *out = &session->out;

    resp_bulk_str(out, "doc_flags");
    resp_set(out, session->proto, 1);
    resp_status(out, "deprecated");
    resp_bulk_str(out, "deprecated_since");
    resp_bulk_str(out, "5.0.0");
    resp_bulk_str(out, "replaced_by");
    resp_bulk_str(out, "`SENTINEL REPLICAS`");
}

static void cmd_command_write_history(struct session *session, const char *name,
                                      size_t n_changes)
{
    struct buf *out = &session->out;

    resp_bulk_str(out, "history");
    resp_set(out, session->proto, n_changes);
    for (const struct doc_change *c = NULL; (c = doc_next_change(name, c)) != NULL;) {
        resp_array(out, 2);
        resp_bulk_str(out, c->version);
        resp_bulk_str(out, c->text);
    }
}

/* Everything of a document but its subcommands. */
static void cmd_command_write_doc_head(struct session *session,
                                       const struct command *command)
{
    const struct doc *doc = doc_find(command->name);
    struct buf *out = &session->out;
    size_t n_fields = 4, n_changes = doc_count_changes(command->name);

    n_fields += n_changes > 0 ? 1 : 0;
    n_fields += doc->usage != NULL ? 1 : 0;
    n_fields += command->subs != NULL ? 1 : 0;
    n_fields += cmd_command_is_deprecated(command) ? 3 : 0;
    resp_map(out, session->proto, n_fields);
    resp_bulk_str(out, "summary");
    resp_bulk_str(out, doc->summary);
    resp_bulk_str(out, "since");
    resp_bulk_str(out, doc->since);
    resp_bulk_str(out, "group");
    resp_bulk_str(out, cmd_command_group(command->name));
    resp_bulk_str(out, "complexity");
    resp_bulk_str(out, doc->complexity);
    if (cmd_command_is_deprecated(command))
        cmd_command_write_deprecation(session);
    if (n_changes > 0)
        cmd_command_write_history(session, command->name, n_changes);
    if (doc->usage != NULL)
        cmd_command_write_arguments(out, session->proto, arg_of(doc->usage));
}

static void cmd_command_write_doc(struct session *session,
                                  const struct command *command)
{
    resp_bulk_str(&session->out, command->name);
    cmd_command_write_doc_head(session, command);
    if (command->subs == NULL)
        return;
    resp_bulk_str(&session->out, "subcommands");
    resp_map(&session->out, session->proto,
             cmd_command_count_table(session, command->subs));
    for (const struct command *sub = command->subs; sub->name != NULL; sub++) {
        resp_bulk_str(&session->out, sub->name);
        cmd_command_write_doc_head(session, sub);
    }
}

void cmd_command_docs(struct session *session, const struct resp_arg *argv, size_t argc)
{
    size_t n = 0;

    if (argc == 2) {
        resp_map(&session->out, session->proto,
                 cmd_command_count_table(session, command_table));
        for (const struct command *c = command_table; c->name != NULL; c++)
            if (cmd_command_is_listed(session, c))
                cmd_command_write_doc(session, c);
        return;
    }
    for (size_t i = 2; i < argc; i++)
        n += cmd_command_is_listed(session, cmd_command_by_name(session, &argv[i])) ? 1
                                                                                    : 0;
    resp_map(&session->out, session->proto, n);
    for (size_t i = 2; i < argc; i++) {
        const struct command *command = cmd_command_by_name(session, &argv[i]);
        if (cmd_command_is_listed(session, command))
            cmd_command_write_doc(session, command);
    }
}

/* --------------------------------------------------------------------- GETKEYS ---- */

void cmd_command_getkeys(struct session *session, const struct resp_arg *argv,
                         size_t argc)
{
    const struct command *command;

    if (command_find(&session->server->names, argv + 2, argc - 2, &command) !=
            COMMAND_FOUND ||
        !cmd_command_is_listed(session, command))
        session_error(session, "ERR Invalid command specified");
    else
        session_error(session, "ERR The command has no key arguments");
}

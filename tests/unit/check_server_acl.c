/*
 * check_server_acl.c - ACL and its subcommands, what users may do, and the users of the
 * configuration. The replies were compared with stock 7.0.15; where 7.4 differs
 * (sanitize-payload, NOPERM texts, more fields in ACL LOG) they are as in 7.4.
 */
#include "tests/lib/clients.h"
#include "tests/lib/runner.h"

#include "common/args.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#define HASH_P "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940"

static struct clients clients;
static struct session *session;

static void setup(void)
{
    clients_init(&clients, "monitor m1 10.0.0.1 6379 2\n");
    clients.options.acl_log_max = 3;
    clients.options.acl_file = "/x/users.acl";
    clients_start(&clients);
    session = clients_open(&clients);
}

static void teardown(void)
{
    clients_release(&clients);
}

#define SEND(bytes) clients_send(&clients, session, bytes)
#define EXPECT(bytes, reply) ck_assert_str_eq(SEND(bytes), reply)
#define OTHER(bytes, reply)                                                            \
    ck_assert_str_eq(clients_send(&clients, other, bytes), reply)
#define WRONGPASS "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
#define BEGINS(text, start) ck_assert_int_eq(strncmp(text, start, strlen(start)), 0)
#define NO_CHANNEL "-NOPERM No permissions to access a channel\r\n"

/* ACL LIST shows |line| for the user x, whom |rules| make. */
static void expect_line(const char *rules, const char *line)
{
    struct buf request = {0}, reply = {0};

    buf_printf(&request, "ACL DELUSER x\r\nACL SETUSER x %s\r\n", rules);
    ck_assert_ptr_nonnull(strstr(SEND(request.data), "+OK\r\n"));
    buf_printf(&reply,
               "*2\r\n$51\r\nuser default on nopass sanitize-payload ~* &* +@all"
               "\r\n$%zu\r\nuser x %s\r\n",
               strlen(line) + 7, line);
    EXPECT("ACL LIST\r\n", reply.data);
    buf_release(&request);
    buf_release(&reply);
}

static void expect_error(const char *rules, const char *error)
{
    struct buf request = {0}, reply = {0};

    buf_printf(&request, "ACL SETUSER x %s\r\n", rules);
    buf_printf(&reply, "-ERR %s\r\n", error);
    EXPECT(request.data, reply.data);
    EXPECT("ACL GETUSER x\r\n", "$-1\r\n");
    buf_release(&request);
    buf_release(&reply);
}

/* --------------------------------------------------------------------- SETUSER ---- */

START_TEST(test_rules)
{
    static const char *const lines[][2] = {
        {"", "off sanitize-payload resetchannels -@all"},
        {"ON", "on sanitize-payload resetchannels -@all"},
        {"nopass", "off nopass sanitize-payload resetchannels -@all"},
        {"nopass >p", "off sanitize-payload #" HASH_P " resetchannels -@all"},
        {">p nopass", "off nopass sanitize-payload resetchannels -@all"},
        {">p >p #" HASH_P, "off sanitize-payload #" HASH_P " resetchannels -@all"},
        {">p <p", "off sanitize-payload resetchannels -@all"},
        {">p !" HASH_P, "off sanitize-payload resetchannels -@all"},
        {"skip-sanitize-payload", "off skip-sanitize-payload resetchannels -@all"},
        {"on nopass +@all ~* &* (+ping) reset",
         "off sanitize-payload resetchannels -@all"},
        {"~a ~b %R~c %W~d %RW~e %R~f %W~f ~a",
         "off sanitize-payload ~a ~b %R~c %W~d ~e ~f resetchannels -@all"},
        {"~a allkeys", "off sanitize-payload ~* resetchannels -@all"},
        {"&a &b &a", "off sanitize-payload resetchannels &a &b -@all"},
        {"&a allchannels", "off sanitize-payload &* -@all"},
        {"allchannels resetchannels &x", "off sanitize-payload resetchannels &x -@all"},
        {"+@all -@dangerous +sentinel|masters",
         "off sanitize-payload resetchannels +@all -@dangerous +sentinel|masters"},
        {"+PING -ping", "off sanitize-payload resetchannels -@all"},
        {"+ping +@FAST", "off sanitize-payload resetchannels -@all +@fast"},
        {"+@fast -ping", "off sanitize-payload resetchannels -@all +@fast -ping"},
        {"-@admin +@all", "off sanitize-payload resetchannels +@all"},
        {"+@all +ping|x", "off sanitize-payload resetchannels +@all"},
        {"+@slow +ping|x -@all +ping|y",
         "off sanitize-payload resetchannels -@all +ping|y"},
        {"+ping|x +ping|y +ping|X", "off sanitize-payload resetchannels -@all "
                                    "+ping|x +ping|y"},
        {"+ping|x -@fast", "off sanitize-payload resetchannels -@all"},
        {"+client -client|kill -client|list +client|kill",
         "off sanitize-payload resetchannels -@all +client -client|list"},
        {"+client|kill -client", "off sanitize-payload resetchannels -@all"},
        {"(+ping ~x &y) ( +info )",
         "off sanitize-payload resetchannels -@all (~x resetchannels &y -@all +ping) "
         "(resetchannels -@all +info)"},
        {"() (&*) clearselectors ( )",
         "off sanitize-payload resetchannels -@all (resetchannels -@all)"},
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        expect_line(lines[i][0], lines[i][1]);
}
END_TEST

START_TEST(test_wrong_rules)
{
#define MODIFIER(rule, why) rule, "Error in ACL SETUSER modifier '" rule "': " why
#define UNKNOWN "Unknown command or category name in ACL"
#define BAD_HASH                                                                       \
    "The password hash must be exactly 64 characters and contain only lowercase "      \
    "hexadecimal characters"
    static const char *const errors[][2] = {
        {MODIFIER("foo", "Syntax error")},
        {MODIFIER("%", "Syntax error")},
        {MODIFIER("%X~a", "Syntax error")},
        {MODIFIER("%RR~a", "Syntax error")},
        {MODIFIER("(on)", "Syntax error")},
        {MODIFIER("x(+ping)", "Syntax error")},
        {MODIFIER("(+ping))", UNKNOWN)},
        {MODIFIER("+get", UNKNOWN)},
        {MODIFIER("-foo", UNKNOWN)},
        {MODIFIER("+", UNKNOWN)},
        {MODIFIER("+quit", UNKNOWN)},
        {MODIFIER("+@foo", UNKNOWN)},
        {MODIFIER("+sentinel|foo", UNKNOWN)},
        {MODIFIER("-ping|foo", UNKNOWN)},
        {MODIFIER("+|x", UNKNOWN)},
        {MODIFIER("+ping|", "Syntax error")},
        {MODIFIER("+sentinel|masters|x",
                  "Allowing first-arg of a subcommand is not supported")},
        {MODIFIER("#zz", BAD_HASH)},
        {MODIFIER("!zz", BAD_HASH)},
        {MODIFIER(
            "<zz",
            "The password you are trying to remove from the user does not exist")},
        {"on (+ping ~x", "Unmatched parenthesis in acl selector starting at '(+ping'."},
        {"~* ~a", "Error in ACL SETUSER modifier '~a': Adding a pattern after the * "
                  "pattern (or the 'allkeys' flag) is not valid and does not have any "
                  "effect. Try 'resetkeys' to start with an empty list of patterns"},
        {"&* &a", "Error in ACL SETUSER modifier '&a': Adding a pattern after the * "
                  "pattern (or the 'allchannels' flag) is not valid and does not have "
                  "any effect. Try 'resetchannels' to start with an empty list of "
                  "channels"},
        {"on +@all nopass \"&a b\"",
         "Error in ACL SETUSER modifier '&a b': Syntax error"},
    };

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        expect_error(errors[i][0], errors[i][1]);
    EXPECT("ACL SETUSER \"a b\" on\r\n",
           "-ERR Usernames can't contain spaces or null characters\r\n");
}
END_TEST

START_TEST(test_all_or_nothing)
{
    SEND("ACL SETUSER x on >p +ping &a\r\n");
    SEND("ACL SETUSER x off resetpass -@all resetchannels foo\r\n");
    ck_assert_ptr_nonnull(strstr(SEND("ACL LIST\r\n"),
                                 "\r\nuser x on sanitize-payload #" HASH_P
                                 " resetchannels &a -@all +ping\r\n"));
}
END_TEST

START_TEST(test_getuser)
{
    EXPECT("ACL GETUSER default\r\n",
           "*12\r\n$5\r\nflags\r\n*3\r\n$2\r\non\r\n$6\r\nnopass\r\n$16\r\n"
           "sanitize-payload\r\n$9\r\npasswords\r\n*0\r\n$8\r\ncommands\r\n$5\r\n+@all"
           "\r\n$4\r\nkeys\r\n$2\r\n~*\r\n$8\r\nchannels\r\n$2\r\n&*\r\n$9\r\n"
           "selectors\r\n*0\r\n");
    SEND("ACL SETUSER x >p &a &b (+ping ~k)\r\nHELLO 3\r\n");
    EXPECT("ACL GETUSER x\r\n",
           "%6\r\n$5\r\nflags\r\n~2\r\n$3\r\noff\r\n$16\r\nsanitize-payload\r\n$9\r\n"
           "passwords\r\n*1\r\n$64\r\n" HASH_P
           "\r\n$8\r\ncommands\r\n$5\r\n-@all\r\n$4\r\nkeys\r\n$0\r\n\r\n$8\r\nchannels"
           "\r\n$5\r\n&a &b\r\n$9\r\nselectors\r\n*1\r\n%3\r\n$8\r\ncommands\r\n$11\r\n"
           "-@all +ping\r\n$4\r\nkeys\r\n$2\r\n~k\r\n$8\r\nchannels\r\n$0\r\n\r\n");
    EXPECT("ACL GETUSER nobody\r\n", "_\r\n");
}
END_TEST

/* ---------------------------------------------------------------- the small ones ----
 */

START_TEST(test_users_and_deluser)
{
    SEND("ACL SETUSER zoe\r\nACL SETUSER Bob\r\nACL SETUSER eve\r\n");
    EXPECT("ACL USERS\r\n",
           "*4\r\n$3\r\nBob\r\n$7\r\ndefault\r\n$3\r\neve\r\n$3\r\nzoe\r\n");
    EXPECT("ACL DELUSER zoe nobody Bob\r\n", ":2\r\n");
    EXPECT("ACL DELUSER eve default\r\n",
           "-ERR The 'default' user cannot be removed\r\n");
    EXPECT("ACL USERS\r\n", "*2\r\n$7\r\ndefault\r\n$3\r\neve\r\n");
    EXPECT("ACL WHOAMI\r\n", "$7\r\ndefault\r\n");
}
END_TEST

START_TEST(test_cat)
{
    BEGINS(SEND("ACL CAT\r\n"), "*21\r\n$8\r\nkeyspace\r\n");
    EXPECT("ACL CAT Keyspace\r\n", "*0\r\n");
    EXPECT("ACL CAT pubsub\r\n",
           "*5\r\n$7\r\npublish\r\n$10\r\npsubscribe\r\n$12\r\npunsubscribe\r\n$9\r\n"
           "subscribe\r\n$11\r\nunsubscribe\r\n");
    EXPECT("ACL CAT x\r\n", "-ERR Unknown category 'x'\r\n");
    EXPECT("ACL CAT a b\r\n",
           "-ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL "
           "HELP.\r\n");
    EXPECT("COMMAND COUNT\r\n", ":15\r\n");
}
END_TEST

START_TEST(test_genpass)
{
    static const char *const bad[] = {"0", "-1", "4097"};

    EXPECT("ACL GENPASS 5\r\n", "$2\r\nab\r\n");
    EXPECT("ACL GENPASS 9\r\n", "$3\r\naba\r\n");
    BEGINS(SEND("ACL GENPASS\r\n"), "$64\r\nabab");
    BEGINS(SEND("ACL GENPASS 4096\r\n"), "$1024\r\nab");
    for (size_t i = 0; i < 3; i++) {
        struct buf request = {0};
        buf_printf(&request, "ACL GENPASS %s\r\n", bad[i]);
        EXPECT(request.data,
               "-ERR ACL GENPASS argument must be the number of bits for the output "
               "password, a positive number up to 4096\r\n");
        buf_release(&request);
    }
    EXPECT("ACL GENPASS 1x\r\n", "-ERR value is not an integer or out of range\r\n");
}
END_TEST

START_TEST(test_dryrun)
{
#define NO_COMMAND(name) "User x has no permissions to run the '" name "' command\r\n"
    SEND("ACL SETUSER x +ping +sentinel|masters +role|a (+subscribe &c1)\r\n");
    EXPECT("ACL DRYRUN x PING a\r\n", "+OK\r\n");
    EXPECT("ACL DRYRUN x auth a\r\n", "+OK\r\n");
    EXPECT("ACL DRYRUN x info\r\n", "$51\r\n" NO_COMMAND("info"));
    EXPECT("ACL DRYRUN x sentinel masters\r\n", "+OK\r\n");
    EXPECT("ACL DRYRUN x sentinel myid\r\n", "$60\r\n" NO_COMMAND("sentinel|myid"));
    EXPECT("ACL DRYRUN x subscribe c1\r\n", "+OK\r\n");
    EXPECT("ACL DRYRUN x subscribe c1 c2\r\n",
           "$52\r\nUser x has no permissions to access the 'c2' channel\r\n");
    EXPECT("ACL DRYRUN nobody nope\r\n", "-ERR User 'nobody' not found\r\n");
    EXPECT("ACL DRYRUN x nope\r\n", "-ERR Command 'nope' not found\r\n");
    EXPECT("ACL DRYRUN x sentinel nope\r\n", "-ERR Command 'sentinel' not found\r\n");
    EXPECT("ACL DRYRUN x sentinel master\r\n",
           "-ERR wrong number of arguments for 'sentinel|master' command\r\n");
}
END_TEST

/* ------------------------------------------------------------------ permissions ----
 */

START_TEST(test_commands)
{
    struct session *other = clients_open(&clients);

    SEND("ACL SETUSER x on >p +ping|a +sentinel -sentinel|masters +acl|whoami\r\n");
    OTHER("AUTH x q\r\n", WRONGPASS);
    OTHER("AUTH nobody p\r\n", WRONGPASS);
    OTHER("HELLO 2 AUTH x q\r\n", WRONGPASS);
    OTHER("AUTH x p\r\nACL WHOAMI\r\n", "+OK\r\n$1\r\nx\r\n");
    OTHER("PING A\r\n", "$1\r\nA\r\n");
    OTHER("PING\r\n",
          "-NOPERM User x has no permissions to run the 'ping' command\r\n");
    OTHER(
        "SENTINEL MASTERS\r\n",
        "-NOPERM User x has no permissions to run the 'sentinel|masters' command\r\n");
    OTHER("SENTINEL MYID\r\n", "$40\r\n" CLIENTS_MYID "\r\n");
    OTHER("NOSUCH\r\n",
          "-ERR unknown command 'NOSUCH', with args beginning with: \r\n");
    OTHER("SENTINEL\r\n", "-ERR wrong number of arguments for 'sentinel' command\r\n");
    /* Who is in stays in, but with the rules of today. */
    SEND("ACL SETUSER x off -sentinel\r\n");
    OTHER("ACL WHOAMI\r\n", "$1\r\nx\r\n");
    OTHER("SENTINEL MYID\r\n",
          "-NOPERM User x has no permissions to run the 'sentinel|myid' command\r\n");
    OTHER("AUTH x p\r\n", WRONGPASS);
    ck_assert_ptr_nonnull(strstr(SEND("INFO stats\r\n"),
                                 "acl_access_denied_auth:4\r\n"
                                 "acl_access_denied_cmd:3\r\n"));
}
END_TEST

START_TEST(test_channels)
{
    struct session *other = clients_open(&clients);

    SEND("ACL SETUSER x on nopass +@all &+s*\r\n");
    OTHER("AUTH x any\r\n", "+OK\r\n");
    OTHER("SUBSCRIBE +switch-master +tilt\r\n", NO_CHANNEL);
    OTHER("PSUBSCRIBE +sd*\r\n", NO_CHANNEL);
    OTHER("PSUBSCRIBE *\r\n", NO_CHANNEL);
    OTHER("PUBLISH other x\r\n", NO_CHANNEL);
    OTHER("SUBSCRIBE +sdown\r\n", "*3\r\n$9\r\nsubscribe\r\n$6\r\n+sdown\r\n:1\r\n");
    OTHER("PSUBSCRIBE +s*\r\n", "*3\r\n$10\r\npsubscribe\r\n$3\r\n+s*\r\n:2\r\n");
    /* Denied rights come before the state of the connection. */
    SEND("ACL SETUSER x -info\r\n");
    ck_assert_int_eq(strncmp(clients_send(&clients, other, "INFO\r\n"), "-NOPERM", 7),
                     0);
    SEND("ACL SETUSER x &more\r\n");
    ck_assert(!session_wants_close(other));
    SEND("ACL SETUSER x resetchannels &+sdown\r\n");
    ck_assert(session_must_drop(other));
    SEND("HELLO 3\r\nSUBSCRIBE +tilt\r\n");
    EXPECT("ACL SETUSER default resetchannels\r\nPING\r\n", "+OK\r\n");
    ck_assert(session_wants_close(session) && !session_must_drop(session));
}
END_TEST

START_TEST(test_deleted_users_are_closed)
{
    struct session *other = clients_open(&clients);
    struct session *third = clients_open(&clients);

    SEND("ACL SETUSER x on nopass +@all\r\nACL SETUSER y on nopass\r\n");
    OTHER("AUTH x a\r\n", "+OK\r\n");
    clients_send(&clients, third, "AUTH y a\r\n");
    EXPECT("AUTH x a\r\n", "+OK\r\n");
    EXPECT("ACL DELUSER x\r\nPING\r\n", ":1\r\n");
    ck_assert(session_must_drop(other));
    ck_assert(session_wants_close(session) && !session_must_drop(session));
    ck_assert(!session_wants_close(third));
}
END_TEST

START_TEST(test_default_user)
{
    struct session *other;

    SEND("ACL SETUSER default off\r\n");
    EXPECT("PING\r\n", "+PONG\r\n");
    other = clients_open(&clients);
    OTHER("PING\r\n", "-NOAUTH Authentication required.\r\n");
    SEND("ACL SETUSER default on >p\r\n");
    OTHER("AUTH q\r\n", WRONGPASS);
    OTHER("AUTH p\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    SEND("ACL SETUSER default reset\r\n");
    OTHER("PING\r\n",
          "-NOPERM User default has no permissions to run the 'ping' command\r\n");
}
END_TEST

/* -------------------------------------------------------------------------- LOG ----
 */

START_TEST(test_log)
{
    struct session *other = clients_open(&clients);
    struct session *third = clients_open(&clients);

    EXPECT("ACL LOG\r\n", "*0\r\n");
    SEND("ACL SETUSER x on >p +ping +subscribe &a\r\n");
    clients_send(&clients, other,
                 "AUTH x q\r\nHELLO 2 AUTH x q\r\nAUTH x p\r\nINFO\r\n");
    clients_wait(&clients, 1500);
    clients_send(&clients, third, "AUTH x p\r\nINFO\r\nSUBSCRIBE a b\r\n");
    clients_wait(&clients, 250);

    /* Three at most: the first is gone. */
    const char *reply = SEND("ACL LOG\r\n");
    BEGINS(reply, "*3\r\n*20\r\n$5\r\ncount\r\n:1\r\n$6\r\nreason\r\n$7\r\n"
                  "channel\r\n$7\r\ncontext\r\n$8\r\ntoplevel\r\n$6\r\n"
                  "object\r\n$1\r\nb\r\n$8\r\nusername\r\n$1\r\nx\r\n$11\r\n"
                  "age-seconds\r\n$4\r\n0.25\r\n$11\r\nclient-info\r\n$");
    ck_assert_ptr_nonnull(strstr(reply, " cmd=subscribe user=x "));
    ck_assert_ptr_nonnull(
        strstr(reply, "count\r\n:2\r\n$6\r\nreason\r\n$7\r\ncommand"));
    ck_assert_ptr_nonnull(strstr(reply,
                                 "reason\r\n$4\r\nauth\r\n$7\r\ncontext\r\n$8\r\n"
                                 "toplevel\r\n$6\r\nobject\r\n$5\r\nHELLO"));
    ck_assert_ptr_null(strstr(reply, "$4\r\nAUTH"));
    BEGINS(SEND("ACL LOG 1\r\n"), "*1\r\n");
    EXPECT("ACL LOG -1\r\n", "*0\r\n");
    EXPECT("ACL LOG x\r\n", "-ERR value is not an integer or out of range\r\n");
    EXPECT("ACL LOG reset\r\nACL LOG\r\n", "+OK\r\n*0\r\n");

    /* A minute later an equal denial is another one. */
    clients_send(&clients, other, "INFO\r\n");
    clients_wait(&clients, 60001);
    clients_send(&clients, other, "INFO\r\n");
    BEGINS(SEND("ACL LOG\r\n"), "*2\r\n");
}
END_TEST

/* ------------------------------------------------------------------ SAVE and LOAD ----
 */

START_TEST(test_save)
{
    SEND("ACL SETUSER x on &a (+ping)\r\n");
    EXPECT("ACL SAVE\r\nPING\r\n", "");
    ck_assert(session_is_blocked(session));
    ck_assert_str_eq(clients.file.data,
                     "user default on nopass sanitize-payload ~* &* +@all\n"
                     "user x on sanitize-payload resetchannels &a -@all "
                     "(resetchannels -@all +ping)\n");
    server_file_done(clients.server, session_id(session), true, 0, NULL, 0);
    ck_assert_str_eq(clients_read(&clients, session), "+OK\r\n+PONG\r\n");
    SEND("ACL SAVE\r\n");
    server_file_done(clients.server, session_id(session), true, ENOSPC, NULL, 0);
    ck_assert_str_eq(
        clients_read(&clients, session),
        "-ERR There was an error trying to save the ACLs. Please check the "
        "server logs for more information\r\n");
}
END_TEST

static const char *load(const char *text)
{
    SEND("ACL LOAD\r\n");
    server_file_done(clients.server, session_id(session), false, 0, text, strlen(text));
    return clients_read(&clients, session);
}

START_TEST(test_load)
{
    struct session *other = clients_open(&clients);
    struct session *third = clients_open(&clients);

    SEND("ACL SETUSER x on nopass +@all &*\r\nACL SETUSER y on nopass +@all &*\r\n");
    OTHER("AUTH x a\r\n", "+OK\r\n");
    clients_send(&clients, third, "AUTH y a\r\n");
    ck_assert_str_eq(load("user z on\r\n\n  user x on >p  -@all (+info &a)\n"),
                     "+OK\r\n");
    EXPECT("ACL LIST\r\n",
           "*3\r\n$51\r\nuser default on nopass sanitize-payload ~* &* +@all\r\n"
           "$143\r\nuser x on sanitize-payload #" HASH_P
           " resetchannels -@all (resetchannels &a -@all +info)\r\n"
           "$46\r\nuser z on sanitize-payload resetchannels -@all\r\n");
    ck_assert(!session_wants_close(other) && session_must_drop(third));
    OTHER("PING\r\n",
          "-NOPERM User x has no permissions to run the 'ping' command\r\n");

    ck_assert_str_eq(
        load("user x\n\n user default bar\nfoo bar\nuser y +get\nuser x on\nuser v ("),
        "-ERR /x/users.acl:3: Syntax error. /x/users.acl:4 should start with user "
        "keyword followed by the username. /x/users.acl:5: Error in applying operation "
        "'+get': Unknown command or category name in ACL. WARNING: Duplicate user 'x' "
        "found on line 6. /x/users.acl:7: Unmatched parenthesis in selector "
        "definition.WARNING: ACL errors detected, no change to the previously active "
        "ACL rules was performed\r\n");
    EXPECT("ACL USERS\r\n", "*3\r\n$7\r\ndefault\r\n$1\r\nx\r\n$1\r\nz\r\n");
    SEND("ACL LOAD\r\n");
    server_file_done(clients.server, session_id(session), false, ENOENT, NULL, 0);
    ck_assert_str_eq(
        clients_read(&clients, session),
        "-ERR Error loading ACLs, opening file '/x/users.acl': No such file "
        "or directory\r\n");
}
END_TEST

START_TEST(test_load_for_nobody)
{
    uint64_t id = session_id(session);

    SEND("ACL LOAD\r\n");
    session_close(session);
    server_file_done(clients.server, id, false, 0, "user x", 6);
    session = clients_open(&clients);
    EXPECT("ACL USERS\r\n", "*2\r\n$7\r\ndefault\r\n$1\r\nx\r\n");
}
END_TEST

/* ---------------------------------------------------------------- configuration ----
 */

static int add(const char *line, struct error *err)
{
    struct args args;

    ck_assert_int_eq(args_split(&args, line, strlen(line)), 0);
    int rc = server_add_user(clients.server, &args, err);
    args_release(&args);
    return rc;
}

static const char *check_line(const char *line, bool is_open)
{
    static struct error err;
    struct args args;

    err = (struct error){""};
    ck_assert_int_eq(args_split(&args, line, strlen(line)), 0);
    int rc = server_check_user(&args, is_open, &err);
    ck_assert_int_eq(rc == 0, err.text[0] == '\0');
    args_release(&args);
    return err.text;
}

START_TEST(test_user_lines)
{
    struct error err;

    ck_assert_str_eq(check_line("user x on >p +ping +get (+foo &a ) -@bar", false), "");
    ck_assert_str_eq(check_line("user x", false), "");
    ck_assert_str_eq(check_line("user x on foo", false),
                     "Error in user declaration 'foo': Syntax error");
    ck_assert_str_eq(check_line("user x on (+ping", false),
                     "Error in user declaration '(+ping': Unmatched parenthesis in acl "
                     "selector");
    ck_assert_str_eq(check_line("user x &a", false), "");
    ck_assert_ptr_nonnull(strstr(check_line("user x &a", true), "Adding a pattern"));

    ck_assert_int_eq(add("user bob on >p +ping ( +info", &err), ERR_SYNTAX);
    ck_assert_int_eq(add("user bob on +ping +get", &err), ERR_UNKNOWN);
    ck_assert_str_eq(err.text,
                     "Error loading ACL rule '+get' for the user named 'bob': "
                     "Unknown command or category name in ACL");
    ck_assert_int_eq(add("user \"a b\" on", &err), ERR_SYNTAX);
    ck_assert_str_eq(err.text, "Spaces not allowed in ACL usernames");
    ck_assert_int_eq(add("user default on >p +@all", &err), 0);
    ck_assert_ptr_nonnull(strstr(SEND("ACL LIST\r\n"),
                                 "user default on sanitize-payload "
                                 "#" HASH_P " resetchannels +@all\r\n"));
}
END_TEST

static void put_line(void *ctx, const char *name, const char *line, bool is_default)
{
    buf_printf(ctx, "%s%s: %s\n", name, is_default ? " (default)" : "", line);
}

START_TEST(test_requirepass)
{
    struct buf lines = {0};
    struct session *other;

    clients_release(&clients);
    clients_init(&clients, NULL);
    clients.options.requirepass = "p";
    clients.options.has_open_channels = true;
    clients_start(&clients);
    other = clients_open(&clients);
    OTHER("AUTH p\r\nACL SETUSER x\r\n", "+OK\r\n+OK\r\n");
    server_each_user(clients.server, put_line, &lines);
    OTHER("ACL SETUSER default >q\r\nAUTH p\r\nAUTH q\r\n", "+OK\r\n+OK\r\n+OK\r\n");
    server_each_user(clients.server, put_line, &lines);
    ck_assert_str_eq(
        lines.data,
        "default (default): user default on sanitize-payload #" HASH_P " ~* &* +@all\n"
        "x: user x off sanitize-payload &* -@all\n"
        "default: user default on sanitize-payload #" HASH_P
        " #8e35c2cd3bf6641bdb0e2050b76932cbb2e6034a0ddacc1d9bea82a6ba57f7cf"
        " ~* &* +@all\n"
        "x: user x off sanitize-payload &* -@all\n");
    OTHER(
        "ACL SAVE\r\n",
        "-ERR This Redis instance is not configured to use an ACL file. You may want "
        "to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE "
        "(assuming you have a Redis configuration file set) in order to store users "
        "in the Redis configuration.\r\n");
    buf_release(&lines);
}
END_TEST

/* acl-pubsub-default is about a selector, too. */
START_TEST(test_open_channels)
{
    struct session *other;

    clients_release(&clients);
    clients_init(&clients, NULL);
    clients.options.has_open_channels = true;
    clients_start(&clients);
    other = clients_open(&clients);
    OTHER("ACL SETUSER bob on nopass (+subscribe)\r\n", "+OK\r\n");
    OTHER("ACL SETUSER cc on (+ping &x)\r\n",
          "-ERR Error in ACL SETUSER modifier '(+ping &x)': Adding a pattern after the "
          "* pattern (or the 'allchannels' flag) is not valid and does not have any "
          "effect. Try 'resetchannels' to start with an empty list of channels\r\n");
    OTHER("ACL SETUSER dd (+ping resetchannels &x)\r\n", "+OK\r\n");
    OTHER(
        "ACL LIST\r\n",
        "*3\r\n"
        "$66\r\nuser bob on nopass sanitize-payload &* -@all (&* -@all +subscribe)\r\n"
        "$68\r\nuser dd off sanitize-payload &* -@all (resetchannels &x -@all +ping)"
        "\r\n$51\r\nuser default on nopass sanitize-payload ~* &* +@all\r\n");
    OTHER("AUTH bob x\r\nSUBSCRIBE +sdown\r\n",
          "+OK\r\n*3\r\n$9\r\nsubscribe\r\n$6\r\n+sdown\r\n:1\r\n");
}
END_TEST

/* --------------------------------------------------------------- rename-command ----
 */

static void rename_command(const char *line, const char *error)
{
    struct args args;
    struct error err = {""};

    ck_assert_int_eq(args_split(&args, line, strlen(line)), 0);
    int rc = server_rename_command(clients.server, &args, &err);
    ck_assert_int_eq(rc == 0, error[0] == '\0');
    ck_assert_str_eq(err.text, error);
    args_release(&args);
}

START_TEST(test_rename_command)
{
    rename_command("rename-command PING foo", "");
    rename_command("rename-command ping bar", "No such command in rename-command");
    rename_command("rename-command role ping", "");
    rename_command("rename-command publish ''", "");
    rename_command("rename-command sentinel S", "");
    rename_command("rename-command command INFO", "Target command name already exists");
    EXPECT("FOO\r\n", "+PONG\r\n");
    EXPECT("PING\r\n", "*2\r\n$8\r\nsentinel\r\n*1\r\n$2\r\nm1\r\n");
    EXPECT("PUBLISH a b\r\n",
           "-ERR unknown command 'PUBLISH', with args beginning with: 'a' 'b' \r\n");
    EXPECT("s x\r\n", "-ERR unknown subcommand 'x'. Try S HELP.\r\n");
    EXPECT("S\r\n", "-ERR wrong number of arguments for 'sentinel' command\r\n");
    EXPECT("S MYID\r\n", "$40\r\n" CLIENTS_MYID "\r\n");
    EXPECT("ACL DRYRUN default sentinel myid\r\n",
           "-ERR Command 'sentinel' not found\r\n");
    EXPECT("ACL SETUSER x +foo\r\n",
           "-ERR Error in ACL SETUSER modifier '+foo': Unknown "
           "command or category name in ACL\r\n");
    EXPECT("ACL SETUSER x +ping +publish\r\n", "+OK\r\n");
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("server_acl");
    TCase *tcase = tcase_create("acl");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_rules);
    tcase_add_test(tcase, test_wrong_rules);
    tcase_add_test(tcase, test_all_or_nothing);
    tcase_add_test(tcase, test_getuser);
    tcase_add_test(tcase, test_users_and_deluser);
    tcase_add_test(tcase, test_cat);
    tcase_add_test(tcase, test_genpass);
    tcase_add_test(tcase, test_dryrun);
    tcase_add_test(tcase, test_commands);
    tcase_add_test(tcase, test_channels);
    tcase_add_test(tcase, test_deleted_users_are_closed);
    tcase_add_test(tcase, test_default_user);
    tcase_add_test(tcase, test_log);
    tcase_add_test(tcase, test_save);
    tcase_add_test(tcase, test_load);
    tcase_add_test(tcase, test_load_for_nobody);
    tcase_add_test(tcase, test_user_lines);
    tcase_add_test(tcase, test_requirepass);
    tcase_add_test(tcase, test_open_channels);
    tcase_add_test(tcase, test_rename_command);
    suite_add_tcase(suite, tcase);
    return suite;
}

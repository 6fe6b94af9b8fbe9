/*
 * help.c - SENTINEL HELP and its kin: the usage of each subcommand, then what it does,
 * indented (interface.md 3.21). Clients match the first line only.
 */
#include "sentinel/server/internal.h"

static const char *const help_sentinel_lines[] = {
    "CKQUORUM <master-name>",
    "    Tell whether enough sentinels are usable to agree that a master is down",
    "    and to authorize its failover.",
    "CONFIG GET <param> [<param> ...]",
    "    Show the global parameters whose names match one of the patterns.",
    "CONFIG SET <param> <value> [<param> <value> ...]",
    "    Change global parameters and save them.",
    "DEBUG [<param> <value> ...]",
    "    Show the periods and limits used internally, in milliseconds, or change",
    "    some of them until the next start.",
    "FAILOVER <master-name>",
    "    Replace a master by one of its replicas now, without asking other",
    "    sentinels.",
    "FLUSHCONFIG",
    "    Save configuration and state to the configuration file.",
    "FORGET <master-name> REPLICA <host>:<port>",
    "    Forget one replica here; it comes back if the master lists it.",
    "FORGET <master-name> SENTINEL <runid>",
    "    Forget one other sentinel here, which makes the majority smaller; it comes",
    "    back if it is alive.",
    "GET-MASTER-ADDR-BY-NAME <master-name>",
    "    Tell the address and port clients should connect to.",
    "GET-PRIMARY-ADDR-BY-NAME <master-name>",
    "    Same as GET-MASTER-ADDR-BY-NAME.",
    "INFO-CACHE <master-name> [<master-name> ...]",
    "    Show the INFO texts last received from masters and their replicas.",
    "IS-MASTER-DOWN-BY-ADDR <ip> <port> <current-epoch> <runid>",
    "    Tell whether this sentinel sees a master as down; with a run id instead",
    "    of *, also ask for its vote. Used between sentinels.",
    "IS-PRIMARY-DOWN-BY-ADDR <ip> <port> <current-epoch> <runid>",
    "    Same as IS-MASTER-DOWN-BY-ADDR.",
    "MASTER <master-name>",
    "    Show what is known about one master.",
    "MASTERS",
    "    Show what is known about all masters.",
    "MONITOR <name> <ip> <port> <quorum>",
    "    Begin to monitor a master.",
    "MYID",
    "    Show the ID of this sentinel.",
    "PENDING-SCRIPTS",
    "    Show the scripts that run or wait to be run.",
    "PRIMARIES",
    "    Same as MASTERS.",
    "PRIMARY <master-name>",
    "    Same as MASTER.",
    "REMOVE <master-name>",
    "    Stop monitoring a master.",
    "REPLICAS <master-name>",
    "    Show what is known about the replicas of a master.",
    "RESET <pattern>",
    "    Forget replicas, sentinels and any failover of all masters whose names",
    "    match, and discover them anew.",
    "SENTINELS <master-name>",
    "    Show what is known about the other sentinels of a master.",
    "SET <master-name> <option> <value> [<option> <value> ...]",
    "    Change options of one master and save them.",
    "SIMULATE-FAILURE [CRASH-AFTER-ELECTION] [CRASH-AFTER-PROMOTION] [HELP]",
    "    Exit on purpose at the given stages of the next failover.",
    NULL,
};

static const char *const help_client_lines[] = {
    "CACHING (YES|NO)",
    "    Choose whether the next command is tracked, in OPTIN or OPTOUT mode.",
    "GETNAME",
    "    Show the name of this connection.",
    "GETREDIR",
    "    Show the ID of the client that tracking messages are redirected to.",
    "ID",
    "    Show the ID of this connection.",
    "INFO",
    "    Describe this connection.",
    "KILL <ip:port>",
    "    Close the connection that comes from this address.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Close all connections that match every one of the options:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "    * ID <client-id>",
    "    * MAXAGE <seconds>",
    "    * SKIPME (YES|NO)",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "    * USER <username>",
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <client-id> [<client-id> ...]]",
    "    Describe the connections, or some of them.",
    "NO-EVICT (ON|OFF)",
    "    Exempt this connection from eviction, or do not.",
    "PAUSE <milliseconds> [WRITE|ALL]",
    "    Hold back the commands of all clients for some time.",
    "REPLY (ON|OFF|SKIP)",
    "    Choose whether this connection gets replies.",
    "SETINFO (LIB-NAME|LIB-VER) <value>",
    "    Tell which library, in which version, uses this connection.",
    "SETNAME <name>",
    "    Give this connection a name.",
    "TRACKING (ON|OFF) [REDIRECT <client-id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Accepted; a sentinel has no keys that could be tracked.",
    "TRACKINGINFO",
    "    Show the tracking options of this connection.",
    "UNBLOCK <client-id> [TIMEOUT|ERROR]",
    "    Accepted; no command of a sentinel blocks.",
    "UNPAUSE",
    "    End a pause.",
    NULL,
};

static const char *const help_command_lines[] = {
    "(no subcommand)",
    "    Show the properties of all commands.",
    "COUNT",
    "    Show how many commands there are.",
    "DOCS [<command-name> ...]",
    "    Show the documentation of some or all commands.",
    "GETKEYS <full-command>",
    "    Show the keys in a command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Show the keys in a command and how they are accessed.",
    "INFO [<command-name> ...]",
    "    Show the properties of some or all commands.",
    "LIST [FILTERBY (MODULE <module>|ACLCAT <category>|PATTERN <pattern>)]",
    "    Show the names of some or all commands.",
    NULL,
};

static const char *const help_acl_lines[] = {
    "CAT [<category>]",
    "    List the categories, or the commands of one of them.",
    "DELUSER <username> [<username> ...]",
    "    Delete users and close their connections.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Tell whether a user might run a command, without running it.",
    "GENPASS [<bits>]",
    "    Make a password that cannot be guessed, of 256 bits unless given.",
    "GETUSER <username>",
    "    Show what a user may do.",
    "LIST",
    "    Show all users as lines of the configuration file.",
    "LOAD",
    "    Read the users from the ACL file.",
    "LOG [<count> | RESET]",
    "    Show what was denied lately, or forget it.",
    "SAVE",
    "    Write the users to the ACL file.",
    "SETUSER <username> <rule> [<rule> ...]",
    "    Make or change a user.",
    "USERS",
    "    Show the names of all users.",
    "WHOAMI",
    "    Show the user this connection is authenticated as.",
    NULL,
};

void help_reply(struct session *session, const char *container,
                const char *const *lines)
{
    struct buf *out = &session->out;
    size_t n = 0;

    while (lines[n] != NULL)
        n++;
    resp_array(out, n + 3);
    buf_printf(out, "+%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n",
               container);
    for (size_t i = 0; i < n; i++)
        resp_status(out, lines[i]);
    resp_status(out, "HELP");
    resp_status(out, "    Show this text.");
}

void help_sentinel(struct session *session, const struct resp_arg *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    help_reply(session, "SENTINEL", help_sentinel_lines);
}

void help_client(struct session *session, const struct resp_arg *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    help_reply(session, "CLIENT", help_client_lines);
}

void help_command(struct session *session, const struct resp_arg *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    help_reply(session, "COMMAND", help_command_lines);
}

void help_acl(struct session *session, const struct resp_arg *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    help_reply(session, "ACL", help_acl_lines);
}

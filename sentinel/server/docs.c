/*
 * docs.c - what COMMAND DOCS says about each command.
 *
 * A usage is a list of arguments separated by blanks, each
 *     [TOKEN=]name[#type][@since][!deprecated][?][*][+][(argument ...)]
 * with ? for "may be left out", * for "may be repeated", + for "with its token each
 * time", and the type string unless given. The type token is a word that stands for
 * itself, in capitals; word one that is not listed as a token. It becomes the list of
 * arguments from which redis-cli makes its hints; names and forms are those that
 * clients know.
 */
#include "sentinel/server/internal.h"

#include <string.h>

static const struct doc doc_table[] = {
    {"acl", "6.0.0", "depends on the subcommand", "Commands about users", NULL},
    {"acl|cat", "6.0.0", "O(1)", "Lists the categories, or the commands in one",
     "categoryname?"},
    {"acl|deluser", "6.0.0", "O(N), N being the number of connections", "Deletes users",
     "username*"},
    {"acl|dryrun", "7.0.0", "O(1)", "Tells whether a user might run a command",
     "username command arg?*"},
    {"acl|genpass", "6.0.0", "O(1)", "Makes a password that cannot be guessed",
     "bits#integer?"},
    {"acl|getuser", "6.0.0", "O(N), N being the number of rules of the user",
     "Shows what a user may do", "username"},
    {"acl|help", "6.0.0", "O(1)", "Lists the ACL subcommands", NULL},
    {"acl|list", "6.0.0", "O(N), N being the number of users",
     "Shows all users as lines of the configuration file", NULL},
    {"acl|load", "6.0.0", "O(N), N being the number of users",
     "Reads the users from the ACL file", NULL},
    {"acl|log", "6.0.0", "O(N), N being the number of entries",
     "Shows what was denied lately, or forgets it",
     "operation#oneof?(count#integer reset#token)"},
    {"acl|save", "6.0.0", "O(N), N being the number of users",
     "Writes the users to the ACL file", NULL},
    {"acl|setuser", "6.0.0", "O(N), N being the number of rules given",
     "Makes or changes a user", "username rule?*"},
    {"acl|users", "6.0.0", "O(N), N being the number of users",
     "Shows the names of all users", NULL},
    {"acl|whoami", "6.0.0", "O(1)", "Tells which user this connection is", NULL},
    {"auth", "1.0.0", "O(N), N being the number of passwords of the user",
     "Authenticates this connection", "username@6.0.0? password"},
    {"client", "2.4.0", "depends on the subcommand", "Commands about connections",
     NULL},
    {"client|caching", "6.0.0", "O(1)", "Chooses whether the next command is tracked",
     "mode#oneof(yes#token no#token)"},
    {"client|getname", "2.6.9", "O(1)", "Returns the name of this connection", NULL},
    {"client|getredir", "6.0.0", "O(1)",
     "Returns the client that tracking messages are redirected to", NULL},
    {"client|help", "5.0.0", "O(1)", "Lists the CLIENT subcommands", NULL},
    {"client|id", "5.0.0", "O(1)", "Returns the ID of this connection", NULL},
    {"client|info", "6.2.0", "O(1)", "Describes this connection", NULL},
    {"client|kill", "2.4.0", "O(N), N being the number of connections",
     "Closes connections",
     "filter#oneof(ip:port!2.8.12 new-format#oneof*(ID=client-id#integer@2.8.12? "
     "TYPE=normal_master_slave_pubsub#oneof@2.8.12?(normal#token master#token@3.2.0 "
     "slave#token replica#token@5.0.0 pubsub#token) USER=username? ADDR=ip:port? "
     "LADDR=ip:port@6.2.0? SKIPME=yes/no? MAXAGE=maxage#integer@7.4.0?))"},
    {"client|list", "2.4.0", "O(N), N being the number of connections",
     "Describes connections",
     "TYPE=normal_master_replica_pubsub#oneof@5.0.0?(normal#token master#token "
     "replica#token pubsub#token) ID=id#block@6.2.0?(client-id#integer*)"},
    {"client|no-evict", "7.0.0", "O(1)", "Exempts this connection from eviction",
     "enabled#oneof(on#token off#token)"},
    {"client|pause", "2.9.50", "O(1)", "Holds back the commands of all clients",
     "timeout#integer mode#oneof@6.2.0?(write#token all#token)"},
    {"client|reply", "3.2.0", "O(1)", "Chooses whether this connection gets replies",
     "on_off_skip#oneof(on#token off#token skip#token)"},
    {"client|setinfo", "7.2.0", "O(1)", "Tells which library uses this connection",
     "attr#oneof(LIB-NAME=libname LIB-VER=libver)"},
    {"client|setname", "2.6.9", "O(1)", "Names this connection", "connection-name"},
    {"client|tracking", "6.0.0", "O(1)",
     "Switches client-side caching on or off, without effect in a sentinel",
     "status#oneof(on#token off#token) REDIRECT=client-id#integer? PREFIX=prefix?*+ "
     "bcast#token? optin#token? optout#token? noloop#token?"},
    {"client|trackinginfo", "6.2.0", "O(1)",
     "Shows the client-side caching options of this connection", NULL},
    {"client|unblock", "5.0.0", "O(1)",
     "Ends the blocking command of another client, without effect in a sentinel",
     "client-id#integer timeout_error#oneof?(timeout#token error#token)"},
    {"client|unpause", "6.2.0", "O(N), N being the number of paused clients",
     "Ends a pause", NULL},
    {"command", "2.8.13", "O(N), N being the number of commands",
     "Shows the properties of commands", NULL},
    {"command|count", "2.8.13", "O(1)", "Returns the number of commands", NULL},
    {"command|docs", "7.0.0", "O(N), N being the number of commands looked up",
     "Shows the documentation of commands", "command-name?*"},
    {"command|getkeys", "2.8.13", "O(1)", "Returns the keys in a command",
     "command arg?*"},
    {"command|getkeysandflags", "7.0.0", "O(1)",
     "Returns the keys in a command and how they are accessed", "command arg?*"},
    {"command|help", "5.0.0", "O(1)", "Lists the COMMAND subcommands", NULL},
    {"command|info", "2.8.13", "O(N), N being the number of commands looked up",
     "Shows the properties of some commands", "command-name?*"},
    {"command|list", "7.0.0", "O(N), N being the number of commands",
     "Returns the names of commands",
     "FILTERBY=filterby#oneof?(MODULE=module-name ACLCAT=category "
     "PATTERN=pattern#pattern)"},
    {"hello", "6.0.0", "O(1)", "Greets the server and chooses the protocol version",
     "arguments#block?(protover#integer AUTH=username_password#block?(username "
     "password) "
     "SETNAME=clientname?)"},
    {"info", "1.0.0", "O(N), N being the number of masters",
     "Shows facts and counters about this server", "section?*"},
    {"ping", "1.0.0", "O(1)", "Tells whether the server is alive", "message?"},
    {"psubscribe", "2.0.0", "O(N), N being the number of patterns given",
     "Subscribes to all channels that match a pattern",
     "pattern#block*(pattern#pattern)"},
    {"publish", "2.0.0", "O(1)", "Hands this sentinel the hello of another one",
     "channel message"},
    {"punsubscribe", "2.0.0", "O(N), N being the number of patterns given up",
     "Gives up subscriptions to patterns", "pattern#pattern?*"},
    {"role", "2.8.12", "O(N), N being the number of masters",
     "Returns the role of this server", NULL},
    {"sentinel", "2.8.4", "depends on the subcommand", "Commands of Redis Sentinel",
     NULL},
    {"sentinel|ckquorum", "2.8.4", "O(N), N being the number of sentinels",
     "Tells whether a failover could be authorized", "master-name"},
    {"sentinel|config", "6.2.0", "O(N), N being the number of parameters",
     "Shows or changes global parameters",
     "set_or_get#oneof(SET=set_param_value#block*(parameter value) GET=parameter*)"},
    {"sentinel|debug", "7.0.0", "O(N), N being the number of parameters",
     "Shows or changes internal periods", "parameter_value#block*(parameter value)"},
    {"sentinel|failover", "2.8.4", "O(N), N being the number of replicas",
     "Replaces a master by a replica", "master-name"},
    {"sentinel|flushconfig", "2.8.4", "O(N), N being the size of the file",
     "Saves configuration and state", NULL},
    {"sentinel|forget", "7.0.0", "O(N), N being the number of replicas",
     "Forgets one replica or one other sentinel of a master", "master-name kind name"},
    {"sentinel|get-master-addr-by-name", "2.8.4", "O(1)",
     "Returns the address of a master", "master-name"},
    {"sentinel|get-primary-addr-by-name", "2.8.4", "O(1)",
     "Returns the address of a master", "master-name"},
    {"sentinel|help", "6.2.0", "O(1)", "Lists the SENTINEL subcommands", NULL},
    {"sentinel|info-cache", "3.2.0", "O(N), N being the number of instances",
     "Returns the INFO texts last received", "nodename*"},
    {"sentinel|is-master-down-by-addr", "2.8.4", "O(1)",
     "Tells whether a master is seen as down, and votes",
     "ip port#integer current-epoch#integer runid"},
    {"sentinel|is-primary-down-by-addr", "2.8.4", "O(1)",
     "Tells whether a master is seen as down, and votes",
     "ip port#integer current-epoch#integer runid"},
    {"sentinel|master", "2.8.4", "O(1)", "Returns the state of a master",
     "master-name"},
    {"sentinel|masters", "2.8.4", "O(N), N being the number of masters",
     "Returns the states of all masters", NULL},
    {"sentinel|monitor", "2.8.4", "O(1)", "Begins to monitor a master",
     "name ip port#integer quorum#integer"},
    {"sentinel|myid", "6.2.0", "O(1)", "Returns the ID of this sentinel", NULL},
    {"sentinel|pending-scripts", "2.8.4", "O(N), N being the number of scripts",
     "Returns the scripts that run or wait", NULL},
    {"sentinel|primaries", "2.8.4", "O(N), N being the number of masters",
     "Returns the states of all masters", NULL},
    {"sentinel|primary", "2.8.4", "O(1)", "Returns the state of a master",
     "master-name"},
    {"sentinel|remove", "2.8.4", "O(N), N being the number of instances",
     "Stops monitoring a master", "master-name"},
    {"sentinel|replicas", "5.0.0", "O(N), N being the number of replicas",
     "Returns the states of the replicas of a master", "master-name"},
    {"sentinel|reset", "2.8.4", "O(N), N being the number of instances",
     "Forgets what was discovered about matching masters", "pattern#pattern"},
    {"sentinel|sentinels", "2.8.4", "O(N), N being the number of sentinels",
     "Returns the states of the other sentinels of a master", "master-name"},
    {"sentinel|set", "2.8.4", "O(N), N being the number of options",
     "Changes options of a master", "master-name option_value#block*(option value)"},
    {"sentinel|simulate-failure", "3.2.0", "O(1)",
     "Makes this sentinel exit in its next failover",
     "mode#oneof?*(crash-after-election#word crash-after-promotion#word help#word)"},
    {"sentinel|slaves", "2.8.0", "O(N), N being the number of replicas",
     "Returns the states of the replicas of a master", "master-name"},
    {"shutdown", "1.0.0", "O(1)", "Ends this process",
     "nosave_save#oneof?(nosave#token save#token) now#token@7.0.0? force#token@7.0.0? "
     "abort#token@7.0.0?"},
    {"subscribe", "2.0.0", "O(N), N being the number of channels given",
     "Subscribes to channels", "channel*"},
    {"unsubscribe", "2.0.0", "O(N), N being the number of channels given up",
     "Gives up subscriptions to channels", "channel?*"},
};

/* In the order of the versions. */
static const struct doc_change doc_changes[] = {
    {"acl|getuser", "6.2.0", "Shows patterns of channels"},
    {"acl|getuser", "7.0.0", "Shows selectors, and reading and writing of keys"},
    {"acl|setuser", "6.2.0", "Patterns of channels"},
    {"acl|setuser", "7.0.0", "Selectors, and reading and writing of keys"},
    {"auth", "6.0.0", "A user name before the password"},
    {"client|kill", "2.8.12", "Filters"},
    {"client|kill", "2.8.12", "Filter ID"},
    {"client|kill", "3.2.0", "Type master"},
    {"client|kill", "5.0.0", "Type replica"},
    {"client|kill", "6.2.0", "Filter LADDR"},
    {"client|list", "2.8.12", "Field id"},
    {"client|list", "5.0.0", "Filter TYPE"},
    {"client|list", "6.0.0", "Field user"},
    {"client|list", "6.2.0", "Filter ID; fields argv-mem, tot-mem, laddr and redir"},
    {"client|list", "7.0.0", "Fields resp, multi-mem, rbs and rbp"},
    {"client|list", "7.0.3", "Field ssub"},
    {"client|pause", "6.2.0", "A mode, which may be WRITE"},
    {"command|info", "7.0.0", "Names of subcommands"},
    {"hello", "6.2.0", "No version: nothing is switched"},
    {"info", "7.0.0", "More than one section"},
    {"shutdown", "7.0.0", "NOW, FORCE and ABORT"},
};

size_t doc_count_changes(const char *name)
{
    size_t n = 0;

    for (const struct doc_change *c = NULL; (c = doc_next_change(name, c)) != NULL;)
        n++;
    return n;
}

const struct doc_change *doc_next_change(const char *name,
                                         const struct doc_change *last)
{
    const struct doc_change *end =
        doc_changes + sizeof(doc_changes) / sizeof(doc_changes[0]);

    for (const struct doc_change *c = last != NULL ? last + 1 : doc_changes; c < end;
         c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

const struct doc *doc_find(const char *name)
{
    static const struct doc none = {"", "1.0.0", "O(1)", "", NULL};

    for (size_t i = 0; i < sizeof(doc_table) / sizeof(doc_table[0]); i++)
        if (strcmp(doc_table[i].name, name) == 0)
            return &doc_table[i];
    return &none;
}

/*
 * check_conf_corpus.c - files that stock accepts or refuses: do we, with its words?
 *
 * The answers are those of a stock Redis 7.0.15 sentinel, recorded from runs; where we
 * mean to differ, the row is in |departures| instead, with what stock does in a
 * comment.
 */
#include "sentinel/conf/conf.h"
#include "tests/lib/mac.h"
#include "tests/lib/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define M "sentinel monitor m 127.0.0.1 6379 2\n"
#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

#define LEVELS                                                                         \
    "argument(s) must be one of the following: debug, verbose, notice, warning, "      \
    "nothing"
#define TITLE "template format is invalid or contains unknown variables"
#define RESOLVE "Can't resolve instance hostname."

struct row {
    const char *text;
    int line;           /* at which it is refused */
    const char *reason; /* NULL: accepted */
};

static const struct row rows[] = {
    {"", 0, NULL},
    {"\n\n", 0, NULL},
    {"# only a comment", 0, NULL},
    {"  \011 # indented comment", 0, NULL},
    {"port 26380", 0, NULL},
    {"PORT 26380", 0, NULL},
    {"\"loglevel\" \"notice\"", 0, NULL},
    {"'loglevel' 'NOTICE'", 0, NULL},
    {"logle\"vel\" notice", 0, NULL},
    {"loglevel notice # x", 1, "wrong number of arguments"},
    {"nosuch 1", 1, "Bad directive or wrong number of arguments"},
    {"nosuch", 1, "Bad directive or wrong number of arguments"},
    {"foo.bar 1", 0, NULL},
    {"foo.bar", 1, "Module config specified without value"},
    {"foo.bar 1 2 3", 0, NULL},
    {"[section]", 1, "Bad directive or wrong number of arguments"},
    {"port=6379", 1, "Bad directive or wrong number of arguments"},
    {"port:6379", 1, "Bad directive or wrong number of arguments"},
    {"port = 6379", 1, "wrong number of arguments"},
    {"port", 1, "wrong number of arguments"},
    {"port \"\"", 1, "argument couldn't be parsed into an integer"},
    {"port 65536", 1, "argument must be between 0 and 65535 inclusive"},
    {"port -1", 1, "argument must be between 0 and 65535 inclusive"},
    {"port +1", 1, "argument couldn't be parsed into an integer"},
    {"port 01", 1, "argument couldn't be parsed into an integer"},
    {"port 0x10", 1, "argument couldn't be parsed into an integer"},
    {"port 1.5", 1, "argument couldn't be parsed into an integer"},
    {"daemonize maybe", 1, "argument must be 'yes' or 'no'"},
    {"daemonize YES\ndaemonize no", 0, NULL},
    {"loglevel DEBUG", 0, NULL},
    {"syslog-facility mail", 1,
     "argument(s) must be one of the following: user, local0, local1, local2, local3, "
     "local4, local5, local6, local7"},
    {"unixsocketperm 9", 1, "argument couldn't be parsed as an octal number"},
    {"unixsocketperm 1000", 1, "argument must be between 0 and 777 inclusive"},
    {"unixsocketperm 700", 0, NULL},
    {"unixsocketperm 0700", 0, NULL},
    {"maxclients 0", 1, "argument must be between 1 and 4294967295 inclusive"},
    {"maxclients 4294967296", 1, "argument must be between 1 and 4294967295 inclusive"},
    {"client-query-buffer-limit 1mb", 0, NULL},
    {"client-query-buffer-limit 1023kb", 1,
     "argument must be between 1048576 and 9223372036854775807 inclusive"},
    {"client-query-buffer-limit 1", 1,
     "argument must be between 1048576 and 9223372036854775807 inclusive"},
    {"client-query-buffer-limit 1MiB", 1, "argument must be a memory value"},
    {"client-query-buffer-limit 2 mb", 1, "wrong number of arguments"},
    {"client-query-buffer-limit 1.5g", 1, "argument must be a memory value"},
    {"client-query-buffer-limit 0x1000000", 1, "argument must be a memory value"},
    {"client-query-buffer-limit kb", 1,
     "argument must be between 1048576 and 9223372036854775807 inclusive"},
    {"client-query-buffer-limit 99999999999999999999gb", 1,
     "argument must be between 1048576 and 9223372036854775807 inclusive"},
    {"client-query-buffer-limit 8589934592gb", 1,
     "argument must be between 1048576 and 9223372036854775807 inclusive"},
    {"proto-max-bulk-len 1000k", 1,
     "argument must be between 1048576 and 9223372036854775807 inclusive"},
    {"proto-max-bulk-len 2B", 1,
     "argument must be between 1048576 and 9223372036854775807 inclusive"},
    {"client-output-buffer-limit normal 0 0 0", 0, NULL},
    {"client-output-buffer-limit normal 0 0 0 pubsub 1mb 1kb 5", 0, NULL},
    {"client-output-buffer-limit foo 0 0 0", 1,
     "Invalid client class specified in buffer limit configuration."},
    {"client-output-buffer-limit normal -1 0 0", 1,
     "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
    {"client-output-buffer-limit normal 1 0 -1", 1,
     "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
    {"client-output-buffer-limit normal 1 0 x", 1,
     "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
    {"client-output-buffer-limit normal 1 x 0", 1,
     "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
    {"client-output-buffer-limit SLAVE 1 0 1", 0, NULL},
    {"client-output-buffer-limit replica 1 0", 1,
     "Wrong number of arguments in buffer limit configuration."},
    {"client-output-buffer-limit master 1 0 1", 1,
     "Invalid client class specified in buffer limit configuration."},
    {"client-output-buffer-limit", 0, NULL},
    {"requirepass \"abc", 1, "Unbalanced quotes in configuration line"},
    {"requirepass \"abc\"def", 1, "Unbalanced quotes in configuration line"},
    {"requirepass 'a'b", 1, "Unbalanced quotes in configuration line"},
    {"requirepass ab\"c d\"", 0, NULL},
    {"requirepass \"\"", 0, NULL},
    {"requirepass a b", 1, "wrong number of arguments"},
    {"requirepass \"\\x41\\n\\\"\\q\"", 0, NULL},
    {"requirepass a\\b", 0, NULL},
    {"requirepass 'a\\'b'", 0, NULL},
    {"requirepass \" #x ; y=z:w \"", 0, NULL},
    {"requirepass \"abc\\\"", 1, "Unbalanced quotes in configuration line"},
    {"requirepass x\015", 0, NULL},
    {"\011requirepass x \011", 0, NULL},
    {"bind 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 "
     "127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 "
     "127.0.0.1 127.0.0.1",
     1, "Too many bind addresses specified."},
    {"bind 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 "
     "127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 "
     "127.0.0.1",
     0, NULL},
    {"bind \"\"", 0, NULL},
    {"bind", 0, NULL},
    {"bind nosuchhost", 0, NULL},
    {"dir /nonexistent", 1, "No such file or directory"},
    {"dir /dev/null", 1, "Not a directory"},
    {"dir \"\"", 1, "No such file or directory"},
    {"include /nonexistent/*.conf", 0, NULL},
    {"include", 1, "Bad directive or wrong number of arguments"},
    {"include a b", 1, "Bad directive or wrong number of arguments"},
    {"rename-command PING PONG", 0, NULL},
    {"rename-command PING", 1, "Bad directive or wrong number of arguments"},
    {"rename-command PING ping", 0, NULL},
    {"rename-command PING \"\"", 0, NULL},
    {"rename-command a b c", 1, "Bad directive or wrong number of arguments"},
    {"user", 1, "Bad directive or wrong number of arguments"},
    {"user alice", 0, NULL},
    {"user alice on", 0, NULL},
    {"user alice on\nuser alice off", 2,
     "Error in user declaration 'alice': Duplicate user found. A user can only be "
     "defined once in config files"},
    {"user alice on >p ~* +@all", 0, NULL},
    {"user alice +nosuch", 0, NULL},
    {"user \"al ice\" on", 0, NULL},
    {"user default on nopass ~* &* +@all", 0, NULL},
    {"user default on nopass sanitize-payload ~* &* +@all", 0, NULL},
    {"aclfile \"\"", 0, NULL},
    {"acllog-max-len 5", 0, NULL},
    {"save 900 1", 0, NULL},
    {"save \"\"", 0, NULL},
    {"replicaof no one", 0, NULL},
    {"oom-score-adj-values 0 200 800", 0, NULL},
    {"shutdown-on-sigterm nosave force", 0, NULL},
    {"notify-keyspace-events \"\"", 0, NULL},
    {"latency-tracking-info-percentiles 50 99 99.9", 0, NULL},
    {"maxmemory 10%", 1, "argument must be a memory value"},
    {"maxmemory-clients 5%", 0, NULL},
    {"maxmemory-clients 101%", 1, "percentage argument must be less or equal to 100"},
    {"maxmemory-clients -5%", 1, "argument must be a memory or percent value"},
    {"maxmemory-clients 5", 0, NULL},
    {"dbfilename \"\"", 0, NULL},
    {"tls-port 0", 0, NULL},
    {"tls-protocols \"TLSv1.2\"", 0, NULL},
    {"tls-protocols foo", 0, NULL},
    {"tls-auth-clients OPTIONAL", 0, NULL},
    {"repl-diskless-sync-delay 0", 0, NULL},
    {"enable-protected-configs yes", 0, NULL},
    {"enable-debug-command yes", 0, NULL},
    {"loadmodule /x.so", 0, NULL},
    {"list-max-ziplist-entries 512", 0, NULL},
    {"logfile \"\"", 0, NULL},
    {"syslog-ident \"\"", 0, NULL},
    {"supervised SYSTEMD", 0, NULL},
    {"bind-source-addr \"\"", 0, NULL},
    {"tcp-backlog 511", 0, NULL},
    {"hz 0", 0, NULL},
    {"cluster-enabled no", 0, NULL},
    {"protected-mode no", 0, NULL},
    {"masterauth x", 0, NULL},
    {"min-slaves-to-write 0", 0, NULL},
    {"sentinel", 0, NULL},
    {"sentinel \"\"", 1, "Unrecognized sentinel configuration statement."},
    {"sentinel x", 1, "Unrecognized sentinel configuration statement."},
    {"sentinel monitor", 1, "Unrecognized sentinel configuration statement."},
    {M, 0, NULL},
    {"SENTINEL MONITOR m 127.0.0.1 6379 2", 0, NULL},
    {"'sentinel' \"monitor\" m 127.0.0.1 6379 2", 0, NULL},
    {"sentinel monitor m 127.0.0.1 6379", 1,
     "Unrecognized sentinel configuration statement."},
    {"sentinel monitor m 127.0.0.1 6379 2 3", 1,
     "Unrecognized sentinel configuration statement."},
    {"sentinel monitor m 127.0.0.1 6379 0", 1, "Quorum must be 1 or greater."},
    {"sentinel monitor m 127.0.0.1 6379 -1", 1, "Quorum must be 1 or greater."},
    {"sentinel monitor m 127.0.0.1 6379 abc", 1, "Quorum must be 1 or greater."},
    {"sentinel monitor m 127.0.0.1 abc 2", 0, NULL},
    {"sentinel monitor m 127.0.0.1 6379x 2x", 0, NULL},
    {"sentinel monitor m 127.0.0.1 65536 2", 1, "Invalid port number."},
    {"sentinel monitor m 127.0.0.1 -1 2", 1, "Invalid port number."},
    {"sentinel monitor m 127.0.0.1 0 2", 0, NULL},
    {"sentinel monitor m nosuch.invalid 6379 2", 1, "Can't resolve instance hostname."},
    {"sentinel monitor m localhost 6379 2", 1, "Can't resolve instance hostname."},
    {"sentinel monitor m \"\" 6379 2", 1, "Can't resolve instance hostname."},
    {"sentinel monitor m \"1 2\" 6379 2", 1, "Can't resolve instance hostname."},
    {"sentinel monitor m 1.2.3 6379 2", 0, NULL},
    {"sentinel monitor m 1 6379 2", 0, NULL},
    {"sentinel monitor m ::1 6379 2", 0, NULL},
    {"sentinel monitor m [::1] 6379 2", 1, "Can't resolve instance hostname."},
    {"sentinel monitor \"\" 127.0.0.1 6379 2", 0, NULL},
    {"sentinel monitor \"a b\" 127.0.0.1 6379 2", 0, NULL},
    {"sentinel monitor a,b 127.0.0.1 6379 2", 0, NULL},
    {M M, 2, "Duplicate master name."},
    {M "sentinel monitor m 127.0.0.1 6380 2", 2, "Duplicate master name."},
    {M "sentinel monitor n 127.0.0.1 6379 2", 0, NULL},
    {M "sentinel monitor M 127.0.0.1 6379 2", 0, NULL},
    {"sentinel resolve-hostnames yes\nsentinel monitor m nosuch.invalid 6379 2", 0,
     NULL},
    {"sentinel monitor m nosuch.invalid 6379 2\nsentinel resolve-hostnames yes", 0,
     NULL},
    {"sentinel resolve-hostnames YES\nsentinel monitor m localhost 6379 2", 0, NULL},
    {"sentinel down-after-milliseconds m 5000\nsentinel monitor m 127.0.0.1 6379 2\n",
     0, NULL},
    {M "sentinel down-after-milliseconds m 0", 2, "negative or zero time parameter."},
    {M "sentinel down-after-milliseconds m -1", 2, "negative or zero time parameter."},
    {M "sentinel down-after-milliseconds m abc", 2, "negative or zero time parameter."},
    {M "sentinel down-after-milliseconds m 1000000000000000", 0, NULL},
    {M "sentinel down-after-milliseconds m 1000000000000001", 2,
     "time parameter out of range: 1000000000000000 ms at most."},
    {M "sentinel failover-timeout m 99999999999999999999", 2,
     "time parameter out of range: 1000000000000000 ms at most."},
    {M "sentinel master-reboot-down-after-period m 99999999999999999999", 2,
     "time parameter out of range: 1000000000000000 ms at most."},
    {M "sentinel down-after-milliseconds m 5s", 0, NULL},
    {M "sentinel down-after-milliseconds m", 2,
     "Unrecognized sentinel configuration statement."},
    {M "sentinel down-after-milliseconds m 1 2", 2,
     "Unrecognized sentinel configuration statement."},
    {M "sentinel down-after-milliseconds x 1", 2,
     "No such master with specified name."},
    {M "sentinel down-after-milliseconds M 1", 2,
     "No such master with specified name."},
    {M "sentinel failover-timeout m 0", 2, "negative or zero time parameter."},
    {M "sentinel failover-timeout m 1", 0, NULL},
    {M "sentinel parallel-syncs m 0", 0, NULL},
    {M "sentinel parallel-syncs m -1", 0, NULL},
    {M "sentinel parallel-syncs m x", 0, NULL},
    {M "sentinel parallel-syncs m", 2,
     "Unrecognized sentinel configuration statement."},
    {M "sentinel quorum m 2", 2, "Unrecognized sentinel configuration statement."},
    {M "sentinel notification-script m /nonexistent", 2,
     "Notification script seems non existing or non executable."},
    {M "sentinel notification-script m /bin/true", 0, NULL},
    {M "sentinel notification-script m /etc/passwd", 2,
     "Notification script seems non existing or non executable."},
    {M "sentinel notification-script m \"\"", 2,
     "Notification script seems non existing or non executable."},
    {M "sentinel client-reconfig-script m /nonexistent", 2,
     "Client reconfiguration script seems non existing or non executable."},
    {M "sentinel client-reconfig-script m /bin", 0, NULL},
    {M "sentinel client-reconfig-script x /nonexistent", 2,
     "No such master with specified name."},
    {M "sentinel auth-pass m p", 0, NULL},
    {M "sentinel auth-pass m \"a b\"", 0, NULL},
    {M "sentinel auth-pass m \"\"", 0, NULL},
    {M "sentinel auth-pass m", 2, "Unrecognized sentinel configuration statement."},
    {M "sentinel auth-pass m a b", 2, "Unrecognized sentinel configuration statement."},
    {M "sentinel auth-user m u", 0, NULL},
    {M "sentinel master-reboot-down-after-period m 0", 0, NULL},
    {M "sentinel master-reboot-down-after-period m -1", 2, "negative time parameter."},
    {M "sentinel rename-command m CONFIG X", 0, NULL},
    {M "sentinel rename-command m CONFIG X\nsentinel rename-command m config Y", 3,
     "Same command renamed multiple times with rename-command."},
    {M "sentinel rename-command m CONFIG", 2,
     "Unrecognized sentinel configuration statement."},
    {M "sentinel rename-command m CONFIG \"\"", 0, NULL},
    {M "sentinel rename-command m CONFIG CONFIG", 0, NULL},
    {M "sentinel config-epoch m 5", 0, NULL},
    {M "sentinel config-epoch m x", 0, NULL},
    {M "sentinel config-epoch m -1", 0, NULL},
    {M "sentinel leader-epoch m 5", 0, NULL},
    {M "sentinel config-epoch x 5", 2, "No such master with specified name."},
    {M "sentinel config-epoch m", 2, "Unrecognized sentinel configuration statement."},
    {M "sentinel known-replica m 127.0.0.1 6380", 0, NULL},
    {M "sentinel known-slave m 127.0.0.1 6380", 0, NULL},
    {M
     "sentinel known-replica m 127.0.0.1 6380\nsentinel known-replica m 127.0.0.1 6380",
     3, "Duplicate hostname and port for replica."},
    {M "sentinel known-slave m 127.0.0.1 6380\nsentinel known-replica m 127.0.0.1 6380",
     3, "Duplicate hostname and port for replica."},
    {M "sentinel known-replica m 127.0.0.1 6379", 0, NULL},
    {M "sentinel known-replica m 127.0.0.1 99999", 2, "Invalid port number."},
    {M "sentinel known-replica m nosuch.invalid 6380", 2,
     "Can't resolve instance hostname."},
    {M "sentinel known-replica m", 2, "Unrecognized sentinel configuration statement."},
    {M "sentinel known-replica x 127.0.0.1 6380", 2,
     "No such master with specified name."},
    {M "sentinel known-replica m 127.0.0.1 6380 x", 2,
     "Unrecognized sentinel configuration statement."},
    {M "sentinel known-replica m 127.1 6380\nsentinel known-replica m 127.0.0.1 6380",
     3, "Duplicate hostname and port for replica."},
    {M "sentinel known-replica m 127.0.0.1 0", 0, NULL},
    {M "sentinel known-sentinel m 127.0.0.1 26380", 0, NULL},
    {M "sentinel known-sentinel m 127.0.0.1 26380 " ID_A, 0, NULL},
    {M "sentinel known-sentinel m 127.0.0.1 26380 " ID_A
       "\nsentinel known-sentinel m 127.0.0.1 26380 " ID_A "\n",
     3, "Duplicate runid for sentinel."},
    {M "sentinel known-sentinel m 127.0.0.1 26380 short", 0, NULL},
    {M "sentinel known-sentinel m 127.0.0.1 99999 " ID_A, 2, "Invalid port number."},
    {M "sentinel known-sentinel m nosuch.invalid 26380 " ID_A, 2,
     "Can't resolve instance hostname."},
    {M "sentinel known-sentinel m 127.0.0.1", 2,
     "Unrecognized sentinel configuration statement."},
    {M "sentinel known-sentinel x 127.0.0.1 26380 " ID_A, 2,
     "No such master with specified name."},
    {M "sentinel known-sentinel x 127.0.0.1 26380", 0, NULL},
    {M "sentinel known-sentinel m 127.0.0.1 26380 " ID_A
       "\nsentinel known-sentinel m 127.0.0.1 26380 " ID_B,
     0, NULL},
    {M "sentinel known-sentinel m 127.0.0.1 26380 a b", 2,
     "Unrecognized sentinel configuration statement."},
    {"sentinel myid 0000000000000000000000000000000000000000", 0, NULL},
    {"sentinel myid abc", 1, "Malformed Sentinel id in myid option."},
    {"sentinel myid zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 0, NULL},
    {"sentinel myid", 1, "Unrecognized sentinel configuration statement."},
    {"sentinel current-epoch 5", 0, NULL},
    {"sentinel current-epoch x", 0, NULL},
    {"sentinel current-epoch -1", 0, NULL},
    {"sentinel current-epoch", 1, "Unrecognized sentinel configuration statement."},
    {"sentinel announce-ip 1.2.3.4", 0, NULL},
    {"sentinel announce-ip \"\"", 0, NULL},
    {"sentinel announce-ip", 1, "Unrecognized sentinel configuration statement."},
    {"sentinel announce-ip not-an-ip", 0, NULL},
    {"sentinel announce-ip \"a b\"", 0, NULL},
    {"sentinel announce-port 99999", 0, NULL},
    {"sentinel announce-port x", 0, NULL},
    {"sentinel announce-port -5", 0, NULL},
    {"sentinel announce-port", 1, "Unrecognized sentinel configuration statement."},
    {"sentinel sentinel-user u", 0, NULL},
    {"sentinel sentinel-pass \"\"", 0, NULL},
    {"sentinel sentinel-pass a b", 1, "Unrecognized sentinel configuration statement."},
    {"sentinel gossip-secret 'sixteen or  more'", 0, NULL},
    {"sentinel gossip-auth require\nsentinel gossip-secret 'sixteen or  more'", 0,
     NULL},
    {"sentinel gossip-secret \"\"\nsentinel gossip-auth prefer", 0, NULL},
    {"sentinel gossip-secret fifteen..bytes.", 1,
     "gossip-secret must have 16 to 256 bytes, it has 15"},
    {"sentinel gossip-secret-also short", 1,
     "gossip-secret-also must have 16 to 256 bytes, it has 5"},
    {"port 1\nsentinel gossip-auth require", 2,
     "gossip-auth require needs a gossip-secret"},
    {"sentinel gossip-auth maybe", 1,
     "Please specify off, prefer or require for the gossip-auth option."},
    {"sentinel known-signer short", 0, NULL},
    {"sentinel deny-scripts-reconfig yes", 0, NULL},
    {"sentinel deny-scripts-reconfig maybe", 1,
     "Please specify yes or no for the deny-scripts-reconfig options."},
    {"sentinel deny-scripts-reconfig", 1,
     "Unrecognized sentinel configuration statement."},
    {"sentinel resolve-hostnames 1", 1,
     "Please specify yes or no for the resolve-hostnames option."},
    {"sentinel announce-hostnames x", 1,
     "Please specify yes or no for the announce-hostnames option."},
    {"sentinel announce-hostnames YES", 0, NULL},
    {"sentinel x\nsentinel monitor m 127.0.0.1 6379 2\nsentinel monitor m 127.0.0.1 "
     "6379 2\n",
     3, "Duplicate master name."},
    {"sentinel monitor m\nsentinel myid abc", 2,
     "Malformed Sentinel id in myid option."},
    {"sentinel myid abc\nnosuch 1", 2, "Bad directive or wrong number of arguments"},
    {"sentinel x\nsentinel monitor m 127.0.0.1 6379 0", 2,
     "Quorum must be 1 or greater."},
    {"sentinel monitor m \"abc\n", 1, "Unbalanced quotes in configuration line"},
    {"sentinel down-after-milliseconds m 0\nsentinel monitor m 127.0.0.1 6379 2\n", 1,
     "negative or zero time parameter."},
    {"# c\n\n  sentinel   monitor  m   127.0.0.1  6379   0  ", 3,
     "Quorum must be 1 or greater."},
    {M "sentinel down-after-milliseconds \"m\" \"abc\" ", 2,
     "negative or zero time parameter."},
    {"bind \"127.0.0.1 ::1\"", 0, NULL},
    {"save \"900 1 300 10\"", 0, NULL},
    {"client-output-buffer-limit \"normal 0 0 0\"", 0, NULL},
    {"client-output-buffer-limit \"normal 0 0\"", 1,
     "Wrong number of arguments in buffer limit configuration."},
    {"client-query-buffer-limit \"\"", 1,
     "argument must be between 1048576 and 9223372036854775807 inclusive"},
    {"maxmemory \"\"", 0, NULL},
    {"timeout \"\"", 1, "argument couldn't be parsed into an integer"},
    {"client-output-buffer-limit normal 1kbx 0 0", 1,
     "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
    {"port\01126380", 0, NULL},
    {"unixsocketperm \"\"", 0, NULL},
    {"unixsocketperm -1", 1, "argument must be between 0 and 777 inclusive"},
    {".", 1, "Module config specified without value"},
    {". 1", 0, NULL},
    {"\"foo.bar\" 1", 0, NULL},
    {"tls-port 70000", 1, "argument must be between 0 and 65535 inclusive"},
    {"\"port 1", 1, "Unbalanced quotes in configuration line"},
    {"po\"rt 1", 1, "Unbalanced quotes in configuration line"},
    {"por\"t\" 1 2", 1, "wrong number of arguments"},
    {"bind -", 0, NULL},
    {"loglevel \"no\\x74ice\"", 0, NULL},
    {"requirepass a\"b", 1, "Unbalanced quotes in configuration line"},
    {"requirepass \"\\xZZ\"", 0, NULL},
    {"a:b.c=d 1", 0, NULL},
    {"a:b.c=d", 1, "Module config specified without value"},
    {"\"a b\" c", 1, "Bad directive or wrong number of arguments"},
    {";port 1", 1, "Bad directive or wrong number of arguments"},
    {"port 1;", 1, "argument couldn't be parsed into an integer"},
    {"? port 1", 1, "Bad directive or wrong number of arguments"},
    {"?=port 1", 1, "Bad directive or wrong number of arguments"},
    {"timeout -0", 1, "argument couldn't be parsed into an integer"},
    {"timeout 00", 1, "argument couldn't be parsed into an integer"},
    {"databases x", 1, "argument couldn't be parsed into an integer"},
    {"appendonly maybe", 1, "argument must be 'yes' or 'no'"},
    {"maxmemory 1x", 1, "argument must be a memory value"},
    {"min-slaves-to-write", 1, "wrong number of arguments"},
    {"slowlog-max-len 5 6", 1, "wrong number of arguments"},
    {"\357\273\277port 1", 1, "Bad directive or wrong number of arguments"},
    {"repl-backlog-size 1mb", 0, NULL},
    {"sentinel monitor m 127.0.0.1 6379 2\013", 0, NULL},
    {"timeout 99999999999", 1, "argument must be between 0 and 2147483647 inclusive"},
    {M "sentinel config-epoch m 99999999999999999999", 0, NULL},
    {"client-output-buffer-limit normal 1 1 99999999999", 0, NULL},
    {"proc-title-template {foo}", 1, TITLE},
    {"proc-title-template \"\"", 1, TITLE},
    {"proc-title-template \"x {title\"", 1, TITLE},
    {"proc-title-template \"x{}y\"", 1, TITLE},
    {"proc-title-template {unixsocket}", 1, TITLE},
    {"proc-title-template {title}", 1, TITLE},
    {"unixsocket /a\nproc-title-template {unixsocket}", 0, NULL},
    {"proc-title-template \"a }b\"", 0, NULL},
    {"proc-title-template \"{title} {port} {tls-port} {config-file}\"", 0, NULL},
    {"proc-title-template a b", 1, "wrong number of arguments"},
    {"set-proc-title maybe", 1, "argument must be 'yes' or 'no'"},
    {"crash-log-enabled maybe", 1, "argument must be 'yes' or 'no'"},
    {"socket-mark-id -1", 1, "argument must be between 0 and 4294967295 inclusive"},
    {"socket-mark-id 4294967296", 1,
     "argument must be between 0 and 4294967295 inclusive"},
    {"socket-mark-id 4294967295", 0, NULL},
    {"socket-mark-id x", 1, "argument couldn't be parsed into an integer"},
};

static const struct row departures[] = {
    /* the levels of Redis 7.4 */
    {"loglevel notice;", 1, LEVELS},
    {"  port 1 \r\n  loglevel x  ", 2, LEVELS},
    {"loglevel nothing", 0, NULL},
    /* directives without effect are not examined closely: versions differ */
    {"save a b", 0, NULL},
    {"replicaof 127.0.0.1 x", 0, NULL},
    {"oom-score-adj-values 0 a 800", 0, NULL},
    {"shutdown-on-sigterm save nosave", 0, NULL},
    {"maxmemory-policy foo", 0, NULL},
    {"appendfsync foo", 0, NULL},
    {"databases 0", 0, NULL},
    {"dbfilename a/b", 0, NULL},
    {"loadmodule", 0, NULL},
    /* names of newer versions */
    {"log-format logfmt\nlog-timestamp-format milliseconds", 0, NULL},
    {"server-cpulist 0-3\nlocale-collate \"\"", 0, NULL},
    {"availability-zone a\nevents-per-io-thread 2", 0, NULL},
    {M "sentinel primary-reboot-down-after-period m 5", 0, NULL},
    {M "sentinel forget-replica-after m 5", 0, NULL},
    {M "sentinel forget-replica-after m 0", 0, NULL},
    {M "sentinel tls m YES", 0, NULL},
    {M "sentinel tls m maybe", 2, "Please specify yes or no for the tls option."},
    {"sentinel tls-verify-hostname yes", 0, NULL},
    {"sentinel tls-verify-hostname 1", 1,
     "Please specify yes or no for the tls-verify-hostname option."},
    {M "sentinel forget-replica-after m -1", 2, "negative time parameter."},
    /* whoever reads these checks them */
    {"rename-command GET \"\"", 0, NULL},
    {"user alice foo", 0, NULL},
    /* no address will ever come of these */
    {"sentinel resolve-hostnames yes\nsentinel monitor m \"a b\" 6379 2", 2, RESOLVE},
    {"sentinel resolve-hostnames yes\nsentinel monitor m \"\" 6379 2", 2, RESOLVE},
    /* a NUL would cut the value short */
    {"requirepass \"a\\x00b\"", 1, "NUL byte in configuration line"},
    {M "sentinel auth-pass m \"a\\x00b\"", 2, "NUL byte in configuration line"},
};

/* Reads |text| from a file, as the program does, and applies it. */
static int load(const char *text, struct conf_error *error)
{
    char path[] = "/tmp/check_conf_XXXXXX";
    int fd = mkstemp(path);
    size_t len = strlen(text);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
    close(fd);
    struct conf *conf = conf_new();
    struct core *core = core_new(1);
    core_use_mac(core, mac_fake);
    *error = (struct conf_error){0};
    int rc = conf_read_file(conf, path, error);
    if (rc == 0)
        rc = conf_apply(conf, core, error);
    core_free(core);
    conf_free(conf);
    unlink(path);
    return rc;
}

/* The |n|-th line of |text|, trimmed as the error message has it. */
static const char *line_of(const char *text, int n, char out[512])
{
    while (--n > 0)
        text = strchr(text, '\n') + 1;
    text += strspn(text, " \t\r");
    size_t len = strcspn(text, "\n");
    while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL)
        len--;
    snprintf(out, 512, "%.*s", (int)len, text);
    return out;
}

static void check_row(const struct row *row)
{
    struct conf_error error;
    char line[512];

    int rc = load(row->text, &error);
    if (row->reason == NULL) {
        ck_assert_msg(rc == 0, "refused: %s: %s", row->text, error.reason);
        return;
    }
    ck_assert_msg(rc != 0, "accepted: %s", row->text);
    ck_assert_msg(strcmp(error.reason, row->reason) == 0, "%s\ngot  %s\nwant %s",
                  row->text, error.reason, row->reason);
    ck_assert_msg(error.line == row->line, "%s\nline %d", row->text, error.line);
    if (row->line > 0)
        ck_assert_str_eq(error.text, line_of(row->text, row->line, line));
}

START_TEST(as_stock)
{
    check_row(&rows[_i]);
}
END_TEST

START_TEST(better_than_stock)
{
    check_row(&departures[_i]);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("conf_corpus");
    TCase *tcase = tcase_create("corpus");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, as_stock, 0, (int)(sizeof rows / sizeof rows[0]));
    tcase_add_loop_test(tcase, better_than_stock, 0,
                        (int)(sizeof departures / sizeof departures[0]));
    suite_add_tcase(suite, tcase);
    return suite;
}

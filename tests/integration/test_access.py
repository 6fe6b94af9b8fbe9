"""Passwords and rights, with users of real servers: what is refused is named, with the
rule that allows it, and nothing looks dead because of it."""

import re
import signal

from procs import free_of_errors, until

# All that a sentinel needs of a data server.
RIGHTS = ("resetchannels &__sentinel__:hello -@all +ping +info +publish +subscribe "
          "+client|setname +client|kill +multi +exec +slaveof +config|rewrite "
          "+script|kill")
LOGIN = ["sentinel auth-user mymaster watch", "sentinel auth-pass mymaster w1"]


def group_of(t, kinds, **options):
    return t.group(kinds, server_lines=[f"user watch on >w1 {RIGHTS}"], lines=LOGIN,
                   **options)


def connection(server, name):
    """The id of the sentinel's connection to |server|."""
    found = re.findall(rf"^id=(\d+) .*name=sentinel-\w+-{name}\b",
                       server.call("CLIENT", "LIST"), re.MULTILINE)
    return found[0] if len(found) == 1 else None


def error_of(sentinel):
    return sentinel.master().get("auth-error", "")


def test_access_smallest_rights(t):
    """A user with no right too many: failover, demotion, and not one warning."""
    group = group_of(t, ["ours"] * 3).start()
    old = group.master.port
    group.master.kill()
    group.wait_switch(old)
    group.by_port(old).start().wait_answers()
    group.wait_agreement()
    for sentinel in group.sentinels:
        assert "refused" not in sentinel.log(), sentinel.log()
        assert not free_of_errors(sentinel)
        for row in [sentinel.master(), *sentinel.replicas(), *sentinel.peers()]:
            assert "auth-error" not in row, row


def test_access_monitor_first_password_later(t):
    """apache/kvrocks#3267: it works at once, without RESET."""
    group = t.group(["ours"], n_replicas=1, password="pw")
    sentinel = group.sentinels[0]
    text = sentinel.conf.read_text()
    sentinel.conf.write_text(re.sub(r"(?m)^sentinel .*\n", "", text))
    for server in group.servers:
        server.start().wait_answers()
    until(lambda: group.replicas[0].follows(group.master.port), 15, "in sync")
    sentinel.start().wait_answers()
    sentinel.sentinel("MONITOR", "mymaster", "127.0.0.1", str(group.master.port), "1")
    until(lambda: "NOAUTH" in error_of(sentinel), 5, "it says what is missing")
    assert "disconnected" in sentinel.master()["flags"]
    assert sentinel.sentinel("SET", "mymaster", "auth-pass", "pw") == "OK"
    until(lambda: group.sees_all(sentinel), 5, "all is seen")
    assert error_of(sentinel) == ""
    sentinel.wait_log("was refused: NOAUTH")
    log = sentinel.log()
    assert log.count("was refused: NOAUTH") == 1 and "+sdown" not in log, log


def test_access_new_password_without_a_gap(t):
    """The connection in use is not cut; stock cuts it."""
    for kind in ("stock", "ours"):
        group = group_of(t, [kind], n_replicas=1, quorum=1, down_after=1000).start()
        sentinel = group.sentinels[0]
        before = [connection(s, "cmd") for s in group.servers]
        assert all(before)
        for server in group.servers:
            server.call("ACL", "SETUSER", "watch", "resetpass", ">w2")
        sentinel.sentinel("SET", "mymaster", "auth-pass", "w2")
        until(lambda g=group, s=sentinel: g.sees_all(s), 15, "all is seen")
        after = [connection(s, "cmd") for s in group.servers]
        assert (after == before) == (kind == "ours"), (kind, before, after)
        if kind == "ours":
            # What comes new has to use it.
            for server in group.servers:
                server.call("CLIENT", "KILL", "TYPE", "normal")
            until(lambda: all(connection(s, "cmd") not in (None, *before)
                              for s in group.servers), 10, "new connections")
            until(lambda g=group, s=sentinel: g.sees_all(s), 15, "all is seen")
            assert "refused" not in sentinel.log()
            assert "+sdown" not in sentinel.log()


def test_access_wrong_password(t):
    group = group_of(t, ["ours"], n_replicas=1, quorum=1, down_after=1000).start()
    sentinel = group.sentinels[0]
    sentinel.sentinel("SET", "mymaster", "auth-pass", "no")
    until(lambda: error_of(sentinel).startswith("AUTH: WRONGPASS"), 5, "it is named")
    pings = sentinel.master()["last-ok-ping-reply"]
    assert sentinel.master()["flags"] == "master"
    until(lambda: int(sentinel.master()["last-ok-ping-reply"]) < int(pings) + 500, 5,
          "and watched all the same")
    until(lambda: sentinel.log().count("AUTH to the server") == 2, 5, "twice is enough")
    # One SET with both: only the pair counts, and nothing is refused on the way.
    for server in group.servers:
        server.call("ACL", "SETUSER", "other", "on", ">o1", *RIGHTS.split())
    mark = sentinel.mark()
    sentinel.sentinel("SET", "mymaster", "auth-user", "other", "auth-pass", "o1")
    until(lambda: error_of(sentinel) == "", 5, "no error is left")
    sentinel.wait_log("AUTH to the server at 127.0.0.1:"
                      f"{group.master.port} is not refused any more")
    assert "was refused" not in sentinel.log()[mark:]
    assert "+sdown" not in sentinel.log()


def test_access_each_right_that_is_missing(t):
    """The rule in the message is what puts it right."""
    group = group_of(t, ["ours"], n_replicas=1, quorum=1, down_after=30000).start()
    sentinel, master = group.sentinels[0], group.master
    for rule, command, kill in (
            ("-publish", "PUBLISH", None), ("-info", "INFO", None),
            ("-ping", "PING", None), ("-client|setname", "CLIENT SETNAME", "normal"),
            ("-subscribe", "SUBSCRIBE", "pubsub"),
            ("resetchannels", "SUBSCRIBE", "pubsub")):
        mark = sentinel.mark()
        master.call("ACL", "SETUSER", "watch", rule)
        if kill:
            master.call("CLIENT", "KILL", "TYPE", kill)
        until(lambda c=command: f"{c}: NOPERM" in error_of(sentinel), 20, rule)
        assert sentinel.master()["flags"] == "master", (rule, sentinel.master())
        text = error_of(sentinel)
        user, advice = re.search(r"ACL SETUSER (\S+) ([^)]+)\)", text).groups()
        master.call("ACL", "SETUSER", user, advice)
        if command == "CLIENT SETNAME":  # said once for each connection
            master.call("CLIENT", "KILL", "TYPE", kill)
        until(lambda: error_of(sentinel) == "", 20, f"{advice} puts it right")
        log = sentinel.log()[mark:]
        assert log.count(f"{command} to the server at 127.0.0.1:{master.port} was "
                         "refused: NOPERM") == 1, log
    assert "+sdown" not in sentinel.log()


def test_access_without_a_subscription(t):
    """Such a replica is watched, shown as connected, and promoted. Stock shows it as
    disconnected for good."""
    for kind in ("stock", "ours"):
        group = t.group([kind], n_replicas=1, quorum=1, down_after=3000, lines=LOGIN,
                        server_lines=[f"user watch on >w1 {RIGHTS} resetchannels"])
        for server in group.servers:
            server.start().wait_answers()
        until(lambda g=group: g.replicas[0].follows(g.master.port), 15, "in sync")
        sentinel = group.sentinels[0].start().wait_answers()
        until(lambda s=sentinel: s.replicas()[0]["master-link-status"] == "ok", 15,
              "the replica is known")
        replica = sentinel.replicas()[0]
        if kind == "stock":
            until(lambda s=sentinel: "disconnected" in s.replicas()[0]["flags"], 5,
                  "stock calls it disconnected")
            continue
        assert replica["flags"] == "slave", replica
        assert "&__sentinel__:hello" in replica["auth-error"], replica
        old = group.master.port
        group.master.kill()
        group.wait_switch(old)


def promote_without(t, kind, rule, failover_timeout=20000):
    group = group_of(t, [kind], n_replicas=1, quorum=1, down_after=1000,
                     failover_timeout=failover_timeout).start()
    replica = group.replicas[0]
    replica.call("ACL", "SETUSER", "watch", rule)
    group.master.kill()
    return group, group.sentinels[0], replica


def test_access_missing_rights_cost_no_failover(t):
    """In stock the transaction is refused as a whole, and the failover given up."""
    _, sentinel, _ = promote_without(t, "stock", "-config|rewrite", 3000)
    sentinel.wait_event("-failover-abort-slave-timeout", timeout=30)
    for rule, advice in (("-config|rewrite", "+config|rewrite"),
                         ("-client|kill", "+client|kill"), ("-multi", "+multi"),
                         ("-exec", "+exec")):
        group, sentinel, replica = promote_without(t, "ours", rule)
        assert group.wait_switch(group.master.port) == replica
        until(lambda r=replica: r.info()["role"] == "master", 5, "promoted")
        assert f"(allowed there by: ACL SETUSER watch {advice})" in sentinel.log()
        assert "-failover-abort" not in sentinel.log(), sentinel.log()


def test_access_replica_that_may_not_be_promoted(t):
    """There is another: it takes milliseconds to find that out."""
    group = group_of(t, ["ours"], n_replicas=2, quorum=1, down_after=1000)
    for server, priority in zip(group.replicas, (1, 100)):
        server.conf.write_text(server.conf.read_text()
                               + f"replica-priority {priority}\n")
    group.start()
    group.replicas[0].call("ACL", "SETUSER", "watch", "-slaveof")
    group.master.kill()
    assert group.wait_switch(group.master.port) == group.replicas[1]
    sentinel = group.sentinels[0]
    first = sentinel.wait_event("+selected-slave", f":{group.replicas[0].port} ")
    assert first
    assert "ACL SETUSER watch +slaveof" in sentinel.log()


def test_access_between_sentinels(t):
    """The same for peers: password, new password, missing right."""
    rights = ("user peer on >p1 resetchannels &__sentinel__:hello -@all +ping +publish "
              "+client|setname +sentinel|myid +sentinel|get-master-addr-by-name")
    group = t.group(["ours", "ours"], n_replicas=1, down_after=1000)
    asker, asked = group.sentinels
    asked.conf.write_text(asked.conf.read_text() + rights + "\n")
    asker.conf.write_text(asker.conf.read_text() + "sentinel sentinel-user peer\n"
                          "sentinel sentinel-pass no\n")
    # |asked| needs no password of |asker|, but has one for it: that is said, too.
    # Nobody can be promoted, so that the incident lasts.
    replica = group.replicas[0]
    replica.conf.write_text(replica.conf.read_text() + "replica-priority 0\n")
    for server in group.servers:
        server.start().wait_answers()
    for sentinel in group.sentinels:
        sentinel.start().wait_answers()
    def error():
        return asker.peers()[0].get("auth-error", "")
    until(lambda: error().startswith("AUTH: WRONGPASS"), 20, "the peer refuses it")
    assert "see 'sentinel sentinel-user' and 'sentinel-pass'" in error()
    assert asker.sentinel("CONFIG", "SET", "sentinel-pass", "p1") == "OK"
    until(lambda: error() == "", 5, "used at once")
    assert "+sdown sentinel" not in asker.log()
    group.master.signal(signal.SIGSTOP)
    until(lambda: "ACL SETUSER peer +sentinel|is-master-down-by-addr" in error(), 15,
          "the question is refused")
    asked.call("ACL", "SETUSER", "peer", "+sentinel|is-master-down-by-addr")
    asker.wait_event("+odown", timeout=20)
    until(lambda: error() == "", 5, "and allowed")

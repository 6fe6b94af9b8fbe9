"""Groups in which our sentinels and the distribution's stock ones watch together."""

import shutil

from procs import free_of_errors, until

# The wanted leader looks sooner and needs nobody's opinion to begin; the votes it
# needs are those of the others all the same.
EARLY, LATE = 1500, 4000


def mixed(t, kinds, leader_kind=None, **options):
    """A group in which the first sentinel of |leader_kind| begins, and that one."""
    if leader_kind is None:
        # with stock's period of 1 s for PING a shorter time makes it see ghosts
        return t.group(kinds, down_after=2500, **options).start(), None
    first = kinds.index(leader_kind)
    group = t.group(kinds, down_after=[EARLY if n == first else LATE
                                       for n in range(len(kinds))],
                    quorum=[1 if n == first else 2 for n in range(len(kinds))],
                    **options).start()
    return group, group.sentinels[first]


def check_no_errors(group):
    for sentinel in group.sentinels:
        assert free_of_errors(sentinel) == [], (sentinel.name, free_of_errors(sentinel))


def check_votes(group, leader):
    """A majority voted for the leader in its epoch, and who did not stood itself; the
    leader heard of it."""
    epoch = leader.master()["config-epoch"]

    def voted(sentinel, candidate):
        return sentinel.find_event("+vote-for-leader", f"{candidate.myid()} {epoch}")

    for s in group.sentinels:
        until(lambda: voted(s, leader) or voted(s, s), 15,
              f"{s.name} votes for {leader.myid()} or itself in {epoch}")
    n_votes = sum(voted(s, leader) is not None for s in group.sentinels)
    assert n_votes > len(group.sentinels) / 2, n_votes
    heard = [s for s in group.sentinels if s is not leader and
             f"{s.myid()} voted for {leader.myid()} {epoch}" in leader.log()]
    assert heard, "the leader's log names no voter"


def check_discovery(group):
    ids = {s.myid(): s for s in group.sentinels}
    assert len(ids) == len(group.sentinels)
    for sentinel in group.sentinels:
        for peer in sentinel.peers():
            other = ids[peer["name"]]
            assert (peer["ip"], int(peer["port"])) == ("127.0.0.1", other.port)
        known = {r["name"] for r in sentinel.replicas()}
        assert known == {f"127.0.0.1:{s.port}" for s in group.replicas}


def fail_over_and_return(group, leader):
    check_discovery(group)
    old = group.master
    old.call("SET", "before", "kept")
    until(lambda: all(s.call("GET", "before") == "kept" for s in group.replicas), 5,
          "the write is replicated")
    old.kill()
    new = group.wait_switch(old.port)
    if leader is not None:
        assert group.leader() is leader, group.leader().name
    check_votes(group, group.leader())
    assert new.call("GET", "before") == "kept"
    for sentinel in group.sentinels:
        sentinel.wait_event("+sdown", f"slave 127.0.0.1:{old.port} ")
    old.start().wait_answers()
    for sentinel in group.sentinels:
        sentinel.wait_event("-sdown", f"slave 127.0.0.1:{old.port} ")
    assert group.wait_agreement() is new
    group.wait_ready(60)
    check_no_errors(group)
    return new


def test_mixed_1_ours_2_stock_ours_leads(t):
    fail_over_and_return(*mixed(t, ["ours", "stock", "stock"], "ours"))


def test_mixed_1_ours_2_stock_stock_leads(t):
    fail_over_and_return(*mixed(t, ["ours", "stock", "stock"], "stock"))


def test_mixed_2_ours_1_stock_ours_leads(t):
    fail_over_and_return(*mixed(t, ["ours", "ours", "stock"], "ours"))


def test_mixed_2_ours_1_stock_stock_leads(t):
    fail_over_and_return(*mixed(t, ["ours", "ours", "stock"], "stock"))


def test_mixed_same_settings_quorum_2(t):
    """Nobody is preferred: agreement on "down" needs an answer of the other kind."""
    group, _ = mixed(t, ["ours", "stock", "stock"])
    fail_over_and_return(group, None)


def test_mixed_opinions_both_ways(t):
    """One of each, quorum 2: each reaches +odown only by the other's answer."""
    group = t.group(["ours", "stock"], quorum=2, down_after=2500).start()
    group.master.kill()
    group.wait_switch(group.master.port, timeout=60)
    led = group.leader()
    led.wait_event("+odown", "#quorum 2/2")


def manual(t, kinds, leader):
    group = t.group(kinds, down_after=2500).start()
    old, sentinel = group.master, group.sentinels[leader]
    sentinel.sentinel("FAILOVER", "mymaster")
    new = group.wait_switch(old.port)
    assert group.leader() is sentinel
    assert group.wait_agreement() is new
    check_no_errors(group)


def test_mixed_manual_failover_by_ours(t):
    manual(t, ["ours", "stock", "stock"], 0)


def test_mixed_manual_failover_by_stock(t):
    manual(t, ["stock", "ours", "ours"], 0)


def test_mixed_stock_and_ours_exchange_files(t):
    """After a failover each continues from the other's configuration file."""
    group, _ = mixed(t, ["ours", "stock", "stock"], "ours", failover_timeout=4000)
    old = group.master
    old.kill()
    new = group.wait_switch(old.port)
    old.start().wait_answers()
    group.wait_agreement()
    ours, stock = group.sentinels[:2]
    before = {s: (s.myid(), s.master()["config-epoch"],
                  sorted(r["name"] for r in s.replicas()),
                  sorted(p["name"] for p in s.peers())) for s in (ours, stock)}
    for sentinel in (ours, stock):
        assert sentinel.stop() == 0
        shutil.copy(sentinel.conf, sentinel.dir / "before.conf")
        sentinel.kind = {"ours": "stock", "stock": "ours"}[sentinel.kind]
    for sentinel in (ours, stock):
        sentinel.start().wait_answers()
        now = (sentinel.myid(), sentinel.master()["config-epoch"],
               sorted(r["name"] for r in sentinel.replicas()),
               sorted(p["name"] for p in sentinel.peers()))
        assert now == before[sentinel], (now, before[sentinel])
        assert sentinel.address() == new.port
    group.wait_ready(60)
    marks = group.marks()
    new.kill()
    group.wait_switch(new.port, marks, timeout=60)
    check_no_errors(group)


def test_mixed_rows_have_the_same_fields(t):
    """SENTINEL MASTER, REPLICAS and SENTINELS: names and order as stock's."""
    group, _ = mixed(t, ["ours", "stock"])
    ours, stock = group.sentinels

    def names(sentinel, *words):
        reply = sentinel.sentinel(*words, "mymaster")
        flat = reply if isinstance(reply[0], str) else reply[0]
        return flat[::2]
    for command in ("MASTER", "REPLICAS", "SENTINELS"):
        assert names(ours, command) == names(stock, command), command

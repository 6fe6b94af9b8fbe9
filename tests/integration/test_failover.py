"""Automatic and manual failovers with our own sentinels and real servers."""

import signal
import threading

from procs import free_of_errors, until

# Issue: what killing the master yields, in this order, with one sentinel.
FULL_ORDER = """+sdown +odown +new-epoch +try-failover +vote-for-leader
    +elected-leader +failover-state-select-slave +selected-slave
    +failover-state-send-slaveof-noone +failover-state-wait-promotion +promoted-slave
    +failover-state-reconf-slaves +slave-reconf-sent +slave-reconf-inprog
    +slave-reconf-done +failover-end +switch-master +slave +slave""".split()


def expected_texts(name, old, new, other, sentinel_id):
    """The full text of each event of FULL_ORDER."""
    master = f"master {name} 127.0.0.1 {old}"

    def slave(port, of):
        return (f"slave 127.0.0.1:{port} 127.0.0.1 {port} @ {name} 127.0.0.1 {of}")
    return [master, f"{master} #quorum 1/1", "1", master, f"{sentinel_id} 1", master,
            master, *[slave(new, old)] * 4, master, *[slave(other, old)] * 3, master,
            f"{name} 127.0.0.1 {old} 127.0.0.1 {new}",
            {slave(other, new), slave(old, new)}, {slave(other, new), slave(old, new)}]


def in_usual_order(events):
    """+switch-master comes 100 ms after the promotion when the replicas take longer
    (decisions/0015); here it is put where it is when they do not."""
    names = [e.name for e in events]
    at = names.index("+switch-master")
    if "+failover-end" not in names[at:]:
        return events
    assert at > names.index("+slave-reconf-sent"), events
    rest = events[:at] + events[at + 1:]
    end = 1 + [e.name for e in rest].index("+failover-end")
    return rest[:end] + [events[at]] + rest[end:]


def test_event_order(t):
    """One sentinel, one master, two replicas: every event, its text and its order."""
    group = t.group(["ours"], name="master", quorum=1, down_after=2000).start()
    sentinel, old = group.sentinels[0], group.master
    mark = sentinel.mark()
    old.kill()
    new = group.wait_switch(old.port)
    other = next(s for s in group.replicas if s is not new)
    sentinel.wait_event("+sdown", f"slave 127.0.0.1:{old.port} ", mark)
    events = in_usual_order(sentinel.events(mark))
    assert [e.name for e in events] == FULL_ORDER + ["+sdown"], events
    texts = expected_texts("master", old.port, new.port, other.port, sentinel.myid())
    for event, text in zip(events, texts):
        wanted = text if isinstance(text, set) else {text}
        assert event.text in wanted, (event, wanted)
    assert events[-3].text != events[-2].text

    mark = sentinel.mark()
    old.start().wait_answers()
    sentinel.wait_event("-sdown", f"slave 127.0.0.1:{old.port} ", mark)
    sentinel.wait_event("+convert-to-slave", f"slave 127.0.0.1:{old.port} ", mark, 40)
    assert group.wait_agreement() is new
    assert int(new.info()["connected_slaves"]) == 2
    assert free_of_errors(sentinel) == []


def test_three_sentinels(t):
    """Three agree on one new master; clients of each are told; all is saved."""
    group = t.group(["ours"] * 3).start()
    old = group.master
    old.call("SET", "before", "kept")
    until(lambda: all(s.call("GET", "before") == "kept" for s in group.replicas), 5,
          "the write is replicated")
    old.kill()
    new = group.wait_switch(old.port)
    assert new.call("GET", "before") == "kept"
    leader = group.leader()
    for sentinel in group.sentinels:
        votes = [e.text for e in sentinel.events() if e.name == "+vote-for-leader"]
        assert votes[-1].split()[0] == leader.myid() or sentinel is not leader, votes
        if sentinel is not leader:
            sentinel.wait_event("+config-update-from", f"sentinel {leader.myid()} ")
        until(lambda s=sentinel: s.config_lines("monitor") ==
              [f"mymaster 127.0.0.1 {new.port} 2"], 5, "the new address is saved")
        assert sentinel.config_lines("config-epoch", "mymaster") == \
            [str(leader.master()["config-epoch"])]
    old.start().wait_answers()
    assert group.wait_agreement() is new
    new.call("SET", "after", "lands")
    until(lambda: old.call("GET", "after") == "lands", 10, "the old master replicates")
    for sentinel in group.sentinels:
        until(lambda s=sentinel: group.sees_all(s), 30, "all is well again")
        assert free_of_errors(sentinel) == []


def test_two_failovers_in_a_row(t):
    """The new master dies as well; then everybody returns."""
    group = t.group(["ours"] * 3, failover_timeout=3000).start()
    first = group.master
    first.kill()
    second = group.wait_switch(first.port)
    first.start().wait_answers()
    group.wait_agreement()
    group.wait_ready()
    marks = group.marks()
    second.kill()
    third = group.wait_switch(second.port, marks)
    assert third is not second
    second.start().wait_answers()
    assert group.wait_agreement() is third
    epochs = {s.master()["config-epoch"] for s in group.sentinels}
    assert len(epochs) == 1 and int(epochs.pop()) >= 2


def test_leader_dies_in_the_middle(t):
    """The leader crashes right after its election; the two others carry on."""
    group = t.group(["ours"] * 3, failover_timeout=3000).start()
    for sentinel in group.sentinels:
        sentinel.sentinel("SIMULATE-FAILURE", "crash-after-election")
    old = group.master
    old.kill()

    def crashed():
        return [s for s in group.sentinels if not s.alive()]
    until(crashed, 15, "one sentinel crashes after its election")
    dead = crashed()[0]
    assert dead.wait_exit() == 99
    dead.start()
    for sentinel in group.sentinels:
        if sentinel.alive() and sentinel is not dead:
            try:
                sentinel.sentinel("SIMULATE-FAILURE", "help")
            except OSError:
                pass  # it crashed as well meanwhile: restarted below

    def switched():
        for sentinel in group.sentinels:
            if not sentinel.alive():
                sentinel.start()
        return all(s.address() != old.port for s in group.sentinels)
    until(switched, 60, "the group has a new master all the same")
    old.start().wait_answers()
    group.wait_agreement()


def test_manual_failover(t):
    """SENTINEL FAILOVER: nobody is down, the old master is told to follow at once."""
    group = t.group(["ours"] * 3).start()
    old, sentinel = group.master, group.sentinels[1]
    assert sentinel.sentinel("FAILOVER", "mymaster") == "OK"
    new = group.wait_switch(old.port)
    assert new is not old
    until(lambda: old.follows(new.port), 6, "the old master follows the new one")
    assert group.wait_agreement() is new
    sentinel.wait_log("Executing user requested FAILOVER of 'mymaster'")
    for each in group.sentinels:
        assert not each.find_event("+odown"), each.events()
        assert free_of_errors(each) == []


def test_manual_failover_refused(t):
    group = t.group(["ours"], n_replicas=0, quorum=1).start()
    sentinel = group.sentinels[0]
    with sentinel.client() as client:
        assert str(client.attempt("SENTINEL", "FAILOVER", "mymaster")) == \
            "NOGOODSLAVE No suitable replica to promote"
        assert str(client.attempt("SENTINEL", "FAILOVER", "nobody")) == \
            "ERR No such master with that name"


def test_manual_failovers_at_the_same_time(t):
    """Two at once on two sentinels never share an epoch, and the group converges."""
    group = t.group(["ours"] * 3, failover_timeout=4000).start()
    answers = [None, None]
    barrier = threading.Barrier(2)

    def ask(n):
        with group.sentinels[n].client() as client:
            barrier.wait()
            answers[n] = client.attempt("SENTINEL", "FAILOVER", "mymaster")
    threads = [threading.Thread(target=ask, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "OK" in answers, answers
    until(lambda: any(s.find_event("+switch-master") for s in group.sentinels), 20,
          "somebody switches")
    group.wait_agreement()
    promoted = [e for s in group.sentinels for e in s.events()
                if e.name == "+promoted-slave"]
    led = [s for s in group.sentinels if s.find_event("+promoted-slave")]
    epochs = [s.config_lines("config-epoch", "mymaster") for s in led]
    assert promoted, "nobody promoted anything"
    if len(led) == 2:
        begun = [[e.text for e in s.events() if e.name == "+new-epoch"] for s in led]
        assert begun[0] != begun[1], (begun, epochs)


def test_frozen_master(t):
    """SIGSTOP instead of death; the old master wakes up after the failover."""
    group = t.group(["ours"] * 3).start()
    old = group.master
    old.signal(signal.SIGSTOP)
    t.cleanups.append(lambda: None)
    new = group.wait_switch(old.port)
    old.signal(signal.SIGCONT)
    assert group.wait_agreement() is new


def test_no_majority_no_failover(t):
    """Alone of three: +odown by quorum 1, but no promotion, and a retry soon after."""
    group = t.group(["ours"] * 3, quorum=1, failover_timeout=2000).start()
    survivor = group.sentinels[0]
    for other in group.sentinels[1:]:
        other.kill()
    for other in group.sentinels[1:]:
        survivor.wait_event("+sdown", f"sentinel {other.config_lines('myid')[0]} ")
    mark = survivor.mark()
    group.master.kill()
    survivor.wait_event("-failover-abort-not-elected", since=mark, timeout=20)
    assert not survivor.find_event("+elected-leader")
    assert survivor.address() == group.master.port
    for other in group.sentinels[1:]:
        other.start()
    group.wait_switch(group.master.port, timeout=40)


def test_passwords(t):
    """requirepass and masterauth on the servers, auth-pass in the sentinels; and a
    password on the sentinels themselves, which they use among each other."""
    group = t.group(["ours"] * 3, password="s3cret-pass",
                    lines=["requirepass sentinel-secret",
                           "sentinel sentinel-pass sentinel-secret"])
    for sentinel in group.sentinels:
        sentinel.password = "sentinel-secret"
    group.start()
    old = group.master
    old.kill()
    new = group.wait_switch(old.port)
    old.start().wait_answers()
    assert group.wait_agreement() is new


def test_priority_zero_is_never_promoted(t):
    group = t.group(["ours"], quorum=1)
    group.replicas[0].conf.write_text(
        group.replicas[0].conf.read_text() + "replica-priority 0\n")
    group.start()
    until(lambda: any(r["slave-priority"] == "0" for r in
                      group.sentinels[0].replicas()), 5, "priority 0 is known")
    group.master.kill()
    assert group.wait_switch(group.master.port) is group.replicas[1]

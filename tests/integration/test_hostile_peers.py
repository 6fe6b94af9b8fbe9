"""Lies about sentinels, told by a client that may publish: nothing moves."""

import fake
from procs import until

INVENTED = [f"{n:040x}" for n in range(0xabc000, 0xabc000 + 200)]


def picture(sentinel):
    """What must not move."""
    master = sentinel.master()
    return (sentinel.address(), master["num-other-sentinels"], master["config-epoch"],
            sorted((p["runid"], p["ip"], p["port"]) for p in sentinel.peers()),
            sorted(sentinel.config_lines("known-sentinel")))


def settled_pictures(group):
    """Of all sentinels, once their files have what they know."""
    n_peers = len(group.sentinels) - 1
    for sentinel in group.sentinels:
        until(lambda s=sentinel: len(s.config_lines("known-sentinel")) == n_peers, 10,
              f"{sentinel.name} has saved its peers")
    return [picture(s) for s in group.sentinels]


def lies(group, about):
    """Hellos; |about| is a sentinel in whose name some of them are."""
    master, replica = group.master.port, group.replicas[0].port
    myid, port = about.myid(), about.port
    truth = ("mymaster", "127.0.0.1", master, 0)
    for n, run_id in enumerate(INVENTED):
        yield fake.hello("127.0.0.1", 1 + n % 50, run_id, 3, *truth)
    yield fake.hello("127.0.0.1", master, "d" * 40, 3, *truth)   # a data server
    yield fake.hello("127.0.0.1", port, "c" * 40, 3, *truth)     # a take-over
    for _ in range(3):
        yield fake.hello("127.0.0.1", 1, myid, 3, *truth)        # a clone
    for epoch in (-1, 2 ** 63, 2 ** 64 - 1):
        yield fake.hello("127.0.0.1", port, myid, epoch, *truth)
        yield fake.hello("127.0.0.1", port, myid, 3, *truth[:3], epoch)
    # The master has moved, says somebody in the name of one who knows nothing of it.
    yield fake.hello("127.0.0.1", port, myid, 9, "mymaster", "127.0.0.1", replica, 9)
    yield fake.hello("127.0.0.1", 1, "b" * 40, 9, "mymaster", "127.0.0.1", replica, 9)


def tell(receiver, payloads):
    with receiver.client() as client:
        for payload in payloads:
            client.send(fake.publish(payload))
            client.read()


def counter(sentinel, name):
    text = sentinel.call("INFO", "sentinel")
    text = text.decode() if isinstance(text, bytes) else text
    return next(line.split(":", 1)[1] for line in text.split("\r\n")
                if line.startswith(name + ":"))


def test_forged_hellos_and_votes_move_nothing(t):
    group = t.group(["ours"] * 3, down_after=2500).start()
    first, about = group.sentinels[:2]
    before = settled_pictures(group)
    for sentinel in group.sentinels:
        if sentinel is not about:
            tell(sentinel, lies(group, about))
    tell(group.master, lies(group, about))
    for epoch in (5, 2 ** 62, -1, 2 ** 63):
        try:
            answer = first.sentinel("IS-MASTER-DOWN-BY-ADDR", "127.0.0.1",
                                    group.master.port, epoch, "a" * 40)
        except Exception as error:  # an error reply is as good
            answer = [0, "*", 0, error]
        assert answer[1] in ("*", b"*"), answer
    until(lambda: int(counter(first, "sentinel_hellos_contradicted")) > 0, 10,
          "contradictions are counted")
    assert int(counter(first, "sentinel_votes_refused")) > 0
    assert int(counter(first, "sentinel_unverified_peers")) <= 64
    assert [picture(s) for s in group.sentinels] == before
    assert first.config_lines("leader-epoch")[0].endswith(" 0")
    assert int(first.config_lines("current-epoch")[0]) < 10
    first.wait_event("+duplicate-myid", about.myid())
    # The group is as able as before: two of three, invented ones notwithstanding.
    marks = group.marks()
    group.sentinels[2].kill()
    group.master.kill()
    group.sentinels.pop()
    group.wait_switch(group.master.port, marks[:2])


def test_stock_counts_whom_a_hello_invents(t):
    """What this is about: stock, told the same, raises its majority."""
    group = t.group(["stock"], quorum=1).start()
    stock = group.sentinels[0]
    tell(stock, [fake.hello("127.0.0.1", 1, run_id, 0, "mymaster", "127.0.0.1",
                            group.master.port, 0) for run_id in INVENTED[:1]])
    until(lambda: stock.master()["num-other-sentinels"] == "1", 10, "it believes that")


def test_cloned_myid_is_said_by_both(t):
    group = t.group(["ours"] * 2).start()
    original, witness = group.sentinels
    twin = t.sentinel(lines=[
        f"sentinel myid {original.myid()}",
        f"sentinel monitor mymaster 127.0.0.1 {group.master.port} 2",
        "sentinel down-after-milliseconds mymaster 1500"])
    twin.start().wait_answers()
    original.wait_event("+duplicate-myid",
                        f"{original.myid()} 127.0.0.1:{original.port} "
                        f"127.0.0.1:{twin.port}")
    twin.wait_event("+duplicate-myid",
                    f"{original.myid()} 127.0.0.1:{twin.port} "
                    f"127.0.0.1:{original.port}")
    witness.wait_event("+duplicate-myid", original.myid())
    assert witness.master()["num-other-sentinels"] == "1"
    assert counter(original, "sentinel_duplicate_myid") == f"127.0.0.1:{twin.port}"
    [row] = witness.peers()
    assert row["port"] == str(original.port)
    assert row["duplicate-myid-at"] == f"127.0.0.1:{twin.port}"

"""Input that nobody in their right mind would send."""

import random
import time

import fake
from procs import until
from resp import RespError, encode

STRANGER = "f" * 40
ABSURD = [-1, -9223372036854775808, 9223372036854775807, 18446744073709551615,
          99999999999999999999999, "x", "", "1e9", "0x10", " 1", "1 "]


def as_bytes(text):
    return text.encode() if isinstance(text, str) else text


def still_fine(sentinel, group):
    """Answers at once, kept its master, its epoch can still grow."""
    start = time.monotonic()
    assert sentinel.answers()
    assert time.monotonic() - start < 2
    assert sentinel.address() == group.master.port
    epoch = int(sentinel.config_lines("current-epoch")[0])
    assert epoch < 2 ** 62, epoch


def test_servers_that_misbehave(t):
    """Ten masters, each bad in its own way, and a good one that must not suffer."""
    servers = [fake.FakeServer(t.ports.take(), b) for b in fake.BEHAVIOURS]
    lines = []
    for server in servers:
        name = server.behave.__name__
        lines += [f"sentinel monitor {name} 127.0.0.1 {server.port} 1",
                  f"sentinel down-after-milliseconds {name} 1500"]
    group = t.group(["ours"], quorum=1, lines=lines)
    group.start()
    sentinel = group.sentinels[0]
    before = sentinel.rss_kb()
    for name in ("garbage", "half_a_reply", "endless_reply", "endless_line",
                 "endless_nesting", "silence", "hang_up", "wrong_types"):
        sentinel.wait_event("+sdown", f"master {name} ", timeout=20)
    sizes = []
    until(lambda: sizes.append(sentinel.rss_kb()) or len(sizes) > 300, 30, "time")
    assert max(sizes) < 200_000, f"{max(sizes)} KB"
    still_fine(sentinel, group)
    assert not sentinel.find_event("+sdown", "master mymaster "), sentinel.events()
    for server in servers:
        server.close()
    # What was read of long replies is freed; the allocator may keep it for later.
    until(lambda: sentinel.rss_kb() < before + 60_000, 20,
          f"memory goes down again towards {before} KB")
    mark = sentinel.mark()
    group.master.kill()
    group.wait_switch(group.master.port, [mark])
    assert len(sentinel.log()) < 3_000_000, "one log line for each piece of nonsense"


def test_half_a_reply_then_recovery(t):
    """A server that hangs in the middle of a reply is +sdown, and -sdown when a
    healthy one answers at its address."""
    port = t.ports.take()
    bad = fake.FakeServer(port, fake.half_a_reply)
    sentinel = t.sentinel(lines=[f"sentinel monitor m 127.0.0.1 {port} 2",
                                 "sentinel down-after-milliseconds m 1000"])
    sentinel.start().wait_answers()
    sentinel.wait_event("+sdown", f"master m 127.0.0.1 {port}")
    bad.close()
    good = fake.FakeServer(t.ports.take(), fake.too_many_replies)
    good.close()
    server = t.server("real")
    sentinel.sentinel("REMOVE", "m")
    server.start().wait_answers()
    sentinel.sentinel("MONITOR", "m", "127.0.0.1", server.port, 1)
    until(lambda: sentinel.master("m")["flags"] == "master", 10, "the good one is up")


def bad_hellos(group):
    master = group.master.port
    good = ("127.0.0.1", 1, STRANGER, 0, "mymaster", "127.0.0.1", master, 0)
    yield from ("", ",", ",,,,,,,", "a" * 70000, "1,2,3", "\0" * 50, "é,ü,ß,,,,,",
                ",".join(["127.0.0.1"] * 300))
    for missing in range(8):
        fields = list(good)
        yield ",".join(map(str, fields[:missing] + fields[missing + 1:]))
        fields[missing] = ""
        yield fake.hello(*fields)
    for number in ABSURD:
        yield fake.hello(*good[:3], number, *good[4:])            # epoch
        yield fake.hello(*good[:7], number)                       # config epoch
        yield fake.hello(good[0], number, *good[2:])              # sentinel's port
        yield fake.hello(*good[:6], number, good[7])              # master's port
    yield fake.hello(*good[:4], "othermaster", *good[5:])
    yield fake.hello(*good[:4], "x" * 5000, *good[5:])
    yield fake.hello(*good[:2], "short", *good[3:])
    yield fake.hello(*good[:2], "z" * 4000, *good[3:])
    yield fake.hello("no.such.host.invalid", *good[1:])
    yield fake.hello(*good[:5], "no.such.host.invalid", *good[6:])


def test_hostile_hello_by_publish(t):
    group = t.group(["ours"], quorum=1).start()
    sentinel = group.sentinels[0]
    with sentinel.client() as client:
        for payload in bad_hellos(group):
            client.send(fake.publish(payload))
            reply = client.read()
            assert reply == 1 or isinstance(reply, RespError), (payload, reply)
    still_fine(sentinel, group)
    epoch = int(sentinel.config_lines("current-epoch")[0])
    assert epoch <= 1_000_000_000, f"poisoned epoch {epoch}"
    sentinel.stop()
    sentinel.start().wait_answers()
    still_fine(sentinel, group)


def test_hostile_hello_by_a_real_server(t):
    """The same through the pub/sub channel of the master."""
    group = t.group(["ours"], quorum=1).start()
    sentinel = group.sentinels[0]
    with group.master.client() as client:
        for payload in bad_hellos(group):
            client.send(fake.publish(payload))
            client.read()
        # a good one behind them shows that all have been read
        client.send(fake.publish(fake.hello("127.0.0.1", 1, "e" * 40, 3, "mymaster",
                                            "127.0.0.1", group.master.port, 0)))
    until(lambda: b"sentinel_unverified_peers:0" not in as_bytes(
        sentinel.call("INFO", "sentinel")), 15, "the last one is noticed")
    still_fine(sentinel, group)
    epoch = int(sentinel.config_lines("current-epoch")[0])
    assert epoch <= 1_000_000_000, f"poisoned epoch {epoch}"
    mark = sentinel.mark()
    sentinel.sentinel("RESET", "mymaster")
    sentinel.wait_event("+reset-master", since=mark)


def test_hello_with_our_own_id(t):
    """Forged with our id it must not make us our own peer."""
    group = t.group(["ours"], n_replicas=0, quorum=1).start()
    sentinel = group.sentinels[0]
    forged = fake.hello("127.0.0.1", 7777, sentinel.myid(), 0, "mymaster",
                        "127.0.0.1", group.master.port, 0)
    with sentinel.client() as client:
        client.send(fake.publish(forged))
        client.read()
    assert sentinel.peers() == []
    assert sentinel.master()["num-other-sentinels"] == "0"


def test_vote_requests_with_absurd_epochs(t):
    """Epoch -1 and its friends: an error or no vote; the next election works."""
    group = t.group(["ours"] * 3, failover_timeout=3000).start()
    for sentinel in group.sentinels:
        with sentinel.client() as client:
            for epoch in ABSURD:
                reply = client.attempt("SENTINEL", "IS-MASTER-DOWN-BY-ADDR",
                                       "127.0.0.1", group.master.port, epoch, STRANGER)
                if isinstance(reply, RespError):
                    assert str(reply).startswith("ERR "), reply
                else:
                    assert reply[2] < 2 ** 62, (epoch, reply)
            reply = client.attempt("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1",
                                   group.master.port, -1, STRANGER)
            assert isinstance(reply, RespError) or reply[1] == "*", reply
    for sentinel in group.sentinels:
        still_fine(sentinel, group)
    group.master.kill()
    group.wait_switch(group.master.port)


def test_clients_that_misbehave(t):
    """Random bytes, half requests and huge claims on the sentinel's own port."""
    group = t.group(["ours"], quorum=1).start()
    sentinel = group.sentinels[0]
    rng = random.Random(3)
    kept = []
    for n in range(300):
        client = sentinel.client()
        kept.append(client)
        kind = n % 4
        if kind == 0:
            client.send(rng.randbytes(rng.randrange(1, 2000)))
        elif kind == 1:
            client.send(b"*3\r\n$8\r\nSENTINEL\r\n$7\r\nMASTER")
        elif kind == 2:
            client.send(b"*2147483647\r\n$536870912\r\nx")
        else:
            client.send(encode("SENTINEL", rng.choice(
                ["MASTER", "SET", "RESET", "MONITOR", "DEBUG", "x"]),
                rng.randbytes(50), rng.randbytes(50)))
    assert sentinel.rss_kb() < 200_000
    still_fine(sentinel, group)
    for client in kept:
        client.close()
    still_fine(sentinel, group)


def test_a_client_that_does_not_read(t):
    """Is held back or cut off when it owes too much; others are served meanwhile."""
    group = t.group(["ours"], n_replicas=0, quorum=1, lines=[
        "client-output-buffer-limit normal 1mb 512kb 5"]).start()
    sentinel = group.sentinels[0]
    before = sentinel.rss_kb()
    lazy = sentinel.client()
    assert lazy("CLIENT", "SETNAME", "lazy") == "OK"
    lazy.sock.settimeout(0.2)
    asked, outcome = 0, None
    request = encode("SENTINEL", "MASTERS") * 500
    try:
        while asked < 1_000_000:  # 30 MB, more than the kernel keeps for us both
            lazy.sock.sendall(request)
            asked += 500
    except TimeoutError:
        outcome = "held back"  # it does not read from us while we do not read
    except ConnectionError:
        outcome = "cut off"
    assert outcome, f"{asked} requests were taken, nothing happened"
    assert sentinel.rss_kb() < before + 30_000, (outcome, before, sentinel.rss_kb())
    still_fine(sentinel, group)


def test_a_subscriber_that_does_not_read(t):
    """Events pile up for a subscriber until its limit; then it is cut off."""
    group = t.group(["ours"], n_replicas=0, quorum=1, lines=[
        "client-output-buffer-limit pubsub 1mb 512kb 5"]).start()
    sentinel = group.sentinels[0]
    before = sentinel.rss_kb()
    lazy = sentinel.client()
    lazy.send(encode("CLIENT", "SETNAME", "lazy") + encode("PSUBSCRIBE", "*"))
    lazy.read()
    with sentinel.client() as busy:
        value = "x" * 900
        request = encode("SENTINEL", "SET", "mymaster", "auth-user", value)

        def cut_off():
            busy.send(request * 200)
            for _ in range(200):
                assert busy.read() == "OK"
            return " name=lazy " not in busy("CLIENT", "LIST")
        until(cut_off, 60, "the lazy subscriber is cut off")
    assert "overcoming of output buffer limits" in sentinel.log()
    assert sentinel.rss_kb() < before + 30_000
    still_fine(sentinel, group)

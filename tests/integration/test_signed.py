"""Signed hellos: a group with a secret believes nobody who does not know it."""

import hashlib
import hmac
import time

import fake
from procs import free_of_errors, until
from test_hostile_peers import (INVENTED, counter, lies, picture, settled_pictures,
                                tell)
from test_mixed import fail_over_and_return, mixed

SECRET = "of this group only!"
OTHER = "of some other group"
REQUIRE = (f'sentinel gossip-secret "{SECRET}"', "sentinel gossip-auth require")


def signed(hello, secret):
    text = f"{hello},hmac-sha256,{int(time.time() * 1000)},0"
    code = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{text},{code}"


def signers(sentinel):
    return {p["runid"] for p in sentinel.peers() if p.get("hello-signed") == "yes"}


def wait_signing(sentinels):
    ids = {s.myid() for s in sentinels}
    for sentinel in sentinels:
        until(lambda s=sentinel: signers(s) == ids - {s.myid()}, 15,
              f"{sentinel.name} hears the others sign")


def refused(sentinel):
    return [int(counter(sentinel, f"sentinel_hellos_{why}"))
            for why in ("unsigned", "bad_signature", "stale")]


def lie_while_the_master_is_down(group):
    """In the name of a sentinel that is down, too, so that nobody can ask it. There is
    no quorum: but for the lie nothing would move."""
    first, second, third = group.sentinels
    myid = third.myid()
    third.kill()
    group.master.kill()
    for sentinel in (first, second):
        sentinel.wait_event("+sdown", "master mymaster")
        sentinel.wait_event("+sdown", f"sentinel {myid}")
    lie = fake.hello("127.0.0.1", third.port, myid, 50, "mymaster", "127.0.0.1",
                     group.replicas[0].port, 50)
    tell(first, [lie, signed(lie, OTHER)])
    return myid


def test_signed_group_is_not_moved_while_its_master_is_down(t):
    group = t.group(["ours"] * 3, quorum=3, lines=REQUIRE).start()
    first, second, third = group.sentinels
    wait_signing(group.sentinels)
    until(lambda: len(first.config_lines("known-signer")) == 2, 5,
          "it is saved who signs")
    marks = group.marks()
    myid = lie_while_the_master_is_down(group)
    first.wait_event("-hello-unsigned", myid)
    first.wait_event("-hello-bad-signature", myid)
    assert first.master()["config-epoch"] == "0"
    assert first.address() == group.master.port
    third.start().wait_answers()
    group.wait_switch(group.master.port, marks)
    assert int(first.master()["config-epoch"]) < 50


def test_group_without_a_secret_is_moved(t):
    """What this is about: the same lie, where nothing is signed."""
    group = t.group(["ours"] * 3, quorum=3).start()
    lie_while_the_master_is_down(group)
    first = group.sentinels[0]
    first.wait_event("+switch-master")
    assert first.master()["config-epoch"] == "50"
    assert first.address() == group.replicas[0].port


def test_signed_group_takes_no_lies_and_fails_over(t):
    group = t.group(["ours"] * 3, down_after=2500, lines=REQUIRE).start()
    first, about = group.sentinels[:2]
    wait_signing(group.sentinels)
    before = settled_pictures(group)
    for sentinel in group.sentinels:
        if sentinel is not about:
            tell(sentinel, lies(group, about))
            tell(sentinel, [signed(lie, OTHER) for lie in lies(group, about)])
    tell(group.master, lies(group, about))
    answer = first.sentinel("IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", group.master.port, 5,
                            about.myid())
    assert answer[1] in ("*", b"*"), answer
    assert int(counter(first, "sentinel_votes_refused")) == 1
    assert counter(first, "sentinel_unverified_peers") == "0"
    n_unsigned, n_bad, _ = refused(first)
    assert n_unsigned >= len(INVENTED) and n_bad >= len(INVENTED), (n_unsigned, n_bad)
    assert [picture(s) for s in group.sentinels] == before
    assert first.config_lines("current-epoch") == ["0"]
    assert first.config_lines("leader-epoch")[0].endswith(" 0")
    fail_over_and_return(group, None)


def count_events(sentinel, name, text):
    return sum(e.name == name and text in e.text for e in sentinel.events(0))


def test_wrong_secret_and_none_are_refused_and_said_once(t):
    master = t.server("r1").start().wait_answers()
    def sentinel(*lines):
        return t.sentinel("ours", [
            f"sentinel monitor mymaster 127.0.0.1 {master.port} 2",
            "sentinel down-after-milliseconds mymaster 5000", *lines])
    group = [sentinel(*REQUIRE), sentinel(*REQUIRE),
             sentinel(f'sentinel gossip-secret "{OTHER}"',
                      "sentinel gossip-auth require"), sentinel()]
    for one in group:
        one.start().wait_answers()
    first, second, wrong, none = group
    wait_signing([first, second])
    for one in (first, second):
        one.wait_event("-hello-bad-signature", wrong.myid())
        one.wait_event("-hello-unsigned", none.myid(), timeout=30)
    wrong.wait_event("-hello-bad-signature", first.myid())
    seen = refused(first)
    until(lambda: all(now >= old + 3 for now, old in zip(refused(first)[:2], seen)), 30,
          "some more hellos are refused")
    for one, n_peers in ((first, 1), (second, 1), (wrong, 0), (none, 3)):
        assert len(one.peers()) == n_peers, one.name
    assert count_events(first, "-hello-bad-signature", wrong.myid()) == 1
    assert count_events(first, "-hello-unsigned", wrong.myid()) == 0
    assert count_events(first, "-hello-unsigned", none.myid()) == 1


def wait_fresh_hellos(sentinels):
    """Everybody has accepted a hello of everybody that was sent from now on."""
    begin = time.monotonic()
    for sentinel in sentinels:
        until(lambda s=sentinel: all(
            int(p["last-hello-message"]) < (time.monotonic() - begin) * 1000 - 200
            for p in s.peers()), 15, f"{sentinel.name} hears the others")


def test_secret_is_changed_without_a_gap(t):
    group = t.group(["ours"] * 3, lines=REQUIRE).start()
    wait_signing(group.sentinels)
    for option, value in (("gossip-secret-also", OTHER), ("gossip-secret", OTHER),
                          ("gossip-secret-also", "")):
        for sentinel in group.sentinels:
            assert sentinel.sentinel("CONFIG", "SET", option, value) == "OK"
            wait_fresh_hellos(group.sentinels)
    for sentinel in group.sentinels:
        assert refused(sentinel) == [0, 0, 0], (sentinel.name, refused(sentinel))
        assert sentinel.config_lines("gossip-secret") == [f'"{OTHER}"']
        assert sentinel.config_lines("gossip-secret-also") == []
    old = group.master
    old.kill()
    group.wait_switch(old.port)


def signing_and_stock(t, kinds, leader_kind):
    group, leader = mixed(t, kinds, leader_kind)
    ours = [s for s in group.sentinels if s.kind == "ours"]
    for sentinel in ours:
        assert sentinel.sentinel("CONFIG", "SET", "gossip-secret", SECRET) == "OK"
    wait_signing_of = {s.myid() for s in ours}
    for sentinel in ours:
        until(lambda s=sentinel: signers(s) == wait_signing_of - {s.myid()}, 15,
              f"{sentinel.name} hears ours sign")
        assert all(p["hello-signed"] == "no" for p in sentinel.peers()
                   if p["runid"] not in wait_signing_of)
    fail_over_and_return(group, leader)
    for sentinel in ours:
        assert refused(sentinel) == [0, 0, 0], (sentinel.name, refused(sentinel))


def test_signing_1_ours_2_stock_ours_leads(t):
    signing_and_stock(t, ["ours", "stock", "stock"], "ours")


def test_signing_2_ours_1_stock_ours_leads(t):
    signing_and_stock(t, ["ours", "ours", "stock"], "ours")


def test_signing_2_ours_1_stock_stock_leads(t):
    signing_and_stock(t, ["ours", "ours", "stock"], "stock")


def test_stock_takes_no_notice_of_companions(t):
    group = t.group(["stock"], quorum=1).start()
    stock = group.sentinels[0]
    before, size = picture(stock), stock.mark()
    truth = ("mymaster", "127.0.0.1", group.master.port, 0)
    with stock.client() as client:
        for n, run_id in enumerate(INVENTED):
            hello = fake.hello("127.0.0.1", 1 + n, run_id, 9, *truth)
            client.send(fake.publish(signed(hello, SECRET)))
            assert client.read() == 1
    assert picture(stock) == before
    assert stock.mark() == size, stock.log()[size:]
    # Nor when they come through a server; the last one is plain, and believed.
    hellos = [fake.hello("127.0.0.1", 1, run_id, 0, *truth) for run_id in INVENTED]
    tell(group.master, [*(signed(hello, SECRET) for hello in hellos), hellos[-1]])
    until(lambda: stock.peers(), 10, "it believes the plain one")
    assert [p["runid"] for p in stock.peers()] == INVENTED[-1:]
    assert free_of_errors(stock) == []

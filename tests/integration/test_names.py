"""Host names: servers that move, name servers that change, fail and hang.

Each test has a network, a resolv.conf and a name server of its own (dns.py). Machines
are addresses 127.0.1.x; a server that moves comes back at another one.
"""

import signal
import threading
import time

from dns import World
from procs import Server, Settings, free_of_errors, until
from resp import Client

PORT = 6379


class Named(Server):
    """A data server that is called |name| and lives at |ip|, on a port all share. It
    tells its master its name, or (|announce| False) its address."""

    def __init__(self, test, world, name, ip, master=None, announce=True):
        super().__init__(test.dir, name, PORT, lines=[
            f"replicaof {master} {PORT}"] if master else [])
        self.world, self.announce, self.ip = world, announce, None
        test.processes.append(self)
        self.live_at(ip)

    def live_at(self, ip):
        """From now on; the name server hears of it."""
        self.ip = self.world.names[self.name] = ip
        host = self.name if self.announce else ip
        self.conf.write_text(f"{self.conf.read_text()}bind {ip}\n"
                             f"replica-announce-ip {host}\n")
        return self

    def client(self, **options):
        return Client(PORT, timeout=5.0 * Settings.slow, host=self.ip, **options)

    def follows_name(self, *hosts):
        info = self.info()
        return (info["role"] == "slave" and info["master_host"] in hosts
                and info["master_link_status"] == "up")


class Fleet:
    """|n| servers with names, and sentinels that know the first by its name."""

    def __init__(self, test, kinds=("ours",) * 3, n=3, announce=True, lines=(),
                 down_after=2000, server_names=True):
        self.world = World(test)
        self.servers = []
        for i in range(n):
            self.servers.append(Named(
                test, self.world, f"db{i}", f"127.0.1.{i + 1}",
                "db0" if i else None, server_names))
        word = "yes" if announce else "no"
        self.sentinels = [test.sentinel(kind, [
            f"sentinel monitor m db0 {PORT} {len(kinds) // 2 + 1}",
            "sentinel resolve-hostnames yes",  # names may come before it
            f"sentinel announce-hostnames {word}",
            f"sentinel down-after-milliseconds m {int(down_after * Settings.slow)}",
            "sentinel failover-timeout m 20000", *lines]) for kind in kinds]

    def start(self):
        for server in self.servers:
            server.start()
        for server in self.servers[1:]:
            until(lambda s=server: s.follows_name("db0"), 15, f"{server.name} in sync")
        for sentinel in self.sentinels:
            sentinel.start()
        for sentinel in self.sentinels:
            until(lambda s=sentinel: self.is_whole(s), 30, f"{sentinel.name} sees all")
        return self

    def is_whole(self, sentinel):
        """One entry for each server and sentinel, all of them well."""
        master, replicas = sentinel.master("m"), sentinel.replicas("m")
        peers = sentinel.peers("m")
        return (master["flags"] == "master"
                and len(replicas) == len(self.servers) - 1
                and all(r["flags"] == "slave" and r["master-link-status"] == "ok"
                        for r in replicas)
                and len(peers) == len(self.sentinels) - 1
                and all(p["flags"] == "sentinel" for p in peers))

    def wait_whole(self, timeout=40):
        for sentinel in self.sentinels:
            until(lambda s=sentinel: self.is_whole(s), timeout,
                  f"{sentinel.name} ({sentinel.kind}) sees each once and well")

    def called(self, server):
        """All forms in which a sentinel may name it."""
        return {server.name, server.ip}

    def wait_switch(self, timeout=30):
        """The server all sentinels now send clients to, which is not db0."""
        def agreed():
            hosts = {s.sentinel("GET-MASTER-ADDR-BY-NAME", "m")[0]
                     for s in self.sentinels}
            found = [s for s in self.servers[1:] if hosts <= self.called(s)]
            return found and found[0]
        return until(agreed, timeout, "all sentinels name one new master")


class Pinger(threading.Thread):
    """PING every 10 ms; remembers the slowest answer (seconds)."""

    def __init__(self, sentinel):
        super().__init__(daemon=True)
        self.connection, self.worst, self.ends = sentinel.client(), 0.0, False
        self.connection.timeout = 60
        self.start()

    def run(self):
        while not self.ends:
            began = time.monotonic()
            self.connection("PING")
            self.worst = max(self.worst, time.monotonic() - began)
            time.sleep(0.01)

    def stop(self):
        self.ends = True
        self.join()
        self.connection.close()
        return self.worst


def failover_by_name(t, announce):
    fleet = Fleet(t, announce=announce).start()
    old = fleet.servers[0]
    old.kill()
    new = fleet.wait_switch()
    other = next(s for s in fleet.servers[1:] if s is not new)
    shown = new.name if announce else new.ip
    for sentinel in fleet.sentinels:
        sentinel.wait_event("+switch-master", f" {shown} {PORT}")
        assert sentinel.sentinel("GET-MASTER-ADDR-BY-NAME", "m")[0] == shown
    until(lambda: other.follows_name(shown), 20, "the other replica follows")
    # The old master comes back somewhere else, as a master: it is recognised.
    old.live_at("127.0.1.77").start()
    until(lambda: old.follows_name(shown), 40, "the old master follows, too")
    fleet.wait_whole()
    for sentinel in fleet.sentinels:
        assert {r["ip"] for r in sentinel.replicas("m")} == \
            ({old.name, other.name} if announce else {old.ip, other.ip})
        assert any("db" in line for line in sentinel.config_lines("known-replica", "m"))
        assert free_of_errors(sentinel) == []


def test_names_failover_announced(t):
    failover_by_name(t, announce=True)


def test_names_failover_by_address(t):
    failover_by_name(t, announce=False)


def test_names_new_address_is_followed(t):
    """A replica, then the master, come back with another address: followed in seconds,
    and without a failover."""
    fleet = Fleet(t, down_after=15000).start()
    for server, ip in ((fleet.servers[1], "127.0.1.50"),
                       (fleet.servers[0], "127.0.1.60"),
                       (fleet.servers[2], "127.0.1.70")):
        server.kill()
        server.live_at(ip).start()
        moved = time.monotonic()
        for sentinel in fleet.sentinels:
            def connected(s=sentinel):
                names = server.call("CLIENT", "LIST")
                return f"sentinel-{s.myid()[:8]}-cmd" in names
            until(connected, 10, f"{sentinel.name} is connected to the new place")
        print(f"{server.name} followed {time.monotonic() - moved:.2f} s after the "
              "name server knew")
        fleet.wait_whole()
    for sentinel in fleet.sentinels:
        assert not sentinel.find_event("+switch-master")
        assert sentinel.find_event("+sdown") is None, "nobody was down for so long"
        sentinel.wait_log("Hostname 'db0' now means 127.0.1.60, it was 127.0.1.1")


def test_names_silent_address_is_left(t):
    """The old place keeps the connection and says nothing; the name means another."""
    fleet = Fleet(t, kinds=["ours"], down_after=15000).start()
    replica = fleet.servers[1]
    twin = Named(t, fleet.world, "twin", "127.0.1.80", "db0", announce=False)
    twin.start()
    until(lambda: twin.follows_name("db0"), 15, "the twin is in sync")
    replica.signal(signal.SIGSTOP)
    fleet.world.names["db1"] = twin.ip
    moved = time.monotonic()
    until(lambda: "-cmd" in twin.call("CLIENT", "LIST"), 10, "the link has moved")
    print(f"left a silent address after {time.monotonic() - moved:.2f} s")
    replica.signal(signal.SIGCONT)


def hang(fleet, sentinel):
    """DNS hangs, all connections are cut, the master dies. Returns the worst PING."""
    fleet.world.drops = True
    pinger = Pinger(sentinel)
    for server in fleet.servers:
        server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    fleet.servers[0].kill()
    return pinger


def test_names_hanging_name_server(t):
    """Nothing is held up: clients are answered, votes are saved, the failover works
    with the addresses that are known; the end of the process does not wait."""
    fleet = Fleet(t, down_after=1500).start()
    pinger = hang(fleet, fleet.sentinels[0])
    new = fleet.wait_switch()
    for sentinel in fleet.sentinels:
        assert int(sentinel.config_lines("leader-epoch", "m")[0]) > 0, "vote not saved"
    until(lambda: pinger.worst > 0, 5, "PINGs were sent")
    other = next(s for s in fleet.servers[1:] if s is not new)
    print(f"slowest PING while the name server hangs: {pinger.stop() * 1000:.0f} ms")
    assert pinger.worst < 1.0 * Settings.slow, "the loop was held up"
    began = time.monotonic()
    assert fleet.sentinels[2].stop() == 0
    print(f"SIGTERM to the end: {time.monotonic() - began:.2f} s")
    assert time.monotonic() - began < 2.0 * Settings.slow, "the end waited for a name"
    fleet.world.drops = False
    until(lambda: other.follows_name(*fleet.called(new)), 30, "all is well again")
    # Said once when it failed, not at each attempt.
    for sentinel in fleet.sentinels[:2]:
        assert sentinel.log().count("Failed to resolve hostname 'db0'") <= 1


def test_names_stock_with_a_hanging_name_server(t):
    """For comparison: stock's loop waits for each look-up."""
    fleet = Fleet(t, kinds=["stock"], down_after=1500).start()
    pinger = hang(fleet, fleet.sentinels[0])
    time.sleep(6)  # what is measured is that nothing happens
    fleet.world.drops = False
    print(f"slowest PING of stock: {pinger.stop() * 1000:.0f} ms")
    assert pinger.worst > 1.0


def test_names_one_entry_for_each(t):
    """The configuration has names, INFO has addresses; announce-hostnames is switched:
    nothing is listed twice, before a restart or after it."""
    fleet = Fleet(t, kinds=["ours", "ours"], announce=False, server_names=False, lines=[
        f"sentinel known-replica m db{i} {PORT}" for i in range(3)]).start()
    sentinel = fleet.sentinels[0]
    for word in ("yes", "no", "yes"):
        sentinel.sentinel("CONFIG", "SET", "announce-hostnames", word)
        shown = {"db1", "db2"} if word == "yes" else {"127.0.1.2", "127.0.1.3"}
        assert {r["ip"] for r in sentinel.replicas("m")} == shown
        assert {r["name"] for r in sentinel.replicas("m")} == \
            {f"{host}:{PORT}" for host in shown}
        fleet.wait_whole()
    sentinel.sentinel("FLUSHCONFIG")
    assert sentinel.stop() == 0
    sentinel.start()
    fleet.wait_whole()
    assert "ignored" not in sentinel.log()


def test_names_asked_in_either_form(t):
    """is-master-down-by-addr by the name or the address, whichever we were told."""
    fleet = Fleet(t, kinds=["ours"], announce=False).start()
    by_ip = t.sentinel("ours", [f"sentinel monitor m 127.0.1.1 {PORT} 3",
                                "sentinel resolve-hostnames yes",
                                "sentinel down-after-milliseconds m 1000"])
    by_ip.start().wait_answers()
    # Neither may fail over, which would end what is looked at.
    fleet.sentinels[0].sentinel("SET", "m", "quorum", 3)
    fleet.servers[0].signal(signal.SIGSTOP)
    for sentinel in (fleet.sentinels[0], by_ip):
        for host in ("db0", "DB0", "127.0.1.1"):
            until(lambda s=sentinel, h=host: s.sentinel(
                "IS-MASTER-DOWN-BY-ADDR", h, PORT, 0, "*")[0] == 1, 15,
                f"{sentinel.name} knows that {host} is down")
    fleet.servers[0].signal(signal.SIGCONT)


def test_names_with_stock_that_knows_addresses(t):
    """Ours announce names, stock may not look any up: they agree all the same."""
    world = World(t)
    servers = [Named(t, world, "db0", "127.0.1.1", announce=False),
               Named(t, world, "db1", "127.0.1.2", "db0", announce=False)]
    for server in servers:
        server.start()
    until(lambda: servers[1].follows_name("db0"), 15, "in sync")
    common = ["sentinel down-after-milliseconds m 1500",
              "sentinel failover-timeout m 20000"]
    ours = t.sentinel("ours", [f"sentinel monitor m db0 {PORT} 2",
                               "sentinel resolve-hostnames yes",
                               "sentinel announce-hostnames yes", *common])
    stock = t.sentinel("stock", [f"sentinel monitor m 127.0.1.1 {PORT} 2", *common])
    ours.start(), stock.start()
    for sentinel in (ours, stock):
        until(lambda s=sentinel: len(s.peers("m")) == 1
              and len(s.replicas("m")) == 1, 20, f"{sentinel.name} sees all")
    servers[0].kill()
    for sentinel in (ours, stock):
        until(lambda s=sentinel: s.sentinel("GET-MASTER-ADDR-BY-NAME", "m")[0] in
              ("127.0.1.2", "db1"), 30, f"{sentinel.name} names the new master")


def test_names_that_mean_nothing(t):
    """Unknown at the start, then known; said once each time; asked for with patience.
    Names cannot be switched off while one has no address; MONITOR refuses unknown
    ones, as stock does, and keeps nobody waiting."""
    world = World(t)
    server = Named(t, world, "db0", "127.0.1.1", announce=False).start()
    world.names["db0"] = None
    sentinel = t.sentinel("ours", [f"sentinel monitor m db0 {PORT} 1",
                                   "sentinel resolve-hostnames yes",
                                   "sentinel down-after-milliseconds m 1000"])
    sentinel.start().wait_answers()
    sentinel.wait_log("Failed to resolve hostname 'db0'")
    sentinel.wait_event("+sdown", "master m")
    with sentinel.client() as client:
        try:
            client("SENTINEL", "CONFIG", "SET", "resolve-hostnames", "no")
            raise AssertionError("the place of m would be lost")
        except Exception as error:
            assert "'db0' has no address" in str(error), error
        try:
            client("SENTINEL", "MONITOR", "x", "nosuch", PORT, 1)
            raise AssertionError("monitored")
        except Exception as error:
            assert "Invalid IP address or hostname specified" in str(error), error
    sentinel.sentinel("FLUSHCONFIG")
    world.names["db0"] = server.ip
    sentinel.wait_event("-sdown", "master m")
    sentinel.wait_log("Hostname 'db0' resolves again: 127.0.1.1")
    assert sentinel.log().count("Failed to resolve hostname 'db0'") == 1
    world.names["db9"] = server.ip
    assert sentinel.sentinel("MONITOR", "y", "db9", PORT, 1) == "OK"
    assert sentinel.sentinel("CONFIG", "SET", "resolve-hostnames", "no") == "OK"
    assert sentinel.stop() == 0
    sentinel.start().wait_answers()
    assert sentinel.sentinel("GET-MASTER-ADDR-BY-NAME", "m")[0] == "127.0.1.1"


def test_names_of_sentinels(t):
    """announce-ip may be a name; 0.0.0.0 is not announced, with a warning."""
    world = World(t)
    world.names.update({"s1.example": "127.0.0.1"})
    server = Named(t, world, "db0", "127.0.1.1", announce=False).start()
    lines = [f"sentinel monitor m 127.0.1.1 {PORT} 2", "sentinel resolve-hostnames yes",
             "sentinel announce-hostnames yes"]
    one = t.sentinel("ours", [*lines, "sentinel announce-ip s1.example"])
    two = t.sentinel("ours", [*lines, "sentinel announce-ip 0.0.0.0"])
    for sentinel in (one, two):
        sentinel.start()
    until(lambda: [p["ip"] for p in two.peers("m")] == ["s1.example"]
          and [p["flags"] for p in two.peers("m")] == ["sentinel"], 20, "known by name")
    until(lambda: [p["ip"] for p in one.peers("m")] == ["127.0.0.1"], 20, "an address")
    two.wait_log("announce-ip 0.0.0.0")
    assert two.log().count("announce-ip 0.0.0.0") == 1
    # Somebody else says it; and says it again.
    for _ in range(3):
        server.call("PUBLISH", "__sentinel__:hello",
                    f"0.0.0.0,26379,{'e' * 40},0,m,127.0.1.1,{PORT},0")
    one.wait_log("Ignored the address 0.0.0.0:26379 of a sentinel")
    until(lambda: len(one.peers("m")) == 1, 5, "it is not taken")
    assert one.log().count("Ignored the address 0.0.0.0") == 1

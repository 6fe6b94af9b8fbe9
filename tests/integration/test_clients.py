"""Clients and tools other people wrote, through a failover: what they find, where they
write, and how they get in when a password or a user is asked for."""

import re
import subprocess
import urllib.request

from clients import (GUARDED, HOST, OPEN, Haproxy, Helper, IORedis, NodeRedis,
                     NodeRedis3, PythonLibrary, RedisCli, debian_program, guarded_group,
                     open_group, redis_cli)
from procs import until


def live_through_a_failover(t, group, clients):
    """Each client finds the master and the replicas, writes and reads; goes on with the
    new master when that one is killed; uses it as a replica when it is back."""
    old = group.master
    for client in clients:
        kind = type(client).__name__
        until(lambda c=client: c.master() == old.port, 15, f"{kind} finds the master")
        until(lambda c=client: sorted(c.replicas()) ==
              sorted(s.port for s in group.replicas), 15, f"{kind} finds both replicas")
        until(lambda c=client: c.set("key", kind), 10, f"{kind} writes")
        until(lambda c=client: c.get("key") == kind, 10, f"{kind} reads from a replica")

    old.kill()
    new = group.wait_switch(old.port)
    other = next(s for s in group.replicas if s is not new)
    for n, client in enumerate(clients):
        kind = type(client).__name__
        value = f"{kind} {n}".replace(" ", "-")
        until(lambda c=client: c.set("key", value), 20,
              f"{kind} writes to the new master")
        assert new.call("GET", "key") == value
        until(lambda c=client: c.master() == new.port, 20, f"{kind} finds {new.port}")
        until(lambda c=client: c.replicas() == [other.port], 20,
              f"{kind} finds the replica that is left")
        until(lambda c=client: c.get("key") == value, 20, f"{kind} reads from it")

    # Some libraries look again only when they hear of something.
    for sentinel in group.sentinels:
        sentinel.wait_event("+sdown", f"slave {HOST}:{old.port} ")
    old.start().wait_answers()
    for client in clients:
        kind = type(client).__name__
        until(lambda c=client: sorted(c.replicas()) == sorted([old.port, other.port]),
              40, f"{kind} finds the old master as a replica")
        assert client.master() == new.port


def with_open_sentinels(t, *kinds):
    group = open_group(t)
    live_through_a_failover(t, group, [kind(t, group, OPEN[0]) for kind in kinds])


def with_guarded_sentinels(t, *kinds):
    group = guarded_group(t)
    live_through_a_failover(t, group, [kind(t, group, access)
                                       for kind in kinds for access in GUARDED])


def test_redis_cli_follows_the_master(t):
    with_open_sentinels(t, RedisCli)


def test_redis_cli_help(t):
    """Its help, as its completion, comes from COMMAND DOCS."""
    sentinel = t.sentinel(lines=["sentinel monitor m 127.0.0.1 1 1"]).start()
    sentinel.wait_answers()
    for words, shown in ((("sentinel", "ckquorum"), "SENTINEL CKQUORUM"),
                         (("ping",), "PING"), (("@sentinel",), "SENTINEL MASTERS")):
        run = subprocess.run([redis_cli(), "-p", str(sentinel.port), "help", *words],
                             capture_output=True, text=True, timeout=20)
        assert run.returncode == 0 and shown in run.stdout, (words, run)
        assert "summary:" in run.stdout, (words, run)


def test_redis_cli_with_passwords(t):
    with_guarded_sentinels(t, RedisCli)


def test_python_client_library(t):
    with_open_sentinels(t, PythonLibrary)


def test_python_client_library_with_passwords(t):
    with_guarded_sentinels(t, PythonLibrary)


def test_ioredis(t):
    with_open_sentinels(t, IORedis)


def test_ioredis_with_passwords(t):
    with_guarded_sentinels(t, IORedis)


def test_node_redis(t):
    with_open_sentinels(t, NodeRedis, NodeRedis3)


def test_node_redis_with_passwords(t):
    with_guarded_sentinels(t, NodeRedis)


def test_haproxy(t):
    with_open_sentinels(t, Haproxy)


def test_haproxy_with_passwords(t):
    with_guarded_sentinels(t, Haproxy)


# ---- prometheus-redis-exporter ----

class Exporter:
    """One exporter, which scrapes one sentinel."""

    def __init__(self, t, group, access):
        program, environment = debian_program("prometheus-redis-exporter",
                                              "prometheus-redis-exporter")
        self.name, self.port = group.name, t.ports.take()
        argv = ["-redis.addr", f"redis://{HOST}:{group.sentinels[0].port}",
                "-web.listen-address", f"{HOST}:{self.port}"]
        if access.user:
            argv += ["-redis.user", access.user]
        if access.password:
            argv += ["-redis.password", access.password]
        self.process = Helper(t, "exporter", argv, program, environment).start()

    def metrics(self):
        """{name: [(labels, value)]} of what is about Redis."""
        self.process.check()
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/metrics",
                                    timeout=10) as page:
            text = page.read().decode()
        found = {}
        for name, labels, value in re.findall(r"^(redis_\w+)(?:\{(.*)\})? (\S+)$", text,
                                              re.MULTILINE):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            found.setdefault(name, []).append((labels, float(value)))
        return found

    def about_master(self):
        """What is said of the one master, by the ends of the names."""
        start = "redis_sentinel_"
        metrics = self.metrics()
        said = {"up": metrics["redis_up"][0][1]}
        for name, samples in metrics.items():
            if name.startswith(start):
                said[name[len(start):]] = samples[0][1]
        labels, _ = metrics["redis_sentinel_master_status"][0]
        assert labels["master_name"] == self.name, labels
        said["address"] = labels["master_address"]
        said["status"] = labels["master_status"]
        return said

    def says(self, wanted):
        said = self.about_master()
        return {key: said.get(key) for key in wanted} == wanted


def metrics_of(master, n_ok_slaves, n_ok_sentinels=3, status="ok"):
    return {"up": 1, "masters": 1, "tilt": 0, "address": f"{HOST}:{master.port}",
            "status": status, "master_slaves": 2, "master_ok_slaves": n_ok_slaves,
            "master_sentinels": 3, "master_ok_sentinels": n_ok_sentinels}


def scrape_through_a_failover(t, group, exporters):
    def all_say(wanted, what):
        for exporter in exporters:
            until(lambda e=exporter: e.says(wanted), 20, f"the exporter {what}")

    old = group.master
    all_say(metrics_of(old, 2), "shows the master, two replicas, three sentinels")
    old.kill()
    new = group.wait_switch(old.port)
    all_say(metrics_of(new, 1), "shows the new master and the replica that is left")
    group.sentinels[2].kill()
    all_say(metrics_of(new, 1, 2), "misses a sentinel")
    old.start().wait_answers()
    all_say(metrics_of(new, 2, 2), "shows the old master as a replica")


def test_prometheus_exporter(t):
    group = open_group(t)
    scrape_through_a_failover(t, group, [Exporter(t, group, OPEN[0])])


def test_prometheus_exporter_with_passwords(t):
    group = guarded_group(t)
    scrape_through_a_failover(t, group, [Exporter(t, group, access)
                                         for access in GUARDED])

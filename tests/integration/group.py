"""A master, its replicas, the sentinels that watch them, and the test that owns all."""

import pathlib
import shutil
import signal
import tempfile

from procs import Ports, Sentinel, Server, Settings, until


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


class Test:
    """What a test function gets: a folder, ports, processes that end with it."""

    def __init__(self, name):
        self.name = name
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sentinel-test-"))
        self.dir.chmod(0o755)
        self.ports = Ports()
        self.processes = []
        self.cleanups = []
        self.notes = []  # shown behind the name of a test that passed

    def server(self, name, master_port=None, **options):
        server = Server(self.dir, name, self.ports.take(), master_port, **options)
        self.processes.append(server)
        return server

    def sentinel(self, kind="ours", lines=(), name=None, **options):
        n = sum(isinstance(p, Sentinel) for p in self.processes) + 1
        sentinel = Sentinel(self.dir, name or f"s{n}-{kind}", self.ports.take(), kind,
                            lines, **options)
        self.processes.append(sentinel)
        return sentinel

    def group(self, kinds, **options):
        return Group(self, kinds, **options)

    def log_tails(self, n_lines=60):
        for process in self.processes:
            if isinstance(process, Sentinel):
                status = "alive" if process.alive() else "not running"
                yield f"--- {process.name} (port {process.port}, {status})"
                yield from process.log().splitlines()[-n_lines:]

    def check_exits(self):
        """Ends our sentinels in an orderly way and returns what went wrong."""
        wrong = []
        for process in self.processes:
            if isinstance(process, Sentinel) and process.kind == "ours":
                if process.alive():
                    process.signal(signal.SIGCONT)
                    status = process.stop()
                    if status != 0:
                        wrong.append(f"{process.name}: status {status} after SIGTERM")
                log = process.log()
                for word in ("Sanitizer", "Assertion", "runtime error:", "==ERROR"):
                    if word in log:
                        wrong.append(f"{process.name}: {word} in its log")
        return wrong

    def close(self, keep):
        for process in self.processes:
            if process.popen is not None:
                process.kill()
        for cleanup in self.cleanups:
            cleanup()
        self.ports.release()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)


class Group:
    """
    kinds           one sentinel per entry, "ours" or "stock"
    down_after, quorum, failover_timeout   a number, or one per sentinel
    password        of the data servers
    lines           more configuration lines for every sentinel
    places          hosts of a network (faults/network.py): the n-th server and the n-th
                    sentinel run on the n-th one; none: all on this machine's loopback
    tls             a certs.Identity: everybody speaks TLS only
    """

    def __init__(self, test, kinds, name="mymaster", n_replicas=2, quorum=2,
                 down_after=1500, failover_timeout=20000, password=None, lines=(),
                 server_lines=(), places=(), tls=None):
        self.test, self.name, self.password = test, name, password
        place = dict(enumerate(places)).get
        self.servers = [test.server("r1", password=password, lines=server_lines,
                                    place=place(0), tls=tls)]
        for n in range(n_replicas):
            self.servers.append(test.server(
                f"r{n + 2}", self.servers[0].port, password=password,
                lines=server_lines, place=place(n + 1), tls=tls,
                master_host=self.servers[0].host))
        self.sentinels = [
            test.sentinel(kind, [
                f"sentinel monitor {name} {self.master.host} {self.master.port} "
                f"{self.pick(quorum, n)}",
                f"sentinel down-after-milliseconds {name} "
                f"{int(self.pick(down_after, n) * Settings.slow)}",
                f"sentinel failover-timeout {name} {self.pick(failover_timeout, n)}",
                *([f"sentinel auth-pass {name} {password}"] if password else []),
                *(line.format(name=name) for line in lines)], tls=tls,
                place=place(n))
            for n, kind in enumerate(kinds)]

    @staticmethod
    def pick(value, n):
        return value[n] if isinstance(value, (list, tuple)) else value

    def start(self):
        """Servers in sync first, so that the first INFO shows the replicas."""
        for server in self.servers:
            server.start()
        for server in self.servers:
            server.wait_answers()
        for server in self.servers[1:]:
            until(lambda s=server: s.follows(self.servers[0].port), 15,
                  f"{server.name} in sync")
        for sentinel in self.sentinels:
            sentinel.start()
        self.wait_ready()
        return self

    def sees_all(self, sentinel):
        """Every replica and peer is known, connected and up, INFO has been read."""
        seen = sentinel.replicas(self.name)
        peers = sentinel.peers(self.name)
        return (sentinel.master(self.name)["flags"] == "master"
                and sentinel.master(self.name)["runid"] != ""
                and len(seen) == len(self.servers) - 1
                and all(r["flags"] == "slave" and r["master-link-status"] == "ok"
                        and int(r["master-port"]) for r in seen)
                and len(peers) == len(self.sentinels) - 1
                and all(p["flags"] == "sentinel" for p in peers))

    def wait_ready(self, timeout=30):
        for sentinel in self.sentinels:
            try:
                until(lambda s=sentinel: self.sees_all(s), timeout,
                      f"{sentinel.name} ({sentinel.kind}) sees the whole group")
            except AssertionError:
                if sentinel.alive():
                    print(sentinel.master(self.name), *sentinel.replicas(self.name),
                          *sentinel.peers(self.name), sep="\n")
                raise

    @property
    def master(self):
        return self.servers[0]

    @property
    def replicas(self):
        return self.servers[1:]

    def by_port(self, port):
        return next(s for s in self.servers if s.port == port)

    def wait_switch(self, old_port, since=None, timeout=30):
        """All sentinels announced one and the same new master; returns it."""
        marks = since or [0] * len(self.sentinels)
        old = f"{self.name} {self.by_port(old_port).host} {old_port} "
        events = [s.wait_event("+switch-master", old, mark, timeout)
                  for s, mark in zip(self.sentinels, marks)]
        new = {int(e.text.split()[4]) for e in events}
        assert len(new) == 1, f"they disagree: {new}"
        port = new.pop()
        for sentinel in self.sentinels:
            until(lambda s=sentinel: s.address(self.name) == port, 5,
                  f"{sentinel.name} answers port {port}")
        return self.by_port(port)

    def wait_agreement(self, timeout=60):
        """One master, everybody else follows it, all sentinels see it so."""
        def agreed():
            masters = [s for s in self.servers if s.info()["role"] == "master"]
            port = masters[0].port
            return (len(masters) == 1
                    and all(s.follows(port) for s in self.servers if s.port != port)
                    and all(s.address(self.name) == port for s in self.sentinels)
                    and masters[0])
        master = until(agreed, timeout, "all servers follow one master, which all "
                       "sentinels name")
        until(lambda: len({s.master(self.name)["config-epoch"]
                           for s in self.sentinels}) == 1, 15, "one config epoch")
        return master

    def marks(self):
        return [s.mark() for s in self.sentinels]

    def leader(self):
        """The sentinel that carried out the last failover."""
        led = [s for s in self.sentinels if s.find_event("+promoted-slave")]
        assert len(led) == 1, f"leaders: {[s.name for s in led]}"
        return led[0]

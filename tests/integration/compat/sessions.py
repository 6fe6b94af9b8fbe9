"""Runs the sessions of the corpus against one sentinel."""

from compat.corpus import fill_in, make_script, split_words, unquote
from compat.normal import Normaliser, names_of
from compat.wire import TypedClient
from procs import Settings, until
from resp import encode

QUIET = 1.0  # seconds without an answer after which a connection counts as open


class Target:
    """A sentinel that answers, the values its requests need, and their names."""

    def __init__(self, sentinel, values):
        self.sentinel, self.values = sentinel, values
        self.normal = Normaliser(names_of(values))

    def connect(self):
        return TypedClient(self.sentinel.port, timeout=5.0)


def group_target(t, kind):
    """The first of three sentinels around a master with two replicas. It watches a
    second master, which is down, alone."""
    group = t.group([kind] * 3, down_after=30000).start()
    sentinel, *peers = group.sentinels
    dead = t.ports.take()
    sentinel.sentinel("MONITOR", "gone", "127.0.0.1", dead, "2")
    sentinel.sentinel("SET", "gone", "down-after-milliseconds", "100")
    until(lambda: "s_down" in sentinel.master("gone")["flags"], 10, "gone is down")
    return Target(sentinel, {
        "port": sentinel.port, "dead-port": dead, "dir": sentinel.dir,
        "my-id": sentinel.myid(), "master-port": group.master.port,
        "replica1-port": group.replicas[0].port,
        "replica2-port": group.replicas[1].port,
        "peer1-port": peers[0].port, "peer2-port": peers[1].port,
        "peer1-id": peers[0].myid(), "peer2-id": peers[1].myid(),
        "script": make_script(t.dir)})


GUARDED = ["requirepass secret", "sentinel deny-scripts-reconfig no"]


def guarded_target(t, kind):
    """A sentinel with a password, whose scripts may be changed."""
    dead = t.ports.take()
    sentinel = t.sentinel(kind, [*GUARDED, f"sentinel monitor gone 127.0.0.1 {dead} 2"])
    sentinel.password = "secret"
    sentinel.start().wait_answers()
    return Target(sentinel, {
        "port": sentinel.port, "dead-port": dead, "dir": sentinel.dir,
        "my-id": sentinel.myid(), "script": make_script(t.dir)})


class SessionRun:
    """One session in one version of the protocol."""

    def __init__(self, target, session, version):
        self.target, self.version = target, version
        self.case_prefix = f"resp{version} {session.name}: "
        self.clients = {}
        self.steps = session.steps

    def run(self):
        """{case: lines}, in the order of the steps."""
        done = {}
        for step in self.steps:
            case = self.case_prefix + step.label
            n = 1 + sum(step.label == other.label for other in self.steps[:len(done)])
            done[case if n == 1 else f"{case} #{n}"] = self.one(step)
        for client in self.clients.values():
            client.close()
        return done

    def one(self, step):
        text = fill_in(step.words[0], self.target.values)
        if step.kind in ("until-closed", "half-close"):
            return self.over_new_connection(step.kind, unquote(text[1:-1]))
        client = self.client(step.client)
        if step.kind == "eof":
            return self.lines("", client.take_all(QUIET * Settings.slow))
        try:
            client.send(encode(*(w.encode("latin-1") for w in split_words(text))))
        except OSError:
            return ["(closed)"]
        nodes = [client.take() for _ in range(step.n_replies)]
        return self.lines(step.words[0], nodes)

    def lines(self, command, nodes):
        return [line for node in nodes
                for line in self.target.normal.lines(command, node)]

    def client(self, number):
        if number not in self.clients:
            self.clients[number] = self.target.connect()
            if self.version == 3:
                self.clients[number].send(encode("HELLO", "3"))
                self.clients[number].take()
        return self.clients[number]

    def over_new_connection(self, kind, text):
        with self.target.connect() as client:
            try:
                client.send(text.encode("latin-1"))
                if kind == "half-close":
                    client.half_close()
            except OSError:
                pass  # it hung up already; what it said can still be read
            return self.lines("", client.take_all(QUIET * Settings.slow))


def run_sessions(target, sessions):
    """{case: lines} of all sessions."""
    done = {}
    for session in sessions:
        for version in session.versions:
            done.update(SessionRun(target, session, version).run())
    return done

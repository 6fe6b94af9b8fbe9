"""make soak: a group under constant failovers, for as long as you like.

Three hosts with a sentinel and a data server each, on a network of the test's own. Over
and over: the master is killed, or its host's links flap, or a failover is asked for, or
a replica is stopped for a moment; meanwhile clients come, ask, subscribe and go, some
without saying goodbye. Memory, descriptors and CPU of the sentinels are sampled in the
pauses, when all is well again, and printed once a minute.

It fails when
  - a group does not recover within RECOVERY seconds, or an epoch has two leaders;
  - the resident memory in the last quarter is above that in the second by more than
    MEMORY (the first quarter is for warming up);
  - the descriptors in the last quarter's pauses exceed the second's by more than FILES;
  - the CPU time of a failover (used in a quarter, divided by its failovers) grows by
    more than half.
"""

import argparse
import os
import pathlib
import random
import signal
import socket
import statistics
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "integration"))

from faults.world import World, check_leaders, wait  # noqa: E402
from group import Skip, Test  # noqa: E402
from procs import NOT_YET, Settings, until  # noqa: E402
from resp import encode  # noqa: E402

RECOVERY = 60
MEMORY = 0.10, 1024  # the greater of this share and these KB
FILES = 8
CPU = 1.5
N_CLIENTS = 4


class Churn(threading.Thread):
    """Clients of all sentinels, one after the other, until stopped."""

    def __init__(self, sentinels, seed):
        super().__init__(daemon=True)
        self.sentinels, self.rng = sentinels, random.Random(seed)
        self.stop = threading.Event()
        self.n_clients = 0

    def visit(self, client):
        for _ in range(self.rng.randrange(1, 20)):
            client(*self.rng.choice((
                ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"),
                ("SENTINEL", "MASTERS"), ("SENTINEL", "REPLICAS", "mymaster"),
                ("INFO",), ("PING",), ("CLIENT", "LIST"), ("SENTINEL", "CKQUORUM",
                                                           "mymaster"))))
        if self.rng.random() < 0.3:
            client.send(encode("PSUBSCRIBE", "*"))
            self.stop.wait(self.rng.random())
        if self.rng.random() < 0.3:  # half a command, then a reset
            client.send(encode("SENTINEL", "MASTERS")[:-5])
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   b"\1\0\0\0\0\0\0\0")

    def run(self):
        while not self.stop.is_set():
            try:
                with self.rng.choice(self.sentinels).client(timeout=2) as client:
                    self.visit(client)
            except NOT_YET:
                pass
            self.n_clients += 1
            self.stop.wait(0.1)


class Sample:
    """What the sentinels use now: KB, descriptors and CPU seconds, the greatest of the
    first two, the sum of the last."""

    def __init__(self, sentinels, n_failovers):
        self.at = time.monotonic()
        self.n_failovers = n_failovers
        self.rss_kb = max(s.rss_kb() for s in sentinels)
        self.files = max(len(os.listdir(f"/proc/{s.pid}/fd")) for s in sentinels)
        self.cpu = sum(self.cpu_of(s.pid) for s in sentinels)

    @staticmethod
    def cpu_of(pid):
        words = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def __str__(self):
        return (f"memory {self.rss_kb} KB, descriptors {self.files}, "
                f"CPU {self.cpu:.2f} s, failovers {self.n_failovers}")


def kill_master(world):
    world.master().kill()


def flap(world):
    for _ in range(world.rng.randrange(2, 6)):
        world.net.isolate([world.master().place])
        wait(world.rng.uniform(0.1, 1.5))
        world.net.heal()
        wait(world.rng.uniform(0.1, 0.5))


def by_hand(world):
    with world.rng.choice(world.sentinels).client() as client:
        client.attempt("SENTINEL", "FAILOVER", "mymaster")


def stop_replica(world):
    replica = world.rng.choice([s for s in world.servers if s is not world.master()])
    replica.signal(signal.SIGSTOP)
    wait(world.rng.uniform(0.1, 3))
    replica.signal(signal.SIGCONT)


TROUBLES = [kill_master, kill_master, flap, by_hand, stop_replica]


def n_failovers(world):
    return sum(e.name == "+elected-leader" for s in world.sentinels for e in s.events())


def trouble(world):
    """One piece of trouble, and recovery from it."""
    before = world.master()
    what = world.rng.choice(TROUBLES)
    what(world)
    if not before.alive():
        world.wait_new_master(before, timeout=RECOVERY)
    world.revive()
    world.recovered(RECOVERY, what.__name__)
    world.ready()


def quarter(samples, n):
    """The n-th quarter of the samples, of 1 to 4, by time."""
    first, last = samples[0].at, samples[-1].at
    size = (last - first) / 4
    return [s for s in samples if first + (n - 1) * size <= s.at <= first + n * size]


def cpu_per_failover(samples):
    failovers = samples[-1].n_failovers - samples[0].n_failovers
    return (samples[-1].cpu - samples[0].cpu) / max(1, failovers)


def judge(samples):
    """What has grown, as text."""
    early, late = quarter(samples, 2), quarter(samples, 4)
    if len(early) < 2 or len(late) < 2:
        return ["too short to judge: give it more minutes"]
    wrong = []
    figures = {}
    for name in ("rss_kb", "files"):
        figures[name] = [statistics.median(getattr(s, name) for s in part)
                         for part in (early, late)]
    figures["CPU ms per failover"] = [1000 * cpu_per_failover(part)
                                      for part in (early, late)]
    bounds = {"rss_kb": lambda x: x + max(MEMORY[0] * x, MEMORY[1]),
              "files": lambda x: x + FILES, "CPU ms per failover": lambda x: x * CPU}
    for name, (before, after) in figures.items():
        bound = bounds[name](before)
        print(f"{name}: second quarter {before:.0f}, last quarter {after:.0f}, "
              f"bound {bound:.0f}")
        if after > bound:
            wrong.append(f"{name} grows")
    return wrong


def soak(test, minutes):
    world = World(test)
    churns = [Churn(world.sentinels, world.rng.random()) for _ in range(N_CLIENTS)]
    for churn in churns:
        churn.start()
    end = time.monotonic() + 60 * minutes
    samples, shown, n = [], 0.0, 0
    while time.monotonic() < end:
        trouble(world)
        n += 1
        samples.append(Sample(world.sentinels, n_failovers(world)))
        if time.monotonic() - shown >= 60:
            shown = time.monotonic()
            print(f"{(end - shown) / 60:5.1f} min left, troubles {n}, clients "
                  f"{sum(c.n_clients for c in churns)}, {samples[-1]}", flush=True)
    for churn in churns:
        churn.stop.set()
        churn.join()
    print(f"end: troubles {n}, clients {sum(c.n_clients for c in churns)}, "
          f"{samples[-1]}")
    check_leaders(world.sentinels)
    until(world.address_of_all, 30, "they agree")
    return [*judge(samples), *test.check_exits()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sentinel", default="build/redis-sentinel")
    parser.add_argument("--stock", default="build/stock")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    Settings.sentinel, Settings.stock = options.sentinel, options.stock
    test = Test("soak")
    wrong = ["it did not end"]
    try:
        wrong = soak(test, options.minutes)
    except Skip as reason:
        print(f"SKIP  {reason}")
        wrong = []
    except AssertionError:
        print(*test.log_tails(), sep="\n")
        raise
    finally:
        test.close(options.keep and wrong)
    print(*wrong, sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

"""A group on a network of its own, and what must hold whatever was done to it.

Every test breaks something, repairs it, and calls recovered(): within the bound that is
given there one server is master, all others follow it, all sentinels name it and have
one config epoch; and the logs of all sentinels, over all their lives, show at most one
elected leader and one promotion per epoch. Bounds are generous, for busy machines; how
long it took is shown behind the name of the test.
"""

import random
import time

from faults.network import Network
from procs import Settings, until


def quick(test):
    """Marks a test as one that `make integration` runs, too."""
    test.is_quick = True
    return test


class World:
    """|n| hosts with a sentinel each; a server each on the first |n_servers|, the first
    of them the master. Quorum: the majority. |before_start| is given the sentinels."""

    def __init__(self, test, n=3, n_servers=3, down_after=1000, failover_timeout=3000,
                 before_start=None, **options):
        self.test = test
        self.seed = random.randrange(1 << 30)
        self.rng = random.Random(self.seed)
        print(f"seed {self.seed}")
        self.net = Network(test, n)
        self.group = test.group(
            ["ours"] * n, n_replicas=n_servers - 1, quorum=n // 2 + 1,
            down_after=down_after, failover_timeout=failover_timeout,
            places=self.net.hosts, **options)
        if before_start:
            before_start(self.group.sentinels)
        self.group.start()
        self.servers, self.sentinels = self.group.servers, self.group.sentinels

    @staticmethod
    def on(hosts, processes):
        return [p for p in processes if p.place in hosts]

    def address_of_all(self, sentinels=None):
        """The port that all |sentinels| name; None if they do not agree."""
        ports = {s.address() for s in sentinels or self.sentinels}
        return ports.pop() if len(ports) == 1 else None

    def master(self):
        return self.group.by_port(until(self.address_of_all, 30, "one address"))

    def wait_new_master(self, old, sentinels=None, timeout=30):
        def switched():
            port = self.address_of_all(sentinels)
            return port not in (None, old.port) and self.group.by_port(port)
        return until(switched, timeout, f"a master that is not {old.name}")

    def wait_any(self, name, since, timeout=20, sentinels=None):
        """The first of the sentinels that logs the event |name|."""
        def logged():
            for sentinel in sentinels or self.sentinels:
                mark = since[self.sentinels.index(sentinel)]
                if sentinel.find_event(name, since=mark):
                    return sentinel
            return None
        return until(logged, timeout, f"{name} in any log")

    def revive(self):
        """Starts what does not run."""
        for process in [*self.servers, *self.sentinels]:
            if not process.alive():
                process.start()
        for process in [*self.servers, *self.sentinels]:
            process.wait_answers(30)

    def recovered(self, bound, what):
        """The promise of this module; |bound| in seconds from now on."""
        start = time.monotonic()
        master = self.group.wait_agreement(bound)
        took = time.monotonic() - start
        self.test.notes.append(f"{what}: {took:.1f} s of {bound}")
        check_leaders(self.sentinels)
        return master

    def ready(self, timeout=60):
        """As after start(): everybody sees everybody."""
        self.group.wait_ready(timeout)


def leaderships(sentinel, myid):
    """[(epoch, promoted address or None)] of the failovers it was elected to lead. The
    epoch is that of its last vote for itself before."""
    led, epoch = [], None
    for event in sentinel.events():
        words = event.text.split()
        if event.name == "+vote-for-leader" and words[0] == myid:
            epoch = int(words[1])
        elif event.name == "+elected-leader":
            led.append((epoch, None))
        elif event.name == "+promoted-slave" and led:
            led[-1] = (led[-1][0], words[1])
    return led


def check_leaders(sentinels):
    """One leader per epoch, one promotion per epoch, every epoch led has a vote."""
    by_epoch = {}
    for sentinel in sentinels:
        for epoch, address in leaderships(sentinel, sentinel.config_lines("myid")[0]):
            assert epoch is not None, f"{sentinel.name} led without its own vote"
            assert epoch not in by_epoch, \
                f"epoch {epoch} has two leaders: {by_epoch[epoch]}, " \
                f"{(sentinel.name, address)}"
            by_epoch[epoch] = (sentinel.name, address)
    return by_epoch


def wait(seconds):
    """Lets a fault last: the one place where time itself is what is tested."""
    time.sleep(seconds * Settings.slow)

"""Files: kill -9 while they are written, disks that are full, read-only folders.

Disks are tmpfs of the test's own mount namespace.
"""

import random
import re
import subprocess
import time

from faults.network import own_mounts
from faults.world import World, quick, wait
from group import Skip
from procs import until
from resp import ProtocolError

IDS = ["a" * 40, "b" * 40, "c" * 40]


class State:
    """What a client of one sentinel was told, to be compared after kill -9."""

    def __init__(self, rng):
        self.rng = rng
        self.epoch = 0
        self.votes = {}      # epoch: run id, as answered
        self.settings = {}   # option: value, acknowledged
        self.unsure = {}     # option: value asked for, not acknowledged
        self.masters = set()
        self.maybe = set()   # names of masters whose MONITOR or REMOVE was not answered
        self.n_answers = 0

    def change(self, client, port):
        """One change of the state, answered or not."""
        kind = self.rng.choice(("vote", "set", "set", "master"))
        if kind == "vote":
            self.epoch += self.rng.choice((0, 1, 1, 3))
            reply = client("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", port,
                           max(1, self.epoch), self.rng.choice(IDS))
            self.check_vote(reply)
        elif kind == "set":
            option = self.rng.choice(("down-after-milliseconds", "failover-timeout",
                                      "parallel-syncs"))
            value = str(self.rng.randrange(60000, 99999))
            self.unsure[option] = value
            client("SENTINEL", "SET", "mymaster", option, value)
            self.settings[option] = value
            del self.unsure[option]
        else:
            name = f"m{self.rng.randrange(5)}"
            self.maybe.add(name)
            if name in self.masters:
                client("SENTINEL", "REMOVE", name)
                self.masters.remove(name)
            else:
                client("SENTINEL", "MONITOR", name, "127.0.0.1", 1, 1)
                self.masters.add(name)
            self.maybe.remove(name)
        self.n_answers += 1

    def check_vote(self, reply):
        _, run_id, epoch = reply
        if run_id == "*":
            return
        assert self.votes.setdefault(epoch, run_id) == run_id, \
            f"epoch {epoch}: vote for {run_id} after one for {self.votes[epoch]}"
        self.epoch = max(self.epoch, epoch)

    def compare(self, sentinel, port):
        """After a restart: nothing answered is lost, nothing goes back."""
        now = sentinel.master()
        for option, value in self.settings.items():
            assert now[option] in (value, self.unsure.get(option)), \
                (option, now[option], value, self.unsure)
            self.settings[option] = now[option]
        self.unsure.clear()
        names = {m[1] for m in sentinel.sentinel("MASTERS")} - {"mymaster"}
        assert names ^ self.masters <= self.maybe, (names, self.masters, self.maybe)
        self.masters, self.maybe = names, set()
        current = int(sentinel.config_lines("current-epoch")[0])
        last = max(self.votes, default=0)
        assert current >= last, f"epoch {current} on disk after a vote in {last}"
        if last:  # asked again for the other candidate it says what it said
            other = next(i for i in IDS if i != self.votes[last])
            self.check_vote(sentinel.sentinel("IS-MASTER-DOWN-BY-ADDR", "127.0.0.1",
                                              port, last, other))


def test_kill_9_during_writes(t):
    """200 times: changes as fast as they are answered, kill -9 at a random moment,
    restart. The file always loads, the run id stays, epochs and votes do not go back,
    every acknowledged SET, MONITOR and REMOVE is there. Each restart within 10 s."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    rng = random.Random(seed)
    sentinel = t.sentinel(lines=["sentinel monitor mymaster 127.0.0.1 1 1",
                                 "sentinel vote-for-unknown yes"])
    sentinel.start().wait_answers()
    state, port, myid = State(rng), 1, sentinel.myid()
    for _ in range(200):
        end = time.monotonic() + rng.uniform(0.0, 0.05)
        with sentinel.client() as client:
            kill_at = rng.randrange(1, 40)
            for n in range(40):
                if n == kill_at or time.monotonic() > end:
                    break
                state.change(client, port)
            # the last change is under way when it is killed
            try:
                client.timeout = 0
                state.change(client, port)
            except (OSError, ProtocolError):
                pass
            if rng.random() < 0.7:
                spin = time.monotonic() + rng.uniform(0, 0.004)
                while time.monotonic() < spin:
                    pass
            sentinel.kill()
        sentinel.start().wait_answers(10)
        assert sentinel.myid() == myid
        state.compare(sentinel, port)
    assert state.votes
    left = [p.name for p in sentinel.dir.iterdir() if re.search(r"conf.", p.name)]
    t.notes.append(f"{state.n_answers} answered changes, {len(state.votes)} votes, "
                   f"{len(left)} temporary files left")


class Disk:
    """A small tmpfs in which one sentinel keeps its configuration."""

    def __init__(self, sentinel):
        self.path = sentinel.dir / "disk"
        self.path.mkdir()
        self.mount("-t", "tmpfs", "-o", "size=256k", "tmpfs")
        self.filler = self.path / "filler"
        text = sentinel.conf.read_text()
        sentinel.conf = self.path / "sentinel.conf"
        sentinel.conf.write_text(text)

    def mount(self, *words):
        run = subprocess.run(["mount", *words, str(self.path)], capture_output=True,
                             text=True)
        if run.returncode != 0:
            raise Skip(f"no file system may be mounted here ({run.stderr.strip()})")

    def fill(self):
        with open(self.filler, "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                return

    def free(self):
        self.filler.unlink()

    def read_only(self, yes):
        self.mount("-o", "remount,ro" if yes else "remount,rw")


def with_disks(t, which):
    """A world in which the sentinels |which| have disks of their own; {n: Disk}."""
    own_mounts()
    disks = {}

    def place(sentinels):
        disks.update({n: Disk(sentinels[n]) for n in which})
    world = World(t, before_start=place)
    return world, disks


def breaks_and_mends(t, break_it, mend):
    """Disks of one, then of two of three sentinels fail while the master dies."""
    world, disks = with_disks(t, (1, 2))
    for n in (1, 2):
        before = int(world.sentinels[n].config_lines("current-epoch")[0])
        break_it(disks[n])
        broken = [world.sentinels[m] for m in range(1, n + 1)]
        marks = world.group.marks()
        master = world.master()
        master.kill()
        if n == 1:
            new = world.wait_new_master(master, timeout=20)
            t.notes.append("one disk of three: fails over")
        else:
            world.sentinels[0].wait_event("+odown", since=marks[0], timeout=20)
            wait(5)
            for sentinel, mark in zip(world.sentinels, marks):
                assert not sentinel.find_event("+elected-leader", since=mark)
            t.notes.append("two of three: nobody is elected")
            for disk in disks.values():
                mend(disk)
            new = world.wait_new_master(master, timeout=40)
        for sentinel in broken:
            assert sentinel.answers()
            sentinel.wait_log("not able to save")
        world.revive()
        assert world.recovered(30, "agreement") is new
        world.ready()
    for n in (1, 2):  # what they know now is on disk again
        sentinel = world.sentinels[n]
        until(lambda s=sentinel: s.config_lines("monitor")[0].split()[2] ==
              str(new.port), 40, "the new master is saved")
        assert int(sentinel.config_lines("current-epoch")[0]) >= before
        sentinel.kill()
        sentinel.start().wait_answers()
    world.recovered(20, "after kill -9 of both")


@quick
def test_disk_full(t):
    """Full disks: with one of three a failover within 20 s, with two of three nobody is
    elected; when there is space again, a new master within 40 s, agreement in 30 s, and
    everything on disk within 40 s. Clients are answered all the time."""
    breaks_and_mends(t, Disk.fill, lambda disk: disk.free())


def test_disk_read_only(t):
    """The same with file systems that become read-only."""
    breaks_and_mends(t, lambda d: d.read_only(True), lambda d: d.read_only(False))


def test_read_only_at_start(t):
    """A sentinel that is started where it can never save refuses to, naming the file.
    The two others fail over within 20 s; started again when the disk is writable, it
    agrees within 30 s."""
    own_mounts()
    disks = []
    world = World(t, before_start=lambda s: disks.append(Disk(s[2])))
    third, old = world.sentinels[2], world.servers[0]
    third.stop()
    disks[0].read_only(True)
    third.start()
    assert third.wait_exit() == 1, third.log()
    third.wait_log(f"{third.conf} is not writable: Read-only file system")
    old.kill()
    new = world.wait_new_master(old, world.sentinels[:2], 20)
    disks[0].read_only(False)
    world.revive()
    assert world.recovered(30, "writable again") is new
    assert third.sentinel("FLUSHCONFIG") == "OK"

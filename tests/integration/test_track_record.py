"""Bugs of the past, shown with the distribution's sentinel and with ours.

Every story runs with both kinds and returns a few words on how it ended; the test says
which words it expects of which. tests/TRACK-RECORD.md lists them all. A newer stock
that no longer has a bug fails the test: then the page is out of date.
"""

import signal
import stat
import subprocess
import threading
import time

import fake
from faults.network import own_mounts
from faults.test_clock import Clock
from group import Skip
from procs import until
from resp import Client, ProtocolError

STRANGER = "f" * 40
WATCHES_NOBODY = ["sentinel monitor m 127.0.0.1 1 1"]


def clear_away(t, name):
    """Ends what runs, and what is started from now on has a folder of its own."""
    wrong = t.check_exits()
    assert not wrong, wrong
    for process in t.processes:
        if process.popen:
            process.kill()
    t.processes.clear()
    t.dir = t.dir / name
    t.dir.mkdir()


def ends(t, story, stock, ours):
    """Runs |story|(t, kind) for both kinds, and compares how it ended."""
    found, base = {}, t.dir
    for kind in ("stock", "ours"):
        clear_away(t, kind)
        found[kind] = story(t, kind)
    t.notes += [f"{kind} {words}" for kind, words in found.items()]
    clear_away(t, "end")
    t.dir = base
    assert found == {"stock": stock, "ours": ours}, found


def lone(t, kind, lines=WATCHES_NOBODY, **options):
    return t.sentinel(kind, lines, **options).start().wait_answers()


def starts_again(sentinel):
    """After kill -9: does it come back?"""
    sentinel.kill()
    sentinel.start()
    until(lambda: not sentinel.alive() or sentinel.answers(), 15, "up or dead")
    return sentinel.alive()


def holds_for(seconds, condition):
    """Whether |condition| stays true for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not condition():
            return False
        time.sleep(0.05)
    return True


def test_record_epoch_minus_one(t):
    """behaviour 14-20: one forged request for a vote ends all elections for ever."""
    def story(t, kind):
        sentinel = lone(t, kind)
        with sentinel.client() as client:
            client.attempt("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", 1, -1,
                           STRANGER)
        epoch = sentinel.sentinel("MASTER", "m") and sentinel.config_lines(
            "current-epoch")
        return "poisoned" if epoch == ["18446744073709551615"] else "refused"
    ends(t, story, "poisoned", "refused")


def test_record_password_with_a_blank(t):
    """behaviour 14-39: the saved file cannot be loaded again."""
    def story(t, kind):
        sentinel = lone(t, kind)
        sentinel.sentinel("SET", "m", "auth-pass", "two words")
        if not starts_again(sentinel):
            return "does not start"
        return "".join(sentinel.config_lines("auth-pass"))
    ends(t, story, "does not start", 'm "two words"')


def test_record_reset_is_forgotten(t):
    """behaviour 14-22: what RESET removed is back after a restart."""
    def story(t, kind):
        group = t.group([kind], n_replicas=1, quorum=1).start()
        sentinel = group.sentinels[0]
        group.replicas[0].kill()
        until(lambda: group.master.info()["connected_slaves"] == "0", 20, "it is gone")
        sentinel.sentinel("RESET", "mymaster")
        assert sentinel.replicas() == []
        kept = holds_for(3, lambda: sentinel.config_lines("known-replica"))
        return "not saved" if kept else "saved"
    ends(t, story, "not saved", "saved")


def test_record_name_with_a_comma(t):
    """behaviour 14-48: a name that breaks the hello messages."""
    def story(t, kind):
        with lone(t, kind).client() as client:
            reply = str(client.attempt("SENTINEL", "MONITOR", "a,b", "127.0.0.1", 2, 1))
        return "accepted" if reply == "OK" else "refused"
    ends(t, story, "accepted", "refused")


def test_record_file_mode(t):
    """behaviour 14-40: a file with passwords becomes readable for everybody."""
    def story(t, kind):
        sentinel = t.sentinel(kind, WATCHES_NOBODY)
        sentinel.conf.chmod(0o600)
        sentinel.start().wait_answers()
        sentinel.sentinel("FLUSHCONFIG")
        return oct(stat.S_IMODE(sentinel.conf.stat().st_mode))
    ends(t, story, "0o644", "0o600")


def test_record_file_behind_a_link(t):
    """behaviour 14-40: a symbolic link is replaced by a file of its own."""
    def story(t, kind):
        sentinel = t.sentinel(kind, WATCHES_NOBODY)
        real = sentinel.conf.with_name("real.conf")
        sentinel.conf.rename(real)
        sentinel.conf.symlink_to(real)
        sentinel.start().wait_answers()
        sentinel.sentinel("FLUSHCONFIG")
        return "link kept" if sentinel.conf.is_symlink() else "link replaced"
    ends(t, story, "link replaced", "link kept")


def test_record_file_is_a_mount(t):
    """docker-library-redis#287: one file mounted into a container, "Device or resource
    busy": nothing is ever saved."""
    own_mounts()

    def story(t, kind):
        sentinel = t.sentinel(kind, WATCHES_NOBODY)
        run = subprocess.run(["mount", "--bind", sentinel.conf, sentinel.conf],
                             capture_output=True, text=True)
        if run.returncode != 0:
            raise Skip(f"nothing may be mounted here ({run.stderr.strip()})")
        sentinel.start().wait_answers()
        with sentinel.client() as client:
            client.attempt("SENTINEL", "SET", "m", "quorum", 7)
        saved = sentinel.config_lines("monitor") == ["m 127.0.0.1 1 7"]
        return "saved" if saved else "not saved"
    ends(t, story, "not saved", "saved")


def test_record_master_in_an_included_file(t):
    """behaviour 14-43: it is written to the main file, too, which then is refused."""
    def story(t, kind):
        included = t.dir / f"included-{kind}.conf"
        included.write_text("sentinel monitor m 127.0.0.1 1 1\n")
        sentinel = lone(t, kind, [f"include {included}"])
        sentinel.sentinel("FLUSHCONFIG")
        return "starts" if starts_again(sentinel) else "does not start"
    ends(t, story, "does not start", "starts")


def test_record_replica_with_two_names(t):
    """behaviour 14-42, valkey#4530: a file that has a replica by name and by ip."""
    def story(t, kind):
        sentinel = t.sentinel(kind, ["sentinel resolve-hostnames yes", *WATCHES_NOBODY,
                                     "sentinel known-replica m localhost 2",
                                     "sentinel known-replica m 127.0.0.1 2"]).start()
        until(lambda: not sentinel.alive() or sentinel.answers(), 15, "up or dead")
        return "starts" if sentinel.alive() else "does not start"
    ends(t, story, "does not start", "starts")


def test_record_clock_step(t):
    """behaviour 14-17: the wall clock is set by an hour, and it stops watching."""
    def story(t, kind):
        sentinel = t.sentinel(kind, WATCHES_NOBODY)
        clock = Clock(sentinel)
        sentinel.start().wait_answers()
        clock.set("+1h")
        seen = not holds_for(3, lambda: not sentinel.find_event("+tilt"))
        return "TILT" if seen else "goes on"
    ends(t, story, "TILT", "goes on")


def test_record_refused_subscription(t):
    """behaviour 14-14: a replica whose ACL refuses the channel counts as disconnected,
    and is never promoted; no word in the log."""
    def story(t, kind):
        group = t.group([kind], n_replicas=1, quorum=1, down_after=2500)
        for server in group.servers:
            server.start().wait_answers()
        group.replicas[0].call("ACL", "SETUSER", "default", "resetchannels")
        until(lambda: group.replicas[0].follows(group.master.port), 15, "in sync")
        sentinel = group.sentinels[0]
        sentinel.start().wait_answers()
        until(lambda: len(sentinel.replicas()) == 1, 15, "known")
        group.master.kill()
        sentinel.wait_event("+odown", timeout=20)
        if until(lambda: sentinel.find_event("+promoted-slave")
                 or sentinel.find_event("-failover-abort-no-good-slave"), 20,
                 "an end").name == "+promoted-slave":
            return "promoted"
        return "not promoted"
    ends(t, story, "not promoted", "promoted")


def with_refusing_replicas(t, kind, n_refusing):
    """The master is killed; some replicas refuse to be told whom to follow, and by
    their priorities are not the ones to be promoted. parallel-syncs is 1. Returns
    sentinel, promoted replica, and the one that would follow."""
    group = t.group([kind], n_replicas=2 + n_refusing, quorum=1, down_after=2500,
                    failover_timeout=8000).start()
    chosen, other, *refusing = group.replicas
    for server in refusing:
        server.call("ACL", "SETUSER", "default", "-replicaof", "-slaveof")
    chosen.call("CONFIG", "SET", "replica-priority", 1)
    sentinel = group.sentinels[0]
    until(lambda: any(r["slave-priority"] == "1" for r in sentinel.replicas()), 20,
          "priorities are known")
    group.master.kill()
    sentinel.wait_event("+promoted-slave", timeout=20)
    return sentinel, chosen, other


def test_record_refusing_replicas_block_others(t):
    """behaviour 14-11: with parallel-syncs 1 a replica that cannot be reconfigured
    keeps the rest waiting until failover-timeout, if its turn comes first. Turns are
    random in stock: four tries, of which one shall show it."""
    def story(t, kind):
        for n in range(4):
            clear_away(t, f"try{n}")
            sentinel, chosen, other = with_refusing_replicas(t, kind, 4)
            promoted_at = sentinel.find_event("+promoted-slave").at
            until(lambda: other.follows(chosen.port), 30, "the other one follows")
            if time.time() - promoted_at > 6:
                return "waits"
            if kind == "ours" and n == 1:
                break
        return "goes on"
    ends(t, story, "waits", "goes on")


def test_record_late_switch_master(t):
    """behaviour 14-3: clients of the leader are told when all replicas follow."""
    def story(t, kind):
        sentinel = with_refusing_replicas(t, kind, 1)[0]
        event = sentinel.wait_event("+switch-master", timeout=30)
        late = event.at - sentinel.find_event("+promoted-slave").at
        return "late" if late > 4 else "at once"
    ends(t, story, "late", "at once")


def test_record_old_master_keeps_writing(t):
    """behaviour 14-4: after SENTINEL FAILOVER the old master is told nothing for about
    ten seconds; what is written to it is lost."""
    def story(t, kind):
        group = t.group([kind], n_replicas=1, quorum=1, down_after=2500).start()
        group.sentinels[0].sentinel("FAILOVER", "mymaster")
        group.wait_switch(group.master.port)
        stays = holds_for(4, lambda: group.master.info()["role"] == "master")
        return "writable for 4 s" if stays else "follows"
    ends(t, story, "writable for 4 s", "follows")


def test_record_returned_master_keeps_writing(t):
    """behaviour 14-5: a master that was cut off, and is back after the switch, takes
    writes for 8 s and more; they are lost."""
    def story(t, kind):
        group = t.group([kind], n_replicas=1, quorum=1, down_after=1500).start()
        old = group.master
        old.signal(signal.SIGSTOP)
        group.wait_switch(old.port)
        old.signal(signal.SIGCONT)
        until(lambda: old.info()["role"], 10, "it answers again")
        stays = holds_for(5, lambda: old.info()["role"] == "master")
        return "writable for 5 s" if stays else "follows"
    ends(t, story, "writable for 5 s", "follows")


def test_record_two_manual_failovers(t):
    """behaviour 14-24: two at once on two sentinels take the same epoch."""
    def story(t, kind):
        group = t.group([kind] * 2, quorum=2, down_after=2500).start()
        barrier = threading.Barrier(2)

        def ask(sentinel):
            with sentinel.client() as client:
                barrier.wait()
                client.attempt("SENTINEL", "FAILOVER", "mymaster")
        threads = [threading.Thread(target=ask, args=(s,)) for s in group.sentinels]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: any(s.find_event("+promoted-slave") for s in group.sentinels),
              20, "a promotion")
        group.sentinels[0].wait_event("+switch-master", timeout=30)
        epochs = [s.find_event("+promoted-slave") and s.find_event("+new-epoch").text
                  for s in group.sentinels]
        same = None not in epochs and epochs[0] == epochs[1]
        return "one epoch, two leaders" if same else "one leader per epoch"

    def often(t, kind):  # it takes luck to hit the same moment
        for _ in range(5):
            clear_away(t, "again")
            if (end := story(t, kind)).startswith("one epoch"):
                break
        return end
    ends(t, often, "one epoch, two leaders", "one leader per epoch")


class Voter:
    """A peer played by the test: says that the master is down, and votes as told."""

    def __init__(self, t, group, run_id):
        self.port, self.run_id = t.ports.take(), run_id
        self.vote_from = None  # the epoch from which on it votes for whoever asks
        self.asked = []        # epochs
        self.server = fake.FakeServer(self.port, self.talk)
        self.master = group.master

    def hello(self, epoch):
        return fake.hello("127.0.0.1", self.port, self.run_id, epoch, "mymaster",
                          "127.0.0.1", self.master.port, 0)

    def talk(self, sock):
        client = Client.__new__(Client)
        client.sock, client.buffer, client.timeout = sock, b"", 3600
        while True:
            try:
                words = client.read()
            except (ProtocolError, OSError):
                return
            sock.sendall(self.answer([str(w).upper() for w in words], words))

    def answer(self, upper, words):
        if upper[1:2] == ["MYID"]:
            return b"$40\r\n%s\r\n" % self.run_id.encode()
        if upper[1:2] != ["IS-MASTER-DOWN-BY-ADDR"]:
            return b"+PONG\r\n"
        epoch, candidate = int(words[4]), words[5]
        if candidate == "*":
            return b"*3\r\n:1\r\n$1\r\n*\r\n:0\r\n"
        self.asked.append(epoch)
        if self.vote_from is None or epoch < self.vote_from:
            return b"*3\r\n:1\r\n$1\r\n*\r\n:0\r\n"
        return b"*3\r\n:1\r\n$40\r\n%s\r\n:%d\r\n" % (candidate.encode(), epoch)


def asks_for_votes(t, kind):
    """A sentinel whose master is dead, and two voters that it has asked."""
    group = t.group([kind], quorum=2, down_after=2500, failover_timeout=8000)
    group.start()
    sentinel = group.sentinels[0]
    voters = [Voter(t, group, letter * 40) for letter in "ab"]
    with sentinel.client() as client:
        for voter in voters:
            client("PUBLISH", "__sentinel__:hello", voter.hello(0))
    until(lambda: len(sentinel.peers()) == 2, 10, "the peers are known")
    group.master.kill()
    until(lambda: voters[0].asked and voters[1].asked, 20, "votes are asked for")
    return sentinel, voters


def test_record_votes_of_another_epoch(t):
    """redis#2230, #11571: a candidate whose election is over counts votes of a later
    epoch, and promotes under its old one, which may have had another leader."""
    def story(t, kind):
        sentinel, voters = asks_for_votes(t, kind)
        begun = voters[0].asked[0]
        # somebody else leads a failover of something else: the global epoch moves on
        for voter in voters:
            voter.vote_from = begun + 5
        with sentinel.client() as client:
            client("PUBLISH", "__sentinel__:hello", voters[0].hello(begun + 5))
        until(lambda: sentinel.find_event("+elected-leader"), 40, "it is elected")
        until(lambda: sentinel.find_event("+switch-master"), 30, "it fails over")
        led = int(sentinel.master()["config-epoch"])
        for voter in voters:
            voter.server.close()
        return ("leads an epoch without votes" if led < begun + 5
                else "leads an epoch it has votes for")
    ends(t, story, "leads an epoch without votes", "leads an epoch it has votes for")


def test_record_lost_election(t):
    """behaviour 14-6, redis#10621: the next try comes after twice failover-timeout."""
    def story(t, kind):
        sentinel, voters = asks_for_votes(t, kind)
        first = time.monotonic()
        for voter in voters:
            voter.vote_from = voters[0].asked[0] + 1
        sentinel.wait_event("+elected-leader", timeout=40)
        for voter in voters:
            voter.server.close()
        took = time.monotonic() - first
        return "after 12 s or more" if took > 12 else "within 12 s"
    ends(t, story, "after 12 s or more", "within 12 s")


def test_record_stopped_for_three_seconds(t):
    """behaviour 14-17: a stall of the process is TILT for 30 s. So it is in ours."""
    def story(t, kind):
        sentinel = lone(t, kind)
        sentinel.signal(signal.SIGSTOP)
        time.sleep(3)
        sentinel.signal(signal.SIGCONT)
        try:
            sentinel.wait_event("+tilt", timeout=5)
        except AssertionError:
            return "goes on"
        return "TILT"
    ends(t, story, "TILT", "TILT")


def test_record_forged_hello_moves_the_master(t):
    """behaviour 14-21, docs#3607: whoever may PUBLISH can move the master by a greater
    config epoch. Ours asks the sentinel that is said to have said so."""
    def story(t, kind):
        group = t.group([kind], n_replicas=1, quorum=1, down_after=2500).start()
        sentinel = group.sentinels[0]
        replica = group.replicas[0].port
        with group.master.client() as client:
            client("PUBLISH", "__sentinel__:hello",
                   fake.hello("127.0.0.1", 1, STRANGER, 9, "mymaster", "127.0.0.1",
                              replica, 9))
        moved = not holds_for(3, lambda: sentinel.address() != replica)
        return "moved" if moved else "not moved"
    ends(t, story, "moved", "not moved")

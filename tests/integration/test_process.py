"""Start, stop, configuration files, crashes: the process as the operator sees it."""

import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import time

from procs import Sentinel, free_of_errors, until
from resp import encode
from stall import FOLDER_OPENED, Stall

ID_A, ID_B = "a" * 40, "b" * 40
ANY_CANDIDATE = ["sentinel vote-for-unknown yes"]


def run_with(t, kind, text, name="bad", setup=None, timeout=20):
    """Starts a sentinel on a file that should be refused; (status, all output)."""
    sentinel = Sentinel(t.dir, f"{name}-{kind}", t.ports.take(), kind, [])
    t.processes.append(sentinel)
    sentinel.conf.write_bytes(text)
    if setup:
        setup(sentinel)
    sentinel.start()
    status = sentinel.wait_exit(timeout)
    return status, sentinel.log()


def refusal(log, folder):
    """The part of the output that names the problem, made comparable."""
    lines = log.replace(str(folder), "DIR").splitlines()
    start = [n for n, line in enumerate(lines) if "FATAL CONFIG FILE ERROR" in line]
    assert start, log
    # bytes no terminal should get are shown as question marks by ours
    lines = [re.sub(r"[^ -~]", "?", line) for line in lines[start[0]:]]
    return [re.sub(r"\(.*\)", "(VERSION)", lines[0]), *lines[1:]]


BAD_FILES = {
    "unknown directive": b"port 26379\nfrobnicate yes\n",
    "unknown sentinel statement": b"sentinel frobnicate m 1\n",
    "missing argument": b"sentinel monitor m 127.0.0.1 6379\n",
    "quorum zero": b"sentinel monitor m 127.0.0.1 6379 0\n",
    "bad port": b"sentinel monitor m 127.0.0.1 66666 1\n",
    "host name": b"sentinel monitor m no.such.host.invalid 6379 1\n",
    "duplicate": b"sentinel monitor m 127.0.0.1 1 1\nsentinel monitor m 127.0.0.1 2 1",
    "no such master": b"sentinel down-after-milliseconds nobody 1000\n",
    "negative time": b"sentinel monitor m 127.0.0.1 1 1\n\n# x\n"
                     b"  sentinel down-after-milliseconds m 0\n",
    "script": b"sentinel monitor m 127.0.0.1 1 1\n"
              b"sentinel notification-script m /no/such/script\n",
    "short myid": b"sentinel myid abc\n",
    "quotes": b'sentinel auth-pass m "half\n',
    "truncated": b"# a\nport 26379\nsentinel monitor m 127.0.0.1 1 1\nsentinel known-r",
    "yes or no": b"sentinel resolve-hostnames maybe\n",
    "bad number": b"port many\n",
    "binary": bytes(range(1, 256)) * 3 + b"\n",
}


def test_bad_files_get_stocks_text(t):
    for name, text in BAD_FILES.items():
        outcomes = []
        for kind in ("stock", "ours"):
            status, log = run_with(t, kind, text, name.replace(" ", "-"))
            assert status == 1, (name, kind, status, log)
            outcomes.append(refusal(log, t.dir))
        stock, ours = outcomes
        assert ours == stock, f"{name}: stock {stock}, ours {ours}"


def test_huge_and_odd_files(t):
    """No crash, no hang, exit status 1 and a reason: what stock does with these is
    not always worth copying."""
    line = b"sentinel monitor m 127.0.0.1 6379 1 " + b"x" * (1 << 20) + b"\n"
    rng = random.Random(2)
    for name, text in {
            "megabyte": line, "megabyte-comment-then-bad": b"#" + line + b"bad\n",
            "zeros": b"\0" * 5000, "zero-inside": b"port 1\0\0\nx y\n",
            "random": rng.randbytes(20000), "carriage": b"port x\r\r\r\n",
            "quotes": b'"' * 4097 + b"\n", "bracket": b"[section]\nport 1\n"}.items():
        status, log = run_with(t, "ours", text, name)
        assert status == 1, (name, status, log[-500:])
        assert "FATAL CONFIG FILE ERROR" in log, (name, log[-500:])
        assert len(log) < 20000, (name, len(log))


def test_a_long_comment_is_kept(t):
    sentinel = t.sentinel(lines=["# " + "x" * (1 << 20),
                                 "sentinel monitor m 127.0.0.1 1 1"])
    sentinel.start().wait_answers()
    sentinel.sentinel("FLUSHCONFIG")
    assert "# " + "x" * (1 << 20) + "\n" in sentinel.conf.read_text()


def test_missing_file(t):
    for arguments, text in ((["/no/such.conf"], "can't open config file"),
                            ([], "Sentinel needs config file on disk")):
        program = str(pathlib.Path(t.sentinel().argv()[1]).absolute())
        run = subprocess.run(["redis-sentinel", *arguments], executable=program,
                             capture_output=True, text=True, timeout=20, cwd=t.dir)
        assert run.returncode == 1 and text in run.stdout + run.stderr, run


def test_version_and_options(t):
    program = str(pathlib.Path(t.sentinel().argv()[1]).absolute())
    run = subprocess.run(["redis-sentinel", "--version"], executable=program,
                         capture_output=True, text=True, timeout=20)
    assert run.returncode == 0 and "v=" in run.stdout, run
    sentinel = t.sentinel(lines=["sentinel monitor m 127.0.0.1 1 1"])
    other = t.ports.take()
    sentinel.start("--port", str(other))
    sentinel.port = other
    sentinel.wait_answers()


def test_sigterm_sigint_and_shutdown(t):
    for number, end in enumerate((signal.SIGTERM, signal.SIGINT, "SHUTDOWN")):
        pidfile = t.dir / f"pid{number}"
        sentinel = t.sentinel(lines=[f'pidfile "{pidfile}"',
                                     "sentinel monitor m 127.0.0.1 1 1"])
        sentinel.start().wait_answers()
        assert pidfile.read_text() == f"{sentinel.pid}\n"
        with sentinel.client() as client:
            if end == "SHUTDOWN":
                client.send(b"SHUTDOWN\r\n")
            else:
                sentinel.signal(end)
            assert client.read_until_closed() == b""
        assert sentinel.wait_exit() == 0, sentinel.log()
        assert not pidfile.exists()
        assert "bye bye" in sentinel.log()


def test_end_during_a_save(t):
    """What changed while the disk was slow is saved, too, before the process ends."""
    sentinel = t.sentinel(lines=["sentinel monitor m 127.0.0.1 1 1"])
    sentinel.start().wait_answers()
    stall = Stall(sentinel.dir, FOLDER_OPENED)
    t.cleanups.append(stall.close)
    with sentinel.client() as first, sentinel.client() as second:
        first.send(encode("SENTINEL", "SET", "m", "quorum", 2))
        stall.wait()
        second.send(encode("SENTINEL", "SET", "m", "quorum", 3))
        sentinel.wait_event("+set", "quorum 3")
        sentinel.signal(signal.SIGTERM)
        sentinel.wait_log("User requested shutdown")
        stall.close()
        assert sentinel.wait_exit() == 0
    assert sentinel.config_lines("monitor") == ["m 127.0.0.1 1 3"], sentinel.log()


def test_end_before_a_save_that_was_put_off(t):
    """What nobody waits for is saved a moment later, but before the process ends."""
    peer = "b" * 40
    sentinel = t.sentinel(lines=[
        "sentinel monitor m 127.0.0.1 1 1",
        f"sentinel known-sentinel m 127.0.0.1 {t.ports.take()} {peer}"])
    sentinel.start().wait_answers()
    with sentinel.client() as client:
        for epoch in range(1, 51):
            client("PUBLISH", "__sentinel__:hello",
                   f"127.0.0.1,1,{peer},{epoch},m,127.0.0.1,1,0")
    sentinel.signal(signal.SIGTERM)
    assert sentinel.wait_exit() == 0
    assert "+new-epoch 50" in sentinel.log(), sentinel.log()
    assert sentinel.config_lines("current-epoch") == ["50"], sentinel.log()


def test_port_in_use(t):
    """A second start by mistake leaves the first alone, and its pidfile."""
    pidfile = t.dir / "pid"
    lines = [f"pidfile {pidfile}", "sentinel monitor m 127.0.0.1 1 1"]
    first = t.sentinel(lines=lines)
    first.start().wait_answers()
    second = t.sentinel(lines=[f"port {first.port}", *lines]).start()
    assert second.wait_exit() == 1
    assert "Address already in use" in second.log(), second.log()
    assert first.answers()
    assert pidfile.read_text() == f"{first.pid}\n"


def test_unwritable_file(t):
    """Needs root to become somebody else, or runs as that somebody already."""
    sentinel = t.sentinel(lines=["sentinel monitor m 127.0.0.1 1 1"])
    sentinel.conf.chmod(0o444)
    if os.getuid() == 0:
        sentinel.user = "nobody"
    sentinel.start()
    assert sentinel.wait_exit() == 1, sentinel.log()
    assert "is not writable: Permission denied" in sentinel.log()


def test_disk_full_withholds_votes(t):
    """While the state cannot be saved no vote is given; nothing breaks."""
    group = t.group(["ours"], n_replicas=0, quorum=1, lines=ANY_CANDIDATE).start()
    sentinel, port = group.sentinels[0], group.master.port
    elsewhere = sentinel.dir.with_name("gone")
    sentinel.dir.rename(elsewhere)
    t.cleanups.append(lambda: elsewhere.exists() and elsewhere.rename(sentinel.dir))
    sentinel.log_path = elsewhere / "log"
    with sentinel.client() as client:
        client.timeout = 1.0
        try:
            reply = client("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", port, 5,
                           ID_A)
        except TimeoutError:
            reply = None
        assert reply is None or reply[1] == "*", reply
    assert sentinel.answers()
    sentinel.wait_log("not able to save")
    elsewhere.rename(sentinel.dir)
    sentinel.log_path = sentinel.dir / "log"

    def vote():
        with sentinel.client() as client:
            return client("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", port, 6,
                          ID_B)
    until(lambda: vote()[1:] == [ID_B, 6], 30, "votes again")


def vote_until_killed(sentinel, master_port, epoch, moment):
    """Asks for votes as fast as it answers, for |moment| seconds, then kill -9.
    Returns {epoch: run id} of all answers that arrived."""
    answered = {}
    with sentinel.client() as client:
        end = time.monotonic() + moment
        while time.monotonic() < end:
            epoch += 1
            reply = client("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1",
                           master_port, epoch, random.choice((ID_A, ID_B)))
            assert reply[1] in (ID_A, ID_B), reply
            answered[reply[2]] = reply[1]
    sentinel.kill()
    return answered


def test_kill_9_keeps_votes_and_epochs(t):
    """Every vote that was answered is still given after kill -9 at any moment."""
    group = t.group(["ours"], n_replicas=0, quorum=1, lines=ANY_CANDIDATE).start()
    sentinel, port = group.sentinels[0], group.master.port
    myid, epoch = sentinel.myid(), 0
    for _ in range(12):
        answered = vote_until_killed(sentinel, port, epoch, random.uniform(0.01, 0.3))
        epoch = max([epoch, *answered])
        sentinel.start().wait_answers()
        assert sentinel.myid() == myid
        assert int(sentinel.config_lines("current-epoch")[0]) >= epoch
        if not answered:
            continue
        with sentinel.client() as client:
            other = ID_B if answered[epoch] == ID_A else ID_A
            reply = client("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", port,
                           epoch, other)
        assert reply[2] >= epoch, (reply, epoch)
        if reply[2] == epoch:
            assert reply[1] in ("*", answered[epoch]), (reply, answered[epoch])
    leftovers = [p.name for p in sentinel.dir.iterdir()
                 if p.name.startswith("sentinel.conf") and p != sentinel.conf]
    assert len(leftovers) <= 12, leftovers
    assert free_of_errors(sentinel) == []


def test_kill_9_during_failovers(t):
    """Sentinels die at random moments while masters die; the group always heals and
    epochs never go back."""
    group = t.group(["ours"] * 3, failover_timeout=2000).start()
    ids = [s.myid() for s in group.sentinels]
    epochs = [0] * 3
    for _ in range(3):
        master = group.by_port(group.sentinels[0].address())
        master.kill()
        victim = random.choice(group.sentinels)
        end = time.monotonic() + random.uniform(0.8, 1.6)
        until(lambda: time.monotonic() > end, 5, "the moment comes")
        victim.kill()
        victim.start().wait_answers()
        until(lambda: all(s.address() != master.port for s in group.sentinels), 40,
              "everybody has a new master")
        master.start().wait_answers()
        group.wait_agreement()
        group.wait_ready(60)
        now = [int(s.config_lines("current-epoch")[0]) for s in group.sentinels]
        assert all(new >= old for new, old in zip(now, epochs)), (now, epochs)
        epochs = now
        assert [s.myid() for s in group.sentinels] == ids


def test_log_file(t):
    """logfile is opened for each line, so that rotation needs no signal."""
    path = t.dir / "sentinel.log"
    sentinel = t.sentinel(lines=[f'logfile "{path}"', "loglevel notice",
                                 "sentinel monitor m 127.0.0.1 1 1"])
    sentinel.start().wait_answers()
    until(lambda: "+monitor master m 127.0.0.1 1 quorum 1" in path.read_text(), 5,
          "it is written")
    path.rename(t.dir / "old.log")
    sentinel.sentinel("SET", "m", "quorum", "2")
    until(lambda: "+set master m 127.0.0.1 1 quorum 2" in path.read_text(), 5,
          "the new file has the new line")


def test_few_descriptors(t):
    """It starts if what its file names fits into the descriptors it may have, whatever
    may be discovered later; else it says so and ends. Clients get what is left."""
    def limited(name, n_masters, limit):
        sentinel = t.sentinel("ours", [
            f"sentinel monitor m{n} 127.0.0.1 {t.ports.take()} 1"
            for n in range(n_masters)], name=name)
        before = sentinel.before_exec

        def before_exec():
            before()
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        sentinel.before_exec = before_exec
        return sentinel.start()

    few = limited("few", 10, 64).wait_answers()
    assert "maxclients is reduced to 12" in few.log(), few.log()
    assert few.stop() == 0
    many = limited("many", 20, 64)
    assert many.wait_exit() == 1
    assert "not enough to work: raise 'ulimit -n'" in many.log(), many.log()

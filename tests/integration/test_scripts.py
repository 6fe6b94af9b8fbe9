"""notification-script and client-reconfig-script."""

import pathlib
import re

from procs import until
from stall import EXECUTED, Stall


def recorder(t, name, body=""):
    """A script that appends its arguments to a file; returns (script, that file)."""
    script, out = t.dir / name, t.dir / f"{name}.out"
    script.write_text(f'#!/bin/sh\necho "$*" >> "{out}"\n{body}\n')
    script.chmod(0o755)
    out.write_text("")
    return script, out


def test_scripts_are_run(t):
    """What a failover tells both scripts, at the leader and at an observer."""
    notify, told = recorder(t, "notify.sh")
    reconfig, moved = recorder(t, "reconfig.sh")
    group = t.group(["ours"] * 3, lines=[
        f"sentinel notification-script {{name}} {notify}",
        f"sentinel client-reconfig-script {{name}} {reconfig}"]).start()
    old = group.master
    old.kill()
    new = group.wait_switch(old.port)
    change = f"127.0.0.1 {old.port} 127.0.0.1 {new.port}"
    wanted = [f"mymaster leader start {change}",
              *[f"mymaster observer start {change}"] * 2]
    until(lambda: sorted(moved.read_text().splitlines()) == wanted, 10,
          "one leader and two observers were told")
    # the switch itself reaches the script in the context of the master
    until(lambda: told.read_text().count(f"+switch-master mymaster {change}\n") == 3,
          10, "three notifications of +switch-master")
    text = told.read_text()
    for event in ("+monitor", "+sdown", "+odown", "+try-failover", "+promoted-slave"):
        assert f"\n{event} " in f"\n{text}", (event, text)
    assert "+slave " not in text and "+convert-to-slave" not in text, text
    for sentinel in group.sentinels:
        until(lambda s=sentinel: s.sentinel("PENDING-SCRIPTS") == [], 10, "no job left")


def test_script_retry_and_error(t):
    """Exit 1 is tried again later, exit 3 is an error at once."""
    again, tried = recorder(t, "again.sh", "exit 1")
    sentinel = t.sentinel(lines=["sentinel monitor m 127.0.0.1 1 1",
                                 f"sentinel notification-script m {again}"])
    sentinel.start().wait_answers()
    until(lambda: "+monitor" in tried.read_text(), 10, "a first try")
    job = until(lambda: sentinel.sentinel("PENDING-SCRIPTS"), 5, "the job waits")[0]
    job = dict(zip(job[::2], job[1::2]))
    assert job["argv"][:2] == [str(again), "+monitor"], job
    until(lambda: "scheduled" in str(sentinel.sentinel("PENDING-SCRIPTS")), 5,
          "it is scheduled again")

    fatal, _ = recorder(t, "fatal.sh", "exit 3")
    other = t.sentinel(lines=["sentinel monitor m 127.0.0.1 1 1",
                              f"sentinel notification-script m {fatal}"])
    other.start().wait_answers()
    other.wait_event("-script-error", f"{fatal} 0 3")
    assert other.sentinel("PENDING-SCRIPTS") == []


def test_slow_scripts_do_not_block(t):
    """Scripts that hang neither delay a failover nor answers."""
    slow, _ = recorder(t, "slow.sh", "sleep 20")
    group = t.group(["ours"], quorum=1, lines=[
        f"sentinel notification-script {{name}} {slow}",
        f"sentinel client-reconfig-script {{name}} {slow}"]).start()
    sentinel = group.sentinels[0]
    sentinel.sentinel("DEBUG", "script-max-runtime", "3000")
    group.master.kill()
    group.wait_switch(group.master.port, timeout=12)
    jobs = sentinel.sentinel("PENDING-SCRIPTS")
    assert 1 <= sum("running" in str(job) for job in jobs) <= 16, jobs
    sentinel.wait_event("-script-timeout", str(slow), timeout=20)


def test_scripts_on_a_disk_that_hangs(t):
    """Nobody waits until a script is executed: it may be on a disk that hangs."""
    script, told = recorder(t, "stalled.sh")
    stall = Stall(script, EXECUTED)
    t.cleanups.append(stall.close)
    sentinel = t.sentinel(lines=["sentinel monitor m 127.0.0.1 1 1",
                                 f"sentinel notification-script m {script}",
                                 "sentinel down-after-milliseconds m 200"]).start()
    stall.wait()
    sentinel.wait_event("+odown", "m 127.0.0.1 1")
    assert "running" in str(sentinel.sentinel("PENDING-SCRIPTS"))
    assert told.read_text() == ""
    stall.close()
    until(lambda: "+odown master m" in told.read_text(), 10, "all are told")
    until(lambda: sentinel.sentinel("PENDING-SCRIPTS") == [], 10, "no job is left")
    assert not sentinel.find_event("+tilt")


def test_scripts_get_a_clean_process(t):
    """No descriptor, signal mask or disposition of ours, but the standard output; a
    file without a first line that names its interpreter is one for the shell."""
    script, out = t.dir / "plain", t.dir / "out"
    script.write_text("grep ^Sig /proc/self/status\nls -l /proc/self/fd\n"
                      f"echo to the log\n: > {out}\n")
    script.chmod(0o755)
    sentinel = t.sentinel(lines=["sentinel monitor m 127.0.0.1 1 1",
                                 f"sentinel notification-script m {script}",
                                 "sentinel down-after-milliseconds m 100"]).start()
    until(out.exists, 10, "the script ran")
    log = sentinel.log()
    assert "\nto the log\n" in log, log
    for name in ("SigBlk", "SigIgn"):
        mask = int(re.search(rf"^{name}:\t(\w+)$", log, re.MULTILINE)[1], 16)
        assert mask & 0x7fffffff == 0, (name, hex(mask))
    opened = [line for line in log.splitlines() if " -> " in line
              and "/proc/" not in line]  # the folder that ls itself reads
    assert {line.split()[-3] for line in opened} == {"0", "1", "2"}, opened


def test_scripts_that_cannot_be_executed(t):
    """Status 2, an error that is not tried again, as soon as it is known."""
    script, _ = recorder(t, "gone.sh")
    script.write_text("#!/no/such/interpreter\n")
    sentinel = t.sentinel(lines=["sentinel monitor m 127.0.0.1 1 1",
                                 f"sentinel notification-script m {script}"]).start()
    sentinel.wait_event("-script-error", f"{script} 0 2")
    assert sentinel.sentinel("PENDING-SCRIPTS") == []


def test_many_scripts_that_end_at_once(t):
    """One signal for several children: each is noticed, and none is left a zombie."""
    script, told = recorder(t, "many.sh")
    masters = [f"m{n}" for n in range(40)]
    sentinel = t.sentinel(lines=[
        line for m in masters for line in (
            f"sentinel monitor {m} 127.0.0.1 {t.ports.take()} 2",
            f"sentinel notification-script {m} {script}",
            f"sentinel down-after-milliseconds {m} 100")]).start()
    until(lambda: all(f"+sdown master {m} " in told.read_text() for m in masters), 30,
          "every script ran")
    until(lambda: sentinel.sentinel("PENDING-SCRIPTS") == [], 30, "no job is left")
    children = pathlib.Path(f"/proc/{sentinel.pid}/task/{sentinel.pid}/children")
    until(lambda: children.read_text() == "", 10, "no child is left")


def test_scripts_cannot_be_set_by_default(t):
    script, _ = recorder(t, "any.sh")
    sentinel = t.sentinel(lines=["sentinel monitor m 127.0.0.1 1 1"])
    sentinel.start().wait_answers()
    with sentinel.client() as client:
        reply = client.attempt("SENTINEL", "SET", "m", "notification-script", script)
        assert "denied for security reasons" in str(reply), reply
    allowed = t.sentinel(lines=["sentinel deny-scripts-reconfig no",
                                "sentinel monitor m 127.0.0.1 1 1"])
    allowed.start().wait_answers()
    with allowed.client() as client:
        assert client("SENTINEL", "SET", "m", "notification-script", script) == "OK"
        reply = client.attempt("SENTINEL", "SET", "m", "notification-script", "/none")
        assert "non existing or non executable" in str(reply), reply

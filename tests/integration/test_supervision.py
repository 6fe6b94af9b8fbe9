"""The process as the rest of the system sees it: title, sockets, signals, systemd."""

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess

from group import Skip
from procs import Settings, settled_size, until
from resp import encode
from stall import CHILD_OPENED, Stall

WATCHES_NOBODY = ["sentinel monitor m 127.0.0.1 1 1"]


def program():
    return str(pathlib.Path(Settings.sentinel).absolute())


def title(sentinel):
    """What `ps` shows."""
    words = pathlib.Path(f"/proc/{sentinel.pid}/cmdline").read_bytes()
    return words.rstrip(b"\0").replace(b"\0", b" ").decode()


def needs_real_process():
    if Settings.valgrind:
        raise Skip("valgrind is the process here")


def test_process_title(t):
    needs_real_process()
    cases = [([], "redis-sentinel 127.0.0.1:{port} [sentinel]"),
             (["set-proc-title no"], "redis-sentinel {conf}"),
             (['proc-title-template "watching {config-file} from {port} as {title}"'],
              "watching {conf} from {port} as redis-sentinel"),
             # longer than the command line, into what was the environment
             (['proc-title-template "' + "x" * 150 + '"'], "x" * 150)]
    os.environ["TITLE_ROOM"] = "y" * 300
    for lines, shown in cases:
        sentinel = t.sentinel(lines=[*lines, *WATCHES_NOBODY]).start().wait_answers()
        wanted = shown.format(port=sentinel.port, conf=sentinel.conf)
        assert title(sentinel) == wanted, (lines, title(sentinel), wanted)


def test_scripts_inherit_the_environment(t):
    """Titles take the place of the environment in memory; nobody misses it."""
    os.environ["GREETING"] = "hello there"
    out, script = t.dir / "out", t.dir / "script"
    script.write_text(f'#!/bin/sh\necho "$GREETING" > {out}.part\n'
                      f'mv {out}.part {out}\n')
    script.chmod(0o755)
    t.sentinel(lines=[*WATCHES_NOBODY, f"sentinel notification-script m {script}",
                      "sentinel down-after-milliseconds m 100"]).start()
    until(out.exists, 10, "the script ran")
    assert out.read_text() == "hello there\n"


def sockets_of(pid):
    """Copies of the sockets of a process."""
    pidfd = os.pidfd_open(pid)
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                continue
        except FileNotFoundError:
            continue
        fd = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, int(name), 0)
        if fd < 0:
            raise Skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
        yield socket.socket(fileno=fd)
    os.close(pidfd)


def test_socket_mark(t):
    needs_real_process()
    sentinel = t.sentinel(lines=["socket-mark-id 4242", *WATCHES_NOBODY])
    sentinel.start().wait_answers()
    refused = "Unable to mark a listening socket with 4242: Operation not permitted"
    if os.getuid() != 0:
        assert refused in sentinel.log()
        return
    marks = [s.getsockopt(socket.SOL_SOCKET, socket.SO_MARK)
             for s in sockets_of(sentinel.pid)
             if s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)]
    assert marks == [4242] or refused in sentinel.log(), (marks, sentinel.log())


def test_crash_report(t):
    needs_real_process()
    if b"__asan_" in pathlib.Path(program()).read_bytes():
        raise Skip("the sanitizer reports crashes itself")
    start = "=== REDIS BUG REPORT START: Cut & paste starting from here ===\n"
    for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS):
        path = t.dir / f"log-{int(number)}"
        for lines in ([], [f"logfile {path}"]):
            sentinel = t.sentinel(lines=[*lines, *WATCHES_NOBODY]).start()
            sentinel.wait_answers().signal(number)
            assert sentinel.wait_exit() == -number
            log = path.read_text() if lines else sentinel.log()
            report = log[log.index(start):]
            assert f"crashed by signal: {int(number)}, si_code: 0\n" in report, report
            assert f"Killed by PID: {os.getpid()}, " in report, report
            assert "uv_run" in report or "redis-sentinel" in report, report
            assert "=== REDIS BUG REPORT END." in report, report
    sentinel = t.sentinel(lines=["crash-log-enabled no", *WATCHES_NOBODY]).start()
    sentinel.wait_answers().signal(signal.SIGSEGV)
    assert sentinel.wait_exit() == -signal.SIGSEGV
    assert start not in sentinel.log()


def test_hangup_reopens_the_log(t):
    path = t.dir / "sentinel.log"
    sentinel = t.sentinel(lines=[f'logfile "{path}"', *WATCHES_NOBODY])
    sentinel.start().wait_answers()
    path.rename(t.dir / "old.log")
    sentinel.signal(signal.SIGHUP)
    until(path.exists, 5, "there is a new file, although nothing was logged")
    assert sentinel.answers()


def test_output_that_nobody_reads(t):
    """A log collector that hangs holds up the log, and nothing else."""
    sentinel = t.sentinel(lines=["loglevel verbose", *WATCHES_NOBODY])
    pipe = sentinel.dir / "pipe"
    os.mkfifo(pipe)
    ear = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    kept = sentinel.log_path
    sentinel.log_path = pipe
    sentinel.start()
    sentinel.log_path = kept
    sentinel.wait_answers()
    full = fcntl.fcntl(ear, fcntl.F_SETPIPE_SZ, 4096)
    n_changes = 2 * full // len("# +set master m 127.0.0.1 1 quorum")
    changes = [encode("SENTINEL", "SET", "m", "quorum", n + 1)
               for n in range(n_changes)]

    def fill():
        with sentinel.client() as client:
            client.send(b"".join(changes))
            assert {client.read() for _ in changes} == {"OK"}

    def is_all_read():
        try:
            kept.write_bytes(kept.read_bytes() + os.read(ear, full))
        except BlockingIOError:
            pass
        return b" quorum 7777\n" in kept.read_bytes()
    kept.write_bytes(b"")
    fill()
    sentinel.sentinel("SET", "m", "quorum", 7777)
    until(is_all_read, 10, "all lines come once somebody reads")
    told = re.findall(r"# \+set master m 127.0.0.1 1 quorum (\d+)\n", kept.read_text())
    assert told == [str(n + 1) for n in range(n_changes)] + ["7777"], told
    fill()
    assert sentinel.stop() == 0, "ends although its last words find no room"
    os.close(ear)


def test_log_on_a_disk_that_hangs(t):
    """The log waits; the failover does not, and is told in full afterwards."""
    folder = t.dir / "logs"
    folder.mkdir()
    path = folder / "sentinel.log"
    group = t.group(["ours"], quorum=1, lines=[f'logfile "{path}"']).start()
    sentinel = group.sentinels[0]
    fresh = folder / "fresh.log"
    fresh.touch()
    stall = Stall(folder, CHILD_OPENED)
    t.cleanups.append(stall.close)
    os.replace(fresh, path)  # so that the next line opens a file
    with sentinel.client() as ear:
        ear.send(encode("SUBSCRIBE", "+switch-master"))
        assert ear.read()[0] == "subscribe"
        group.master.kill()
        stall.wait()
        assert ear.read()[:2] == ["message", "+switch-master"]
        assert sentinel.answers()
    stall.close()
    until(lambda: "+switch-master" in path.read_text(), 5, "the log goes on")
    order = re.findall(r"# (\+sdown master|\+odown|\+switch-master)", path.read_text())
    assert order == ["+sdown master", "+odown", "+switch-master"], path.read_text()


def test_json_log(t):
    sentinel = t.sentinel(lines=["log-format json", "log-timestamp-format iso8601",
                                 *WATCHES_NOBODY]).start().wait_answers()
    with sentinel.client() as client:
        client("SENTINEL", "MONITOR", 'odd"name', "127.0.0.1", 1, 1)
    assert sentinel.stop() == 0
    lines = [json.loads(line) for line in sentinel.log().splitlines()
             if ":signal-handler (" not in line]  # that one is as stock's
    assert all(line["pid"] == sentinel.pid and line["role"] == "sentinel"
               for line in lines), lines
    assert any('odd"name' in line["message"] for line in lines), lines


@contextlib.contextmanager
def supervisor(address, **environment):
    """Plays systemd: gives a function that returns the next thing said to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(address.replace("@", "\0", 1))
        ear.settimeout(10 * Settings.slow)
        os.environ.update(environment, NOTIFY_SOCKET=address)
        yield lambda: ear.recv(1000).decode()


def test_systemd(t):
    needs_real_process()
    with supervisor(str(t.dir / "notify"), WATCHDOG_USEC="100000") as hear:
        sentinel = t.sentinel(lines=["supervised systemd", *WATCHES_NOBODY]).start()
        assert hear() == "STATUS=Redis is loading...\n"
        assert hear() == "STATUS=Ready to accept connections\nREADY=1\n"
        assert [hear() for _ in range(5)] == ["WATCHDOG=1\n"] * 5
        sentinel.signal(signal.SIGTERM)
        said = hear()
        while said == "WATCHDOG=1\n":
            said = hear()
        assert said == "STOPPING=1\n"
        assert sentinel.wait_exit() == 0


def is_stopped(process):
    stat = pathlib.Path(f"/proc/{process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def test_upstart(t):
    """It stops itself once it may be waited for; whoever started it lets it go on."""
    needs_real_process()
    for kind in ("stock", "ours"):
        os.environ["UPSTART_JOB"] = "sentinel"
        try:
            sentinel = t.sentinel(kind, ["supervised auto", *WATCHES_NOBODY]).start()
        finally:
            del os.environ["UPSTART_JOB"]
        until(lambda: is_stopped(sentinel), 10, f"{kind} stops itself")
        assert "supervised by upstart, will stop to signal readiness." in sentinel.log()
        sentinel.signal(signal.SIGCONT)
        sentinel.wait_answers()
        assert "process_supervised:upstart\r\n" in sentinel.call("INFO", "server")
        assert sentinel.stop() == 0


def test_watchdog_of_somebody_else(t):
    needs_real_process()
    with supervisor(f"@test-{os.getpid()}", WATCHDOG_USEC="2000",
                    WATCHDOG_PID="1") as hear:
        sentinel = t.sentinel(lines=["supervised auto", *WATCHES_NOBODY]).start()
        sentinel.wait_answers()
        assert sentinel.stop() == 0
        said = [hear()]
        while said[-1] != "STOPPING=1\n":
            said.append(hear())
    assert "WATCHDOG=1\n" not in said, said


def check_config(path):
    run = subprocess.run([program(), "--check-config", str(path)], capture_output=True,
                         text=True, timeout=20, cwd=path.parent)
    return run.returncode, run.stdout, run.stderr


def test_check_config(t):
    path = t.dir / "sentinel.conf"
    path.write_text("port 26379\nsentinel monitor m 127.0.0.1 1 1\n")
    before = path.stat()
    assert check_config(path) == (0, "OK\n", "")
    assert (path.read_text().count("\n"), path.stat().st_mtime_ns) == \
        (2, before.st_mtime_ns)

    (t.dir / "more.conf").write_text("# none\nsentinel auth-pass nobody x\n")
    path.write_text("port many\ninclude more.conf\nfrobnicate yes\n"
                    "sentinel monitor m 127.0.0.1 1 0\nsentinel auth-pass m x\n")
    status, shown, errors = check_config(path)
    assert (status, shown) == (1, "")
    assert errors.splitlines() == [
        f"{path}:1: argument couldn't be parsed into an integer", ">>> 'port many'",
        f"{path}:3: Bad directive or wrong number of arguments", ">>> 'frobnicate yes'",
        f"{path}:4: Quorum must be 1 or greater.",
        ">>> 'sentinel monitor m 127.0.0.1 1 0'",
        "more.conf:2: No such master with specified name.",
        ">>> 'sentinel auth-pass nobody x'", "4 errors"], errors

    status, shown, errors = check_config(t.dir / "none.conf")
    assert status == 1 and "can't open config file" in shown + errors


def test_check_config_leaves_no_trace(t):
    """It may be made by root before the first start, and beside a running daemon."""
    needs_real_process()
    sentinel = t.sentinel(lines=[f"logfile {t.dir}/daemon.log",
                                 f"sentinel state-dir {t.dir}/state", *WATCHES_NOBODY])
    (t.dir / "state").mkdir()
    assert check_config(sentinel.conf) == (0, "OK\n", "")
    assert os.listdir(t.dir / "state") == []
    assert not (t.dir / "daemon.log").exists()

    sentinel.start().wait_answers()
    settled_size(t.dir / "daemon.log")
    before = (t.dir / "daemon.log").read_text()
    assert check_config(sentinel.conf) == (0, "OK\n", "")
    (t.dir / "state" / "sentinel.state").rename(t.dir / "elsewhere")
    (t.dir / "state" / "sentinel.state").mkdir()
    status, shown, errors = check_config(sentinel.conf)
    assert (status, shown) == (1, "") and "sentinel.state" in errors, (shown, errors)
    (t.dir / "state" / "sentinel.state").rmdir()
    assert (t.dir / "daemon.log").read_text() == before


def test_state_that_cannot_be_locked(t):
    """Somebody else's lock file keeps nobody from starting; it is said."""
    needs_real_process()
    if os.getuid() != 0:
        raise Skip("only root can make a file of somebody else's")
    state = t.dir / "state"
    state.mkdir()
    os.chown(state, pwd.getpwnam("nobody").pw_uid, -1)
    (state / "sentinel.state.lock").touch(mode=0o600)
    sentinel = t.sentinel(lines=[f"sentinel state-dir {state}", *WATCHES_NOBODY])
    sentinel.user = "nobody"
    os.chown(sentinel.dir, pwd.getpwnam("nobody").pw_uid, -1)
    sentinel.start().wait_answers()
    warning = "sentinel.state.lock cannot be locked (Permission denied)"
    assert sentinel.log().count(warning) == 1, sentinel.log()
    assert sentinel.stop() == 0
    (state / "sentinel.state.lock").unlink()
    assert sentinel.start().wait_answers().log().count(warning) == 1


def test_check_config_files_and_folders(t):
    """What cannot start is named, and nothing comes into being by looking."""
    path, none = t.dir / "sentinel.conf", t.dir / "none"
    acl, folder = t.dir / "users.acl", t.dir / "folder"
    acl.write_text("user worker on +@nonsense\n")
    folder.mkdir()
    (folder / "there.log").write_text("old\n")
    monitor = "sentinel monitor m 127.0.0.1 1 1\n"
    missing = "No such file or directory"

    def names(lines, *reasons):
        path.write_text(f"port 26379\n{monitor}{lines}\n")
        before = sorted(t.dir.rglob("*"))
        status, shown, errors = check_config(path)
        assert sorted(t.dir.rglob("*")) == before
        if not reasons:
            assert (status, shown, errors) == (0, "OK\n", ""), errors
            return
        assert (status, shown) == (1, ""), shown
        *named, last = errors.splitlines()
        assert named == [f"{path}: {r}" for r in reasons], errors
        assert last.split()[0] == str(len(reasons)), errors

    failed = "Aborting Redis startup because of ACL errors: "
    names(f"aclfile {none}",
          f"{failed}Error loading ACLs, opening file '{none}': {missing}")
    names(f"aclfile {acl}",
          f"{failed}{acl}:1: Error in applying operation '+@nonsense': Unknown "
          "command or category name in ACL. WARNING: ACL errors detected, no change "
          "to the previously active ACL rules was performed")
    acl.write_text("user default on nopass +@all ~* &*\n")
    names(f"aclfile {acl}")
    names(f"logfile {none}/a.log\nunixsocket {none}/a.sock",
          f"Can't open the log file {none}/a.log: {missing}",
          f"Failed opening Unix socket {none}/a.sock: {missing}")
    names(f"dir {folder}\nlogfile there.log\nunixsocket a.sock")
    names(f"dir {folder}\nlogfile new.log")
    names(f"logfile {folder}", f"Can't open the log file {folder}: Is a directory")
    names(f"sentinel state-dir {none}",
          f"Sentinel state-dir {none} is not writable: {missing}")
    names(f"sentinel state-dir {acl}",
          f"Sentinel state-dir {acl} is not writable: Not a directory")
    names(f"sentinel state-dir {folder}")
    names("port 0", "Configured to not listen anywhere")
    assert (folder / "there.log").read_text() == "old\n"


def test_check_config_asks_for_the_user_it_runs_as(t):
    path, folder = t.dir / "sentinel.conf", t.dir / "folder"
    folder.mkdir(mode=0o755)
    (folder / "a.log").write_text("")
    denied = "Permission denied"
    t.dir.chmod(0o755)
    # The program may be where only root gets.
    prober = pathlib.Path(shutil.copy(program(), t.dir / "prober"))
    prober.chmod(0o755)

    def names(lines, *reasons):
        path.write_text(f"port 26379\nsentinel monitor m 127.0.0.1 1 1\n{lines}\n")
        path.chmod(0o444)
        command = [str(prober), "--check-config", str(path)]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                       *command]
        run = subprocess.run(command, capture_output=True, text=True, timeout=20,
                             cwd=t.dir)
        assert run.returncode == 1, run
        assert run.stderr.splitlines()[:-1] == [f"{path}: {r}" for r in reasons], run

    if os.geteuid() != 0:
        folder.chmod(0o555)
        (folder / "a.log").chmod(0o444)
    names(f"logfile {folder}/a.log",
          f"Sentinel config file {path} is not writable: {denied}",
          f"Can't open the log file {folder}/a.log: {denied}")
    names(f"sentinel state-dir {folder}\nlogfile {folder}/b.log\n"
          f"unixsocket {folder}/s",
          f"Sentinel state-dir {folder} is not writable: {denied}",
          f"Can't open the log file {folder}/b.log: {denied}",
          f"Failed opening Unix socket {folder}/s: {denied}")
    folder.chmod(0o755)

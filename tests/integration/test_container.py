"""Where sentinels are really run: files that cannot be replaced or written at all,
disks that fill up, no root, no home, process 1. Stock's behaviour stands beside it."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

from contained import ANYBODY, READ_ONLY_ROOT, Contained, must_be_allowed, read_only
from procs import Settings, free_of_errors, until
from resp import RespError

ID_A, ID_B = "a" * 40, "b" * 40
MONITOR = "sentinel monitor m 127.0.0.1 1 1"
ANY_CANDIDATE = "sentinel vote-for-unknown yes"


def set_quorum(sentinel, quorum):
    return sentinel.sentinel("SET", "m", "quorum", str(quorum))


def refused(sentinel, quorum):
    try:
        set_quorum(sentinel, quorum)
    except RespError as error:
        return "Failed to save config file" in str(error)
    return False


def vote(sentinel, port, epoch, run_id):
    return sentinel.sentinel("IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", str(port),
                             str(epoch), run_id)


# ------------------------------------------------------- without a state directory


def test_container_bind_mounted_file(t):
    """rename() says EBUSY: the file is written in place, and holds what was changed."""
    for kind in ("stock", "ours"):
        s = Contained(t, kind, [MONITOR])
        s.mounts = [f"mount --bind {s.conf} {s.conf}"]
        before = s.conf.stat()
        s.start().wait_answers()
        if kind == "stock":
            assert refused(s, 7)
            assert "Could not rename tmp config file (Device or resource busy)" in \
                s.log()
            continue
        assert set_quorum(s, 7) == "OK"
        assert s.config_lines("monitor", "m") == ["127.0.0.1 1 7"]
        after = s.conf.stat()
        assert (after.st_ino, after.st_mode, after.st_uid) == \
            (before.st_ino, before.st_mode, before.st_uid)
        assert list(s.dir.glob("sentinel.conf.*")) == []
        myid = s.myid()
        assert s.stop() == 0
        s.start().wait_answers()
        assert s.myid() == myid and s.master("m")["quorum"] == "7"
        assert not free_of_errors(s)


def test_container_file_in_a_read_only_folder(t):
    """Only the file itself is writable: the folder is part of a read-only image."""
    for kind in ("stock", "ours"):
        s = Contained(t, kind, [MONITOR])
        s.mounts = [f"mount --bind {s.conf} {s.conf}", READ_ONLY_ROOT]
        s.start().wait_answers()
        if kind == "stock":
            assert refused(s, 7)
            assert "Could not create tmp config file (Read-only file system)" in s.log()
        else:
            assert set_quorum(s, 7) == "OK"
            assert s.config_lines("monitor", "m") == ["127.0.0.1 1 7"]
            s.wait_log("is rewritten in place")


def test_container_folder_of_somebody_else(t):
    for kind in ("stock", "ours"):
        s = Contained(t, kind, [MONITOR])
        os.chown(s.dir, 0, 0)
        s.start().wait_answers()
        if kind == "stock":
            assert refused(s, 7)
            assert "Could not create tmp config file (Permission denied)" in s.log()
        else:
            assert set_quorum(s, 7) == "OK"
            assert s.config_lines("monitor", "m") == ["127.0.0.1 1 7"]


def test_container_file_that_cannot_be_written(t):
    """The first line is stock's; ours also says what to do. Root gets no exception on
    a read-only mount."""
    for user_id in (ANYBODY, None):
        for kind in ("stock", "ours"):
            s = Contained(t, kind, [MONITOR], user_id=user_id)
            if user_id is None:
                s.mounts, reason = [read_only(s.conf)], "Read-only file system"
            else:
                os.chown(s.conf, 0, 0)
                s.conf.chmod(0o444)
                reason = "Permission denied"
            s.start()
            assert s.wait_exit() == 1, s.log()
            lines = [line for line in s.log().splitlines() if " # " in line]
            assert lines[0].endswith(
                f"# Sentinel config file {s.conf} is not writable: {reason}. "
                "Exiting..."), s.log()
            if kind == "ours":
                assert "sentinel state-dir DIR" in lines[1]
                assert f"user {user_id or 0} may make files" in lines[1]


def test_container_new_id_that_cannot_be_saved(t):
    """Each start would leave a ghost in the group."""
    s = Contained(t, "ours", [MONITOR])
    s.conf.write_text(s.conf.read_text() + f"sentinel state-dir {s.state}\n")
    s.mounts = [f"mount -t tmpfs -o size=4k,mode=0777 none {s.state}",
                f"head -c 4096 /dev/zero > {s.state}/full"]
    s.start()
    assert s.wait_exit() == 1, s.log()
    assert "No space left on device" in s.log()
    assert "The new id of this sentinel cannot be saved" in s.log()


# ---------------------------------------------------------- with a state directory


def declared(t, lines=(), mounts=(), **options):
    """A sentinel whose configuration cannot be written by anybody."""
    s = Contained(t, "ours", [], **options)
    s.conf.write_text(s.conf.read_text() + "\n".join(
        [f"sentinel state-dir {s.state}", ANY_CANDIDATE, *(lines or [MONITOR])]) + "\n")
    os.chown(s.conf, 0, 0)
    s.conf.chmod(0o444)
    s.mounts = [f"mount --bind {s.state} {s.state}", *mounts, READ_ONLY_ROOT]
    s.file = s.state / "sentinel.state"
    return s


def test_container_state_dir(t):
    """Read-only root, no passwd entry, no home: what clients set and what was voted is
    there after a restart, and the declared file is as it was."""
    s = declared(t, [MONITOR, "sentinel monitor gone 127.0.0.1 2 1"])
    text = s.conf.read_bytes()
    s.start().wait_answers()
    myid = s.myid()
    assert set_quorum(s, 3) == "OK"
    assert s.sentinel("MONITOR", "new", "127.0.0.1", "3", "1") == "OK"
    assert s.sentinel("REMOVE", "gone") == "OK"
    assert s.sentinel("CONFIG", "SET", "announce-port", "77") == "OK"
    assert vote(s, 1, 5, ID_A)[1:] == [ID_A, 5]
    info = s.file.stat()
    assert (info.st_mode & 0o7777, info.st_uid) == (0o600, ANYBODY)
    assert s.stop() == 0
    assert s.conf.read_bytes() == text
    s.start().wait_answers()
    assert s.myid() == myid
    assert s.master("m")["quorum"] == "3"
    assert sorted(m[1] for m in s.sentinel("MASTERS")) == ["m", "new"]
    assert s.sentinel("CONFIG", "GET", "announce-port") == ["announce-port", "77"]
    assert vote(s, 1, 5, ID_B)[1] != ID_B, "it voted twice in one epoch"
    assert "Master 'gone' is declared, but was removed" in s.log()
    assert not free_of_errors(s)
    # A new version of the configuration: its changes count.
    assert s.stop() == 0
    s.conf.write_bytes(text.replace(b"m 127.0.0.1 1 1", b"m 127.0.0.1 1 9"))
    s.start().wait_answers()
    assert s.master("m")["quorum"] == "9"


def test_container_state_dir_failover(t):
    """The address after a failover is state."""
    group = t.group([], n_replicas=1, quorum=1)
    s = declared(t, [f"sentinel monitor mymaster 127.0.0.1 {group.master.port} 1",
                     "sentinel down-after-milliseconds mymaster 1000"])
    text = s.conf.read_bytes()
    group.sentinels.append(s)
    group.start()
    old = group.master.port
    group.master.kill()
    new = group.wait_switch(old)
    assert s.stop() == 0
    s.start().wait_answers()
    assert s.address() == new.port
    assert s.conf.read_bytes() == text


def test_container_command_line_only(t):
    """No file at all: stock refuses that, ours wants a place for the state."""
    for kind in ("stock", "ours"):
        s = Contained(t, kind, [])
        s.arguments = ["--port", str(s.port), *f"--{MONITOR}".split()]
        s.start()
        assert s.wait_exit() == 1
        assert "Sentinel needs config file on disk to save state. Exiting..." in s.log()
    assert "--sentinel state-dir DIR" in s.log()
    s.arguments += ["--sentinel", "state-dir", str(s.state)]
    s.mounts = [f"mount --bind {s.state} {s.state}", READ_ONLY_ROOT]
    s.start().wait_answers()
    myid = s.myid()
    assert set_quorum(s, 4) == "OK"
    assert s.stop() == 0
    assert "port" not in (s.state / "sentinel.state").read_text()
    s.start().wait_answers()
    assert s.myid() == myid and s.master("m")["quorum"] == "4"


def test_container_state_dir_that_cannot_be_used(t):
    s = Contained(t, "ours", [MONITOR])
    plain, ours_not = s.dir / "plain", s.dir / "root"
    plain.touch()
    ours_not.mkdir(mode=0o755)
    text = s.conf.read_text()
    for path, reason in ((s.dir / "none", "No such file or directory"),
                         (plain, "Not a directory"), (ours_not, "Permission denied")):
        s.conf.write_text(f"{text}sentinel state-dir {path}\n")
        s.log_path.unlink(missing_ok=True)
        s.start()
        assert s.wait_exit() == 1, s.log()
        assert f"Sentinel state-dir {path} is not writable: {reason}. Exiting..." in \
            s.log()
        assert f"user {ANYBODY} may make files" in s.log()


def test_container_state_dir_of_another(t):
    """Two must not write one state: the second does not start, the first notices
    nothing, and the state is free when that has ended."""
    first = declared(t).start()
    first.wait_answers()
    second = Contained(t, "ours", [MONITOR, f"sentinel state-dir {first.state}"])
    second.start()
    assert second.wait_exit() == 1, second.log()
    assert f"state file {first.file} is in use by another process. Exiting..." in \
        second.log()
    assert first.stop() == 0
    second.start().wait_answers()
    assert second.myid() == first.file.read_text().split("sentinel myid ")[1].split()[0]


def test_container_state_file_that_is_damaged(t):
    s = declared(t)
    s.file.write_text("sentinel monitor m 127.0.0.1 5 1\nsentinel frob\n")
    s.file.chmod(0o644)
    s.start()
    assert s.wait_exit() == 1
    assert f"statement. (in {s.file})" in s.log(), s.log()


def test_container_check_config_with_a_state_dir(t):
    s = declared(t)
    program = str(pathlib.Path(Settings.sentinel).absolute())
    for text, status in ((None, 0), ("sentinel current-epoch 4\n", 0), ("frob\n", 1)):
        if text:
            s.file.write_text(text)
        run = subprocess.run([program, "--check-config", str(s.conf)],
                             capture_output=True, text=True, timeout=20)
        assert run.returncode == status, run
    assert f"{s.file}:1: " in run.stderr
    assert s.file.read_text() == "frob\n"


# -------------------------------------------------------- unwritable while it runs


def breaks(t, mounts, break_it, mend, reason, prepare=None):
    """Votes are withheld and said so once; all is well when it can be written again."""
    group = t.group([], n_replicas=0)
    s = declared(t, [f"sentinel monitor m 127.0.0.1 {group.master.port} 1"])
    s.mounts[0:1] = [m.format(s=s) for m in mounts]
    group.master.start().wait_answers()
    s.start().wait_answers()
    port = group.master.port
    with s.client() as listener:
        listener("SUBSCRIBE", "+save-failed", "-save-failed")
        until(lambda: s.info()["sentinel_state_saved"] == "1", 5, "saved at first")
        break_it(s)
        assert vote(s, port, 5, ID_A)[1] == "*", "a vote that is not on disk"
        assert refused(s, 7)
        message = listener.read()
        while message[0] != "message":
            message = listener.read()
        assert message[1] == "+save-failed" and reason in message[2], message
        assert s.info()["sentinel_state_saved"] == "0"
        assert s.answers()
        for epoch in range(6, 26):
            assert vote(s, port, epoch, ID_A)[1] == "*"
        mend(s)
        message = listener.read()
        assert message[1] == "-save-failed", message
    assert s.info()["sentinel_state_saved"] == "1"
    assert vote(s, port, 30, ID_A)[1:] == [ID_A, 30]
    log = s.log()
    assert log.count("+save-failed") == log.count("not able to save") == 1, log
    epochs = re.findall(r"leader-epoch m (\d+)", s.see(s.file).read_text())
    assert epochs == ["30"], epochs


def test_container_disk_full(t):
    breaks(t, ["mount -t tmpfs -o size=16k,mode=0777 none {s.state}"],
           lambda s: s.inside("sh", "-c", f"cat /dev/zero > {s.state}/full || :"),
           lambda s: s.inside("rm", str(s.state / "full")), "No space left on device")


def test_container_remounted_read_only(t):
    breaks(t, ["mount -t tmpfs -o mode=0777 none {s.state}"],
           lambda s: s.inside("mount", "-o", "remount,ro", str(s.state)),
           lambda s: s.inside("mount", "-o", "remount,rw", str(s.state)),
           "Read-only file system")


def test_container_folder_goes_and_comes_back(t):
    def move(s, old, new):
        s.inside("mv", str(s.state / old), str(s.state / new))

    group = t.group([], n_replicas=0)
    s = Contained(t, "ours", [f"sentinel monitor m 127.0.0.1 {group.master.port} 1",
                              ANY_CANDIDATE])
    (s.state / "sub").mkdir()
    os.chown(s.state / "sub", ANYBODY, ANYBODY)
    s.conf.write_text(s.conf.read_text() + f"sentinel state-dir {s.state}/sub\n")
    group.master.start().wait_answers()
    s.start().wait_answers()
    move(s, "sub", "away")
    assert vote(s, group.master.port, 5, ID_A)[1] == "*"
    s.wait_event("+save-failed", "No such file or directory")
    move(s, "away", "sub")
    s.wait_event("-save-failed")
    assert vote(s, group.master.port, 6, ID_A)[1:] == [ID_A, 6]


def test_container_rights_taken_away(t):
    def take(s):
        s.state.chmod(0o500)
        s.file.chmod(0o400)

    breaks(t, ["mount --bind {s.state} {s.state}"], take,
           lambda s: s.state.chmod(0o700), "Permission denied")


def test_container_stock_votes_without_a_disk(t):
    """What ours does not do: the vote leaves, and is forgotten by a restart."""
    group = t.group([], n_replicas=0)
    s = Contained(t, "stock", [f"sentinel monitor m 127.0.0.1 {group.master.port} 1"])
    group.master.start().wait_answers()
    s.start().wait_answers()
    os.chown(s.dir, 0, 0)
    assert vote(s, group.master.port, 5, ID_A)[1:] == [ID_A, 5]
    s.wait_log("not able to save")
    s.kill()
    s.start().wait_answers()
    assert vote(s, group.master.port, 5, ID_B)[1:] == [ID_B, 5], "stock has changed"


# -------------------------------------------------------------- files and their owners


def test_container_mode_owner_and_links_stay(t):
    """Of the configuration and of the file of users; stock replaces links, and lets
    everybody read passwords."""
    for kind in ("stock", "ours"):
        s = Contained(t, kind, [MONITOR], user_id=None)
        users, users_at = s.dir / "users.acl", s.state / "real.acl"
        users_at.write_text("user default on nopass ~* &* +@all\n")
        users.symlink_to(users_at)
        real = s.state / "real.conf"
        real.write_text(s.conf.read_text() + f"aclfile {users}\n")
        s.conf.unlink()
        s.conf.symlink_to(real)
        for path in (real, users_at):
            path.chmod(0o640)
            os.chown(path, 1234, 1235)
        s.start().wait_answers()
        assert set_quorum(s, 7) == "OK"
        s.call("ACL", "SETUSER", "ann", "on")
        assert s.call("ACL", "SAVE") == "OK"
        if kind == "stock":
            assert not s.conf.is_symlink() and s.conf.stat().st_mode & 0o004
            continue
        assert s.conf.is_symlink() and users.is_symlink()
        assert "monitor m 127.0.0.1 1 7" in real.read_text()
        assert "user ann" in users_at.read_text()
        for path in (real, users_at):
            info = path.stat()
            assert (info.st_mode & 0o7777, info.st_uid, info.st_gid) == \
                (0o640, 1234, 1235), path


def test_container_files_we_create_are_private(t):
    s = Contained(t, "ours", [MONITOR], mounts=["umask 000"])
    users = s.dir / "users.acl"
    users.write_text("user default on nopass ~* &* +@all\n")
    s.conf.write_text(s.conf.read_text() + f"aclfile {users}\n")
    s.start().wait_answers()
    users.unlink()
    s.conf.unlink()
    assert s.call("ACL", "SAVE") == "OK" and set_quorum(s, 7) == "OK"
    for path in (users, s.conf):
        assert path.stat().st_mode & 0o7777 == 0o600, path


# ------------------------------------------------------------------------- process 1


class First(Contained):
    """A sentinel that is process 1. |popen| is unshare, which waits for it."""

    def argv(self):
        argv, program = super().argv()
        argv[1:2] = ["-m", "--pid", "--fork", "--mount-proc"]
        # it dies with unshare, and unshare with the test
        argv[1:1] = ["--kill-child"]
        return argv, program

    @property
    def pid(self):
        parent = self.popen.pid
        children = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text()
        return int(children.split()[0])


def first(t, lines=(), kind="ours"):
    must_be_allowed("-m", "--pid", "--fork", "--mount-proc")
    return First(t, kind, [MONITOR, *lines])


def test_container_process_1_obeys_signals(t):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1):
        s = first(t, ["daemonize yes"] if number == signal.SIGTERM else [])
        s.start().wait_answers()
        status = pathlib.Path(f"/proc/{s.pid}/status").read_text()
        assert re.search(r"^NSpid:\s+\d+\s+1$", status, re.MULTILINE), status
        os.kill(s.pid, number)
        assert s.wait_exit() == 0, (number, s.log())
        assert "bye bye" in s.log()


def test_container_process_1_reaps_orphans(t):
    """A script leaves a process in the background, which becomes ours."""
    script = t.dir / "notify.sh"
    script.write_text("#!/bin/sh\nsleep 0.2 &\n")
    script.chmod(0o755)
    group = t.group([], n_replicas=0)
    s = first(t)
    s.conf.write_text(s.conf.read_text() + "\n".join([
        f"sentinel monitor x 127.0.0.1 {group.master.port} 1",
        f"sentinel notification-script x {script}"]) + "\n")
    s.start().wait_answers()
    children = pathlib.Path(f"/proc/{s.pid}/task/{s.pid}/children")
    until(lambda: "+script-child" in s.log() or children.read_text(), 10,
          "the script was run")
    until(lambda: not children.read_text(), 10, "nothing is left of it")
    os.kill(s.pid, signal.SIGTERM)
    assert s.wait_exit() == 0


def test_container_process_1_ends_before_it_listens(t):
    """It reads its configuration from a pipe nobody writes to, and can be stopped."""
    s = first(t)
    fifo = s.dir / "fifo"
    os.mkfifo(fifo, 0o666)
    s.arguments = [str(fifo)]
    s.start()
    until(lambda: s.pid and "redis-sentinel" in
          pathlib.Path(f"/proc/{s.pid}/cmdline").read_text().split("\0")[0], 10,
          "it has begun")
    deadline = time.monotonic() + 10 * Settings.slow
    while s.popen.poll() is None and time.monotonic() < deadline:
        # It may not have got to its handler yet; or be gone, and unshare not yet.
        with contextlib.suppress(IndexError, ProcessLookupError, FileNotFoundError):
            os.kill(s.pid, signal.SIGTERM)
        time.sleep(0.02)
    assert s.popen.poll() == 128 + signal.SIGTERM, s.popen.poll()

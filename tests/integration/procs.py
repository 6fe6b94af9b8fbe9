"""Processes under test: data servers and sentinels, each in a folder of its own.

Every process is started in the background, ended by its own pid, and dies with the
test that started it.
"""

import ctypes
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import time

from resp import Client, ProtocolError, RespError, row, rows

PORTS = range(21000, 32000)  # below the range the kernel takes ports from
# A sanitized build keeps little of what is freed, so that memory can be measured.
SANITIZER = {"ASAN_OPTIONS": "quarantine_size_mb=8", "UBSAN_OPTIONS":
             "print_stacktrace=1"}
NOT_YET = (OSError, RespError, ProtocolError, KeyError, IndexError)


class Settings:
    """What the command line chose; one per process."""
    sentinel = "build/redis-sentinel"
    stock = "build/stock"
    slow = 1.0  # deadlines and periods are multiplied by this
    valgrind = False


def settled_size(path):
    """Of a log that another thread of its process writes, a moment later."""
    before = -1
    while (size := os.path.getsize(path)) != before:
        before = size
        time.sleep(0.02)
    return size


def until(condition, timeout, what):
    """Polls until |condition| returns something true, and returns that. Connection
    and reply errors on the way mean "not yet"."""
    deadline = time.monotonic() + timeout * Settings.slow
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except NOT_YET as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout * Settings.slow:.1f} s still not: "
                                 f"{what} (last: {last!r})")
        time.sleep(0.01)


class Ports:
    """Ports nobody else has. A UDP socket on the same number keeps each reserved while
    its TCP owner is dead, against other tests on this machine."""

    def __init__(self):
        self.held = []

    def take(self):
        for port in random.sample(PORTS, 200):
            mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                mark.bind(("127.0.0.1", port))
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
            except OSError:
                mark.close()
                continue
            self.held.append(mark)
            return port
        raise RuntimeError("no free port")

    def release(self):
        for mark in self.held:
            mark.close()


def die_with_parent(by=signal.SIGKILL):
    ctypes.CDLL(None).prctl(1, by)


class Process:
    """A program with a folder, a log (its output) and a port.

    place   where it runs: an object with an |address| and a function enter(), called
            in the child before the program starts (see faults/network.py); None: here
    env     more environment variables
    """

    def __init__(self, folder, name, port, place=None):
        self.name = name
        self.place = place
        self.host = place.address if place else "127.0.0.1"
        self.env = {}
        self.dir = pathlib.Path(folder) / name
        self.dir.mkdir(parents=True, exist_ok=True)
        self.port = port
        self.log_path = self.dir / "log"
        self.popen = None
        self.user = None
        self.password = None
        self.tls = None  # what the test's own clients use (ssl.SSLContext)

    def tls_lines(self, identity):
        """Configuration that leaves only a TLS port, and keys for the test."""
        if identity is None:
            return []
        self.tls = identity.context()
        return ["port 0", f"tls-port {self.port}", "tls-replication yes",
                *identity.lines()]

    def argv(self):
        raise NotImplementedError

    def start(self, *extra):
        assert self.popen is None or self.popen.poll() is not None
        argv, program = self.argv()
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                [*argv, *extra], executable=program, cwd=self.dir, stdout=log,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, user=self.user,
                env={**SANITIZER, **os.environ, **self.env},
                preexec_fn=self.before_exec)
        return self

    def before_exec(self):
        die_with_parent()
        if self.place:
            self.place.enter()

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def kill(self):
        """kill -9, and reap."""
        if self.alive():
            self.popen.kill()
        self.popen.wait()

    def signal(self, number):
        self.popen.send_signal(number)

    def stop(self, timeout=10):
        """SIGTERM; returns the exit status."""
        self.popen.terminate()
        return self.popen.wait(timeout * Settings.slow)

    def wait_exit(self, timeout=10):
        return self.popen.wait(timeout * Settings.slow)

    def client(self, **options):
        options.setdefault("password", self.password)
        options.setdefault("tls", self.tls)
        options.setdefault("timeout", 5.0 * Settings.slow)
        return Client(self.port, host=self.host, **options)

    def call(self, *words):
        with self.client() as client:
            return client(*words)

    def log(self):
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def answers(self):
        return self.call("PING") == "PONG"

    def wait_answers(self, timeout=10):
        def up():
            if not self.alive():
                raise AssertionError(f"{self.name} ended with status "
                                     f"{self.popen.returncode}:\n{self.log()[-2000:]}")
            return self.answers()
        until(up, timeout, f"{self.name} answers PING")
        return self


class Server(Process):
    """A real redis-server. Started again after kill(), it comes back as what its file
    says, like a machine that was rebooted."""

    def __init__(self, folder, name, port, master_port=None, password=None, lines=(),
                 tls=None, place=None, master_host="127.0.0.1"):
        """|tls|, a certs.Identity: speaks nothing else."""
        super().__init__(folder, name, port, place)
        self.password = password
        self.conf = self.dir / "redis.conf"
        text = [f"port {port}", f"bind {self.host}", f"dir {self.dir}", 'save ""',
                "protected-mode no", "appendonly no", "repl-diskless-sync yes",
                "repl-diskless-sync-delay 0", "enable-debug-command yes",
                *self.tls_lines(tls), *lines]
        if master_port:
            text.append(f"replicaof {master_host} {master_port}")
        if password:
            text += [f"requirepass {password}", f"masterauth {password}"]
        self.conf.write_text("\n".join(text) + "\n")

    def argv(self):
        program = str(pathlib.Path(Settings.stock, "redis-server").resolve())
        return ["redis-server", str(self.conf)], program

    def info(self, section="replication"):
        text = self.call("INFO", section)
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)

    def follows(self, port):
        info = self.info()
        return (info["role"] == "slave" and info["master_port"] == str(port)
                and info["master_link_status"] == "up")


EVENT = re.compile(r"^(\d+):X (\d\d \w{3} \d{4} [\d:]{8})\.(\d{3}) [.\-*#] "
                   r"([+-][a-z][a-z-]*) (.*)$")


class Event:
    def __init__(self, match):
        self.pid = int(match[1])
        stamp = time.strptime(match[2], "%d %b %Y %H:%M:%S")
        self.at = time.mktime(stamp) + int(match[3]) / 1000
        self.name, self.text = match[4], match[5]

    def __repr__(self):
        return f"{self.name} {self.text}"


class Sentinel(Process):
    """A sentinel: kind "ours" or "stock"."""

    def __init__(self, folder, name, port, kind, lines, extra=(), tls=None,
                 place=None):
        super().__init__(folder, name, port, place)
        self.kind = kind
        self.conf = self.dir / "sentinel.conf"
        self.conf.write_text("\n".join(
            [f"# configuration of {name}", f"port {port}", f"bind {self.host}",
             f"dir {self.dir}", *self.tls_lines(tls), *extra, *lines]) + "\n")

    def argv(self):
        if self.kind == "stock":
            program = pathlib.Path(Settings.stock, "redis-sentinel").resolve()
            return ["redis-sentinel", str(self.conf)], str(program)
        program = str(pathlib.Path(Settings.sentinel).absolute())
        if self.user:  # who may not be allowed to look into this tree
            program = shutil.copy(program, self.dir)
        argv = ["redis-sentinel", str(self.conf)]
        if Settings.valgrind:
            argv = ["valgrind", "-q", "--leak-check=full", "--error-exitcode=66",
                    "--show-leak-kinds=definite,indirect,possible", "--num-callers=30",
                    program, *argv[1:]]
            program = shutil.which("valgrind")
        return argv, program

    def events(self, since=0):
        """Events logged after byte |since| (see mark()) of the log."""
        with open(self.log_path, "rb") as log:
            log.seek(since)
            lines = log.read().decode(errors="replace").splitlines()
        return [Event(m) for m in map(EVENT.match, lines) if m]

    def mark(self):
        """Where its log ends once it has written down what has happened."""
        return settled_size(self.log_path)

    def find_event(self, name, text="", since=0):
        for event in self.events(since):
            if event.name == name and text in event.text:
                return event
        return None

    def wait_event(self, name, text="", since=0, timeout=15):
        return until(lambda: self.find_event(name, text, since), timeout,
                     f"{self.name} ({self.kind}) logs {name} {text}")

    def wait_log(self, text, timeout=10):
        until(lambda: text in self.log(), timeout, f"{self.name} logs {text!r}")

    def sentinel(self, *words):
        return self.call("SENTINEL", *words)

    def master(self, name="mymaster"):
        return row(self.sentinel("MASTER", name))

    def replicas(self, name="mymaster"):
        return rows(self.sentinel("REPLICAS", name))

    def peers(self, name="mymaster"):
        return rows(self.sentinel("SENTINELS", name))

    def address(self, name="mymaster"):
        """The port clients are sent to."""
        return int(self.sentinel("GET-MASTER-ADDR-BY-NAME", name)[1])

    def myid(self):
        return self.sentinel("MYID")

    def config_lines(self, *words):
        """Lines of the saved file that start with `sentinel <words>`, rest only."""
        start = " ".join(("sentinel", *words)) + " "
        return [line[len(start):] for line in self.conf.read_text().splitlines()
                if line.startswith(start)]

    def rss_kb(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1])


def free_of_errors(sentinel):
    """Lines of a sentinel's log that a healthy run does not have."""
    expected = re.compile(r"TCP backlog|overcommit|Transparent Huge Pages|somaxconn")
    wrong = re.compile(r"(?i)error|fail(ed|ure) (to|in|on)|not able|could not|assert"
                       r"|bug report|invalid|crash|sanitizer|protocol|valgrind|==\d+==")
    return [line for line in sentinel.log().splitlines()
            if wrong.search(line) and not expected.search(line)]

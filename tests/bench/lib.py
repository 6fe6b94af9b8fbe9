"""What the benchmarks share: fleets of fake servers, sentinels on them, measuring a
process, statistics, and the results file.

Ours and stock take turns within one run, so that what else the machine does hits both.
"""

import datetime
import json
import math
import os
import pathlib
import platform
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from group import Test  # noqa: E402
from procs import EVENT, Event, Settings, die_with_parent, until  # noqa: E402

KINDS = ("ours", "stock")
RESULTS = HERE / "RESULTS.md"
TICKS = os.sysconf("SC_CLK_TCK")


def setup(parser):
    """The options every benchmark has; returns them."""
    parser.add_argument("--sentinel", default="build/redis-sentinel")
    parser.add_argument("--stock", default="build/stock")
    parser.add_argument("--fleet", default="build/bench/fleet")
    parser.add_argument("--json", help="append the figures to this file")
    parser.add_argument("--kinds", default=",".join(KINDS),
                        help="which sentinels, in turns (ours,stock)")
    options = parser.parse_args()
    options.kinds = options.kinds.split(",")
    Settings.sentinel, Settings.stock = options.sentinel, options.stock
    Fleet.program = options.fleet
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    return options


def descriptors():
    """How many descriptors one process may have here."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


# ------------------------------------------------------------------ the fleet ----

class Fleet:
    """Masters with replicas in as many processes as the descriptor limit asks for."""

    program = "build/bench/fleet"

    def __init__(self, test, n_masters, n_sentinels=1, n_replicas=2, n_parts=1):
        self.n_masters, self.n_replicas = n_masters, n_replicas
        per_master = (1 + n_replicas) * (1 + 2 * n_sentinels)
        most = max(1, (descriptors() - 500) // per_master)
        n_parts = max(n_parts, math.ceil(n_masters / most))
        info = test.dir / "info"
        info.write_text(self.real_info(test), newline="")
        self.parts = []
        for base in random.sample(range(10000, 20000, 1000), 10):
            if self.start(info, base, n_parts):
                break
        else:
            raise RuntimeError("no free ports for the fleet")
        test.cleanups.append(self.close)

    def start(self, info, base, n_parts):
        self.base = base
        size = math.ceil(self.n_masters / n_parts)
        for first in range(0, self.n_masters, size):
            n = min(size, self.n_masters - first)
            self.parts.append(subprocess.Popen(
                [self.program, info, str(first), str(n), str(self.n_replicas),
                 str(base)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, preexec_fn=die_with_parent, stderr=subprocess.DEVNULL))
        if all(p.stdout.readline().startswith("ready") for p in self.parts):
            return True
        self.close()
        self.parts = []
        return False

    @staticmethod
    def real_info(test):
        """What a real server of this version says, as it would go over the wire."""
        server = test.server("model").start().wait_answers()
        text = server.call("INFO")
        server.kill()
        return text

    def address(self, n, member=0):
        return f"127.{1 + member}.{n // 1000}.1", self.base + n % 1000

    def call(self, line):
        """One command to every part; their answers."""
        for part in self.parts:
            part.stdin.write(line + "\n")
            part.stdin.flush()
        return [part.stdout.readline().strip() for part in self.parts]

    def strike(self, what, first, count):
        """kill or hang; seconds since 1970 of the first and the last blow."""
        times = [[int(t) / 1000 for t in a.split()] for a in
                 self.call(f"{what} {first} {count}")]
        return min(t[0] for t in times), max(t[1] for t in times)

    def stats(self):
        total = {}
        for answer in self.call("stats"):
            words = answer.split()
            for name, value in zip(words[::2], words[1::2]):
                total[name] = total.get(name, 0) + int(value)
        return total

    def n_right(self):
        """Groups with one living master that all others follow."""
        return sum(int(a) for a in self.call("state"))

    def conf(self, quorum=1, down_after=5000, known=True, failover_timeout=60000):
        """Lines for a sentinel; |known|: its replicas are in the file already;
        |down_after|: a number, or a function of the master's."""
        for n in range(self.n_masters):
            ip, port = self.address(n)
            after = down_after(n) if callable(down_after) else down_after
            yield f"sentinel monitor m{n} {ip} {port} {quorum}"
            yield f"sentinel down-after-milliseconds m{n} {after}"
            yield f"sentinel failover-timeout m{n} {failover_timeout}"
            for r in range(1, 1 + self.n_replicas if known else 1):
                ip, port = self.address(n, r)
                yield f"sentinel known-replica m{n} {ip} {port}"

    def wait_connected(self, n_sentinels=1, timeout=120):
        wanted = self.n_masters * (1 + self.n_replicas) * 2 * n_sentinels
        until(lambda: self.stats()["conns"] >= wanted, timeout,
              f"{wanted} connections to the fleet")

    def close(self):
        for part in self.parts:
            part.kill()
            part.wait()


def allied(test, fleet, kind, n=3, known=True, down_after=5000, quorum=2, **conf):
    """|n| sentinels of one kind that are to watch |fleet|, not yet started; |known|:
    they find one another and the replicas in their files. |down_after|: as for
    Fleet.conf(), or one for each. Run ids go up in the order of the list."""
    sentinels = [test.sentinel(kind) for _ in range(n)]
    ids = [f"{i + 1:x}" * 40 for i in range(n)]
    for i, sentinel in enumerate(sentinels):
        own = down_after[i] if isinstance(down_after, list) else down_after
        lines = [f"sentinel myid {ids[i]}",
                 *fleet.conf(quorum=quorum, known=known, down_after=own, **conf)]
        for m in range(fleet.n_masters if known else 0):
            lines += [f"sentinel known-sentinel m{m} 127.0.0.1 {s.port} {their}"
                      for s, their in zip(sentinels, ids) if s is not sentinel]
        with open(sentinel.conf, "a") as out:
            out.write("\n".join(lines) + "\n")
    return sentinels


def start_allied(fleet, sentinels):
    for sentinel in sentinels:
        sentinel.start()
    fleet.wait_connected(len(sentinels))
    for sentinel in sentinels:
        until(lambda s=sentinel: s.answers(), 60, f"{sentinel.name} answers")
        wait_complete(sentinel, fleet, len(sentinels))


def n_complete(client, fleet, n_sentinels):
    """Of how many masters a sentinel lists all replicas and all sentinels."""
    text = client("INFO", "sentinel")
    return text.count(f",slaves={fleet.n_replicas},sentinels={n_sentinels}\r")


def wait_complete(sentinel, fleet, n_sentinels):
    with sentinel.client(timeout=30) as client:
        until(lambda: n_complete(client, fleet, n_sentinels) == fleet.n_masters, 120,
              f"{sentinel.name} knows all replicas and sentinels")


# ------------------------------------------------------------ what it costs ------

class Probe(threading.Thread):
    """One client that asks |words| every |period_s|; |ms|: how long answers took. One
    that never comes counts as |timeout_s|."""

    def __init__(self, sentinel, words=("PING",), period_s=0.01, timeout_s=60):
        super().__init__(daemon=True)
        self.words, self.period_s, self.timeout_s = words, period_s, timeout_s
        self.sentinel, self.ms, self.ended = sentinel, [], threading.Event()

    def run(self):
        with self.sentinel.client(timeout=self.timeout_s) as client:
            while not self.ended.wait(self.period_s):
                began = time.monotonic()
                try:
                    client(*self.words)
                except TimeoutError:
                    self.ended.set()
                self.ms.append((time.monotonic() - began) * 1000)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


class Load:
    """Clients that ask one command as fast as it is answered (load.c); figures()."""

    def __init__(self, sentinel, clients, pipeline, *words, requests=10000000):
        self.popen = subprocess.Popen(
            [str(pathlib.Path(Fleet.program).with_name("load")), "query",
             str(sentinel.port), str(clients), str(pipeline), str(requests),
             str(sentinel.pid), *words], stdout=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent)

    def end(self):
        self.popen.terminate()
        return self.figures()

    def figures(self):
        """What it prints when all is answered; None: it failed."""
        text = self.popen.communicate()[0]
        return json.loads(text) if self.popen.returncode == 0 else None


class Saves:
    """What a sentinel has written to its disk since now, or since its start: how often
    it saved its state (by its log), and bytes (by the kernel: whole pages of files)."""

    def __init__(self, sentinel, since_start=False):
        self.sentinel = sentinel
        self.mark, self.bytes = (0, 0) if since_start else self.look()

    def look(self):
        text = pathlib.Path(f"/proc/{self.sentinel.pid}/io").read_text()
        return self.sentinel.mark(), int(re.search(r"write_bytes: (\d+)", text)[1])

    def since(self):
        """(saves, bytes)"""
        mark, n_bytes = self.look()
        with open(self.sentinel.log_path, "rb") as log:
            log.seek(self.mark)
            text = log.read(mark - self.mark)
        # the log is written to the same disk
        n_bytes -= self.bytes + len(text)
        return text.count(b"new configuration saved on disk"), max(0, n_bytes)


class Traced:
    """Lets a sentinel start under strace, which counts some rare calls and leaves the
    others alone. n_calls(): when it has ended."""

    def __init__(self, sentinel, calls="fsync,fdatasync,rename,renameat2"):
        self.out = sentinel.dir / "calls"
        self.has_strace = shutil.which("strace") is not None
        argv, program = sentinel.argv()
        if self.has_strace:
            argv = ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-c", "-e",
                    f"trace={calls}", "-o", str(self.out), program, *argv[1:]]
            program = shutil.which("strace")
            if sentinel.kind == "stock":  # which looks at the name it was called by
                argv[argv.index(sentinel.argv()[1])] = str(
                    pathlib.Path(Settings.stock, "redis-sentinel").absolute())
            sentinel.argv = lambda: (argv, program)

    def n_calls(self):
        """{call: times}; empty without strace."""
        if not self.has_strace:
            return {}
        until(lambda: "total" in self.out.read_text(), 10, "strace's summary")
        return strace_summary(self.out.read_text())


def strace_summary(text):
    calls = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
            calls[fields[-1]] = int(fields[3])
    return calls



def cpu_s(pid):
    """CPU time of all its threads so far, in seconds."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            pass  # a thread that has ended
    return total / 1e9


def cpu_split_s(pid):
    """User and system part, in the kernel's coarse ticks."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def memory_kb(pid, what="VmRSS"):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(what + r":\s+(\d+)", text)[1])


def n_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def syscalls_per_s(pid, seconds=3):
    """{call: times per second} by strace, which slows the process down: apart from
    other measurements. Empty if strace is missing."""
    try:
        tracer = subprocess.Popen(
            ["strace", "-c", "-f", "-p", str(pid)], stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    except FileNotFoundError:
        return {}
    time.sleep(seconds)
    tracer.send_signal(2)
    calls = strace_summary(tracer.communicate()[1])
    return {name: n / seconds for name, n in calls.items()}


# ---------------------------------------------------------------- statistics -----

def p(values, percent):
    """Nearest rank."""
    values = sorted(values)
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]


def summary(values):
    return {"n": len(values), "median": statistics.median(values), "p99": p(values, 99),
            "min": min(values), "max": max(values)}


def number(value):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if value != 0 and abs(value) < 10:
        return f"{value:.2f}"
    return f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"


def show(title, kinds, unit=""):
    """One figure: {kind: values}; prints and returns a row of medians, p99, ratio."""
    row = {"title": title, "unit": unit}
    for kind, values in kinds.items():
        if values:
            row[kind] = summary(values)
    if all(k in row and row[k]["median"] > 0 for k in KINDS):
        row["ratio"] = row["stock"]["median"] / row["ours"]["median"]
    text = [f"{title:58}"]
    for kind in kinds:
        if kind in row:
            s = row[kind]
            text.append(f"{kind} {number(s['median'])} (p99 {number(s['p99'])}, "
                        f"n {s['n']})")
    if "ratio" in row:
        text.append(f"stock/ours {number(row['ratio'])}")
    print("  ".join(text), unit, flush=True)
    return row


# ------------------------------------------------------------------- results -----

def commit():
    """Of what is measured; the results themselves, which change meanwhile, aside."""
    try:
        name = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"],
                                       text=True, cwd=HERE).strip()
        changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", ":/",
                                  ":(top,exclude)tests/bench/RESULTS.md"], cwd=HERE)
        return name + ("-dirty" if changed.returncode else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.*)", text)
    memory = re.search(r"MemTotal:\s+(\d+)",
                       pathlib.Path("/proc/meminfo").read_text())
    return (f"{model[1] if model else platform.machine()}, {os.cpu_count()} processors,"
            f" {int(memory[1]) // (1 << 20)} GiB, Linux {platform.release()}, at most "
            f"{descriptors()} descriptors per process")


def save(options, section, rows, note=""):
    """Keeps a section's rows for RESULTS.md (see results.py)."""
    if not options.json:
        return
    record = {"section": section, "note": note, "rows": rows, "commit": commit(),
              "date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
              "machine": machine(), "command": " ".join(
                  ["python3", f"tests/bench/{pathlib.Path(sys.argv[0]).name}",
                   *sys.argv[1:]])}
    with open(options.json, "a") as out:
        out.write(json.dumps(record) + "\n")


__all__ = ["EVENT", "Event", "Fleet", "KINDS", "Load", "Probe", "RESULTS", "Saves",
           "Settings", "Test", "Traced", "allied", "cpu_s", "cpu_split_s",
           "descriptors", "machine", "memory_kb", "n_complete", "n_fds", "number", "p",
           "save", "setup", "show", "start_allied", "summary", "syscalls_per_s",
           "until"]

"""What a stock sentinel says and when, in the situations of tests/sim/stock.exchange.

exchange.py --sentinel PROGRAM [--write]    records five times; --write keeps it

Master, replicas and the other sentinels are fakes that do what the file says.
"""

import argparse
import concurrent.futures
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from fake import FakeServer, hello, publish
from procs import Ports
from resp import Client, encode

FILE = pathlib.Path(__file__).resolve().parent.parent / "sim" / "stock.exchange"
SERVERS, PEERS = ("M", "R1", "R2"), ("P1", "P2", "P3")
EARLY = 2100  # phases of periods of up to two seconds
RECORDINGS = 5
QUORUM, DOWN_AFTER, FAILOVER_TIMEOUT = 2, 2000, 4000


def run_id(name):
    return {"S": "5", "P1": "a1", "P2": "a2", "M": "b0", "R1": "b1", "R2": "b2"}[
        name].ljust(40, "0")


def read(path=FILE):
    """[(name, {from, until, do, saw})], and the comment at the top."""
    top, found = [], []
    for line in path.read_text(encoding="ascii").splitlines():
        word, _, rest = line.partition(" ")
        if word == "situation":
            found.append((rest, {"from": 0, "do": [], "saw": []}))
        elif word in ("from", "until"):
            found[-1][1][word] = int(rest)
        elif word == "do":
            at, *words = rest.split()
            found[-1][1]["do"].append((int(at), words))
        elif word in ("saw", "may"):
            at, every, to, text = rest.split(None, 3)
            found[-1][1]["saw"].append((int(at), every, to, text, word))
        elif not found:
            top.append(line)
    return found, top


def write(found, top, path=FILE):
    lines = list(top)
    for n, (name, s) in enumerate(found):
        lines += [""] * (n > 0) + [f"situation {name}"]
        lines += [f"from {s['from']}"] * (s["from"] > 0)
        lines += [f"do {at} {' '.join(words)}" for at, words in s["do"]]
        lines += [f"until {s['until']}"]
        lines += [f"{word} {at} {every} {to} {text}"
                  for at, every, to, text, word in s["saw"]]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


class Fake:
    """One of the others. What it is told goes to the stage."""

    def __init__(self, stage, name, port):
        self.stage, self.name, self.port = stage, name, port
        self.silent, self.answer = False, ("0", "*")
        self.master = "" if name == "M" else "M"
        self.server = FakeServer(port, self.talk)

    def talk(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream, queued = sock.makefile("rb"), None
        while header := stream.readline():
            words = []
            for _ in range(int(header[1:])):
                words.append(stream.read(int(stream.readline()[1:]) + 2)[:-2].decode())
            if words[0] == "MULTI":
                queued = []
            if queued is None:
                self.stage.saw(self.name, self.stage.text(words))
            else:
                queued.append(words)
            reply = self.reply(words, queued)
            if words[0] == "EXEC":
                self.stage.saw(self.name, "; ".join(map(self.stage.text, queued)))
                queued = None
            if not self.silent:
                sock.sendall(reply)

    def reply(self, words, queued):
        if words[0] == "EXEC":
            for command in queued:
                if command[0] == "SLAVEOF":
                    self.master = "" if command[1] == "NO" else self.stage.name_at(
                        *command[1:])
            return b"*%d\r\n" % (len(queued) - 1) + b"+OK\r\n" * (len(queued) - 1)
        if words[0] == "MULTI":
            return b"+OK\r\n"
        if queued is not None:
            return b"+QUEUED\r\n"
        if words[0] == "PING":
            return b"+PONG\r\n"
        if words[0] == "INFO":
            info = self.info().encode()
            return b"$%d\r\n%s\r\n" % (len(info), info)
        if words[0] == "PUBLISH":
            return b":1\r\n"
        if words[0] == "SUBSCRIBE":
            return b"*3\r\n$9\r\nsubscribe\r\n" + encode(words[1])[4:] + b":1\r\n"
        if words[0] == "SENTINEL":
            down, leader = self.answer
            vote = leader != "*" and words[5] != "*"
            leader = run_id(leader) if vote else "*"
            return b"*3\r\n:%s\r\n$%d\r\n%s\r\n:%s\r\n" % (
                down.encode(), len(leader), leader.encode(),
                words[4].encode() if vote else b"0")
        return b"+OK\r\n"

    def info(self):
        lines = ["# Server", f"run_id:{run_id(self.name)}", "# Replication"]
        if self.master:
            lines += ["role:slave", "master_host:127.0.0.1",
                      f"master_port:{self.stage.ports[self.master]}",
                      "master_link_status:up", "slave_repl_offset:100",
                      f"slave_priority:{10 if self.name == 'R1' else 100}"]
        else:
            lines += ["role:master"]
        return "\r\n".join(lines) + "\r\n"


class Stage:
    """One situation, played with a real sentinel. |ports|: eight free ones."""

    def __init__(self, program, folder, ports):
        self.folder = pathlib.Path(folder)
        self.program = program
        self.ports = dict(zip(("S", *SERVERS, *PEERS), ports))
        self.lock = threading.Lock()
        self.seen = []
        self.process = None

    def name_at(self, host, port):
        return {str(p): n for n, p in self.ports.items()}.get(str(port), host)

    def name_of(self, text):
        return {run_id(n): n for n in ("S", "P1", "P2")}.get(text, text)

    def text(self, words):
        if words[0] == "PUBLISH":
            f = words[2].split(",")
            return (f"hello {self.name_at(*f[0:2])} {self.name_of(f[2])} {f[3]} {f[4]} "
                    f"{self.name_at(*f[5:7])} {f[7]}")
        if words[0] == "SENTINEL":
            return (f"ask {self.name_at(*words[2:4])} {words[4]} "
                    f"{self.name_of(words[5])}")
        if words[0] == "SLAVEOF" and words[1] != "NO":
            return f"SLAVEOF {self.name_at(*words[1:3])}"
        return " ".join(words).replace(run_id("S")[:8], "S")

    def saw(self, to, text):
        with self.lock:
            self.seen.append((time.monotonic() - self.began, to, text))

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["redis-sentinel", "sentinel.conf"], executable=self.program,
                cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)

    def config(self):
        p = self.ports
        lines = [f"port {p['S']}", "bind 127.0.0.1",
                 f"sentinel myid {run_id('S')}",
                 f"sentinel monitor m1 127.0.0.1 {p['M']} {QUORUM}",
                 f"sentinel down-after-milliseconds m1 {DOWN_AFTER}",
                 f"sentinel failover-timeout m1 {FAILOVER_TIMEOUT}"]
        lines += [f"sentinel known-replica m1 127.0.0.1 {p[r]}" for r in ("R1", "R2")]
        lines += [f"sentinel known-sentinel m1 127.0.0.1 {p[r]} {run_id(r)}"
                  for r in ("P1", "P2")]
        return "\n".join(lines) + "\n"

    def do(self, words):
        what, *args = words
        if what == "silent":
            self.fakes[args[0]].silent = True
        elif what == "answers":
            self.fakes[args[0]].answer = (args[1], args[2])
        elif what == "hello":
            who, at, epoch, master, config_epoch = args
            with Client(self.ports["S"]) as client:
                client.sock.sendall(publish(hello(
                    "127.0.0.1", self.ports[at], run_id(who), epoch, "m1", "127.0.0.1",
                    self.ports[master], config_epoch)))
                client.read()
        elif what == "ask":
            who, about, epoch, candidate = args
            with Client(self.ports["S"]) as client:
                down, leader, epoch = client(
                    "SENTINEL", "is-master-down-by-addr", "127.0.0.1",
                    self.ports[about], epoch,
                    candidate if candidate == "*" else run_id(candidate))
            self.saw(who, f"answer {down} {self.name_of(leader)} {epoch}")
        elif what == "restart":
            self.process.kill()
            self.process.wait()
            self.start()
        elif what == "stall":
            self.process.send_signal(signal.SIGSTOP)
            time.sleep(int(args[0]) / 1000)
            self.process.send_signal(signal.SIGCONT)
        else:
            raise ValueError(f"do {words}")

    def play(self, situation):
        """Returns the rows of `saw`."""
        (self.folder / "sentinel.conf").write_text(self.config(), encoding="ascii")
        self.began = time.monotonic()
        self.fakes = {n: Fake(self, n, self.ports[n]) for n in SERVERS + PEERS}
        self.began = time.monotonic()
        self.start()
        try:
            for at, words in [*situation["do"], (situation["until"], None)]:
                time.sleep(max(0, self.began + at / 1000 - time.monotonic()))
                if words:
                    self.do(words)
        finally:
            self.process.kill()
            self.process.wait()
            for fake in self.fakes.values():
                fake.server.close()
        return self.rows(situation)

    def rows(self, situation):
        times = {}
        for at, to, text in self.seen:
            at = round(at * 1000) - situation["from"]
            if 0 <= at <= situation["until"] - situation["from"]:
                times.setdefault((to, text), []).append(at)
        rows = []
        for (to, text), at in times.items():
            gaps = [b - a for a, b in zip(at, at[1:])]
            every = str(statistics.median_low(gaps)) if len(gaps) > 2 else "-"
            rows.append((at[0], every, to, text, "saw"))
        return sorted(rows)

    def tilted(self):
        return (self.folder / "log").read_text(errors="replace").count("+tilt")


def record(name, situation, program, folder, ports):
    """The rows of one situation; None if the machine stalled the sentinel."""
    stage = Stage(program, folder, ports)
    rows = stage.play(situation)
    wanted = sum(words[0] == "stall" for _, words in situation["do"])
    return rows if stage.tilted() == wanted else None


def merge(recordings):
    """One list of rows: medians, and `may` for what was not in every recording."""
    found = {}
    for row in sum(recordings, []):
        found.setdefault(row[2:4], []).append(row)
    rows = []
    for key, same in found.items():
        rates = [int(row[1]) for row in same if row[1] != "-"]
        every = str(round(statistics.median(rates))) if rates else "-"
        rows.append((round(statistics.median(row[0] for row in same)), every, *key,
                     "saw" if len(same) == len(recordings) else "may"))
    return sorted(rows)


def compare(name, expected, got, late):
    """What differs, as lines. |late|: so much later than recorded may something be;
    rates may differ by a third."""
    wrong = []
    have = {row[2:4]: row for row in got}
    want = {row[2:4]: row for row in expected}
    for key in sorted(want.keys() - have.keys()):
        if want[key][4] == "saw":
            wrong.append(f"{name}: not seen: {key[0]} {key[1]}")
    for key in sorted(have.keys() - want.keys()):
        wrong.append(f"{name}: new: {have[key][0]} {key[0]} {key[1]}")
    for key in sorted(want.keys() & have.keys()):
        (at, every, *_), (at2, every2, *_) = want[key], have[key]
        if not at - EARLY <= at2 <= at + late:
            wrong.append(f"{name}: at {at2}, was {at}: {key[0]} {key[1]}")
        slack = late - EARLY
        if "-" not in (every, every2) and not \
                int(every) * 2 // 3 <= int(every2) <= int(every) * 3 // 2 + slack:
            wrong.append(f"{name}: every {every2}, was {every}: {key[0]} {key[1]}")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sentinel", default="build/stock/redis-sentinel")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    found, top = read()
    program = pathlib.Path(options.sentinel).resolve()
    n_jobs, ports = len(found) * RECORDINGS, Ports()
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(n_jobs) as pool:
        jobs = []
        for name, situation in found:
            for n in range(RECORDINGS):
                place = pathlib.Path(folder) / f"{name}{n}"
                place.mkdir()
                jobs.append(pool.submit(record, name, situation, program, place,
                                        [ports.take() for _ in range(7)]))
        rows = [job.result() for job in jobs]
    for n, (name, situation) in enumerate(found):
        good = [r for r in rows[n * RECORDINGS:(n + 1) * RECORDINGS] if r is not None]
        if not good:
            sys.exit(f"{name}: the machine is too busy")
        merged = merge(good)
        for line in compare(name, situation["saw"], merged, EARLY):
            print(line)
        situation["saw"] = merged
    if options.write:
        write(found, top)


if __name__ == "__main__":
    main()

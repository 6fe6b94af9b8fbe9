"""What it costs to answer clients: ours next to stock, in turns, in short rounds.

  query     PING, GET-MASTER-ADDR-BY-NAME, MASTERS with 1 and with 100 masters; 1, 50
            and 1,000 clients; 1 and 16 requests at a time (load.c). PING next to a bare
            loop, too, that answers without looking: no server can cost less
  benchmark the same by redis-benchmark with 50 clients, which is itself at its limit
            here: its own CPU time is a row, too, and bounds what a sentinel can show
  fan       one event to 1,000 and 5,000 subscribers, next to a bare loop of write()
  storm     5,000 clients that connect at once
  start     from exec to the first PONG, and what an idle process holds

Wall time and CPU time per request: where the load generator is the slower side, only
the second says what the sentinel costs. For query and benchmark the sentinels are bound
to one processor and the client to another, as if it came from another machine: else two
processes that wait for each other are sometimes put together, which is half again as
fast, and the median says where they were more often.
"""

import argparse
import csv
import json
import os
import pathlib
import re
import resource
import socket
import statistics
import subprocess
import time

from lib import (Fleet, Test, cpu_s, descriptors, memory_kb, save, setup, show, until)

ROUND_S = 0.15
NAME = "m0"
BARE = "bare loop"
EVENT = ("SENTINEL", "SET", NAME, "quorum", "1")
COMMANDS = {"PING": ["PING"],
            "GET-MASTER-ADDR": ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME],
            "MASTERS": ["SENTINEL", "MASTERS"]}


CPUS = sorted(os.sched_getaffinity(0))


def bind(pid, cpu):
    """All threads of a process."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {cpu})


class Pair:
    """A sentinel of each kind, each with a fleet of its own."""

    def __init__(self, options, n_masters, bound=False):
        self.test = Test("bench")
        self.sentinels = {}
        for kind in options.kinds:
            fleet = Fleet(self.test, n_masters, n_replicas=1)
            self.sentinels[kind] = self.test.sentinel(
                kind, fleet.conf(known=False)).start().wait_answers()
            fleet.wait_connected()
            if bound:
                bind(self.sentinels[kind].pid, CPUS[0])

    def __enter__(self):
        return self.sentinels

    def __exit__(self, *_):
        self.test.close(keep=False)


def bound_run(words):
    """What a client prints that is bound away from the sentinels."""
    return subprocess.run(["taskset", "-c", str(CPUS[-1]), *map(str, words)],
                          check=True, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def load(options, *words):
    out = subprocess.run([options.load, *map(str, words)], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    return json.loads(out)


def in_turns(options, n_rounds, one, kinds=None):
    """{kind: [one(kind), ...]}, the kinds in turns and each first as often as last."""
    kinds = kinds or options.kinds
    found = {kind: [] for kind in kinds}
    for n in range(n_rounds):
        for kind in kinds[::-1 if n % 2 else 1]:
            found[kind].append(one(kind))
    return found


# --------------------------------------------------------------------- queries ----

def query_cell(options, sentinels, title, words, clients, pipeline):
    def one(kind, n):
        if kind == BARE:
            argv = ["echo", clients, pipeline, n, CPUS[0]]
        else:
            s = sentinels[kind]
            argv = ["query", s.port, clients, pipeline, n, s.pid, *words]
        return json.loads(bound_run([options.load, *argv]))

    n = clients * pipeline
    while True:  # until a round is long enough
        took_s = max(one(kind, n)["ms"] for kind in options.kinds) / 1000
        if took_s > ROUND_S / 3:
            break
        n *= 4
    n = max(clients * pipeline, int(n * ROUND_S / took_s))
    kinds = [*options.kinds, BARE] if title == "PING" else options.kinds
    rounds = in_turns(options, options.rounds, lambda kind: one(kind, n), kinds)
    name = f"{title}, {clients} clients, pipeline {pipeline}"
    return [show(f"{name}: {what}",
                 {kind: [r[field] * 1000 / r["requests"] for r in found]
                  for kind, found in rounds.items()}, "us per request")
            for what, field in (("wall", "ms"), ("CPU", "cpu_ms"))]


def queries(options):
    rows = []
    for n_masters, titles in ((1, COMMANDS), (100, ["MASTERS"])):
        with Pair(options, n_masters, bound=True) as sentinels:
            for title in titles:
                for clients in (1, 50, 1000):
                    for pipeline in (1, 16):
                        rows += query_cell(
                            options, sentinels, f"{title} with {n_masters} masters"
                            if title == "MASTERS" else title, COMMANDS[title],
                            clients, pipeline)
    return rows


def children_cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def benchmark_cell(options, sentinels, title, words, pipeline, n):
    def one(kind):
        s = sentinels[kind]
        cpu, own_cpu = cpu_s(s.pid), children_cpu_s()
        out = bound_run(["redis-benchmark", "-p", s.port, "-c", "50", "-P", pipeline,
                         "-n", n, "--csv", *words])
        row = list(csv.DictReader(out.splitlines()))[-1]
        return (1e6 / float(row["rps"]), (cpu_s(s.pid) - cpu) * 1e6 / n,
                (children_cpu_s() - own_cpu) * 1e6 / n)

    rounds = in_turns(options, options.rounds, one)
    return [show(f"redis-benchmark {title}, 50 clients, pipeline {pipeline}: {what}",
                 {kind: [r[i] for r in found] for kind, found in rounds.items()},
                 "us per request")
            for i, what in enumerate(("wall", "CPU", "CPU of redis-benchmark"))]


def benchmark(options):
    rows = []
    with Pair(options, 1, bound=True) as sentinels:
        for title in ("PING", "GET-MASTER-ADDR"):
            for pipeline, n in ((1, 60000), (16, 400000)):
                rows += benchmark_cell(options, sentinels, title, COMMANDS[title],
                                       pipeline, n)
    with Pair(options, 100, bound=True) as sentinels:
        for pipeline in (1, 16):
            rows += benchmark_cell(options, sentinels, "MASTERS with 100 masters",
                                   COMMANDS["MASTERS"], pipeline, 3000)
    return rows


# -------------------------------------------------------------- fan-out, storm ----

def event_size(sentinel):
    """Bytes of the message that EVENT makes a sentinel publish."""
    with sentinel.client() as listener, sentinel.client() as trigger:
        listener("SUBSCRIBE", "+set")
        trigger(*EVENT)
        message = listener.read()
    return sum(len(f"${len(m)}\r\n{m}\r\n") for m in message) + 4


def fan(options):
    rows = []
    with Pair(options, 1) as sentinels:
        size = event_size(next(iter(sentinels.values()))) - 8
        for n in (1000, 5000):
            if n + 200 > descriptors():
                print(f"{n} subscribers: not here, {n} descriptors are needed")
                continue

            def one(kind):
                if kind == BARE:
                    return load(options, "loop", n, 9, size)
                s = sentinels[kind]
                return load(options, "fan", s.port, n, 9, s.pid, "+set", *EVENT)

            kinds = [*options.kinds, BARE]
            found = in_turns(options, options.rounds, one, kinds)
            for what, field in (("the last has it", "median_ms"), ("CPU", "cpu_ms")):
                rows.append(show(f"one event to {n} subscribers: {what}",
                                 {kind: [r[field] for r in found[kind]]
                                  for kind in kinds}, "ms"))
    return rows


def storm(options):
    n = min(5000, descriptors() - 200)
    with Pair(options, 1) as sentinels:
        def one(kind):
            s = sentinels[kind]
            result = load(options, "storm", s.port, n, s.pid)
            until(lambda: int(re.search(r"connected_clients:(\d+)",
                                        s.call("INFO", "clients"))[1]) < 10,
                  30, "the clients of the last storm are gone")
            return result

        found = in_turns(options, options.rounds, one)
        return [show(f"{n} clients connect at once: {what}",
                     {kind: [r[field] for r in rs] for kind, rs in found.items()}, unit)
                for what, field, unit in (("the last PONG", "ms", "ms"),
                                          ("CPU", "cpu_ms", "ms"),
                                          ("lost", "lost", "clients"))]


# ----------------------------------------------------------------------- start ----

def start_once(kind):
    """(ms from exec to the first PONG, KiB resident after a second)"""
    test = Test("bench")
    try:
        sentinel = test.sentinel(kind, Fleet(test, 1, n_replicas=1).conf(known=False))
        began = time.monotonic()
        sentinel.start()
        while True:
            with socket.socket() as client:
                client.settimeout(10)
                if client.connect_ex(("127.0.0.1", sentinel.port)) == 0:
                    client.sendall(b"PING\r\n")
                    assert client.recv(100) == b"+PONG\r\n"
                    break
        took = (time.monotonic() - began) * 1000
        time.sleep(1)  # what the start needed is given back
        return took, memory_kb(sentinel.pid)
    finally:
        test.close(keep=False)


def start(options):
    found = in_turns(options, options.rounds, start_once)
    return [show(title, {kind: [r[i] for r in rs] for kind, rs in found.items()}, unit)
            for i, (title, unit) in enumerate((("exec to the first PONG", "ms"),
                                               ("idle, one master: RSS", "KiB")))]


SECTIONS = {"query": queries, "benchmark": benchmark, "fan": fan, "storm": storm,
            "start": start}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default=",".join(SECTIONS),
                        help="sections, separated by commas")
    options = setup(parser)
    options.load = pathlib.Path(options.fleet).with_name("load")
    for name in options.only.split(","):
        rows = SECTIONS[name](options)
        save(options, f"Clients: {name}", rows)
        ratios = [r["ratio"] for r in rows if "ratio" in r]
        if ratios:
            print(f"{name}: stock/ours from {min(ratios):.2f} to {max(ratios):.2f}, "
                  f"median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()

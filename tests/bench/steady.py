"""What it costs to watch N masters with two replicas each (NxR: with R), all healthy.

One sentinel at a time on a fleet of fake servers. After it has settled, over a window:
CPU, RSS, descriptors, what it asked the servers, saves, bytes written to the disk, and
how long a client waits that asks for an address a hundred times a second. Then, apart,
system calls per second by strace, which slows it down.

A size that needs more descriptors than a process may have is left out, and said so.
"""

import argparse
import time

from lib import (Fleet, Probe, Saves, Test, cpu_s, cpu_split_s, descriptors, memory_kb,
                 n_fds, p, save, setup, show, syscalls_per_s, until)

OWN_FDS = 150  # besides the links: files, clients
COUNTED_CALLS = ("fsync", "fdatasync")


def run(kind, n_masters, n_replicas, seconds, trace=True):
    test = Test("bench")
    try:
        fleet = Fleet(test, n_masters, n_replicas=n_replicas)
        sentinel = test.sentinel(kind, fleet.conf())
        sentinel.start()
        fleet.wait_connected()
        until(lambda: sentinel.answers(), 60, "it answers")
        time.sleep(min(12, 4 + n_masters / 100))  # every INFO once
        saves, before, cpu = Saves(sentinel), fleet.stats(), cpu_s(sentinel.pid)
        split = cpu_split_s(sentinel.pid)
        began = time.monotonic()
        with Probe(sentinel, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "m0")) as probe:
            time.sleep(seconds)
        span = time.monotonic() - began
        after = fleet.stats()
        used = cpu_s(sentinel.pid) - cpu
        user, system = (b - a for a, b in zip(split, cpu_split_s(sentinel.pid)))
        rates = {k: (after[k] - before[k]) / span for k in after}
        n_saves, n_bytes = saves.since()
        calls = syscalls_per_s(sentinel.pid) if trace else {}
        return {"cpu": 100 * used / span, "user": 100 * user / span,
                "system": 100 * system / span, "rss": memory_kb(sentinel.pid) / 1024,
                "fds": n_fds(sentinel.pid), "calls": calls, "rates": rates,
                "saves": n_saves, "bytes": n_bytes / 1e3,
                "p99": p(probe.ms, 99), "all calls": sum(calls.values()),
                "fsync": sum(calls.get(name, 0) for name in COUNTED_CALLS)}
    finally:
        test.close(keep=False)


ROWS = (("CPU", "cpu", "% of one core"), ("of it user", "user", "%"),
        ("of it system", "system", "%"), ("RSS", "rss", "MB"),
        ("descriptors", "fds", ""), ("system calls", "all calls", "a second"),
        ("saves in the window", "saves", ""),
        ("written to disk in the window", "bytes", "KB"),
        ("fsync", "fsync", "a second"), ("a client's wait, p99", "p99", "ms"))


def sizes(text):
    for size in text.split(","):
        n_masters, _, n_replicas = size.partition("x")
        yield size, int(n_masters), int(n_replicas or 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masters", default="100,1000")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--no-trace", action="store_true")
    options = setup(parser)
    rows, left_out, mute = [], [], {}
    for size, n, n_replicas in sizes(options.masters):
        needed = n * (1 + n_replicas) * 2 + OWN_FDS
        if needed > descriptors():
            left_out.append(f"{size} masters, which need {needed:,} descriptors of "
                            f"{descriptors():,}")
            print("left out:", left_out[-1])
            continue
        results = {kind: [] for kind in options.kinds if kind not in mute}
        for _ in range(options.runs):
            for kind in [kind for kind in results if kind not in mute]:
                try:
                    results[kind].append(run(kind, n, n_replicas, options.seconds,
                                             trace=not options.no_trace))
                except AssertionError as error:
                    if kind == "ours":
                        raise
                    print(kind, error)
                    mute[kind] = size
        for kind, found in results.items():
            for r in found:
                print(kind, {k: round(v, 1) for k, v in r["rates"].items()})
                print(kind, {k: round(v) for k, v in sorted(
                    r["calls"].items(), key=lambda c: -c[1])[:8]})
        title = f"{n} masters" if n_replicas == 2 else f"{n} masters x {n_replicas}"
        rows += [show(f"{title}: {name}", {
            kind: [r[key] for r in found] for kind, found in results.items()}, unit)
            for name, key, unit in ROWS]
    note = f"Two replicas each, or as said; a window of {options.seconds:.0f} s."
    for kind, size in mute.items():
        note += (f" {kind.capitalize()} did not answer with {size} masters, and was "
                 "not tried with more.")
    if left_out:
        note += " Left out for want of descriptors: " + "; ".join(left_out) + "."
    save(options, "Steady state", rows, note)


if __name__ == "__main__":
    main()

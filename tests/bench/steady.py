"""What it costs to watch N masters with two replicas each, all healthy.

One sentinel at a time on a fleet of fake servers. After it has settled: CPU over a
window, RSS, descriptors, what it asked the servers, system calls per second, and the
saves since the start.
"""

import argparse
import time

from lib import (Fleet, Test, cpu_s, cpu_split_s, descriptors, memory_kb, n_fds, save,
                 setup, show, syscalls_per_s, until)


def run(kind, n_masters, seconds, lines=(), trace=True):
    test = Test("bench")
    try:
        fleet = Fleet(test, n_masters)
        sentinel = test.sentinel(kind, [*fleet.conf(), *lines])
        sentinel.start()
        fleet.wait_connected()
        until(lambda: sentinel.answers(), 60, "it answers")
        time.sleep(min(12, 4 + n_masters / 100))  # every INFO once
        before, cpu = fleet.stats(), cpu_s(sentinel.pid)
        split = cpu_split_s(sentinel.pid)
        began = time.monotonic()
        time.sleep(seconds)
        span = time.monotonic() - began
        after = fleet.stats()
        used = cpu_s(sentinel.pid) - cpu
        user, system = (b - a for a, b in zip(split, cpu_split_s(sentinel.pid)))
        rates = {k: (after[k] - before[k]) / span for k in after}
        calls = syscalls_per_s(sentinel.pid) if trace else {}
        return {"cpu": 100 * used / span, "user": 100 * user / span,
                "system": 100 * system / span, "rss": memory_kb(sentinel.pid) / 1024,
                "fds": n_fds(sentinel.pid), "calls": calls, "rates": rates,
                "log": sentinel.log()}
    finally:
        test.close(keep=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masters", default="100,1000")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--no-trace", action="store_true")
    options = setup(parser)
    rows = []
    for n in map(int, options.masters.split(",")):
        if n * 6 + 100 > descriptors():
            print(f"{n} masters: not here, {n * 6} descriptors are needed")
            continue
        results = {kind: [] for kind in options.kinds}
        for _ in range(options.runs):
            for kind in options.kinds:
                results[kind].append(run(kind, n, options.seconds,
                                         trace=not options.no_trace))
        for kind, found in results.items():
            for r in found:
                print(kind, {k: round(v, 1) for k, v in r["rates"].items()})
                print(kind, {k: round(v) for k, v in sorted(
                    r["calls"].items(), key=lambda c: -c[1])[:8]})
        for name, unit in (("cpu", "% of one core"), ("user", "%"), ("system", "%"),
                           ("rss", "MB"), ("fds", "")):
            rows.append(show(f"{n} masters: {name}", {
                kind: [r[name] for r in found] for kind, found in results.items()},
                unit))
        rows.append(show(f"{n} masters: system calls", {
            kind: [sum(r["calls"].values()) for r in found]
            for kind, found in results.items()}, "a second"))
    save(options, "Steady state", rows)


if __name__ == "__main__":
    main()

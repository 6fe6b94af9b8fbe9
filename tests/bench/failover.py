"""make bench-failover: from +odown to the new address, ours next to stock.

Each run starts one master, two replicas and three sentinels of one kind, kills the
master, and measures from the first +odown in any log until all three sentinels have
answered the new address to GET-MASTER-ADDR-BY-NAME. The kinds take turns.
"""

import argparse
import pathlib
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from group import Test  # noqa: E402
from procs import Settings  # noqa: E402

DOWN_AFTER = 1000


def watch(sentinel, old_port, moments, n):
    """Asks as fast as it is answered (about) until another address comes."""
    with sentinel.client() as client:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            reply = client("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
            if int(reply[1]) != old_port:
                moments[n] = time.time()
                return
            time.sleep(0.0005)


def run(kind):
    """(ms from +odown to the new address everywhere, ms from the kill to there)"""
    test = Test("bench")
    try:
        group = test.group([kind] * 3, down_after=DOWN_AFTER).start()
        moments = [None] * 3
        threads = [threading.Thread(target=watch,
                                    args=(s, group.master.port, moments, n))
                   for n, s in enumerate(group.sentinels)]
        for thread in threads:
            thread.start()
        killed = time.time()
        group.master.kill()
        for thread in threads:
            thread.join()
        if None in moments:
            raise RuntimeError(f"no failover within a minute ({kind})")
        odown = min(e.at for s in group.sentinels for e in s.events()
                    if e.name == "+odown")
        return (max(moments) - odown) * 1000, (max(moments) - killed) * 1000
    finally:
        test.close(keep=False)


def row(name, values):
    values = sorted(values)
    p99 = values[min(len(values) - 1, int(len(values) * 0.99))]
    print(f"  {name:8} n={len(values):<3} median {statistics.median(values):7.0f}   "
          f"p99 {p99:7.0f}   max {values[-1]:7.0f}   min {values[0]:7.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentinel", default="build/redis-sentinel")
    parser.add_argument("--stock", default="build/stock")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    Settings.sentinel, Settings.stock = options.sentinel, options.stock
    results = {"ours": [], "stock": []}
    for n in range(options.runs):
        for kind, values in results.items():
            values.append(run(kind))
            odown, kill = values[-1]
            print(f"run {n + 1:2} {kind:6} +odown -> everywhere {odown:6.0f} ms, "
                  f"kill -> everywhere {kill:6.0f} ms", flush=True)
    for title, column in (("+odown -> new address on all three sentinels, ms", 0),
                          (f"kill -> the same, ms (down-after {DOWN_AFTER})", 1)):
        print(title)
        columns = {kind: [v[column] for v in vs] for kind, vs in results.items()}
        for kind, values in columns.items():
            row(kind, values)
        ours, stock = (statistics.median(columns[k]) for k in ("ours", "stock"))
        print(f"  ratio of the medians, stock / ours: {stock / ours:.1f}")


if __name__ == "__main__":
    main()

"""A cold start: how soon three sentinels know everything, and what they write for it.

Their files name the masters only. Timed from the start of the first until each lists
all replicas and both other sentinels of every master; then, until nothing has been
saved for two seconds, saves and bytes of the one that wrote most. fsync is counted in
a run of its own under strace, which may well double the time.
"""

import argparse
import time

from lib import (Fleet, Saves, Test, Traced, allied, n_complete, save, setup, show,
                 until)

QUIET_S = 2


def wait_all_known(fleet, sentinels, patience):
    """Seconds until all know everything; None: not within |patience|."""
    began = time.monotonic()
    for sentinel in sentinels:
        until(lambda s=sentinel: s.answers(), patience, "it answers")
        with sentinel.client(timeout=patience) as client:
            while n_complete(client, fleet, len(sentinels)) < fleet.n_masters:
                if time.monotonic() - began > patience:
                    return None
                time.sleep(0.02)
    return time.monotonic() - began


def wait_quiet(saves):
    last, since = None, 0
    while time.monotonic() - since < QUIET_S:
        now = [s.since()[0] for s in saves]
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.2)


def run(kind, n_masters, patience, is_traced):
    test = Test("bench")
    try:
        fleet = Fleet(test, n_masters, n_sentinels=3, n_parts=2)
        sentinels = allied(test, fleet, kind, known=False)
        traced = [Traced(s) for s in sentinels] if is_traced else []
        began = time.monotonic()
        saves = [Saves(s.start(), since_start=True) for s in sentinels]
        try:
            took = wait_all_known(fleet, sentinels, patience)
        except (TimeoutError, AssertionError):  # it does not even answer
            took = None
        if took is not None:
            took = time.monotonic() - began
            wait_quiet(saves)
        result = {"seconds": took}
        result["saves"], result["bytes"] = max(s.since() for s in saves)
        result["file"] = max(s.conf.stat().st_size for s in sentinels)
        for sentinel in sentinels:
            sentinel.stop(timeout=60)
        calls = [t.n_calls() for t in traced]
        if is_traced:
            result["fsync"] = max(c.get("fsync", 0) for c in calls)
        return result
    finally:
        test.close(keep=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masters", default="100,300,1000")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--patience", type=float, default=100)
    options = setup(parser)
    rows = []
    for n in map(int, options.masters.split(",")):
        results = {kind: [] for kind in options.kinds}
        for _ in range(options.runs):
            for kind in options.kinds:
                traced = run(kind, n, options.patience, True)
                results[kind].append({"fsync": traced["fsync"],
                                      **run(kind, n, options.patience, False)})
                print(n, kind, results[kind][-1], flush=True)
        for title, unit, value in (
                ("all known", "s", lambda r: r["seconds"]),
                ("saves", "", lambda r: r["saves"]),
                ("fsync", "", lambda r: r["fsync"]),
                ("written to the file's disk", "MB", lambda r: r["bytes"] / 1e6),
                ("the same per master", "KB", lambda r: r["bytes"] / 1e3 / n)):
            rows.append(show(f"{n} masters: {title}", {
                kind: [value(r) for r in found if r["seconds"] is not None]
                for kind, found in results.items()}, unit))
    save(options, "Discovery from a cold start", rows,
         "Two replicas per master, three sentinels. Saves, fsync and bytes: of the "
         "sentinel with most, until two seconds without a save.")


if __name__ == "__main__":
    main()

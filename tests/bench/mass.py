"""Many masters die at once; three sentinels.

From the kill plus down-after to the +switch-master of the last master on the last
sentinel. The sentinels know one another and the replicas from their files. Also
counted: masters switched, elections and failovers given up, TILT, and masters whose
servers are not in order at the end.
"""

import argparse
import time

from lib import Fleet, Test, save, setup, show, until

GIVEN_UP = ("-failover-abort-not-elected", "-failover-abort-no-good-slave",
            "-failover-abort-slave-timeout", "-failover-abort-master-is-down")


def trio(test, fleet, kind, **conf):
    """Three sentinels of one kind that have known one another for long."""
    sentinels = [test.sentinel(kind) for _ in range(3)]
    ids = [f"{n + 1:x}" * 40 for n in range(3)]
    shared = list(fleet.conf(quorum=2, **conf))
    for n, sentinel in enumerate(sentinels):
        lines = [f"sentinel myid {ids[n]}", *shared]
        for m in range(fleet.n_masters):
            lines += [f"sentinel known-sentinel m{m} 127.0.0.1 {s.port} {i}"
                      for s, i in zip(sentinels, ids) if s is not sentinel]
        with open(sentinel.conf, "a") as out:
            out.write("\n".join(lines) + "\n")
        sentinel.start()
    fleet.wait_connected(3)
    for sentinel in sentinels:
        until(lambda s=sentinel: s.answers(), 60, f"{sentinel.name} answers")
    return sentinels


def run(kind, n_masters, n_killed, down_after, patience):
    test = Test("bench")
    try:
        fleet = Fleet(test, n_masters, n_sentinels=3, n_parts=2)
        sentinels = trio(test, fleet, kind, down_after=down_after)
        time.sleep(12)  # every INFO and hello once
        marks = [s.mark() for s in sentinels]
        due = fleet.strike("kill", 0, n_killed)[1] + down_after / 1000
        switched = [{} for _ in sentinels]
        while time.time() < due + patience:
            time.sleep(0.25)
            for n, sentinel in enumerate(sentinels):
                if len(switched[n]) < n_killed:
                    switched[n] = {e.text.split()[0]: e.at
                                   for e in sentinel.events(marks[n])
                                   if e.name == "+switch-master"}
            if all(len(s) >= n_killed for s in switched):
                break
        n_done = min(map(len, switched))
        names = [e.name for s, m in zip(sentinels, marks) for e in s.events(m)]
        result = {"switched everywhere": n_done,
                  "given up": sum(names.count(n) for n in GIVEN_UP),
                  "TILT": names.count("+tilt")}
        moments = sorted(max(s[m] for s in switched)
                         for m in switched[0] if all(m in s for s in switched))
        if n_done >= n_killed:
            result["last"] = (moments[-1] - due) * 1000
            result["median"] = (moments[len(moments) // 2] - due) * 1000
            deadline = time.time() + 10
            while fleet.n_right() < n_masters and time.time() < deadline:
                time.sleep(0.1)
            result["not in order"] = n_masters - fleet.n_right()
        return result
    finally:
        test.close(keep=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", default="100/100,100/1000,1000/1000",
                        help="killed/masters, comma separated")
    parser.add_argument("--down-after", type=int, default=5000)
    parser.add_argument("--patience", type=float, default=60)
    parser.add_argument("--runs", type=int, default=1)
    options = setup(parser)
    rows = []
    for case in options.cases.split(","):
        n_killed, n_masters = map(int, case.split("/"))
        results = {kind: [] for kind in options.kinds}
        for _ in range(options.runs):
            for kind in options.kinds:
                results[kind].append(run(kind, n_masters, n_killed,
                                         options.down_after, options.patience))
                print(case, kind, results[kind][-1], flush=True)
        for name, unit in (("last", "ms"), ("median", "ms"),
                           ("switched everywhere", ""), ("given up", ""), ("TILT", ""),
                           ("not in order", "")):
            rows.append(show(f"{n_killed} of {n_masters}: {name}", {
                kind: [r[name] for r in found if name in r]
                for kind, found in results.items()}, unit))
    save(options, "Mass failure", rows,
         f"down-after {options.down_after} ms; after {options.patience:.0f} s the rest "
         "is not waited for. \"last\" and \"median\": +switch-master on all three.")


if __name__ == "__main__":
    main()

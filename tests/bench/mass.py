"""Many masters die at once; three sentinels.

From the kill plus down-after to the +switch-master of the last master on the last
sentinel. The sentinels know one another and the replicas from their files. Also
counted: masters switched when patience ended, elections that had to be repeated
(candidacies without a majority), failovers given up, TILT, and masters whose servers
are not in order at the end.
"""

import argparse
import time

from lib import EVENT, Event, Fleet, Test, allied, save, setup, show, start_allied

GIVEN_UP = ("-failover-abort-no-good-slave", "-failover-abort-slave-timeout",
            "-failover-abort-master-is-down")
SETTLE_S = 6  # hellos, and what the start left to do


class Switches:
    """When each sentinel announced each master's new address, from its log."""

    def __init__(self, sentinels):
        self.sentinels, self.read_to = sentinels, [s.mark() for s in sentinels]
        self.at = [{} for _ in sentinels]
        self.names = []

    def look(self):
        """How many masters the slowest sentinel has announced."""
        for n, sentinel in enumerate(self.sentinels):
            with open(sentinel.log_path, "rb") as log:
                log.seek(self.read_to[n])
                text = log.read()
            end = text.rfind(b"\n") + 1
            self.read_to[n] += end
            for match in map(EVENT.match, text[:end].decode().splitlines()):
                if match:
                    self.note(n, Event(match))
        return min(map(len, self.at))

    def note(self, n, event):
        self.names.append(event.name)
        if event.name == "+switch-master":
            self.at[n][event.text.split()[0]] = event.at

    def everywhere(self):
        """Sorted: when the last sentinel announced each master."""
        return sorted(max(at[m] for at in self.at) for m in self.at[0]
                      if all(m in at for at in self.at))


def run(kind, n_masters, n_killed, down_after, patience):
    test = Test("bench")
    try:
        fleet = Fleet(test, n_masters, n_sentinels=3, n_parts=2)
        sentinels = allied(test, fleet, kind, down_after=down_after)
        start_allied(fleet, sentinels)
        time.sleep(SETTLE_S)
        switches = Switches(sentinels)
        due = fleet.strike("kill", 0, n_killed)[1] + down_after / 1000
        time.sleep(max(0, due - time.time()))
        while switches.look() < n_killed and time.time() < due + patience:
            time.sleep(0.25)
        result = {"switched everywhere": len(switches.everywhere())}
        if result["switched everywhere"] >= n_killed:
            moments = switches.everywhere()
            result["last"] = (moments[-1] - due) * 1000
            result["median"] = (moments[len(moments) // 2] - due) * 1000
            deadline = time.time() + 10
            while fleet.n_right() < n_masters and time.time() < deadline:
                time.sleep(0.1)
            result["not in order"] = n_masters - fleet.n_right()
        switches.look()
        names = switches.names
        result |= {"elections repeated": names.count("-failover-abort-not-elected"),
                   "given up": sum(names.count(n) for n in GIVEN_UP),
                   "TILT": names.count("+tilt")}
        return result
    finally:
        test.close(keep=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", default="100/100,100/1000,1000/1000",
                        help="killed/masters, comma separated")
    parser.add_argument("--down-after", type=int, default=5000)
    parser.add_argument("--patience", type=float, default=60)
    parser.add_argument("--runs", type=int, default=1, help="of ours")
    parser.add_argument("--stock-runs", type=int, default=1)
    options = setup(parser)
    rows = []
    for case in options.cases.split(","):
        n_killed, n_masters = map(int, case.split("/"))
        results = {kind: [] for kind in options.kinds}
        for n in range(max(options.runs, options.stock_runs)):
            for kind in options.kinds:
                if n >= (options.runs if kind == "ours" else options.stock_runs):
                    continue
                results[kind].append(run(kind, n_masters, n_killed,
                                         options.down_after, options.patience))
                print(case, kind, results[kind][-1], flush=True)
        for name, unit in (("last", "ms"), ("median", "ms"),
                           ("switched everywhere", ""), ("elections repeated", ""),
                           ("given up", ""), ("TILT", ""), ("not in order", "")):
            rows.append(show(f"{n_killed} of {n_masters}: {name}", {
                kind: [r[name] for r in found if name in r]
                for kind, found in results.items()}, unit))
    save(options, "Mass failure", rows,
         f"down-after {options.down_after} ms; after {options.patience:.0f} s the rest "
         "is not waited for. \"last\" and \"median\": +switch-master on all three.")


if __name__ == "__main__":
    main()

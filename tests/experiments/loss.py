"""make experiment-loss: which acknowledged writes a partition costs, next to stock.

After the public experiment of 2013. Five hosts with a data server and a sentinel each
(quorum 3), on a network of the test's own. On every host a client finds the master
through its own sentinel and appends the numbers that are its share, one by one, to a
list; a number whose answer does not come, or is an error, is written again, to the
master that the sentinel names then. Hosts 1 and 2, with the master, are cut off from 3,
4 and 5 for a while. At the end one server is master, and the list is read from it:

    acknowledged   numbers that were answered OK
    lost           of these, missing at the end; "after" were answered after healing
    duplicated     numbers that are there more than once

Prints a table, and writes it to --write FILE.
"""

import argparse
import collections
import multiprocessing
import pathlib
import statistics
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "integration"))

from faults.network import Network  # noqa: E402
from group import Skip, Test  # noqa: E402
from procs import NOT_YET, Settings, until  # noqa: E402
from resp import Client  # noqa: E402

GUARDS = {
    "none": [],
    "min-replicas 1": ["min-replicas-to-write 1", "min-replicas-max-lag 1"],
    "min-replicas 2": ["min-replicas-to-write 2", "min-replicas-max-lag 1"],
}
KINDS = ("stock", "ours")
PERIOD = 0.02  # seconds between two numbers of a client
BEFORE, CUT, AFTER = 4, 25, 15  # seconds
DOWN_AFTER, FAILOVER_TIMEOUT = 2000, 5000


class Writer(threading.Thread):
    """A client on |host|; writes first, first + step, ... until stopped."""

    def __init__(self, group, host, sentinel, first, step):
        super().__init__(daemon=True)
        self.group, self.host, self.sentinel = group, host, sentinel
        self.numbers = iter(range(first, 1 << 40, step))
        self.acknowledged = {}  # number: when
        self.n_failed = 0
        self.link = None
        self.stop = threading.Event()

    def connect(self):
        with Client(self.sentinel.port, host=self.sentinel.host, timeout=1) as asked:
            host, port = asked("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
        self.link = Client(int(port), host=host, timeout=1)

    def write(self, number):
        """Until it is acknowledged, or time is over."""
        while not self.stop.is_set():
            try:
                if not self.link:
                    self.connect()
                self.link("RPUSH", "numbers", number)
                self.acknowledged[number] = time.monotonic()
                return
            except NOT_YET:
                self.n_failed += 1
                if self.link:
                    self.link.close()
                self.link = None
                self.stop.wait(0.1)

    def run(self):
        self.host.enter()
        next_at = time.monotonic()
        for number in self.numbers:
            self.write(number)
            next_at = max(next_at + PERIOD, time.monotonic() - 1)
            if self.stop.wait(max(0, next_at - time.monotonic())):
                return


def round_of(kind, guard):
    """One run, a process of its own; a dictionary of figures."""
    test = Test("loss")
    try:
        net = Network(test, 5)
        group = test.group([kind] * 5, n_replicas=4, quorum=3, down_after=DOWN_AFTER,
                           failover_timeout=FAILOVER_TIMEOUT, places=net.hosts,
                           server_lines=GUARDS[guard]).start()
        writers = [Writer(group, host, group.sentinels[n], n, 5)
                   for n, host in enumerate(net.hosts)]
        for writer in writers:
            writer.start()
        time.sleep(BEFORE)
        net.isolate(net.hosts[:2])
        time.sleep(CUT)
        net.heal()
        healed_at = time.monotonic()
        time.sleep(AFTER)
        for writer in writers:
            writer.stop.set()
        for writer in writers:
            writer.join()
        master = group.wait_agreement(120)
        until(lambda: master.info()["connected_slaves"] == "4", 30, "all in sync")
        found = collections.Counter(map(int, master.call("LRANGE", "numbers", 0, -1)))
        acknowledged = {n: at for w in writers for n, at in w.acknowledged.items()}
        lost = [n for n in acknowledged if n not in found]
        return {"acknowledged": len(acknowledged), "lost": len(lost),
                "after": sum(acknowledged[n] > healed_at for n in lost),
                "duplicated": sum(times > 1 for times in found.values()),
                "moved": master is not group.servers[0]}
    finally:
        test.close(keep=False)


def text_of(figures, rounds):
    """The table as Markdown, medians with the range of the rounds."""
    def cell(values):
        low, high = min(values), max(values)
        middle = statistics.median_low(values)
        return f"{middle}" if low == high else f"{middle} ({low}-{high})"
    lines = ["| guard | sentinels | failed over | acknowledged | lost | lost % | of "
             "these after healing | duplicated |", "|---|---|---|---|---|---|---|---|"]
    for (guard, kind), runs in figures.items():
        columns = {k: [r[k] for r in runs] for k in runs[0]}
        share = statistics.median(100 * r["lost"] / r["acknowledged"] for r in runs)
        lines.append(f"| {guard} | {kind} | {sum(columns['moved'])} of {rounds} | "
                     f"{cell(columns['acknowledged'])} | "
                     f"{cell(columns['lost'])} | {share:.1f} | "
                     f"{cell(columns['after'])} | {cell(columns['duplicated'])} |")
    lines.append("")
    lines.append(f"Medians of {rounds} rounds, with the least and the greatest.")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sentinel", default="build/redis-sentinel")
    parser.add_argument("--stock", default="build/stock")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=pathlib.Path,
                        help="replace the table of this page")
    options = parser.parse_args()
    Settings.sentinel, Settings.stock = options.sentinel, options.stock
    figures = collections.defaultdict(list)
    with multiprocessing.Pool(2, maxtasksperchild=1) as pool:
        for n in range(options.rounds):
            for guard in GUARDS:
                try:  # both at the same time, for the same weather
                    runs = pool.starmap(round_of, [(k, guard) for k in KINDS], 1)
                except Skip as reason:
                    sys.exit(f"SKIP  {reason}")
                for kind, run in zip(KINDS, runs):
                    figures[guard, kind].append(run)
                    print(f"round {n + 1} {guard:14} {kind:5}", *(
                        f"{k} {v}" for k, v in run.items()), flush=True)
    table = text_of(figures, options.rounds)
    print(table)
    if options.write:
        page = options.write.read_text()
        begin, end = "<!-- table -->\n", "<!-- end of table -->\n"
        head, rest = page.split(begin)
        tail = rest.split(end)[1]
        options.write.write_text(f"{head}{begin}\n{table}\n\n{end}{tail}")


if __name__ == "__main__":
    main()

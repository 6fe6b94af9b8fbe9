"""Split votes: how soon there is a leader when several sentinels ask at once.

3 or 5 sentinels on a fleet of fake servers, in which one master after another is
killed. To make all of them candidates at once each is its own quorum, and further

  ours   waits for its turn, so those whose turn comes later are made to notice earlier:
         their down-after is shorter by that much. A turn includes what a save has
         lately taken: one length after the other is tried
  stock  looks ten times a second: all are stopped (SIGSTOP) for a moment, and go on
         together when the master has been down for long enough

Only rounds count in which all voted and nobody got a majority in the first epoch: from
the first +try-failover to +elected-leader. A round without a leader after --patience
seconds is left, and counts as that long; stock would try again after twice
failover-timeout.
"""

import argparse
import collections
import os
import signal
import time

from lib import Fleet, Test, allied, save, setup, show, start_allied

# What ours waits for each sentinel before it (core/pace.c): without a save, and with.
TURN_MS = 20
SAVES_MS = range(1, 11)
DOWN_AFTER = 500
FROZEN_S = 0.25  # two of stock's looks
APART_S = 0.7  # from one round to the next, else their masters die "together" (pace.c)
TRIES = 4  # for each round that is to count


def events_of(sentinels, marks):
    """All events, each with the number of its sentinel."""
    return [(n, e) for n, (s, m) in enumerate(zip(sentinels, marks))
            for e in s.events(m)]


def strike(fleet, sentinels, n, frozen):
    """Kills master |n|; returns when it may be noticed that it is down."""
    due = fleet.strike("kill", n, 1)[1] + DOWN_AFTER / 1000
    if frozen:
        time.sleep(due - FROZEN_S + 0.05 - time.time())
        for pid in [s.pid for s in sentinels]:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(FROZEN_S)
        for pid in [s.pid for s in sentinels]:
            os.kill(pid, signal.SIGCONT)
    return due


def first_votes(events):
    """How the votes of the first epoch were given: {candidate: votes}."""
    votes = [e.text.split()[-2:] for _, e in events if e.name == "+vote-for-leader"]
    first = min((int(epoch) for _, epoch in votes), default=0)
    return collections.Counter(who for who, epoch in votes if int(epoch) == first)


def one_round(fleet, sentinels, n, patience):
    """What happened; None: the vote was not split."""
    marks = [s.mark() for s in sentinels]
    deadline = strike(fleet, sentinels, n, sentinels[0].kind == "stock") + patience
    while True:
        events = events_of(sentinels, marks)
        done = {i for i, e in events
                if e.name == "+switch-master" and e.text.split()[0] == f"m{n}"}
        if len(done) == len(sentinels) or time.time() > deadline:
            break
        time.sleep(0.02)
    votes = first_votes(events)
    if sum(votes.values()) < len(sentinels) or \
            votes.most_common(1)[0][1] > len(sentinels) // 2:
        return None
    first = min(e.at for _, e in events if e.name == "+try-failover")
    elected = [e.at for _, e in events
               if e.name == "+elected-leader" and f" m{n} " in e.text]
    return {"ms": ((max(elected) if elected else deadline) - first) * 1000,
            "no leader": not elected, "candidates": len(votes),
            "epochs": len({e.text for _, e in events if e.name == "+new-epoch"})}


def down_after(kind, i):
    """That of sentinel |i|, by master."""
    def of_master(n):
        turn = TURN_MS + SAVES_MS[n % len(SAVES_MS)] if kind == "ours" else 0
        return DOWN_AFTER - turn * i
    return of_master


def run(options, kind, n_sentinels, n_rounds):
    """What happened in |n_rounds| split votes, or in as many as there were."""
    test = Test("bench")
    try:
        fleet = Fleet(test, TRIES * n_rounds, n_sentinels)
        sentinels = allied(test, fleet, kind, n_sentinels, quorum=1,
                           down_after=[down_after(kind, i) for i in range(n_sentinels)])
        start_allied(fleet, sentinels)
        time.sleep(3)  # hellos and INFO
        found = []
        for n in range(fleet.n_masters):
            time.sleep(APART_S)
            result = one_round(fleet, sentinels, n, options.patience)
            if result is not None:
                found.append(result)
            if len(found) == n_rounds:
                break
        print(kind, n_sentinels, f"{len(found)} split votes in {n + 1} rounds;",
              f"ms {[round(r['ms']) for r in found]}", flush=True)
        return found
    finally:
        test.close(keep=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentinels", default="3,5")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--stock-rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=10)
    options = setup(parser)
    rows = []
    for n in map(int, options.sentinels.split(",")):
        results = {kind: run(options, kind, n, options.rounds if kind == "ours"
                             else options.stock_rounds) for kind in options.kinds}
        for title, unit, value in (
                ("leader after", "ms", lambda r: r["ms"]),
                ("candidates in one epoch", "", lambda r: r["candidates"]),
                ("epochs", "", lambda r: r["epochs"]),
                ("rounds without a leader", "%", lambda r: 100 * r["no leader"])):
            rows.append(show(f"{n} sentinels: {title}", {
                kind: [value(r) for r in found] for kind, found in results.items()},
                unit))
    save(options, "Split votes", rows,
         f"A round without a leader is left after {options.patience:.0f} s.")


if __name__ == "__main__":
    main()

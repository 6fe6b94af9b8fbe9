"""Clients of a sentinel that has much to do.

  watching  one sentinel, 1,000 healthy masters with two replicas each: 50 clients
  failing   the same sentinel while all 1,000 masters are being failed over
  fairness  three sentinels, 1,100 masters, 1,000 of which fail while 50 clients ask one
            sentinel for SENTINEL MASTERS without a pause. Does it still answer others,
            switch, and see that the 100 others live? Loop lag is what INFO of the
            sentinel with the longest says (stock does not say), over the last half to
            whole minute; PING is sent by one more client each 10 ms.
"""

import argparse
import re
import time

from lib import (Fleet, Load, Probe, Test, allied, p, save, setup, show, start_allied)
from mass import SETTLE_S, Switches

GET = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "m0")
N_MASTERS, N_HEALTHY, N_CLIENTS = 1000, 100, 50
DOWN_AFTER = 5000


# ---------------------------------------------------------- watching, failing ----

def asked(sentinel, pipeline, n_requests, words):
    found = Load(sentinel, N_CLIENTS, pipeline, *words, requests=n_requests).figures()
    return {"wall": found["ms"] * 1000 / found["requests"],
            "CPU": found["cpu_ms"] * 1000 / found["requests"],
            "p99": found["p99_us"] / 1000}


def clients(kind, rounds):
    """{title: figures of one load}"""
    test = Test("bench")
    try:
        fleet = Fleet(test, N_MASTERS)
        sentinels = allied(test, fleet, kind, n=1, quorum=1, down_after=DOWN_AFTER)
        start_allied(fleet, sentinels)
        time.sleep(SETTLE_S)
        result = {}
        for title, words in (("PING", ("PING",)), ("GET-MASTER-ADDR", GET)):
            for pipeline in (1, 16):
                result[f"watching, {title}, pipeline {pipeline}"] = [
                    asked(sentinels[0], pipeline, 20000 * pipeline, words)
                    for _ in range(rounds)]
        switches = Switches(sentinels)
        due = fleet.strike("kill", 0, N_MASTERS)[1] + DOWN_AFTER / 1000
        time.sleep(due - time.time())
        result["failing, GET-MASTER-ADDR, pipeline 1"] = [
            asked(sentinels[0], 1, 80000, GET)]
        print(kind, switches.look(), "masters switched meanwhile", flush=True)
        return result
    finally:
        test.close(keep=False)


def clients_rows(options):
    found = {kind: clients(kind, options.rounds) for kind in options.kinds}
    return [show(f"{title}: {what}", {
        kind: [r[figure] for r in results[title]] for kind, results in found.items()},
        unit) for title in next(iter(found.values()))
        for what, figure, unit in (("wall", "wall", "us per request"),
                                   ("CPU", "CPU", "us per request"),
                                   ("p99 of the wait", "p99", "ms"))]


# ------------------------------------------------------------------- fairness ----

def is_false(event, fleet):
    """Is this +sdown about somebody who lives?"""
    words = event.text.split()
    ip, port = words[2:4]
    group = int(ip.split(".")[2]) * 1000 + int(port) - fleet.base
    return not (ip.startswith("127.1.") and group < N_MASTERS) or \
        words[0] == "sentinel"


def lags(sentinels):
    """(p99, longest) of the loops' turns in ms, of the worst; None: it does not say."""
    found = []
    for sentinel in sentinels:
        with sentinel.client(timeout=60) as client:
            found.append([float(v) for v in re.findall(r"loop_lag_\w+_ms:([\d.]+)",
                                                       client("INFO", "stats"))])
    return [max(column) for column in zip(*found)] or [None, None]


def fairness(kind, patience):
    test = Test("bench")
    try:
        fleet = Fleet(test, N_MASTERS + N_HEALTHY, n_sentinels=3, n_parts=2)
        sentinels = allied(test, fleet, kind, down_after=DOWN_AFTER)
        start_allied(fleet, sentinels)
        time.sleep(SETTLE_S)
        switches = Switches(sentinels)
        marks = [s.mark() for s in sentinels]
        with Probe(sentinels[0]) as probe:
            load = Load(sentinels[0], N_CLIENTS, 1, "SENTINEL", "MASTERS")
            time.sleep(3)
            due = fleet.strike("kill", 0, N_MASTERS)[1] + DOWN_AFTER / 1000
            while switches.look() < N_MASTERS and time.time() < due + patience:
                time.sleep(0.25)
            time.sleep(3)
            lag = lags(sentinels)
            figures = load.end()
        false = [e for s, m in zip(sentinels, marks) for e in s.events(m)
                 if e.name == "+sdown" and is_false(e, fleet)]
        done = switches.everywhere()
        return {"switched everywhere": len(done),
                "last": (done[-1] - due) * 1000 if len(done) == N_MASTERS else None,
                "lag": lag[0], "longest": lag[1],
                "PING": p(probe.ms, 99) if probe.ms else None,
                "PING longest": max(probe.ms, default=None), "false": len(false),
                "TILT": switches.names.count("+tilt"),
                "MASTERS p99": figures and figures["p99_us"] / 1000,
                "MASTERS": figures and figures["requests"] * 1000 / figures["ms"]}
    finally:
        test.close(keep=False)


def fairness_rows(options):
    found = {kind: [] for kind in options.kinds}
    for n in range(options.runs):
        for kind in options.kinds:
            if kind == "ours" or n == 0:
                found[kind].append(fairness(kind, options.patience))
                print(kind, found[kind][-1], flush=True)
    return [show(title, {
        kind: [r[name] for r in results if r[name] is not None]
        for kind, results in found.items()}, unit)
        for title, name, unit in (
            ("loop lag, p99", "lag", "ms"), ("loop lag, longest", "longest", "ms"),
            ("PING answered, p99", "PING", "ms"),
            ("PING answered, longest", "PING longest", "ms"),
            ("+sdown of somebody who lives", "false", ""), ("TILT", "TILT", ""),
            ("masters switched everywhere", "switched everywhere", ""),
            ("the last of them", "last", "ms"),
            ("SENTINEL MASTERS answered, p99", "MASTERS p99", "ms"),
            ("SENTINEL MASTERS answered", "MASTERS", "a second"))]


SECTIONS = {"clients": ("Clients of a busy sentinel", clients_rows),
            "fairness": ("Fairness under load", fairness_rows)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", default=",".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=1, help="of fairness, with ours")
    parser.add_argument("--patience", type=float, default=20)
    options = setup(parser)
    for name in options.sections.split(","):
        title, section = SECTIONS[name]
        save(options, title, section(options), "")


if __name__ == "__main__":
    main()

"""make bench-failover: the phases of a failover with real servers, ours next to stock.

Each run starts one master, two replicas and three sentinels of one kind, which find one
another in their files, and ends the master: killed, stopped (SIGSTOP), or by SENTINEL
FAILOVER. A round is one run of stock and --ours-each of ours.

Counted from the moment at which the failure may be noticed, the blow plus
down-after-milliseconds, or from the command: the first +sdown, +odown, +elected-leader
and +promoted-slave of any sentinel, the new address answered by all three to
GET-MASTER-ADDR-BY-NAME, the first successful write there after that, and
+switch-master on all three. A stopped master's silence begins with its last answer, up
to a second before the blow.
"""

import argparse
import signal
import time

from lib import Test, save, setup, show

PHASES = ("+sdown", "+odown", "+elected-leader", "+promoted-slave")
NAME = "mymaster"
PATIENCE_S = 60


def known_lines(group):
    """What each sentinel's file says of the others and of the replicas."""
    ids = [f"{n + 1:x}" * 40 for n in range(len(group.sentinels))]
    for n, sentinel in enumerate(group.sentinels):
        lines = [f"sentinel myid {ids[n]}"]
        lines += [f"sentinel known-replica {NAME} {r.host} {r.port}"
                  for r in group.replicas]
        lines += [f"sentinel known-sentinel {NAME} {s.host} {s.port} {i}"
                  for s, i in zip(group.sentinels, ids) if s is not sentinel]
        with open(sentinel.conf, "a") as out:
            out.write("\n".join(lines) + "\n")


def wait_address(sentinels, old_port):
    """Asks all in turns until each has answered another address; that port and when
    the last did."""
    waiting = [s.client() for s in sentinels]
    deadline = time.monotonic() + PATIENCE_S
    port = None
    while waiting:
        for client in list(waiting):
            found = int(client("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])
            if found != old_port:
                port = found
                waiting.remove(client)
                client.close()
        if time.monotonic() > deadline:
            raise RuntimeError(f"no failover within {PATIENCE_S} s")
        time.sleep(0.0005)
    return port, time.time()


def wait_written(server):
    with server.client() as client:
        while client.attempt("SET", "key", "value") != "OK":
            time.sleep(0.0005)
        return time.time()


def strike(group, how):
    """The moment of the blow."""
    if how == "killed":
        began = time.time()
        group.master.kill()
        return began
    if how == "stopped":
        began = time.time()
        group.master.signal(signal.SIGSTOP)
        return began
    with group.sentinels[0].client() as client:
        began = time.time()
        client("SENTINEL", "FAILOVER", NAME)
    return began


def run(kind, how, down_after):
    """{phase: ms since the failure may be noticed}, and "+odown to the address"."""
    test = Test("bench")
    try:
        group = test.group([kind] * 3, down_after=down_after, failover_timeout=60000)
        known_lines(group)
        group.start()
        marks = group.marks()
        due = strike(group, how)
        if how != "manual":
            due += down_after / 1000
            time.sleep(max(0, due - 1.2 - time.time()))
        port, answered = wait_address(group.sentinels, group.master.port)
        written = wait_written(group.by_port(port))
        switched = max(s.wait_event("+switch-master", NAME, m, PATIENCE_S).at
                       for s, m in zip(group.sentinels, marks))
        events = [e for s, m in zip(group.sentinels, marks) for e in s.events(m)
                  if e.text.startswith(("master ", "slave ")) and not (
                      e.name == "+sdown" and e.text.startswith("slave "))]
        at = {name: min((e.at for e in events if e.name == name), default=None)
              for name in PHASES}
        at |= {"new address on all three": answered, "written there": written,
               "+switch-master on all three": switched}
        result = {name: (when - due) * 1000 for name, when in at.items()
                  if when is not None}
        if at["+odown"]:
            result["from +odown to the address"] = (answered - at["+odown"]) * 1000
        if how == "manual":  # the old master comes back as a replica, and is no failure
            result.pop("+sdown", None)
            result.pop("+odown", None)
            result.pop("from +odown to the address", None)
        return result
    finally:
        test.close(keep=False)


def cell(options, how, down_after, n_rounds):
    """Rows of one way to end a master."""
    results = {kind: [] for kind in options.kinds}
    for _ in range(n_rounds):
        for kind in options.kinds:
            for _ in range(options.ours_each if kind == "ours" else 1):
                results[kind].append(run(kind, how, down_after))
    title = how if how == "manual" else f"{how}, down-after {down_after}"
    names = dict.fromkeys(n for rs in results.values() for r in rs for n in r)
    return [show(f"{title}: {name}", {
        kind: [r[name] for r in found if name in r] for kind, found in results.items()},
        "ms") for name in names]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="killed/1000/10",
                        help="killed, stopped or manual/down-after/rounds, with commas")
    parser.add_argument("--ours-each", type=int, default=1,
                        help="runs of ours for each of stock")
    options = setup(parser)
    rows = []
    for case in options.cases.split(","):
        how, down_after, n_rounds = case.split("/")
        rows += cell(options, how, int(down_after), int(n_rounds))
    save(options, "Failover with real servers", rows,
         "From the blow plus down-after, or from SENTINEL FAILOVER; three sentinels.")


if __name__ == "__main__":
    main()

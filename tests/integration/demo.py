"""make demo: a failover with real servers, shown step by step.

Starts one master, two replicas and three sentinels on free loopback ports in a
temporary folder, kills the master, shows what the sentinels log, brings the old master
back, and cleans up after itself, also on Ctrl-C.
"""

import argparse
import os
import signal
import sys
import time

from group import Test
from procs import EVENT, Event, Settings, until

DOWN_AFTER = 2000


def heading(text):
    if sys.stdout.isatty():
        text = f"\033[1m{text}\033[0m"
    print(f"\n{text}", flush=True)


def say(text):
    print(f"  {text}", flush=True)


class LiveLog:
    """Prints the events of all sentinels as they appear, with the time since a
    moment, until told otherwise."""

    def __init__(self, sentinels):
        self.files = {s: open(s.log_path, errors="replace") for s in sentinels}
        self.partial = dict.fromkeys(sentinels, "")
        self.seen = []
        for file in self.files.values():
            file.seek(0, os.SEEK_END)
        self.began = time.time()

    def poll(self):
        fresh = []
        for sentinel, file in self.files.items():
            *lines, self.partial[sentinel] = (self.partial[sentinel] +
                                              file.read()).split("\n")
            fresh += [(sentinel, Event(m)) for m in map(EVENT.match, lines) if m]
        for sentinel, event in sorted(fresh, key=lambda pair: pair[1].at):
            since = max(0.0, event.at - self.began)
            print(f"  {since:7.3f} s  {sentinel.name}  {event}", flush=True)
            self.seen.append((sentinel, event))

    def first(self, name, text=""):
        return min((e.at for _, e in self.seen if e.name == name and text in e.text),
                   default=None)

    def follow(self, done, timeout, what):
        def look():
            self.poll()
            return done()
        until(look, timeout, what)


def start(test):
    group = test.group(["ours"] * 3, down_after=DOWN_AFTER, failover_timeout=10000)
    for n, sentinel in enumerate(group.sentinels, 1):
        sentinel.name = f"s{n}"
    heading("1. Starting one master, two replicas and three sentinels")
    group.start()
    for server in group.servers:
        role = "master" if server is group.master else "replica"
        say(f"{role:9} 127.0.0.1:{server.port}  pid {server.pid}")
    for sentinel in group.sentinels:
        say(f"sentinel  127.0.0.1:{sentinel.port}  pid {sentinel.pid}  "
            f"({sentinel.name}, run id {sentinel.myid()[:8]}...)")
    return group


def topology(group):
    heading("2. What the sentinels know")
    for sentinel in group.sentinels:
        replicas = " ".join(sorted(r["name"] for r in sentinel.replicas()))
        peers = " ".join(sorted(p["port"] for p in sentinel.peers()))
        say(f"{sentinel.name}: master 127.0.0.1:{sentinel.address()}, "
            f"replicas {replicas}, other sentinels {peers}")


def write(group):
    heading("3. Writing a value")
    group.master.call("SET", "greeting", "hello")
    say(f"SET greeting hello   at the master, port {group.master.port}: OK")
    for server in group.replicas:
        until(lambda s=server: s.call("GET", "greeting") == "hello", 5, "replicated")
        say(f"GET greeting         at the replica, port {server.port}: hello")


def fail_over(group):
    old = group.master
    heading(f"4. Killing the master: kill -9 {old.pid} "
            f"(down-after-milliseconds is {DOWN_AFTER})")
    log = LiveLog(group.sentinels)
    old.kill()
    answered = []

    def switched():
        ports = {s.address() for s in group.sentinels}
        if len(ports) == 1 and old.port not in ports and not answered:
            answered.append(time.time())
        names = {s for s, e in log.seen if e.name == "+switch-master"}
        return answered and len(names) == len(group.sentinels)
    log.follow(switched, 60, "all three sentinels announce a new master")
    new = group.by_port(group.sentinels[0].address())
    say(f"All three sentinels now send clients to 127.0.0.1:{new.port}.")
    return log, new, answered[0]


def bring_back(group, log, new):
    """The old master is known as a replica that is down; then it returns."""
    old = group.master
    name = f"slave 127.0.0.1:{old.port} "

    def all_say(event):
        said = {s for s, e in log.seen if e.name == event and name in e.text}
        return len(said) == len(group.sentinels)
    log.follow(lambda: all_say("+sdown"), 30, "the old master is a replica, and down")
    heading("5. Starting the old master again; it still believes to be one, and is\n"
            "   turned into a replica once its claim has stood for some seconds")
    restarted = time.time()
    old.start()
    log.follow(lambda: all_say("-sdown") and log.first("+convert-to-slave", name)
               and old.follows(new.port), 60, "the old master follows the new one")
    return restarted, time.time()


def prove(group, new):
    heading("6. Is the data safe?")
    value = new.call("GET", "greeting")
    say(f"GET greeting         at the new master, port {new.port}: {value}")
    assert value == "hello", "the value written before is lost"
    assert new.call("SET", "news", "it works") == "OK"
    say(f"SET news 'it works'  at the new master, port {new.port}: OK")
    for server in group.servers:
        if server is not new:
            until(lambda s=server: s.call("GET", "news") == "it works", 10, "arrived")
            what = "the returned master" if server is group.master else "the replica"
            say(f"GET news             at {what}, port {server.port}: it works")
    group.wait_agreement()
    say("INFO replication of all three servers agrees: one master, two replicas.")


def phases(log, killed, answered, restarted, followed):
    heading("How long it took")
    marks = [("master killed", killed),
             ("first sentinel sees it down (+sdown)", log.first("+sdown", "master ")),
             ("quorum agrees (+odown)", log.first("+odown")),
             ("leader elected (+elected-leader)", log.first("+elected-leader")),
             ("replica promoted (+promoted-slave)", log.first("+promoted-slave")),
             ("all three sentinels answer the new address", answered)]
    for (_, before), (name, at) in zip(marks, marks[1:]):
        say(f"{name:45} {max(0.0, at - before) * 1000:8.0f} ms")
    say(f"{'from the kill to the new address everywhere':45} "
        f"{(answered - killed) * 1000:8.0f} ms")
    say(f"{'old master restarted until it is a replica':45} "
        f"{(followed - restarted) * 1000:8.0f} ms")


def interrupt(number, frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentinel", default="build/redis-sentinel")
    parser.add_argument("--stock", default="build/stock")
    options = parser.parse_args()
    Settings.sentinel, Settings.stock = options.sentinel, options.stock
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    test = Test("demo")
    status = 1
    try:
        group = start(test)
        topology(group)
        write(group)
        log, new, answered = fail_over(group)
        restarted, followed = bring_back(group, log, new)
        prove(group, new)
        phases(log, log.began, answered, restarted, followed)
        status = 0
    except KeyboardInterrupt:
        print("\nInterrupted.", flush=True)
        status = 130
    except AssertionError as error:
        print(f"\nThe demo failed: {error}", *test.log_tails(), sep="\n", flush=True)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        test.close(keep=False)
    print("All processes are ended, the temporary folder is removed.", flush=True)
    sys.exit(status)


if __name__ == "__main__":
    main()

"""The wire between the hosts of a test network: a process that hands on IPv4 packets.

switch.py SEED FD ...     one TUN device per host, number 0, 1, ...

Each ordered pair of hosts is a link of its own, so that a cut can be one-way. A line of
JSON on standard input sets links, and is answered by an empty line when it holds:

    {"links": [[0, 1], [1, 0]], "cut": true, "delay_ms": 0, "jitter_ms": 0, "loss": 0.0}

What a packet meets is decided when it is sent. Packets keep their order on a link,
whatever the jitter. What cannot be handed on (unknown addresses, IPv6) is dropped.
"""

import heapq
import json
import os
import random
import select
import sys
import time


class Link:
    def __init__(self):
        self.free_at = 0.0
        self.set()

    def set(self, cut=False, delay_ms=0, jitter_ms=0, loss=0.0):
        self.cut, self.loss = cut, loss
        self.delay, self.jitter = delay_ms / 1000, jitter_ms / 1000


class Switch:
    def __init__(self, seed, devices):
        self.rng = random.Random(seed)
        self.devices = devices
        self.links = {}
        self.waiting = []  # (when, sequence number, device, packet)
        self.n_sent = 0

    def link(self, source, target):
        return self.links.setdefault((source, target), Link())

    def control(self, line):
        order = json.loads(line)
        for source, target in order.pop("links"):
            self.link(source, target).set(**order)
        print(flush=True)

    def packet(self, source, data):
        if data[0] >> 4 != 4:
            return
        target = data[19] - 1  # the last byte of the destination's address
        if target >= len(self.devices):
            return
        link = self.link(source, target)
        if link.cut or (link.loss and self.rng.random() < link.loss):
            return
        now = time.monotonic()
        wait = link.delay + (self.rng.random() * link.jitter if link.jitter else 0)
        if not wait and link.free_at <= now:
            self.deliver(target, data)
            return
        link.free_at = max(link.free_at, now + wait)
        self.n_sent += 1
        heapq.heappush(self.waiting, (link.free_at, self.n_sent, target, data))

    def deliver(self, target, data):
        try:
            os.write(self.devices[target], data)
        except OSError:
            pass  # its queue is full: lost, as on any wire

    def run(self):
        poll = select.poll()
        by_fd = {fd: n for n, fd in enumerate(self.devices)}
        for fd in [*self.devices, 0]:
            poll.register(fd, select.POLLIN)
        while True:
            timeout = None
            if self.waiting:
                timeout = max(0, (self.waiting[0][0] - time.monotonic()) * 1000)
            for fd, _ in poll.poll(timeout):
                if fd == 0:
                    line = sys.stdin.readline()
                    if not line:
                        return  # the test has ended
                    self.control(line)
                else:
                    self.packet(by_fd[fd], os.read(fd, 65536))
            now = time.monotonic()
            while self.waiting and self.waiting[0][0] <= now:
                _, _, target, data = heapq.heappop(self.waiting)
                self.deliver(target, data)


if __name__ == "__main__":
    Switch(int(sys.argv[1]), [int(fd) for fd in sys.argv[2:]]).run()

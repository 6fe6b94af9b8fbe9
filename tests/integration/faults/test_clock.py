"""The wall clock is set while everything runs. The monotonic clock is not: nobody can.

A small library is preloaded that adds to the time of day what a file says. (libfaketime
does not live with the allocator of the distribution's sentinel, nor with sanitizers.)
"""

import os
import pathlib
import shlex
import struct
import subprocess
import time

from faults.world import World, quick, wait
from group import Skip
from procs import Settings

UNITS = {"s": 1, "h": 3600, "d": 86400}
STEPS = ["+1h", "-1h", "+400d", "-2d", "+30s", "-30s"]


class Clock:
    """The wall clock of one sentinel."""

    def __init__(self, sentinel):
        if Settings.valgrind:
            raise Skip("valgrind has clocks of its own")
        library, self.path = sentinel.dir / "wallclock.so", sentinel.dir / "clock"
        source = pathlib.Path(__file__).with_name("wallclock.c")
        compiler = shlex.split(os.environ.get("CC", "gcc"))
        subprocess.run([*compiler, "-shared", "-fPIC", "-O1", "-o", library, source],
                       check=True)
        self.path.write_bytes(bytes(8))
        sentinel.env = {"LD_PRELOAD": str(library), "WALLCLOCK_FILE": str(self.path)}

    def set(self, offset):
        """Offset from the real time, such as "+3h"."""
        seconds = int(offset[:-1]) * UNITS[offset[-1]]
        with open(self.path, "r+b", buffering=0) as file:
            file.write(struct.pack("q", seconds))
        return seconds


def with_clocks(t):
    clocks = []
    world = World(t, before_start=lambda sentinels: clocks.extend(
        Clock(s) for s in sentinels))
    return world, clocks


def set_and_seen(world, clocks, which, offset):
    """Sets clocks, and sees in the log that the sentinels took it."""
    for n in which:
        sentinel = world.sentinels[n]
        wanted = clocks[n].set(offset)
        mark = sentinel.mark()
        sentinel.sentinel("SET", "mymaster", "parallel-syncs", 1)
        event = sentinel.wait_event("+set", since=mark)
        assert abs(event.at - time.time() - wanted) < 20, (event.at, offset)


@quick
def test_clock_steps_while_all_is_well(t):
    """Hours, days and seconds, forwards and back, in one sentinel and in all: nothing
    is seen as down, no TILT, no failover."""
    world, clocks = with_clocks(t)
    marks = world.group.marks()
    for n, step in enumerate(STEPS):
        set_and_seen(world, clocks, [n % 3] if n < 3 else [0, 1, 2], step)
        wait(1.2)  # longer than down-after
    for sentinel, mark in zip(world.sentinels, marks):
        names = {e.name for e in sentinel.events(mark)}
        assert not names & {"+tilt", "+sdown", "+odown", "+try-failover"}, names
    assert world.recovered(15, "all the time") is world.servers[0]


def test_clock_steps_during_failovers(t):
    """The clocks of all, or of one, jump in the moment the leader is elected, and again
    when the old master returns: agreement within 30 s each time."""
    world, clocks = with_clocks(t)
    world.net.heal(delay_ms=20)
    for step, which in (("+1h", [0, 1, 2]), ("-1h", [0]), ("-2d", [0, 1, 2]),
                        ("+400d", [1])):
        marks = world.group.marks()
        master = world.master()
        master.kill()
        world.wait_any("+elected-leader", marks)
        set_and_seen(world, clocks, which, step)
        new = world.wait_new_master(master, timeout=30)
        set_and_seen(world, clocks, which, "+0s")
        world.revive()
        assert world.recovered(30, step) is new
        world.ready()
    for sentinel in world.sentinels:
        assert not sentinel.find_event("+tilt")

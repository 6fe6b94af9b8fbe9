"""Links that are cut, one-way, slow, lossy or flapping."""

import time

from faults.world import World, quick, wait
from procs import Settings, until


@quick
def test_minority_with_the_master_isolated(t):
    """Master and one sentinel of three on the small side: the large side has a new
    master within 15 s, the small side promotes nothing, and the old master follows
    within 20 s of healing."""
    world = World(t)
    old = world.servers[0]
    small = [world.net.hosts[0]]
    large = world.on(world.net.rest(small), world.sentinels)
    marks = world.group.marks()
    world.net.isolate(small)
    new = world.wait_new_master(old, large, 15)
    alone = world.sentinels[0]
    assert alone.address() == old.port
    assert not alone.find_event("+elected-leader", since=marks[0])
    world.net.heal()
    assert world.recovered(20, "after healing") is new


@quick
def test_minority_of_sentinels_isolated(t):
    """Two of five sentinels lose sight of everything for several times down-after:
    nobody fails over, there or here, and afterwards all see all within 20 s."""
    world = World(t, n=5)
    small = world.net.hosts[3:]
    lost = world.on(small, world.sentinels)
    marks = world.group.marks()
    world.net.isolate(small)
    for sentinel in lost:
        sentinel.wait_event("+sdown", "master mymaster ", timeout=15)
    wait(6)  # twice failover-timeout: time enough for what must not happen
    world.net.heal()
    assert world.recovered(20, "after healing") is world.servers[0]
    world.ready(20)
    for sentinel, mark in zip(world.sentinels, marks):
        assert not sentinel.find_event("+elected-leader", since=mark)
        assert not sentinel.find_event("+switch-master", since=mark)


def test_even_split(t):
    """Four sentinels, two and two: neither side has a majority, nobody is elected.
    With the last link healed, and the master dead, a new one within 25 s."""
    world = World(t, n=4)
    half = world.net.hosts[:2]
    marks = world.group.marks()
    world.net.isolate(half)
    world.sentinels[2].wait_event("+sdown", "master mymaster ", timeout=15)
    world.servers[0].kill()
    world.sentinels[0].wait_event("+sdown", "master mymaster ", timeout=15)
    wait(6)
    for sentinel, mark in zip(world.sentinels, marks):
        assert not sentinel.find_event("+elected-leader", since=mark)
    world.net.heal()
    new = world.wait_new_master(world.servers[0], timeout=25)
    world.revive()
    assert world.recovered(20, "after the old master's return") is new


def test_master_unheard(t):
    """The master receives but cannot be heard: a new one within 15 s; the old one
    follows within 20 s of healing."""
    world = World(t)
    old, silent = world.servers[0], world.net.hosts[0]
    world.net.set([(silent, h) for h in world.net.rest([silent])], cut=True)
    new = world.wait_new_master(old, world.sentinels[1:], 15)
    world.net.heal()
    assert world.recovered(20, "after healing") is new


def test_master_deaf(t):
    """The master can be heard but receives nothing: the same."""
    world = World(t)
    old, deaf = world.servers[0], world.net.hosts[0]
    world.net.set([(h, deaf) for h in world.net.rest([deaf])], cut=True)
    new = world.wait_new_master(old, world.sentinels[1:], 15)
    world.net.heal()
    assert world.recovered(20, "after healing") is new


def test_one_way_cut_between_sentinels(t):
    """One sentinel's words do not reach one other: with the third they are still a
    majority; the master dies, a new one within 20 s while the cut lasts."""
    world = World(t)
    hosts = world.net.hosts
    world.net.set([(hosts[1], hosts[2])], cut=True)
    world.servers[0].kill()
    sure = [world.sentinels[0]]
    new = world.wait_new_master(world.servers[0], sure, 20)
    world.net.heal()
    world.revive()
    assert world.recovered(25, "after healing") is new


def test_slow_links(t):
    """150 to 200 ms one way and 2 % loss everywhere, down-after 3 s: no false alarm for
    10 s; then the master dies, and a new one is agreed on within 30 s over these very
    links."""
    world = World(t, down_after=3000, failover_timeout=10000)
    slow = {"delay_ms": 150, "jitter_ms": 50, "loss": 0.02}
    world.net.heal(**slow)
    marks = world.group.marks()
    wait(10)
    for sentinel, mark in zip(world.sentinels, marks):
        assert not sentinel.find_event("+odown", since=mark), sentinel.events(mark)
    old = world.servers[0]
    old.kill()
    start = time.monotonic()
    new = world.wait_new_master(old, timeout=30)
    t.notes.append(f"over slow links: {time.monotonic() - start:.1f} s of 30")
    world.revive()
    assert world.recovered(40, "old master back, over slow links") is new


def test_flapping_links(t):
    """The link between the master's host and the others comes and goes for 20 s, each
    state for 0.1 to 2 s, about down-after; agreement within 30 s of its end."""
    world = World(t)
    end = time.monotonic() + 20 * Settings.slow
    n = 0
    while time.monotonic() < end:
        world.net.isolate([world.net.hosts[0]])
        wait(world.rng.uniform(0.1, 2))
        world.net.heal()
        wait(world.rng.uniform(0.1, 2))
        n += 1
    world.recovered(30, f"after {n} flaps")
    world.ready()


def test_any_link_flaps(t):
    """Links between random pairs of five hosts, also one-way, come and go for 20 s;
    agreement within 30 s of the end."""
    world = World(t, n=5)
    links = world.net.all_links()
    end = time.monotonic() + 20 * Settings.slow
    while time.monotonic() < end:
        some = world.rng.sample(links, world.rng.randrange(1, len(links)))
        world.net.set(some, cut=world.rng.random() < 0.5)
        wait(world.rng.uniform(0.05, 1))
    world.net.heal()
    world.recovered(30, "after healing")
    world.ready()


@quick
def test_leader_cut_off_after_election(t):
    """The leader loses the others in the moment it is elected, at 20 ms one way; the
    rest elects another within 25 s, and what the first did meanwhile is undone within
    25 s of healing."""
    world = World(t, n=5)
    world.net.heal(delay_ms=20)
    marks = world.group.marks()
    old = world.servers[0]
    old.kill()
    leader = world.wait_any("+elected-leader", marks)
    world.net.isolate([leader.place])
    others = [s for s in world.sentinels if s is not leader]
    world.wait_new_master(old, others, 25)
    world.net.heal()
    world.revive()
    world.recovered(25, "after healing")
    until(lambda: leader.address() == world.address_of_all(others), 10, "leader agrees")

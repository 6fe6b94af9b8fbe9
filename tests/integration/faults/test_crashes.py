"""kill -9 and SIGSTOP, at the moments that hurt."""

import signal

from faults.world import World, quick, wait
from procs import until

# What a leader logs on its way, in this order.
STATES = ["+try-failover", "+vote-for-leader", "+elected-leader", "+selected-slave",
          "+failover-state-wait-promotion", "+promoted-slave", "+slave-reconf-sent",
          "+switch-master", "+failover-end"]
CRASHES = ["crash-after-election", "crash-after-promotion"]
BOUND = 30  # seconds from the restart of what was killed


def epochs(world):
    return [int(s.config_lines("current-epoch")[0]) for s in world.sentinels]


def lose_leader(world, state, restart_at_once):
    """The master dies; whoever is first to log |state| is killed at that moment."""
    before = epochs(world)
    marks = world.group.marks()
    master = world.master()
    master.kill()
    leader = world.wait_any(state, marks, 30)
    wait(world.rng.choice((0, 0, world.rng.uniform(0, 0.15))))
    leader.kill()
    if restart_at_once:
        leader.start().wait_answers()
    world.wait_new_master(master, [s for s in world.sentinels if s.alive()], BOUND)
    world.revive()
    world.recovered(BOUND, f"killed at {state}")
    world.ready()
    after = epochs(world)
    assert all(b <= a for b, a in zip(before, after)), (before, after)


def each_state(t, states):
    world = World(t)
    world.net.heal(delay_ms=20)  # so that a step takes longer than to see it logged
    for n, state in enumerate(states):
        lose_leader(world, state, restart_at_once=n % 2)


def test_leader_killed_before_election(t):
    """kill -9 of the candidate at +try-failover and +vote-for-leader, and of the
    leader at +elected-leader: a new master, agreement 30 s after the restart."""
    each_state(t, STATES[:3])


def test_leader_killed_around_promotion(t):
    """The same at +selected-slave, at +failover-state-wait-promotion and at
    +promoted-slave."""
    each_state(t, STATES[3:6])


def test_leader_killed_near_the_end(t):
    """The same at +slave-reconf-sent, at +switch-master and at +failover-end."""
    each_state(t, STATES[6:])


def test_leader_crashes_itself(t):
    """SENTINEL SIMULATE-FAILURE in all three, so that leader after leader ends itself;
    each is started again, unarmed, after it. Agreement within 30 s of the last."""
    world = World(t)
    for crash in CRASHES:
        before, master = epochs(world), world.master()
        for sentinel in world.sentinels:
            sentinel.sentinel("SIMULATE-FAILURE", crash)
        master.kill()
        crashed = []

        def switched():
            for sentinel in world.sentinels:
                if not sentinel.alive():
                    assert sentinel.wait_exit() == 99
                    crashed.append(sentinel)
                    sentinel.start().wait_answers()
            return crashed and world.address_of_all() not in (None, master.port)
        until(switched, 40, f"a new master after {crash}")
        for sentinel in world.sentinels:  # a restart disarms
            sentinel.kill()
        world.revive()
        world.recovered(30, f"{crash}, {len(crashed)} times")
        world.ready()
        assert all(b <= a for b, a in zip(before, epochs(world)))


def test_random_kills(t):
    """Five sentinels, four servers. For six rounds the master and up to two sentinels
    are killed at random moments within 3 s, and started again at random moments; after
    each round agreement within 40 s."""
    world = World(t, n=5, n_servers=4)
    for _ in range(6):
        before = epochs(world)
        victims = [world.master(), *world.rng.sample(world.sentinels, 2)]
        moments = sorted((world.rng.uniform(0, 3), n) for n in range(3))
        passed = 0.0
        for moment, n in moments:
            wait(moment - passed)
            passed = moment
            victims[n].kill()
            if world.rng.random() < 0.3:
                victims[n].start()
        wait(world.rng.uniform(0, 2))
        world.revive()
        world.recovered(40, "kills")
        world.ready()
        assert all(b <= a for b, a in zip(before, epochs(world)))


@quick
def test_leader_stopped_after_election(t):
    """SIGSTOP of the leader when it is elected, for 8 s: the others elect another
    within 25 s, and the first does no harm when it goes on: agreement within 25 s."""
    world = World(t)
    world.net.heal(delay_ms=20)
    marks = world.group.marks()
    old = world.master()
    old.kill()
    leader = world.wait_any("+elected-leader", marks)
    leader.signal(signal.SIGSTOP)
    others = [s for s in world.sentinels if s is not leader]
    world.wait_new_master(old, others, 25)
    leader.signal(signal.SIGCONT)
    world.revive()
    world.recovered(25, "after SIGCONT")


def test_chosen_replica_stopped(t):
    """SIGSTOP of the replica that was selected, before it is promoted: the failover is
    given up after failover-timeout, the next one takes the other replica. Within 60 s
    there is a master; agreement 30 s after SIGCONT."""
    world = World(t)
    world.net.heal(delay_ms=20)
    marks = world.group.marks()
    old = world.master()
    old.kill()
    leader = world.wait_any("+selected-slave", marks)
    n = world.sentinels.index(leader)
    event = leader.find_event("+selected-slave", since=marks[n])
    chosen = world.group.by_port(int(event.text.split()[3]))
    chosen.signal(signal.SIGSTOP)
    world.wait_new_master(old, timeout=60)
    chosen.signal(signal.SIGCONT)
    world.revive()
    world.recovered(30, "after SIGCONT")


def test_all_stopped_in_turn(t):
    """Every process in turn is stopped for 0.2 to 4 s, at down-after 1 s, with others
    overlapping; agreement within 30 s after the last SIGCONT."""
    world = World(t)
    everybody = [*world.servers, *world.sentinels]
    stopped = []
    for process in world.rng.sample(everybody * 2, len(everybody) * 2):
        process.signal(signal.SIGSTOP)
        stopped.append(process)
        wait(world.rng.uniform(0.1, 2))
        if len(stopped) == 2:
            stopped.pop(0).signal(signal.SIGCONT)
    for process in everybody:
        process.signal(signal.SIGCONT)
    world.recovered(30, "after the last SIGCONT")
    world.ready()


def test_majority_stopped(t):
    """Two of three sentinels are stopped for 5 s while the master dies: no leader
    without them. They go on in TILT, as in stock, for 30 s; a new master within 60 s,
    agreement 20 s later."""
    world = World(t)
    marks = world.group.marks()
    stopped = world.sentinels[1:]
    for sentinel in stopped:
        sentinel.signal(signal.SIGSTOP)
    old = world.servers[0]
    old.kill()
    world.sentinels[0].wait_event("+sdown", "master mymaster ", timeout=15)
    wait(5)
    assert not world.sentinels[0].find_event("+elected-leader", since=marks[0])
    for sentinel in stopped:
        sentinel.signal(signal.SIGCONT)
    new = world.wait_new_master(old, timeout=60)
    world.revive()
    assert world.recovered(20, "after the old master's return") is new

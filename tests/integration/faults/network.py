"""A network of one's own: hosts with an address each, and links that can be broken.

Every host is a network namespace with one TUN device. A process (switch.py) carries the
packets between them, and loses or delays what the test wants; the TCP above is the
kernel's. No packet leaves the namespaces, and they go away with the test, whatever
becomes of it. The test itself sits on one more host, whose links are never touched.

Nothing but Linux, root and /dev/net/tun is needed; where that is not permitted the test
is skipped.
"""

import ctypes
import fcntl
import json
import os
import pathlib
import random
import socket
import struct
import subprocess
import sys

from group import Skip
from procs import die_with_parent

CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x00020000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8914, 0x8916, 0x891c
IFF_UP_RUNNING = 0x41
libc = ctypes.CDLL(None, use_errno=True)


def checked(status, what):
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def own_mounts():
    """From now on mounts of this process are nobody else's business."""
    try:
        checked(libc.unshare(CLONE_NEWNS), "unshare")
        checked(libc.mount(None, b"/", None, 0x4000 | 0x40000, None), "mount")
    except OSError as error:
        raise Skip(f"no mount namespace may be made here ({error})") from None


def up(name, address=None):
    """Brings the interface |name| of this namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        wanted = {SIOCSIFADDR: address, SIOCSIFNETMASK: "255.255.255.0"}
        for request, text in wanted.items() if address else ():
            fcntl.ioctl(sock, request, struct.pack(
                "16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(text)))
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", name, IFF_UP_RUNNING))


class Host:
    """A namespace; the caller is in it when this has returned."""

    def __init__(self, number):
        self.number = number
        self.address = f"10.99.0.{number + 1}"
        checked(libc.unshare(CLONE_NEWNET), "unshare")
        self.namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.device = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.device, TUNSETIFF,
                    struct.pack("16sH14x", b"wire", IFF_TUN | IFF_NO_PI))
        up(b"lo")
        up(b"wire", self.address)

    def enter(self):
        checked(libc.setns(self.namespace, CLONE_NEWNET), "setns")


class Network:
    """|n_hosts| hosts; the calling thread moves to one more. Links are (from, to)."""

    def __init__(self, test, n_hosts):
        try:
            self.hosts = [Host(n) for n in range(n_hosts)]
            self.here = Host(n_hosts)
        except OSError as error:
            raise Skip(f"no network may be made here ({error})") from None
        everybody = [*self.hosts, self.here]
        self.seed = random.randrange(1 << 30)
        devices = [h.device for h in everybody]
        self.switch = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).with_name("switch.py")),
             str(self.seed), *map(str, devices)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=devices,
            preexec_fn=die_with_parent)
        test.cleanups.append(self.close)

    def close(self):
        self.switch.kill()
        self.switch.wait()

    def set(self, links, **how):
        """Sets links as switch.py says; holds for all that is sent from now on."""
        links = [[a.number, b.number] for a, b in links]
        self.switch.stdin.write(json.dumps({"links": links, **how}).encode() + b"\n")
        self.switch.stdin.flush()
        assert self.switch.stdout.readline() == b"\n", "the switch has died"

    def between(self, some, others):
        """All links between two sets of hosts, both ways."""
        return [pair for a in some for b in others if a is not b
                for pair in ((a, b), (b, a))]

    def all_links(self):
        return [(a, b) for a in self.hosts for b in self.hosts if a is not b]

    def rest(self, some):
        return [h for h in self.hosts if h not in some]

    def isolate(self, some):
        """The hosts |some| hear each other, and nobody else."""
        self.set(self.between(some, self.rest(some)), cut=True)

    def heal(self, **how):
        """All links as new, or all as |how| says."""
        self.set(self.all_links(), **how)

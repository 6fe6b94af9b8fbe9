"""A network of our own with a name server of our own, which can be told what to do.

World() puts this process, and what it starts from then on, into a mount and a network
namespace: only loopback, its own resolv.conf and hosts. Nothing outside is touched.
"""

import ctypes
import fcntl
import os
import pathlib
import socket
import struct
import threading
import time

from group import Skip

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
LIBC = ctypes.CDLL(None, use_errno=True)


def system(result, what):
    if result != 0:
        raise Skip(f"no namespaces here: {what}: {os.strerror(ctypes.get_errno())}")


def mount_over(path, text, folder):
    own = pathlib.Path(folder, os.path.basename(path))
    own.write_text(text)
    own.chmod(0o644)
    system(LIBC.mount(str(own).encode(), path.encode(), None, MS_BIND, None),
           f"mount on {path}")


def enter_namespaces(folder):
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        system(LIBC.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
    else:
        system(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET), "unshare")
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    system(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(sock, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
    mount_over("/etc/resolv.conf", "nameserver 127.0.0.1\n", folder)
    mount_over("/etc/hosts", "127.0.0.1 localhost\n", folder)
    if os.path.exists("/etc/nsswitch.conf"):
        mount_over("/etc/nsswitch.conf", "hosts: files dns\n", folder)


class World(threading.Thread):
    """names[host] is an address, or None: there is no such name. |drops| loses all
    questions, |delay| holds answers back (seconds)."""

    def __init__(self, test):
        super().__init__(daemon=True)
        enter_namespaces(test.dir)
        self.names, self.delay, self.drops = {}, 0.0, False
        self.asked = []  # (instant, name)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 53))
        self.start()

    def run(self):
        while True:
            question, sender = self.sock.recvfrom(4096)
            name, end = "", 12
            while question[end]:
                label = question[end + 1:end + 1 + question[end]]
                name += ("." if name else "") + label.decode()
                end += 1 + question[end]
            kind = struct.unpack("!H", question[end + 1:end + 3])[0]
            self.asked.append((time.monotonic(), name))
            if self.drops:
                continue
            reply = self.answer(question, end + 5, name.lower(), kind)
            if self.delay:
                threading.Timer(self.delay, self.sock.sendto, (reply, sender)).start()
            else:
                self.sock.sendto(reply, sender)

    def answer(self, question, end, name, kind):
        ip = self.names.get(name)
        has_ip = ip is not None and kind == 1
        flags = 0x8180 | (3 if ip is None else 0)
        reply = question[:2] + struct.pack("!HHHHH", flags, 1, int(has_ip), 0, 0)
        reply += question[12:end]
        if has_ip:
            reply += struct.pack("!HHHIH", 0xc00c, 1, 1, 0, 4) + socket.inet_aton(ip)
        return reply

    def n_asked(self, name, since=0.0):
        return sum(1 for at, asked in list(self.asked) if asked == name and at >= since)

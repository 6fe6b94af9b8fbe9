"""Makes the kernel wait for us before it opens a file, as a disk does that hangs.

Needs the right to ask the kernel for that (root); without it the test is skipped.
"""

import ctypes
import os
import select
import struct

from group import Skip
from procs import Settings

libc = ctypes.CDLL(None, use_errno=True)
libc.fanotify_mark.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_uint64,
                               ctypes.c_int, ctypes.c_char_p]
CLASS_CONTENT, CLOEXEC, ADD, AT_FDCWD, ALLOW = 4, 1, 1, -100, 1
EVENT = struct.Struct("=IBBHQii")
EXECUTED = 0x40000  # FAN_OPEN_EXEC_PERM
FOLDER_OPENED = 0x10000 | 0x40000000  # FAN_OPEN_PERM of a folder itself
CHILD_OPENED = 0x10000 | 0x08000000  # of the files in it; also by this process


class Stall:
    """Whoever does |what| with |path| waits, from now on, until close()."""

    def __init__(self, path, what):
        self.held = []
        self.fd = libc.fanotify_init(CLASS_CONTENT | CLOEXEC, os.O_RDONLY)
        if self.fd < 0 or libc.fanotify_mark(self.fd, ADD, what, AT_FDCWD,
                                             os.fsencode(path)) != 0:
            error = os.strerror(ctypes.get_errno())
            self.close()
            raise Skip(f"fanotify: {error}")

    def wait(self, timeout=10):
        """Until one more waits."""
        ready, _, _ = select.select([self.fd], [], [], timeout * Settings.slow)
        assert ready, "nobody opened it"
        self.held.append(EVENT.unpack(os.read(self.fd, EVENT.size))[5])

    def close(self):
        """Lets everybody go on: the kernel does not wait for nobody."""
        if self.fd >= 0:
            os.close(self.fd)
        for fd in self.held:
            os.close(fd)
        self.fd, self.held = -1, []

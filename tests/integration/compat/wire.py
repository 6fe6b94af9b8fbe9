"""Replies with their types, and as lines of text that can be compared."""

import socket

from procs import Settings
from resp import Client, ProtocolError

AGGREGATES = "*~>%"
LATE = 3.0  # seconds until a reply counts as missing


class Node:
    """A reply: its type byte, and its text or its items."""

    def __init__(self, kind, text="", items=None):
        self.kind, self.text, self.items = kind, text, items

    def lines(self, depth=0):
        """One line an item, indented like the reply; text of several lines is split."""
        pad = "  " * depth
        if self.items is None:
            first, *rest = visible(self.text)
            return [f"{pad}{self.kind}{first}", *(f"{pad} {line}" for line in rest)]
        n_items = len(self.items) // (2 if self.kind == "%" else 1)
        inner = [line for item in self.items for line in item.lines(depth + 1)]
        return [f"{pad}{self.kind}{n_items}", *inner]


def visible(text):
    """Printable lines; line ends of either kind end a line."""
    ends = text.replace("\r\n", "\n").split("\n")
    return [line.encode("unicode_escape").decode() for line in ends]


class TypedClient(Client):
    """As Client, but replies are nodes."""

    def take(self):
        """The next reply, or a node that says why there is none."""
        try:
            return self.read(LATE * Settings.slow)
        except TimeoutError:
            return Node("(", "no reply)")
        except (ProtocolError, OSError):
            return Node("(", "closed)")

    def take_all(self, timeout):
        """Replies until the other side closes, or is quiet for too long."""
        nodes = []
        while True:
            try:
                nodes.append(self.read(timeout))
            except TimeoutError:
                return [*nodes, Node("(", "still open)")]
            except (ProtocolError, OSError):
                return nodes + self.left_over() + [Node("(", "closed)")]

    def left_over(self):
        return [Node("(", f"rest {self.buffer!r})")] if self.buffer else []

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def _reply(self):
        line = self._line().decode("utf-8", "surrogateescape")
        kind, rest = line[:1], line[1:]
        if kind in "+-:_,#(":
            return Node(kind, rest)
        if kind not in AGGREGATES + "$=":
            raise ProtocolError(f"not a reply: {line[:200]!r}")
        n = int(rest)
        if n < 0:
            return Node(kind, "-1 null")
        if kind in "$=":
            return Node(kind, self._bytes(n))
        return Node(kind, items=self._items(n * 2 if kind == "%" else n))

"""A small client for the Redis protocol (RESP2 and RESP3), blocking, with deadlines."""

import socket
import time


class RespError(Exception):
    """An error reply."""


class Push(list):
    """A push message of RESP3."""


class Status(str):
    """A simple string, to tell +OK from a bulk of the same text."""


class ProtocolError(Exception):
    """The other side sent something that is no reply, or hung up in the middle."""


def encode(*words):
    """One command as a multibulk request."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        if not isinstance(word, bytes):
            word = str(word).encode("utf-8", "surrogateescape")
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


def rows(reply):
    """A list of field/value rows as dictionaries, from RESP2 or RESP3."""
    return [row(item) for item in reply]


def row(reply):
    if isinstance(reply, dict):
        return reply
    return dict(zip(reply[::2], reply[1::2]))


class Client:
    """One connection. Call it with the words of a command; error replies are raised."""

    def __init__(self, port, password=None, timeout=5.0, host="127.0.0.1",
                 tls=None):
        self.timeout = timeout
        self.buffer = b""
        self.sock = socket.create_connection((host, port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:  # an ssl.SSLContext
            self.sock = tls.wrap_socket(self.sock)
        if password:
            self("AUTH", password)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.settimeout(self.timeout)
        self.sock.sendall(data)

    def __call__(self, *words):
        self.send(encode(*words))
        reply = self.read()
        if isinstance(reply, RespError):
            raise reply
        return reply

    def attempt(self, *words):
        """As a call, but an error reply is returned instead of raised."""
        self.send(encode(*words))
        return self.read()

    def read(self, timeout=None):
        """The next reply."""
        self.deadline = time.monotonic() + (timeout or self.timeout)
        return self._reply()

    def read_until_closed(self, timeout=None):
        """All bytes up to the end of the stream; a reset counts as the end."""
        self.deadline = time.monotonic() + (timeout or self.timeout)
        try:
            while True:
                self._fill()
        except (ProtocolError, ConnectionError):
            data, self.buffer = self.buffer, b""
            return data

    def _fill(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no full reply in time; so far {self.buffer[:200]!r}")
        self.sock.settimeout(left)
        data = self.sock.recv(65536)
        if not data:
            raise ProtocolError(f"connection closed after {self.buffer[:200]!r}")
        self.buffer += data

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _bytes(self, n):
        while len(self.buffer) < n + 2:
            self._fill()
        data, self.buffer = self.buffer[:n], self.buffer[n + 2:]
        return data.decode("utf-8", "surrogateescape")

    def _items(self, n):
        return [self._reply() for _ in range(n)]

    def _reply(self):
        line = self._line().decode("utf-8", "surrogateescape")
        kind, rest = line[:1], line[1:]
        if kind == "+":
            return Status(rest)
        if kind == "-":
            return RespError(rest)
        if kind == ":":
            return int(rest)
        if kind == "_":
            return None
        if kind == ",":
            return float(rest)
        if kind == "#":
            return rest == "t"
        if kind not in "$=*~>%":
            raise ProtocolError(f"not a reply: {line[:200]!r}")
        n = int(rest)
        if n < 0:
            return None
        if kind == "$":
            return self._bytes(n)
        if kind == "=":
            return self._bytes(n)[4:]
        if kind == "%":
            items = self._items(2 * n)
            return dict(zip(items[::2], items[1::2]))
        items = self._items(n)
        return Push(items) if kind == ">" else items

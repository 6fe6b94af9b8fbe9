"""Servers that misbehave."""

import random
import socket
import threading

from resp import encode


class FakeServer(threading.Thread):
    """Listens on |port| and lets |behave|(socket) talk to each connection."""

    def __init__(self, port, behave):
        super().__init__(daemon=True)
        self.behave = behave
        self.port = port
        self.clients = []
        self.sock = socket.create_server(("127.0.0.1", port))
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            self.clients.append(client)
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        try:
            with client:
                self.behave(client)
        except OSError:
            pass

    def close(self):
        """Stops listening and hangs up on everybody."""
        for sock in [self.sock, *self.clients]:
            try:  # wakes the thread that waits on it, which then closes it
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # gone already
        self.sock.close()


def garbage(client):
    rng = random.Random(7)
    while client.recv(65536):
        client.sendall(rng.randbytes(300) + b"\r\n")


def wrong_types(client):
    """Well-formed replies, but never of the type that was asked for."""
    answers = [b":5\r\n", b"*2\r\n$1\r\na\r\n*0\r\n", b"$-1\r\n", b"*-1\r\n",
               b"-ERR no\r\n", b"$0\r\n\r\n", b"+\r\n", b"*1\r\n*1\r\n*1\r\n:1\r\n",
               b"$20\r\nrole:master\r\nrun_id:\r\n", b":-9223372036854775808\r\n"]
    n = 0
    while data := client.recv(65536):
        for _ in range(data.count(b"*")):
            client.sendall(answers[n % len(answers)])
            n += 1


def half_a_reply(client):
    client.recv(65536)
    client.sendall(b"$1000\r\nrole:mas")
    while client.recv(65536):
        pass


def endless_reply(client):
    client.recv(65536)
    client.sendall(b"$536870912\r\n")
    while True:
        client.sendall(b"x" * 65536)


def endless_line(client):
    client.recv(65536)
    client.sendall(b"+")
    while True:
        client.sendall(b"y" * 65536)


def endless_nesting(client):
    client.recv(65536)
    while True:
        client.sendall(b"*1\r\n" * 1000)


def too_many_replies(client):
    while client.recv(65536):
        client.sendall(b"+PONG\r\n" * 500)


def silence(client):
    while client.recv(65536):
        pass


def hang_up(client):
    client.recv(1)


def info_lies(client):
    """A server whose INFO is well-formed RESP and nonsense inside."""
    text = ("role:master\r\nrun_id:short\r\nslave0:ip=,port=-1\r\n"
            "slave1:ip=999.1.1.1,port=70000,state=online\r\nslave2:\r\n"
            "slave3:ip=127.0.0.1,port=99999999999999999999\r\n"
            "master_link_down_since_seconds:99999999999999999999999\r\n"
            "slave_repl_offset:-5\r\nslave_priority:x\r\nrole:\r\n"
            + "z" * 100000 + "\r\nmaster_host:" + "h" * 5000 + "\r\n")
    while data := client.recv(65536):
        for word in data.split(b"*")[1:]:
            client.sendall(b"$%d\r\n%s\r\n" % (len(text), text.encode())
                           if b"INFO" in word else b"+PONG\r\n")


BEHAVIOURS = [garbage, wrong_types, half_a_reply, endless_reply, endless_line,
              endless_nesting, too_many_replies, silence, hang_up, info_lies]


def hello(ip, port, run_id, epoch, name, master_ip, master_port, config_epoch):
    return ",".join(map(str, (ip, port, run_id, epoch, name, master_ip, master_port,
                              config_epoch)))


def publish(payload):
    return encode("PUBLISH", "__sentinel__:hello", payload)

"""TLS: clients, servers and peers, good certificates and bad ones."""

import pathlib
import re
import select
import signal
import socket
import ssl
import subprocess
import threading
import time

from certs import Authority
from procs import Settings, until
from resp import Client

WATCHED = "sentinel monitor mymaster 127.0.0.1 {dead} 1"


def alone(t, identity, *lines):
    """A sentinel of ours with a TLS port only; its master does not exist."""
    sentinel = t.sentinel("ours", [WATCHED.format(dead=t.ports.take()), *lines],
                          tls=identity)
    return sentinel.start().wait_answers()


def refusals(sentinel, since=0):
    """Reasons of incoming connections that were not let in."""
    text = sentinel.log_path.read_bytes()[since:].decode()
    return re.findall(r"# Error accepting a client connection: (.*) "
                      r"\(addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+\)\n", text)


def wait_refusal(sentinel, text, since=0):
    until(lambda: any(text in line for line in refusals(sentinel, since)), 10,
          f"{text!r} among {refusals(sentinel)}")


def test_tls_clients(t):
    sentinel = alone(t, Authority(t.dir).issue("own"))
    with sentinel.client() as client:
        assert client("PING") == "PONG"
        info = client("INFO", "server")
        assert f"tcp_port:{sentinel.port}\r\n" in info
        assert f"listener2:name=tls,bind=127.0.0.1,port={sentinel.port}\r\n" in info
        assert "listener0" not in info
        # Larger than a TLS record, than a read, and than what the kernel takes at once.
        big = "x" * 3_000_000
        for _ in range(3):
            client.send(b"*2\r\n$4\r\nPING\r\n$%d\r\n%s\r\n" % (len(big), big.encode()))
        assert [client.read() == big for _ in range(3)] == [True] * 3
        client.send(b"PING\r\n" * 50000)
        assert all(client.read() == "PONG" for _ in range(50000))
    assert f"Running mode=sentinel, port={sentinel.port}." in sentinel.log()
    assert refusals(sentinel) == []


def test_tls_beside_plain(t):
    own = Authority(t.dir).issue("own")
    port = t.ports.take()
    sentinel = t.sentinel("ours", [WATCHED.format(dead=t.ports.take()),
                                   f"tls-port {port}", *own.lines()])
    sentinel.start().wait_answers()
    info = sentinel.call("INFO", "server")
    assert f"tcp_port:{sentinel.port}\r\n" in info
    assert f"listener0:name=tcp,bind=127.0.0.1,port={sentinel.port}\r\n" in info
    assert f"listener2:name=tls,bind=127.0.0.1,port={port}\r\n" in info
    with Client(port, tls=own.context()) as client:
        assert client("PING") == "PONG"


def test_tls_wrong_clients(t):
    """Each gets one line in the log and no answer; nobody else notices."""
    own = Authority(t.dir).issue("own")
    other = Authority(t.dir, "other").issue("stranger")
    old = own.ca.issue("old", days=-1)
    sentinel = alone(t, own)

    def refused(text, make):
        mark = sentinel.mark()
        try:
            with make() as client:
                client.send(b"PING\r\n")
                assert b"PONG" not in client.read_until_closed()
        except (ssl.SSLError, ConnectionError):
            pass
        wait_refusal(sentinel, text, mark)
        assert len(refusals(sentinel, mark)) == 1, refusals(sentinel, mark)

    def client(identity, **options):
        context = identity.context(**options)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return Client(sentinel.port, tls=context)

    refused("SSL routines::wrong version number", lambda: Client(sentinel.port))
    refused("peer did not return a certificate",
            lambda: client(own, with_certificate=False))
    refused("certificate verify failed: self-signed certificate in certificate chain, "
            "certificate of /CN=stranger", lambda: client(other))
    refused("certificate verify failed: certificate has expired, "
            "certificate of /CN=old", lambda: client(old))
    mark = sentinel.mark()
    for _ in range(50):
        socket.create_connection(("127.0.0.1", sentinel.port)).close()
    assert sentinel.answers()
    assert refusals(sentinel, mark) == [], "a health check is no error"


def test_tls_auth_clients(t):
    own = Authority(t.dir).issue("own")
    stranger = Authority(t.dir, "other").issue("stranger")
    for word, without, foreign in (("no", True, True), ("optional", True, False)):
        sentinel = alone(t, own, f"tls-auth-clients {word}")

        def answers(identity, with_certificate):
            context = identity.context(with_certificate)
            context.verify_mode = ssl.CERT_NONE
            try:
                with Client(sentinel.port, tls=context) as client:
                    return client("PING") == "PONG"
            except (ssl.SSLError, ConnectionError):
                return False
        assert answers(own, True)
        assert answers(own, False) == without, word
        assert answers(stranger, True) == foreign, word


def test_tls_slow_handshakes(t):
    """Who does not go on with the handshake is cut off, and holds nobody up."""
    sentinel = alone(t, Authority(t.dir).issue("own"))
    start = time.monotonic()
    slow = [socket.create_connection(("127.0.0.1", sentinel.port)) for _ in range(300)]
    hello = bytes.fromhex("160301020001")  # the first bytes of a long greeting
    for sock in slow[:150]:
        sock.send(hello)
    for n in range(20):
        slow[n].send(b"\0")
        assert sentinel.answers()
    assert time.monotonic() - start < 9, "answered while the others hang"
    for sock in slow:
        sock.settimeout(20 * Settings.slow)
        try:
            while sock.recv(100):
                pass
        except ConnectionError:
            pass
        sock.close()
    assert time.monotonic() - start >= 9.5
    assert sentinel.answers()
    lines = refusals(sentinel)
    assert lines and set(lines) == {"the TLS handshake takes too long"}, lines[:3]
    assert len(lines) < len(slow) / 2, len(lines)  # ten a second, while they are cut

    def others_are_counted():  # with the first one of another second
        with Client(sentinel.port, tls=None) as plain:
            plain.send(b"PING\r\n")
            plain.read_until_closed()
        return re.search(r"# Error accepting \d+ more client connections\n",
                         sentinel.log())
    until(others_are_counted, 5, "the others are counted")


class Handshake:
    """A client's, whose bytes leave when the test says so."""

    def __init__(self, port, context):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.settimeout(20 * Settings.slow)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self.is_done = self.go_on()
        self.hello = self.outgoing.read()

    def go_on(self):
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False

    def is_answered(self):
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def finish(self):
        while not self.is_done:
            self.incoming.write(self.sock.recv(65536))
            self.is_done = self.go_on()
        self.sock.sendall(self.outgoing.read())

    def ping(self):
        self.tls.write(b"PING\r\n")
        self.sock.sendall(self.outgoing.read())
        while True:
            self.incoming.write(self.sock.recv(65536))
            try:
                return self.tls.read(100)
            except ssl.SSLWantReadError:
                continue


def test_tls_handshakes_share_turns(t):
    """Hundreds at once do not keep a client waiting that asks behind them."""
    own = Authority(t.dir).issue("own")
    port = t.ports.take()
    sentinel = t.sentinel("ours", [f"tls-port {port}", *own.lines()]).start()
    sentinel.wait_answers()
    overtaken = 0
    with sentinel.client() as client:
        for _ in range(5):  # the answers may be noticed late on a busy machine
            hands = [Handshake(port, own.context()) for _ in range(300)]
            for hand in hands:
                hand.sock.sendall(hand.hello)
            assert client("PING") == "PONG"
            overtaken += sum(not hand.is_answered() for hand in hands)
            for hand in hands[::10]:
                hand.finish()
                assert hand.ping() == b"+PONG\r\n"
            for hand in hands:
                assert hand.is_done or hand.sock.recv(100), "answered, too"
                hand.sock.close()
            if overtaken:
                break
    assert overtaken


def test_tls_maxclients(t):
    sentinel = alone(t, Authority(t.dir).issue("own"), "maxclients 3")
    clients = [sentinel.client() for _ in range(3)]
    for client in clients:
        assert client("PING") == "PONG"
    sock = socket.create_connection(("127.0.0.1", sentinel.port))
    sock.settimeout(5)
    assert sock.recv(100) == b"", "closed without a handshake"
    assert "rejected_connections:1\r\n" in clients[0]("INFO", "stats")
    clients[1].close()
    until(lambda: "connected_clients:2\r\n" in clients[0]("INFO", "clients"), 5, "gone")
    assert sentinel.answers()


def test_tls_starts_only_with_what_it_needs(t):
    own = Authority(t.dir).issue("own")
    locked = own.ca.issue("locked", password="open sesame")
    wrong_key = [f"tls-cert-file {own.cert}", f"tls-key-file {own.ca.key}",
                 f"tls-ca-cert-file {own.ca.cert}"]
    no_ca = ("Either tls-ca-cert-file or tls-ca-cert-dir must be specified when "
             "tls-cluster, tls-replication or tls-auth-clients are enabled!")
    cases = [
        (wrong_key, f"Failed to load private key: {own.ca.key}: "
                    "error:05800074:x509 certificate routines::key values mismatch"),
        (locked.lines(), f"Failed to load private key: {locked.key}: error:"),
        ([*own.lines(), "tls-ciphers none-such"],
         "Failed to configure ciphers: none-such"),
        ([*own.lines(), "tls-ciphersuites none-such"],
         "Failed to configure ciphersuites: none-such"),
        ([*own.lines(), "tls-dh-params-file /nonexistent"],
         "Failed to load /nonexistent: No such file or directory"),
        ([*own.lines(), "tls-protocols TLSv7"],
         "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', "
         "'TLSv1.2' and 'TLSv1.3'."),
        (own.lines()[:2], no_ca),
    ]
    for kind in ("ours", "stock"):
        for lines, text in cases:
            sentinel = t.sentinel(kind, [f"tls-port {t.ports.take()}", *lines])
            assert sentinel.start().wait_exit() == 1, lines
            assert f"# {text}" in sentinel.log(), (kind, text, sentinel.log())
            assert "# Failed to configure TLS. Check logs for more info.\n" in \
                sentinel.log()
    port = t.ports.take()
    sentinel = t.sentinel("ours", [f"tls-port {port}", *locked.lines(),
                                   'tls-key-file-pass "open sesame"'])
    sentinel.start().wait_answers()
    with Client(port, tls=own.context()) as client:
        assert client("PING") == "PONG"


def check_config(path):
    run = subprocess.run([Settings.sentinel, "--check-config", str(path)],
                         capture_output=True, text=True, timeout=20)
    return run.returncode, run.stdout, run.stderr.splitlines()


def test_tls_check_config(t):
    """Every file that is wrong, not only the first of them."""
    ca = Authority(t.dir)
    own, other = ca.issue("own"), ca.issue("other")
    path, none = t.dir / "checked.conf", t.dir / "none.pem"
    good = {"tls-port": 26379, "tls-cert-file": own.cert, "tls-key-file": own.key,
            "tls-ca-cert-file": ca.cert, "tls-client-cert-file": other.cert,
            "tls-client-key-file": other.key}

    def checked(**changes):
        lines = good | {name.replace("_", "-"): v for name, v in changes.items()}
        path.write_text("".join(f"{name} {value}\n" for name, value in lines.items()
                                if value is not None))
        return check_config(path)

    assert checked() == (0, "OK\n", [])
    status, shown, errors = checked(tls_key_file=other.key)
    assert (status, shown) == (1, "") and errors[1:] == ["1 error"], errors
    assert errors[0].startswith(f"{path}: Failed to load private key: {other.key}: ")
    assert "key values mismatch" in errors[0]

    status, _, errors = checked(tls_cert_file=none, tls_client_key_file=own.key,
                                tls_ca_cert_file=none, port="many")
    assert status == 1 and errors[-1] == "4 errors", errors
    assert errors[0].startswith(f"{path}:7: "), errors
    for said, wanted in zip(errors[2:5], (
            f"Failed to load certificate: {none}: ",
            f"Failed to load private key: {own.key}: ",
            "Failed to configure CA certificate(s) file/directory: ")):
        assert said.startswith(f"{path}: {wanted}"), errors

    assert checked(tls_key_file=None)[2] == [
        f"{path}: No tls-key-file configured!", "1 error"]
    # What the start would not look at is not looked at here either.
    assert checked(tls_port=0, tls_cert_file=none) == (0, "OK\n", [])


def test_tls_without_openssl(t):
    """An openssl.cnf that leaves the library without a provider: one clear line."""
    own = Authority(t.dir).issue("own")
    conf = t.dir / "openssl.cnf"
    conf.write_text("openssl_conf = init\n[init]\nproviders = list\n[list]\n"
                    "none = section\n[section]\nmodule = /no/such/provider.so\n"
                    "activate = 1\n")
    sentinel = t.sentinel("ours", [WATCHED.format(dead=t.ports.take())], tls=own)
    sentinel.env["OPENSSL_CONF"] = str(conf)
    sentinel.start()
    assert sentinel.wait_exit() == 1, sentinel.log()
    assert "# OpenSSL cannot be used: error:" in sentinel.log(), sentinel.log()
    assert "# Failed to configure TLS." in sentinel.log(), sentinel.log()

    run = subprocess.run([Settings.sentinel, "--check-config", sentinel.conf],
                         capture_output=True, text=True, timeout=20 * Settings.slow,
                         env=sentinel.env)
    assert run.returncode == 1 and run.stdout == "", run
    assert run.stderr.count("OpenSSL cannot be used: error:") == 1, run

    plain = t.sentinel("ours", [WATCHED.format(dead=t.ports.take()),
                                f"tls-ca-cert-file {own.ca.cert}"])
    plain.env["OPENSSL_CONF"] = str(conf)
    plain.start().wait_answers()
    assert plain.sentinel("SET", "mymaster", "tls", "yes") == "OK"
    plain.wait_log("failed: OpenSSL cannot be used: error:")


def fail_over(t, kinds):
    own = Authority(t.dir).issue("everybody")
    group = t.group(kinds, tls=own).start()
    old = group.master
    for sentinel in group.sentinels:
        ports = {int(peer["port"]) for peer in sentinel.peers()}
        assert ports == {s.port for s in group.sentinels} - {sentinel.port}
    old.kill()
    group.wait_switch(old.port)
    old.start()
    group.wait_agreement()
    for sentinel in group.sentinels:
        if sentinel.kind == "ours":
            assert "TLS with" not in sentinel.log().replace(
                f"127.0.0.1:{old.port}", ""), "only the dead one is spoken of"


def test_tls_failover_ours(t):
    fail_over(t, ["ours", "ours", "ours"])


def test_tls_failover_mostly_ours(t):
    fail_over(t, ["ours", "stock", "ours"])


def test_tls_failover_mostly_stock(t):
    fail_over(t, ["stock", "ours", "stock"])


def test_tls_of_one_master(t):
    """A fleet in which one master has moved to TLS and the other has not."""
    own = Authority(t.dir).issue("own")
    plain, secure = t.server("plain").start(), t.server("secure", tls=own).start()
    follower = t.server("follower", secure.port, tls=own).start()
    for server in (plain, secure, follower):
        server.wait_answers()
    until(lambda: follower.follows(secure.port), 15, "in sync")
    sentinel = t.sentinel("ours", [
        f"sentinel monitor plain 127.0.0.1 {plain.port} 1",
        f"sentinel monitor secure 127.0.0.1 {secure.port} 1",
        "sentinel down-after-milliseconds secure 1000",
        "sentinel tls secure yes", *own.lines()]).start().wait_answers()

    def is_well(name):
        replicas = sentinel.replicas(name)
        return (sentinel.master(name)["flags"] == "master"
                and sentinel.master(name)["runid"]
                and all(r["flags"] == "slave" and r["runid"] for r in replicas)
                and len(replicas) == (name == "secure"))
    for name in ("plain", "secure"):
        until(lambda n=name: is_well(n), 10, f"{name} is well")
    sentinel.wait_log("# +monitor master secure")
    assert "TLS with" not in sentinel.log()

    assert sentinel.sentinel("SET", "secure", "tls", "no") == "OK"
    assert sentinel.config_lines("tls", "secure") == ["no"]
    sentinel.wait_log(f"the master secure at 127.0.0.1:{secure.port} ends every "
                      "connection without an answer")
    sentinel.wait_event("+sdown", "master secure", timeout=20)
    assert sentinel.sentinel("SET", "secure", "tls", "yes") == "OK"
    until(lambda: is_well("secure"), 10, "secure is well again")
    assert sentinel.stop() == 0
    sentinel.start().wait_answers()
    until(lambda: is_well("secure"), 10, "secure is well after a restart")
    assert is_well("plain")
    follower_port = follower.port
    secure.kill()
    sentinel.wait_event("+switch-master", f"secure 127.0.0.1 {secure.port} "
                        f"127.0.0.1 {follower_port}")
    until(lambda: follower.info()["role"] == "master", 5, "promoted")


def test_tls_bad_servers(t):
    """One clear line each, naming the server and the reason, and no second one."""
    ca = Authority(t.dir)
    own = ca.issue("own")
    other = Authority(t.dir, "other").issue("stranger")
    other.ca = ca  # believes us, so that it is we who refuse
    kinds = {
        "expired": (ca.issue("old", days=-1),
                    "certificate verify failed: certificate has expired, "
                    "certificate of /CN=old"),
        "foreign": (other, "certificate verify failed: unable to get local issuer "
                    "certificate, certificate of /CN=stranger"),
        "misnamed": (ca.issue("else", names="DNS:redis.example"),
                     "certificate verify failed: IP address mismatch, it is not for "
                     "127.0.0.1, certificate of /CN=else"),
        "plain": (None, "no answer (is it down, or does it not speak TLS?)"),
        "good": (own, None),
    }
    servers = {name: t.server(name, tls=identity).start()
               for name, (identity, _) in kinds.items()}
    sentinel = t.sentinel("ours", [
        "tls-replication yes", "sentinel tls-verify-hostname yes",
        "sentinel deny-scripts-reconfig no", *own.lines(),
        *(line for name, server in servers.items() for line in (
            f"sentinel monitor {name} 127.0.0.1 {server.port} 1",
            f"sentinel down-after-milliseconds {name} 1500"))])
    sentinel.start().wait_answers()
    for name, (_, reason) in kinds.items():
        if reason:
            sentinel.wait_log(f"# TLS with the master {name} at "
                              f"127.0.0.1:{servers[name].port} failed: {reason}\n")
            sentinel.wait_event("+sdown", f"master {name}")
    assert sentinel.master("good")["flags"] == "master"
    until(lambda: sentinel.master("good")["runid"], 5, "good answers INFO")
    assert sentinel.log().count("TLS with") == 4, "said once, tried all the time"

    assert sentinel.sentinel("CONFIG", "GET", "tls-verify-*") == [
        "tls-verify-hostname", "yes"]
    assert sentinel.sentinel("CONFIG", "SET", "tls-verify-hostname", "no") == "OK"
    sentinel.wait_event("-sdown", "master misnamed")
    assert sentinel.config_lines("tls-verify-hostname") in ([], ["no"])


def test_tls_links_need_our_certificate(t):
    """The server refuses us; in TLS 1.3 it says so after the handshake."""
    ca, other = Authority(t.dir), Authority(t.dir, "other")
    servers, stranger = ca.issue("servers"), other.issue("stranger")
    for version in ("TLSv1.2", "TLSv1.3"):
        server = t.server(version, tls=servers, lines=[f"tls-protocols {version}"])
        server.start().wait_answers()
        sentinel = t.sentinel("ours", [
            "tls-replication yes", f"tls-cert-file {stranger.cert}",
            f"tls-key-file {stranger.key}", f"tls-ca-cert-file {ca.cert}",
            f"sentinel monitor m 127.0.0.1 {server.port} 1"]).start().wait_answers()
        sentinel.wait_log(f"# TLS with the master m at 127.0.0.1:{server.port} failed: "
                          "the other side refused: ")
        assert "unknown ca" in sentinel.log()


class Pinger(threading.Thread):
    """Sends PING after PING over one connection until told to stop."""

    def __init__(self, sentinel):
        super().__init__(daemon=True)
        self.client = sentinel.client()
        self.n, self.stopping, self.error = 0, threading.Event(), None

    def run(self):
        try:
            while not self.stopping.is_set():
                assert self.client("PING") == "PONG"
                self.n += 1
        except Exception as error:
            self.error = error

    def finish(self):
        self.stopping.set()
        self.join()
        self.client.close()
        assert self.error is None, repr(self.error)
        return self.n


def shown(sentinel):
    """The name in the certificate that new clients are shown."""
    with sentinel.client() as client:
        subject = client.sock.getpeercert()["subject"]
    return dict(pair for part in subject for pair in part)["commonName"]


def test_tls_rollover_under_load(t):
    """New certificates, by SIGHUP and by CONFIG SET, while clients and links work."""
    ca = Authority(t.dir)
    first, second, third = (ca.issue(name) for name in ("first", "second", "third"))
    own = ca.issue("own")
    own.cert.write_bytes(first.cert.read_bytes())
    own.key.write_bytes(first.key.read_bytes())
    group = t.group(["ours", "ours"], tls=own).start()
    sentinel = group.sentinels[0]
    marks = group.marks()

    def links():
        """Connections of the sentinels, as the master knows them."""
        return sorted(line.split()[0] for line in
                      group.master.call("CLIENT", "LIST").splitlines()
                      if "name=sentinel-" in line)
    before = links()
    assert len(before) == 4 and shown(sentinel) == "first"
    pingers = [Pinger(sentinel) for _ in range(4)]
    for pinger in pingers:
        pinger.start()

    own.cert.write_bytes(second.cert.read_bytes())
    own.key.write_bytes(second.key.read_bytes())
    sentinel.signal(signal.SIGHUP)
    until(lambda: shown(sentinel) == "second", 10, "the second certificate is shown")

    own.cert.write_bytes(b"nonsense")
    mark = sentinel.mark()
    sentinel.signal(signal.SIGHUP)
    until(lambda: b"TLS settings stay as they were: Failed to load certificate: "
          in sentinel.log_path.read_bytes()[mark:], 10, "the refusal is logged")
    assert shown(sentinel) == "second"

    with sentinel.client() as client:
        both = ("tls-key-file", third.key, "tls-cert-file", third.cert)
        reply = client.attempt("SENTINEL", "CONFIG", "SET", "tls-cert-file", third.cert)
        assert str(reply) == (f"ERR Nothing was changed: Failed to load private key: "
                              f"{own.key}: error:05800074:x509 certificate routines::"
                              "key values mismatch"), reply
        reply = client.attempt("SENTINEL", "CONFIG", "SET", *both, "tls-ciphers", "no")
        assert str(reply) == ("ERR Nothing was changed: Failed to configure ciphers: "
                              "no"), reply
        reply = client.attempt("SENTINEL", "CONFIG", "SET", *both, "loglevel", "debug")
        assert str(reply) == ("ERR 'loglevel' cannot be set together with tls-* "
                              "parameters"), reply
        assert shown(sentinel) == "second"
        assert client("SENTINEL", "CONFIG", "SET", *both) == "OK"
        assert client("SENTINEL", "CONFIG", "GET", "tls-*-file", "tls-key-file-pass") \
            [:6] == ["tls-cert-file", str(third.cert), "tls-key-file", str(third.key),
                     "tls-client-cert-file", ""]
    assert shown(sentinel) == "third"
    assert f"tls-cert-file {third.cert}\n" in sentinel.conf.read_text()
    assert str(own.cert) not in sentinel.conf.read_text()

    until(lambda: all(pinger.n > 500 for pinger in pingers), 20, "many PINGs answered")
    for pinger in pingers:
        pinger.finish()
    assert links() == before, "no link was made anew"
    for other, since in zip(group.sentinels, marks):
        assert other.find_event("+sdown", since=since) is None
    assert sentinel.stop() == 0
    sentinel.start().wait_answers()
    assert shown(sentinel) == "third"
    group.wait_ready()


def test_tls_set_up_later(t):
    """A sentinel that was started without any certificate learns to speak TLS."""
    own = Authority(t.dir).issue("own")
    server = t.server("r1", tls=own, lines=["tls-auth-clients no"]).start()
    server.wait_answers()
    sentinel = t.sentinel("ours", [
        f"sentinel monitor m 127.0.0.1 {server.port} 1"]).start().wait_answers()
    assert sentinel.sentinel("SET", "m", "tls", "yes") == "OK"
    sentinel.wait_log(f"# TLS with the master m at 127.0.0.1:{server.port} failed: "
                      "Either tls-ca-cert-file or tls-ca-cert-dir must be specified")
    assert sentinel.sentinel("CONFIG", "SET", "tls-ca-cert-file", own.ca.cert) == "OK"
    until(lambda: sentinel.master("m")["runid"], 10, "the master is reached")
    assert sentinel.stop() == 0
    sentinel.start().wait_answers()
    until(lambda: sentinel.master("m")["runid"], 10, "and after a restart")


def test_tls_files_that_come_later(t):
    """Named in the configuration before they are there: SIGHUP reads them, and says so
    if they are not in order."""
    own = Authority(t.dir).issue("own")
    server = t.server("r1", tls=own, lines=["tls-auth-clients no"]).start()
    server.wait_answers()
    ca = t.dir / "later.pem"
    sentinel = t.sentinel("ours", [
        f"sentinel monitor m 127.0.0.1 {server.port} 1", f"tls-ca-cert-file {ca}"])
    sentinel.start().wait_answers()
    assert sentinel.sentinel("SET", "m", "tls", "yes") == "OK"
    reason = "Failed to configure CA certificate(s) file/directory: error:"
    sentinel.wait_log(f"# TLS with the master m at 127.0.0.1:{server.port} failed: "
                      f"{reason}80000002")

    ca.write_text("nonsense")
    sentinel.signal(signal.SIGHUP)
    sentinel.wait_log(f"# TLS settings stay as they were: {reason}")
    now = sentinel.log().split("stay as they were: ")[1].splitlines()[0]
    assert "No such file" not in now, now
    dead = t.ports.take()
    assert sentinel.sentinel("MONITOR", "n", "127.0.0.1", dead, 1) == "OK"
    assert sentinel.sentinel("SET", "n", "tls", "yes") == "OK"
    sentinel.wait_log(f"# TLS with the master n at 127.0.0.1:{dead} failed: {now}")

    ca.write_bytes(pathlib.Path(own.ca.cert).read_bytes())
    sentinel.signal(signal.SIGHUP)
    sentinel.wait_log("* TLS certificates and settings were read anew")
    until(lambda: sentinel.master("m")["runid"], 10, "the master is reached")

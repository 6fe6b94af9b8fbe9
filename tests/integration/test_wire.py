"""The protocol as clients see it, over real sockets."""

import shutil
import subprocess

from group import Skip
from procs import die_with_parent, until
from resp import Client, Push, RespError, encode, row


def one(t, **options):
    """A sentinel of ours that watches one healthy master without replicas."""
    group = t.group(["ours"], n_replicas=0, quorum=1, **options).start()
    return group.sentinels[0], group


def test_inline_and_pipelined_commands(t):
    sentinel, _ = one(t)
    with sentinel.client() as client:
        client.send(b"PING\r\nping hello\n\r\n*1\r\n$4\r\nPING\r\n")
        assert [client.read() for _ in range(3)] == ["PONG", "hello", "PONG"]
        client.send(b'PING "a\\x41 b"\r\n')
        assert client.read() == "aA b"
        many = encode("PING") + encode("SENTINEL", "MYID") + b"PING x\r\n"
        client.send(many * 2000)
        answers = [client.read() for _ in range(6000)]
        assert answers == ["PONG", sentinel.myid(), "x"] * 2000
        for byte in encode("PING", "slow"):
            client.send(bytes([byte]))
        assert client.read() == "slow"


def test_replies_keep_the_order_of_commands(t):
    """A command that waits for the disk does not let later ones overtake it."""
    sentinel, _ = one(t)
    with sentinel.client() as client:
        client.send(encode("SENTINEL", "SET", "mymaster", "quorum", "3") +
                    encode("PING", "1") + encode("SENTINEL", "FLUSHCONFIG") +
                    encode("PING", "2"))
        assert [client.read() for _ in range(4)] == ["OK", "1", "OK", "2"]


def test_protocol_errors(t):
    sentinel, _ = one(t)
    cases = [
        (b"*1\r\n:1\r\n", b"-ERR Protocol error: expected '$', got ':'\r\n"),
        (b"*abc\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1\r\n$-5\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
        (b'PING "x\r\n', b"-ERR Protocol error: unbalanced quotes in request\r\n"),
        (b"x" * 70000, b"-ERR Protocol error: too big inline request\r\n"),
    ]
    for request, answer in cases:
        with sentinel.client() as client:
            client.send(request)
            assert client.read_until_closed() == answer, request[:40]
    with sentinel.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"PONG" not in client.read_until_closed()
    assert sentinel.answers()


def test_unknown_commands_and_arity(t):
    sentinel, _ = one(t)
    cases = {
        ("FOO", "a", "b"):
            "ERR unknown command 'FOO', with args beginning with: 'a' 'b' ",
        ("SENTINEL",): "ERR wrong number of arguments for 'sentinel' command",
        ("SENTINEL", "MASTER"):
            "ERR wrong number of arguments for 'sentinel|master' command",
        ("SENTINEL", "MASTER", "none"): "ERR No such master with that name",
        ("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", "x", "1", "*"):
            "ERR value is not an integer or out of range",
        ("PUBLISH", "news", "x"):
            "ERR Only HELLO messages are accepted by Sentinel instances.",
    }
    with sentinel.client() as client:
        for words, text in cases.items():
            reply = client.attempt(*words)
            assert isinstance(reply, RespError) and str(reply) == text, (words, reply)
        assert client("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "none") is None


def test_resp3(t):
    sentinel, group = one(t)
    with sentinel.client() as client:
        hello = client("HELLO", "3")
        assert hello["proto"] == 3 and hello["mode"] == "sentinel", hello
        assert isinstance(client("SENTINEL", "MASTER", "mymaster"), dict)
        assert client("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "none") is None
        client.send(encode("SUBSCRIBE", "+set"))
        assert client.read() == Push(["subscribe", "+set", 1])
        assert client("PING") == "PONG"  # RESP3: commands stay allowed
        sentinel.sentinel("SET", "mymaster", "quorum", "2")
        message = client.read()
        assert isinstance(message, Push) and message[:2] == ["message", "+set"]
        assert message[2] == f"master mymaster 127.0.0.1 {group.master.port} quorum 2"
    with sentinel.client() as client:
        assert client("HELLO", "2")[:2] == ["server", "redis"]


def test_pubsub(t):
    sentinel, group = one(t)
    text = f"master mymaster 127.0.0.1 {group.master.port} quorum "
    with sentinel.client() as client:
        client.send(encode("SUBSCRIBE", "+set", "+monitor"))
        assert client.read() == ["subscribe", "+set", 1]
        assert client.read() == ["subscribe", "+monitor", 2]
        client.send(encode("PSUBSCRIBE", "[-+]se?"))
        assert client.read() == ["psubscribe", "[-+]se?", 3]
        sentinel.sentinel("SET", "mymaster", "quorum", "2")
        assert client.read() == ["message", "+set", text + "2"]
        assert client.read() == ["pmessage", "[-+]se?", "+set", text + "2"]
        assert isinstance(client.attempt("SENTINEL", "MASTERS"), RespError)
        assert client("PING") == ["pong", ""]
        client.send(encode("UNSUBSCRIBE") + encode("PUNSUBSCRIBE"))
        left = [client.read()[2] for _ in range(3)]
        assert left == [2, 1, 0]
        assert client("PING") == "PONG"


def test_monitor_set_remove_survive_a_restart(t):
    sentinel, group = one(t)
    port = group.master.port
    with sentinel.client() as client:
        client("SENTINEL", "MONITOR", "second", "127.0.0.1", port, 3)
        client("SENTINEL", "SET", "second", "down-after-milliseconds", "4321",
               "failover-timeout", "54321", "parallel-syncs", "7", "quorum", "5",
               "auth-pass", 'a "b" c', "rename-command", "CONFIG", "GUESSED")
        client("SENTINEL", "MONITOR", "third", "127.0.0.1", port, 1)
        client("SENTINEL", "REMOVE", "third")
        assert str(client.attempt("SENTINEL", "MONITOR", "second", "127.0.0.1", port,
                                  1)) == "ERR Duplicate master name."
    sentinel.wait_event("+monitor", "master second 127.0.0.1 ")
    sentinel.wait_event("-monitor", "master third 127.0.0.1 ")
    assert sentinel.conf.read_text().startswith("# configuration of ")
    sentinel.kill()
    sentinel.start().wait_answers()
    with sentinel.client() as client:
        second = row(client("SENTINEL", "MASTER", "second"))
        wanted = {"down-after-milliseconds": "4321", "failover-timeout": "54321",
                  "parallel-syncs": "7", "quorum": "5"}
        assert {key: second[key] for key in wanted} == wanted
        assert str(client.attempt("SENTINEL", "MASTER", "third")).startswith("ERR No")
        assert len(client("SENTINEL", "MASTERS")) == 2
    text = sentinel.conf.read_text()
    assert "rename-command second" in text and "auth-pass second" in text, text


def test_info_role_client_command(t):
    sentinel, _ = one(t)
    with sentinel.client() as client:
        info = client("INFO")
        assert "redis_mode:sentinel\r\n" in info
        assert "sentinel_masters:1\r\n" in info
        assert "master0:name=mymaster,status=ok,address=127.0.0.1:" in info
        assert client("ROLE") == ["sentinel", ["mymaster"]]
        assert client("CLIENT", "SETNAME", "tester") == "OK"
        assert client("CLIENT", "GETNAME") == "tester"
        assert " name=tester " in client("CLIENT", "LIST")
        assert client("COMMAND", "COUNT") == len(client("COMMAND"))
        listed = client("COMMAND", "LIST")
        assert "ping" in listed and "set" not in listed, listed
        assert "OK 1 usable Sentinels" in client("SENTINEL", "CKQUORUM", "mymaster")
        assert client("QUIT") == "OK"
        assert client.read_until_closed() == b""


def test_client_kill_and_maxclients(t):
    group = t.group(["ours"], n_replicas=0, quorum=1, lines=["maxclients 8"]).start()
    sentinel = group.sentinels[0]
    clients = [sentinel.client() for _ in range(8)]
    with Client(sentinel.port) as extra:
        assert extra.read_until_closed() == b"-ERR max number of clients reached\r\n"
    victim = clients[0]("CLIENT", "ID")
    assert clients[1]("CLIENT", "KILL", "ID", victim) == 1
    assert clients[0].read_until_closed() == b""
    for client in clients[1:]:
        assert client("PING") == "PONG"
        client.close()
    until(sentinel.answers, 5, "room again")


def test_password(t):
    sentinel = t.sentinel(lines=["requirepass letmein",
                                 "sentinel monitor m 127.0.0.1 1 1"])
    sentinel.start()
    sentinel.password = "letmein"
    sentinel.wait_answers()
    with sentinel.client(password=None) as client:
        assert str(client.attempt("PING")) == "NOAUTH Authentication required."
        assert str(client.attempt("AUTH", "wrong")).startswith("WRONGPASS ")
        assert client("AUTH", "letmein") == "OK"
        assert client("PING") == "PONG"
        assert client("AUTH", "default", "letmein") == "OK"


def redis_cli(sentinel, *words, **options):
    program = shutil.which("redis-cli")
    if program is None:
        raise Skip("redis-cli is not installed")
    return subprocess.run([program, "-p", str(sentinel.port), *words],
                          capture_output=True, text=True, timeout=20, **options)


def test_redis_cli(t):
    group = t.group(["ours"], quorum=1).start()
    sentinel = group.sentinels[0]
    shown = redis_cli(sentinel, "sentinel", "masters")
    assert shown.returncode == 0 and "mymaster\n" in shown.stdout, shown
    replicas = redis_cli(sentinel, "-3", "sentinel", "replicas", "mymaster")
    assert replicas.stdout.count("master-link-status") == 2, replicas
    both = redis_cli(sentinel, input="ping\nsentinel myid\n")
    assert both.stdout.split() == ["PONG", sentinel.myid()], both
    assert "sentinel" in redis_cli(sentinel, "info", "server").stdout

    shown = t.dir / "events"
    with open(shown, "w") as out:
        reader = subprocess.Popen(
            [shutil.which("redis-cli"), "-p", str(sentinel.port), "psubscribe", "*"],
            stdout=out, preexec_fn=die_with_parent)
    t.cleanups += [reader.kill, reader.wait]
    until(lambda: "psubscribe\n" in shown.read_text(), 5, "redis-cli is subscribed")
    group.master.kill()
    until(lambda: "+switch-master\n" in shown.read_text(), 20,
          "redis-cli shows +switch-master")

"""Everything the interface promises, from lists: requests and their replies, commands,
fields, events. No stock sentinel is needed; test_compat.py compares with one.

The lists are in checklist/; each says how it is written.
"""

import pathlib
import re

from compat.commandinfo import inline
from compat.corpus import fill_in, split_words
from compat.wire import TypedClient
from procs import Settings, until
from resp import Client, encode, row

HERE = pathlib.Path(__file__).resolve().parent
LISTS = HERE / "checklist"
PEER_ID = "0123456789abcdef" * 2 + "01234567"


def lines_of(name):
    text = (LISTS / name).read_text()
    return [line for line in text.replace("\n    ", " ").splitlines()
            if line and not line.startswith("#")]


def watching(t):
    """A sentinel with a row of each kind; nobody answers it."""
    dead = [t.ports.take() for _ in range(4)]
    sentinel = t.sentinel("ours", [
        f"sentinel monitor m 127.0.0.1 {dead[0]} 2",
        "sentinel down-after-milliseconds m 600000",
        "sentinel notification-script m /bin/true",
        "sentinel client-reconfig-script m /bin/true",
        f"sentinel known-replica m 127.0.0.1 {dead[1]}",
        f"sentinel known-sentinel m 127.0.0.1 {dead[2]} {PEER_ID}",
        f"sentinel monitor alone 127.0.0.1 {dead[3]} 1",
        "sentinel down-after-milliseconds alone 600000"])
    sentinel.start().wait_answers()
    return sentinel, {"dead": dead[0], "blank": " "}


def is_like(pattern, text):
    """Is |text| what |pattern| says, `...` being anything and `$??` two characters?"""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("..."))).replace(
        re.escape("$??"), r"\$.."), text, re.DOTALL)


def test_checklist_replies(t):
    sentinel, values = watching(t)
    guarded = t.sentinel("ours", ["requirepass secret"])
    guarded.password = "secret"
    guarded.start().wait_answers()
    wrong, client, n_checked = [], None, 0
    for line in lines_of("replies.txt"):
        if line.startswith("["):
            if client:
                client.close()
            port = guarded.port if line.endswith(": guarded]") else sentinel.port
            client = TypedClient(port, timeout=5 * Settings.slow)
            if line.endswith(": resp3]"):
                client("HELLO", "3")
            continue
        request, wanted = fill_in(line, values).split(" => ", 1)
        client.send(encode(*split_words(request)))
        got = inline(client.take()).replace("\r\n", "\n")
        n_checked += 1
        if not is_like(wanted, got):
            wrong.append(f"{request}\n    wanted {wanted}\n    got    {got[:1000]}")
    client.close()
    assert not wrong and n_checked > 250, "\n".join(wrong) or n_checked


def entries(reply):
    """{name: (arity, flags, categories)} of a reply of COMMAND, subcommands too."""
    found = {}
    for name, arity, flags, _, _, _, categories, _, _, subs in reply:
        found[name] = (arity, set(flags), {c.lstrip("@") for c in categories})
        found.update(entries(subs))
    return found


def test_checklist_commands(t):
    sentinel, _ = watching(t)
    listed = {}
    for line in lines_of("commands.txt"):
        name, arity, flags, categories = line.split()
        listed[name] = (int(arity), set(flags.split(",")) - {"-"},
                        set(categories.split(",")))
    with sentinel.client() as client:
        found = entries(client("COMMAND"))
        wrong = [f"{name}: {listed.get(name)} in the list, {found.get(name)} is said"
                 for name in {**listed, **found} if listed.get(name) != found.get(name)]
        assert not wrong, "\n".join(wrong)
        assert set(client("COMMAND", "LIST")) == listed.keys()
        docs = client("COMMAND", "DOCS")
        for name, doc in row(docs).items():
            assert row(doc)["summary"] and row(doc)["since"], name
        # One word too many, or too few, is refused by its full name.
        for name, (arity, _, _) in listed.items():
            words = name.split("|")
            if arity < 0:
                too_many_or_few = words[:-arity - 1]
            else:
                too_many_or_few = words + ["x"] * (arity + 1 - len(words))
            if len(too_many_or_few) >= len(words):
                error = client.attempt(*too_many_or_few)
                assert str(error) == ("ERR wrong number of arguments for "
                                      f"'{name}' command"), (name, error)


def names_in(reply):
    """The names of the fields of a reply, whatever its form."""
    if isinstance(reply, str):
        if "=" in reply.split(" ")[0]:
            return [word.split("=")[0] for word in reply.splitlines()[0].split(" ")]
        return [line.split(":")[0] for line in reply.split("\r\n")
                if line and not line.startswith("#")]
    if reply and isinstance(reply[0], (list, dict)):
        reply = reply[0]
    return list(row(reply))


def test_checklist_fields(t):
    sentinel, _ = watching(t)
    wrong = []
    with sentinel.client() as client, Client(sentinel.port) as stranger:
        stranger.attempt("AUTH", "nosuch", "x")  # for ACL LOG
        for line in lines_of("fields.txt"):
            request, fields = line.split(": ", 1)
            found = names_in(client(*request.split()))
            every = [name.strip("[]") for name in fields.split()]
            needed = [name for name in fields.split() if not name.startswith("[")]
            known = [name for name in found if name in every]
            if known != [name for name in every if name in found]:
                wrong.append(f"{request}: another order: {' '.join(found)}")
            if set(needed) - set(found):
                wrong.append(f"{request}: not there: "
                             f"{' '.join(n for n in needed if n not in found)}")
    assert not wrong, "\n".join(wrong)


def test_checklist_debug_events(t):
    """Those of level D are only in the log."""
    server = t.server("watched").start().wait_answers()
    sentinel = t.sentinel("ours", [
        "loglevel debug", f"sentinel monitor m 127.0.0.1 {server.port} 1",
        "sentinel notification-script m /bin/true"]).start().wait_answers()
    until(lambda: sentinel.master("m")["flags"] == "master", 10, "connected")
    with sentinel.client() as client:
        client("PSUBSCRIBE", "*link-reconnection")
        server.kill()
        which = rf"master m 127\.0\.0\.1 {server.port} #.+"
        for line in (f"-cmd-link-reconnection {which}",
                     f"-pubsub-link-reconnection {which}", r"\+script-child \d+",
                     r"-script-child \d+ 0 0"):
            until(lambda line=line: re.search(rf"\. {line}\n", sentinel.log()), 10,
                  line)
        client.send(b"PING\r\n")
        assert client.read() == ["pong", ""], "nothing was published"


def test_checklist_events(_):
    """Each is shown by a scenario, a unit test or an integration test."""
    shown = "".join(path.read_text() for folder in ("scenario", "unit", "integration")
                    for path in (HERE.parent / folder).glob("*.[tcp]*"))
    listed = [line.split()[0] for line in lines_of("events.txt")]
    missing = [name for name in listed
               if not re.search(rf"{re.escape(name)}(?![\w-])", shown)]
    assert len(set(listed)) == 48 and not missing, missing

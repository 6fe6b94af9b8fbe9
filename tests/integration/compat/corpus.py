r"""Reads the corpus: sessions of requests, and configurations.

A session is a connection and what is sent over it, in RESP2 and again in RESP3:

    [name]                 a session; [name: resp2] runs in RESP2 only,
                           [name: guarded] at the sentinel with a password
    PING "a\x41 b"         a request, words quoted as in C
    3x SUBSCRIBE a b c     a request that gets three replies; 0x none
    @2 2x PING             over a second connection of the session
    @2 eof                 is the connection closed?
    ! "*1\r\n:1\r\n"       bytes over a new connection, replies until it is closed
    ~ "PING\r\n"           bytes over a new connection, then no more

`{name}` is replaced by a port or an id of the group, `{x*70000}` by so many letters x.
Lines that begin with `#` are comments.

A configuration is the lines below its heading:

    --- name               a file, and what it takes to answer after it
    --- name bare          a file with nothing added
    --- name args          command lines: {conf} is the path of a small file
"""

import dataclasses
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
WORD = re.compile(r""" "((?:\\.|[^"\\])*)"|'([^']*)'|(\S+)""".strip())
STEP = re.compile(r"(?:@(?P<client>\d) )?(?:(?P<count>\d+)x )?(?P<text>.*)$")


@dataclasses.dataclass
class Step:
    label: str
    kind: str  # "command", "eof", "until-closed" or "half-close"
    words: list
    client: int = 1
    n_replies: int = 1


@dataclasses.dataclass
class Session:
    name: str
    versions: tuple
    guarded: bool
    steps: list


@dataclasses.dataclass
class Config:
    name: str
    kind: str  # "file", "bare" or "args"
    text: str


def fill_in(text, values):
    """Replaces {name} and {c*count}."""
    text = re.sub(r"\{(.)\*(\d+)\}", lambda m: m[1] * int(m[2]), text)
    return re.sub(r"\{([\w-]+)\}", lambda m: str(values.get(m[1], m[0])), text)


def unquote(text):
    return text.encode("latin-1").decode("unicode_escape")


def split_words(text):
    """Words as texts of one character a byte."""
    return [single or plain or unquote(quoted)
            for quoted, single, plain in WORD.findall(text)]


def parse_step(line):
    if line[:2] in ("! ", "~ "):
        kind = "until-closed" if line[0] == "!" else "half-close"
        return Step(line, kind, [line[2:]])
    match = STEP.match(line)
    client, n_replies = int(match["client"] or 1), int(match["count"] or 1)
    kind = "eof" if match["text"] == "eof" else "command"
    return Step(line, kind, [match["text"]], client, n_replies)


def parse_heading(line):
    name, _, options = line.strip("[]").partition(": ")
    versions = tuple(v for v in (2, 3) if f"resp{v}" in options.split()) or (2, 3)
    return Session(name, versions, "guarded" in options, [])


def load_sessions(folder=HERE / "commands"):
    sessions = []
    for path in sorted(folder.glob("*.txt")):
        for line in path.read_text().splitlines():
            if line.startswith("["):
                sessions.append(parse_heading(line))
            elif line and not line.startswith("#"):
                sessions[-1].steps.append(parse_step(line))
    names = [session.name for session in sessions]
    assert len(set(names)) == len(names), "two sessions of the same name"
    return sessions


def load_configs(folder=HERE / "configs"):
    configs = []
    for path in sorted(folder.glob("*.txt")):
        for line in path.read_text().splitlines(keepends=True):
            if line.startswith("--- "):
                name, *kind = line[4:].split()
                configs.append(Config(name, kind[0] if kind else "file", ""))
            elif configs and not line.startswith("##"):
                configs[-1].text += line
    names = [config.name for config in configs]
    assert len(set(names)) == len(names), "two configurations of the same name"
    return configs


def make_script(folder):
    """A program that can be given as a script."""
    path = folder / "script"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path

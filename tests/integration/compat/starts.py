"""Starts a sentinel with a configuration of the corpus, and tells what came of it."""

import json
import pathlib
import re
import subprocess

from compat.corpus import fill_in, make_script, split_words
from compat.normal import Normaliser, names_of
from compat.wire import TypedClient
from procs import Process, Settings, die_with_parent, until

LIMIT = 10  # seconds until it has to answer, or to end
PREFIX = re.compile(r"^\d+:X \d\d \w{3} \d{4} [\d:]{8}\.\d{3} [.\-*#] ")
# Said at every start, at the level and in the words of its version.
USUAL = re.compile(r"oO0OoO0|Redis version=|Configuration loaded|Sentinel ID is"
                   r"|overcommit|TCP backlog|Running mode=|monotonic clock"
                   r"|Increased maximum|Sentinel new configuration saved"
                   r"|compatible with Redis|Received SIGTERM|User requested shutdown"
                   r"|ready to exit|Removing the ")
# Lines of a saved file that are compared; the others are as their author left them.
SAVED = ("sentinel", "user", "requirepass")
MONITOR = "sentinel monitor m 127.0.0.1 {dead-port} 2\n"
BASE = "port {port}\nbind 127.0.0.1\ndir {dir}\n"
ADDED = {"file": BASE, "args": MONITOR + BASE, "bare": ""}


class Start(Process):
    """One start; the values of its configuration, and what it printed."""

    def __init__(self, t, kind, config, dead_port):
        super().__init__(t.dir / kind, config.name, t.ports.take())
        self.kind, self.config = kind, config
        self.path = self.dir / "sentinel.conf"
        self.values = {
            "port": self.port, "dead-port": dead_port, "conf": self.path,
            "script": make_script(self.dir), "dir": self.dir}
        self.normal = Normaliser(names_of(self.values))
        self.words, text = ["{conf}"], config.text
        if config.kind == "args":
            first, _, text = text.partition("\n")
            self.words = split_words(first)
        self.path.write_text(fill_in(text + ADDED[config.kind], self.values))

    def argv(self):
        program = pathlib.Path(Settings.sentinel)
        if self.kind == "stock":
            program = pathlib.Path(Settings.stock, "redis-sentinel")
        words = [fill_in(word, self.values) for word in self.words]
        return ["redis-sentinel", *words], str(program.resolve())

    def start(self):
        argv, program = self.argv()
        with open(self.log_path, "wb") as log, open(self.dir / "err", "wb") as errors:
            self.popen = subprocess.Popen(
                argv, executable=program, cwd=self.dir, stdout=log, stderr=errors,
                stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        return self

    def has_decided(self):
        """It ended, or has saved its id and answers, or (where it may not listen
        there) says who it is."""
        if not self.alive():
            return True
        if "sentinel myid" not in self.path.read_text():
            return False
        if self.config.kind == "bare":
            return "Sentinel ID is" in self.log()
        with TypedClient(self.port, timeout=LIMIT) as client:
            client.send(b"PING\r\n")
            return client.read(LIMIT)

    def outcome(self):
        """Lines: what came of it, what it printed, the lines of its file it wrote."""
        until(self.has_decided, LIMIT, f"{self.name} answers or ends")
        if not self.alive():
            status = self.popen.wait()
            errors = (self.dir / "err").read_text(errors="replace")
            return [f"exit {status}", *self.printed(errors), *self.logged()]
        saved = self.saved()
        if self.kind == "ours":
            self.stop()  # its last lines may still be on their way
        else:
            self.kill()
        return ["runs", *self.logged(), *saved]

    def printed(self, text):
        return [f"stderr: {self.normal.text(line)}" for line in text.splitlines()]

    def logged(self):
        lines = [PREFIX.sub("", line) for line in self.log().splitlines()]
        return sorted(f"log: {self.normal.text(line)}" for line in lines
                      if line and not USUAL.search(line))

    def saved(self):
        """What the file means now, in order: quotes and case are nobody's business."""
        rows = [split_words(line) for line in self.path.read_text().splitlines()
                if not line.lstrip().startswith("#")]
        lines = {meaning(row) for row in rows if row and row[0].lower() in SAVED}
        return [f"saved: {self.normal.text(line)}" for line in sorted(lines)]


def meaning(words):
    n_names = 2 if words[0].lower() == "sentinel" else 1
    names, values = words[:n_names], words[n_names:]
    if names == ["user"]:  # R8 writes this default of 7.0, which leaves it out
        values = [v for v in values if v != "sanitize-payload"]
    return " ".join([*(name.lower() for name in names), *map(json.dumps, values)])


def run_configs(t, kind, configs):
    """{case: lines}"""
    done, dead_port = {}, t.ports.take()
    for config in configs:
        start = Start(t, kind, config, dead_port).start()
        t.processes.append(start)
        done[f"config {config.name}"] = start.outcome()
    return done

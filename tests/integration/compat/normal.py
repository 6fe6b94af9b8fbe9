"""Makes replies comparable: what changes from run to run becomes a word."""

import re

from compat import commandinfo
from compat.wire import Node

# Fields of rows, and of INFO, whose values are nobody's business here.
MOVING = {
    "last-ping-sent", "last-ok-ping-reply", "last-ping-reply", "s-down-time",
    "info-refresh", "role-reported-time", "last-hello-message", "slave-repl-offset",
    "link-pending-commands", "run-time", "run-delay", "pid", "age-seconds",
    "timestamp-created", "timestamp-last-updated", "voted-leader-epoch", "id",
    "entry-id",
}
CLIENT_MOVING = {
    "id", "addr", "laddr", "fd", "age", "idle", "qbuf", "qbuf-free", "argv-mem",
    "multi-mem", "rbs", "rbp", "obl", "oll", "omem", "tot-mem", "events",
}
INFO_KEPT = {
    "redis_mode", "arch_bits", "tcp_port", "process_supervised", "uptime_in_days",
    "configured_hz", "multiplexing_api", "maxclients", "os", "monotonic_clock",
}
INFO_TEXTS = {"redis_git_sha1", "redis_build_id"}
MASTER_LINE = re.compile(r"^master\d+:")
CLIENT_LINE = re.compile(r"^id=\d+ addr=")
HEX_ID = re.compile(r"\b[0-9a-f]{40}\b")
UNORDERED = re.compile(r"(?i)(SENTINEL (MASTERS|REPLICAS|SLAVES|SENTINELS)"
                       r"|COMMAND LIST|COMMAND( INFO)?$|ACL CAT)\b")
DOCS = re.compile(r"(?i)COMMAND DOCS\b")
ENTRIES = re.compile(r"(?i)COMMAND( INFO\b|$)")
HELP = re.compile(r"(?i)\w+ HELP$")


def names_of(values):
    """{"21034": "<master-port>", ...} from {"master-port": 21034, ...}"""
    return {str(value): f"<{name}>" for name, value in values.items()}


class Normaliser:
    """names: see names_of(); longer ones are looked for first."""

    def __init__(self, names):
        self.names = names
        known = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        self.known = re.compile(rf"(?<![\w.-])({known})(?![\w.])")

    def lines(self, command, node):
        """The lines of a reply to |command|."""
        if HELP.search(command):
            node = only_usage(node)
        node = self.tree(node)
        if UNORDERED.search(command):
            node = in_order(node)
        elif command.upper() == "ROLE" and node.items:
            node = Node(node.kind, items=list(map(in_order, node.items)))
        if node.items is None:
            return node.lines()
        if DOCS.match(command):
            return commandinfo.docs_lines(node)
        if ENTRIES.match(command):
            head = node.kind + str(len(node.items))
            return [head, *(x for i in node.items for x in commandinfo.entry_lines(i))]
        return node.lines()

    def text(self, text):
        text = self.known.sub(lambda m: self.names[m[1]], text)
        return HEX_ID.sub("<40 hex>", text)

    def tree(self, node, name=None):
        if node.items is not None:
            return Node(node.kind, items=self.items(node))
        if name in MOVING and node.text:
            return Node(node.kind, "<moving>")
        text = self.leaf(node.text)
        if name == "commands":  # stock looks them up in a table of random order
            text = " ".join(sorted(text.split()))
        if name == "flags":  # comes and goes while a link is being made
            text = text.replace(",disconnected", "")
        return Node(node.kind, text)

    def leaf(self, text):
        if CLIENT_LINE.match(text):
            return self.client_list(text)
        if CLIENT_LINE.match(text[4:]):  # behind the format of a verbatim text
            return text[:4] + self.client_list(text[4:])
        if text.startswith("# ") and ":" in text and "\r\n" in text:
            return self.info(text)
        return self.text(text)

    def items(self, node):
        done, name = [], None
        for item in node.items:
            done.append(self.tree(item, name))
            name = item.text if item.items is None else None
        if node.kind == "~":
            done.sort(key=Node.lines)
        return done

    def info(self, text):
        """The masters in the order of their names."""
        lines = text.split("\r\n")
        masters = [n for n, line in enumerate(lines) if MASTER_LINE.match(line)]
        for n, line in zip(masters, sorted(MASTER_LINE.sub("masterN:", lines[n])
                                           for n in masters)):
            lines[n] = line
        return "\r\n".join(map(self.info_line, lines))

    def info_line(self, line):
        name, colon, value = line.partition(":")
        is_kept = name in INFO_KEPT or name.startswith(("sentinel_", "master"))
        if not colon or is_kept:
            return self.text(line)
        kind = "<text>"
        if name in INFO_TEXTS:
            pass
        elif re.fullmatch(r"-?\d+", value):
            kind = "<int>"
        elif re.fullmatch(r"-?\d+\.\d+", value):
            kind = f"<{len(value.partition('.')[2])} decimals>"
        return f"{name}:{kind}"

    def client_list(self, text):
        """Equal clients once, in order, a field a line."""
        lines = {self.client_line(line) for line in text.split("\n")}
        return "\n".join(sorted(lines)).replace(" ", "\n")

    def client_line(self, line):
        peer = "-cmd " in line
        fields = []
        for field in line.split(" "):
            name, equals, value = field.partition("=")
            if name in CLIENT_MOVING or (peer and name in ("name", "cmd")):
                value = "<moving>" if value else ""
            fields.append(f"{name}{equals}{self.text(value)}")
        return " ".join(fields)


def only_usage(node):
    """HELP: the words are everybody's own; the heading and the names of the usage
    lines stay."""
    if not node.items:
        return node
    head, *rest = node.items
    names = {line.text.split()[0] for line in rest if not line.text.startswith(" ")}
    kinds = {line.kind for line in rest}
    return Node(node.kind, items=[
        head, *(Node("".join(sorted(kinds)), name) for name in sorted(names))])


def in_order(node):
    """Items in the order of their texts: nobody promises another one."""
    if node.items is None or node.kind == "%":
        return node
    return Node(node.kind, items=sorted(node.items, key=Node.lines))

"""Replies of COMMAND as lines: an entry a line, a field of the documentation a line."""

# Texts that everybody writes in words of his own.
OWN_WORDS = {"summary", "complexity"}


def inline(node):
    """A reply in one line."""
    if node.items is None:
        return node.kind + node.text
    return f"{node.kind}[{' '.join(map(inline, node.items))}]"


def entry_lines(node):
    """A reply of COMMAND INFO; subcommands have lines of their own, in order."""
    if node.items is None or len(node.items) != 10:
        return [inline(node)]
    *head, subs = node.items
    own = " ".join(map(inline, head)) + f" {subs.kind}[...]"
    return [own, *sorted(line for sub in subs.items for line in entry_lines(sub))]


def pairs(node):
    return list(zip(node.items[::2], node.items[1::2]))


def docs_lines(node, path=""):
    """A map of names to documents, in the order of the names."""
    lines = [f"{path}({node.kind})"]
    for name, doc in sorted(pairs(node), key=lambda pair: pair[0].text):
        lines += document_lines(doc, f"{path}{name.text} ")
    return lines


def document_lines(node, path):
    lines = [f"{path}({node.kind})"]
    for key, value in pairs(node):
        if key.text == "subcommands":
            lines += docs_lines(value, path)
        elif key.text == "arguments":
            lines += argument_lines(value, path)
        elif key.text in OWN_WORDS:
            lines.append(f"{path}{key.text} {value.kind}(own words)")
        elif key.text == "history":
            versions = " ".join(item.items[0].text for item in value.items)
            lines.append(f"{path}history {value.kind} {versions}")
        else:
            lines.append(f"{path}{key.text} {inline(value)}")
    return lines


def argument_lines(node, path):
    lines = [f"{path}arguments ({node.kind})"]
    for argument in node.items:
        lines += document_lines(argument, f"{path}<{argument.items[1].text}> ")
    return lines

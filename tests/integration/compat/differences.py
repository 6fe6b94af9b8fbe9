r"""What differs, and the table of differences that are meant.

Every row of a table in tests/compat/differences.md is an entry:

    | case | stock | ours | reason |

The first three are patterns in backquotes, where `...` stands for any text; a `|` is
written `\|`. They are matched against the name of a case and one line of each reply, or
`(none)` where only the other one has a line.
"""

import dataclasses
import difflib
import re

NONE = "(none)"


@dataclasses.dataclass(frozen=True)
class Difference:
    case: str
    stock: str
    ours: str

    def as_row(self):
        cells = (self.case, self.stock, self.ours)
        return "| " + " | ".join(quote(cell) for cell in cells) + " | ? |"


def quote(cell):
    return "`" + cell.replace("|", "\\|") + "`"


def compare(case, stock, ours):
    """The differences between two lists of lines; one, if they disagree altogether."""
    if verdict(stock) != verdict(ours):
        return [Difference(case, in_one_line(stock), in_one_line(ours))]
    matcher = difflib.SequenceMatcher(None, stock, ours, autojunk=False)
    found = []
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        old, new = stock[i:i_end], ours[j:j_end]
        if tag == "replace" and len(old) == len(new):
            pairs = list(zip(old, new))
        elif tag != "equal":
            pairs = [(line, NONE) for line in old] + [(NONE, line) for line in new]
        else:
            pairs = []
        found += [Difference(case, a.lstrip(), b.lstrip()) for a, b in pairs]
    return found


def verdict(lines):
    """What kind of outcome this is: an error or not, the end of a program or not."""
    if len(lines) == 1 and lines[0].startswith("-"):
        return "error"
    return lines[0] if lines and re.match(r"exit \d|runs", lines[0]) else ""


def in_one_line(lines):
    return " ".join(line.lstrip() for line in lines)


class Entry:
    """A row of the table."""

    def __init__(self, number, cells):
        self.number, self.cells = number, cells
        self.patterns = [pattern(cell) for cell in cells[:3]]
        self.n_used = 0

    def covers(self, difference):
        texts = (difference.case, difference.stock, difference.ours)
        return all(p.fullmatch(text) for p, text in zip(self.patterns, texts))


def pattern(cell):
    text = cell.strip("`").replace("\\|", "|")
    return re.compile(".*".join(map(re.escape, text.split("..."))), re.DOTALL)


def read_table(path):
    """The entries of a file; a row without a reason is an error."""
    entries = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.startswith("| `"):
            continue
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        assert len(cells) == 4, f"{path}:{number}: {len(cells)} cells, not 4"
        assert cells[3].strip("? "), f"{path}:{number}: no reason"
        entries.append(Entry(number, cells))
    return entries


def check(differences, path, concerns):
    """Returns what is wrong: differences nobody listed, and entries whose case begins
    with |concerns| that nothing needed."""
    entries = [e for e in read_table(path) if e.cells[0].startswith("`" + concerns)]
    unlisted = []
    for difference in differences:
        covering = [e for e in entries if e.covers(difference)]
        for entry in covering[:1]:
            entry.n_used += 1
        if not covering:
            unlisted.append(difference.as_row())
    stale = [f"{path.name}:{e.number}: no longer differs: {' | '.join(e.cells[:3])}"
             for e in entries if not e.n_used]
    return unlisted + stale

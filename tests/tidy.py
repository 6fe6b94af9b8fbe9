"""House style that a program can check; run by `make tidy`.

Line length, function length, file length, tabs and trailing blanks, banned calls,
assertions and tests that were switched off, unregistered tests, tables of Markdown,
clang-format, and where they are installed shellcheck and pyflakes.
"""

import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_COLUMNS, MAX_FUNCTION, MAX_FILE = 88, 70, 800
CLANG_FORMAT_MAJOR = "14"

# call: what to use instead
BANNED = {
    "strcpy": "snprintf or memcpy", "strcat": "buf_*", "strncat": "buf_*",
    "strncpy": "snprintf", "sprintf": "snprintf", "vsprintf": "vsnprintf",
    "atoi": "strtoll with checks", "atol": "strtoll with checks",
    "atoll": "strtoll with checks", "atof": "strtod with checks",
    "strtok": "args.h", "strtok_r": "args.h", "rand": "rng.h", "srand": "rng.h",
    "random": "rng.h", "gets": "fgets", "alloca": "mem.h", "system": "uv_spawn",
    "popen": "uv_spawn", "tmpnam": "mkstemp", "mktemp": "mkstemp",
    "localtime": "localtime_r", "gmtime": "gmtime_r", "ctime": "strftime",
    "getaddrinfo": "dns.h", "gethostbyname": "dns.h",
    "setjmp": "return codes", "longjmp": "return codes",
}
# Who may do so all the same, and why.
EXCUSED = {
    # one blocking look-up at start, before the loop runs
    ("sentinel/runtime/listener.c", "getaddrinfo"),
    # on threads that do nothing else
    ("sentinel/runtime/dns.c", "getaddrinfo"),
}
SWITCHED_OFF = [
    (re.compile(r"^\s*#\s*if\s+0\b"), "code switched off by #if 0"),
    (re.compile(r"#\s*define\s+NDEBUG\b"), "NDEBUG: assertions stay on"),
    (re.compile(r"(//|/\*)\s*(tcase_add|ck_assert|ASSERT|assert)\w*\s*\(.*\);"),
     "test or assertion commented out"),
    (re.compile(r"(//|/\*)\s*START_TEST"), "test commented out"),
    (re.compile(r"\b(ASSERT|assert|ck_assert)\s*\(\s*(true|1)\s*\)"),
     "assertion that cannot fail"),
]
SWITCHED_OFF_PYTHON = [
    (re.compile(r"^\s*#\s*(assert|def test_|t\.check|check\()"),
     "test or assertion commented out"),
    (re.compile(r"\bassert\s+(True|1)\s*(,|$)"), "assertion that cannot fail"),
]
TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)

problems = []


def problem(path, line, text):
    problems.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def without_comments_and_strings(text):
    """The same lines, with only code left on them."""
    def blank(match):
        found = match.group()
        if found[0] == "/":
            return "\n" * found.count("\n") or " "
        return found[0] * 2
    return TOKEN.sub(blank, text)


def check_lines(path, lines, may_have_tabs, max_columns):
    for number, line in enumerate(lines, 1):
        if len(line) > max_columns:
            problem(path, number, f"{len(line)} columns, at most {max_columns}")
        if "\t" in line and not may_have_tabs:
            problem(path, number, "tab")
        if line != line.rstrip():
            problem(path, number, "blanks at the end of the line")


def check_functions(path, lines):
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start - 1 > MAX_FUNCTION:
                problem(path, start,
                        f"function of {number - start - 1} lines, "
                        f"at most {MAX_FUNCTION}")
            start = None


def check_banned(path, code):
    name = str(path.relative_to(ROOT))
    for number, line in enumerate(code.splitlines(), 1):
        for call in re.findall(r"(?<![\w.>])(\w+)\s*\(", line):
            if call in BANNED and (name, call) not in EXCUSED:
                problem(path, number, f"{call}() is banned: use {BANNED[call]}")


def check_c(path, text):
    lines = text.splitlines()
    check_lines(path, lines, may_have_tabs=False, max_columns=MAX_COLUMNS)
    check_functions(path, lines)
    check_banned(path, without_comments_and_strings(text))
    if len(lines) > MAX_FILE:
        problem(path, len(lines), f"{len(lines)} lines, at most {MAX_FILE}")
    for number, line in enumerate(lines, 1):
        for pattern, why in SWITCHED_OFF:
            if pattern.search(line):
                problem(path, number, why)
    for test in re.findall(r"^START_TEST\((\w+)\)", text, re.MULTILINE):
        if len(re.findall(rf"\b{test}\b", text)) < 2:
            problem(path, 1, f"test {test} is never run")


def check_python(path, text):
    lines = text.splitlines()
    check_lines(path, lines, may_have_tabs=False, max_columns=MAX_COLUMNS)
    if len(lines) > MAX_FILE:
        problem(path, len(lines), f"{len(lines)} lines, at most {MAX_FILE}")
    for number, line in enumerate(lines, 1):
        for pattern, why in SWITCHED_OFF_PYTHON:
            if pattern.search(line):
                problem(path, number, why)


def check_tables(path, lines):
    """Each begins with its head, and all rows have as many cells as that."""
    cells = 0
    for number, line in enumerate(lines, 1):
        if not line.startswith("|"):
            cells = 0
            continue
        n = len(re.sub(r"\\\|", "", line).strip().strip("|").split("|"))
        below = "".join(lines[number:number + 1])
        if not cells and not re.fullmatch(r"\|[-:| ]+", below):
            problem(path, number, "row of a table that has no head")
        elif cells and n != cells:
            problem(path, number, f"{n} cells, the head has {cells}")
        cells = n


def clang_format(files):
    tool = shutil.which("clang-format-" + CLANG_FORMAT_MAJOR) or shutil.which(
        "clang-format")
    version = ""
    if tool:
        version = subprocess.run([tool, "--version"], capture_output=True,
                                 text=True).stdout
    if not re.search(rf"version {CLANG_FORMAT_MAJOR}\.", version):
        print(f"  SKIP  format: clang-format {CLANG_FORMAT_MAJOR} is not installed")
        return
    run = subprocess.run([tool, "--dry-run", *map(str, files)], capture_output=True,
                         text=True)
    wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: warning", run.stderr,
                                  re.MULTILINE)))
    for name in wrong:
        problem(pathlib.Path(name), 1, f"not formatted: clang-format -i {name}")


def other_tool(tool, files):
    if not files:
        return
    if not shutil.which(tool):
        print(f"  SKIP  {tool} is not installed")
        return
    run = subprocess.run([tool, *map(str, files)], cwd=ROOT, capture_output=True,
                         text=True)
    if run.returncode != 0:
        problems.append(run.stdout + run.stderr)


def main():
    sources, pythons, shells, n_files = [], [], [], 0
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if parts[0].startswith("build") or parts[0] == ".git" or not path.is_file():
            continue
        if "__pycache__" in parts or "corpus" in parts:
            continue
        n_files += 1
        text = path.read_text(errors="replace")
        if path.suffix in (".c", ".h"):
            sources.append(path)
            check_c(path, text)
        elif path.suffix == ".py":
            pythons.append(path)
            check_python(path, text)
        elif path.suffix == ".sh" or text.startswith("#!/bin/"):
            shells.append(path)
            check_lines(path, text.splitlines(), False, MAX_COLUMNS)
        elif path.suffix in (".md", ".mk", ".sample", ".conf", ".txt", ".service"):
            check_lines(path, text.splitlines(), may_have_tabs=True, max_columns=1000)
            if path.suffix == ".md":
                check_tables(path, text.splitlines())
        if text and not text.endswith("\n"):
            problem(path, 1, "no newline at the end of the file")
    clang_format(sources)
    other_tool("shellcheck", shells)
    other_tool("pyflakes3", pythons)
    for text in problems:
        print(f"tidy: {text}", file=sys.stderr)
    if problems:
        sys.exit(f"tidy: {len(problems)} problems")
    print(f"  OK    tidy: {n_files} files")


if __name__ == "__main__":
    main()

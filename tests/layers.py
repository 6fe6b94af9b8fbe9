"""The dependency rules between the layers, checked by `make layers`.

layers.py includes            the #include graph of the whole tree
layers.py symbols CORE COMMON the core, linked with what it uses of common/, may need
                              only the libc functions listed in core.symbols, and may
                              have no variables
"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

PURE_LIBC = """arpa/inet.h assert.h ctype.h errno.h inttypes.h limits.h stdarg.h
    stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h strings.h
    uthash.h utlist.h""".split()
LOOP_LIBS = ["uv.h", "uv/", "hiredis/"]
EVENT_LIBS = LOOP_LIBS + ["openssl/"]

# folder: (our headers it may include, <headers> it may (+) or must not (-) include)
LAYERS = {
    "common": (["common/"], "-", EVENT_LIBS + ["ini.h", "check.h"]),
    "sentinel/core": (["common/", "sentinel/core/"], "+", PURE_LIBC),
    "sentinel/conf": (["common/", "sentinel/core/", "sentinel/conf/"], "-", EVENT_LIBS),
    "sentinel/server": (
        ["common/", "sentinel/core/core.h", "sentinel/core/state.h",
         "sentinel/server/"],
        "-", LOOP_LIBS + ["openssl/ssl.h", "openssl/bio.h", "ini.h", "sys/socket.h",
                            "time.h"]),
    "sentinel/runtime": (
        ["common/", "sentinel/core/core.h", "sentinel/core/state.h",
         "sentinel/conf/conf.h", "sentinel/server/server.h", "sentinel/runtime/"],
        "-", ["ini.h", "check.h"]),
    "sentinel": (
        ["common/", "sentinel/core/core.h", "sentinel/conf/conf.h",
         "sentinel/server/server.h", "sentinel/runtime/"], "-", ["check.h"]),
    "tests/sim": (
        ["common/", "sentinel/core/", "sentinel/conf/conf.h",
         "sentinel/server/server.h", "tests/sim/", "tests/lib/"],
        "-", EVENT_LIBS + ["sys/socket.h"]),
    "tests/scenario": (
        ["common/", "sentinel/core/", "sentinel/conf/conf.h",
         "sentinel/server/server.h", "tests/"],
        "-", EVENT_LIBS + ["sys/socket.h"]),
    "tests": (["common/", "sentinel/", "tests/"], "-", []),
    "examples": (["common/", "sentinel/core/core.h"], "-", ["check.h"]),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def starts_with_any(name, prefixes):
    return any(name == p or (p.endswith("/") and name.startswith(p)) for p in prefixes)


def layer_of(path):
    """The rules of the nearest folder that has any."""
    for folder in path.parents:
        if str(folder) in LAYERS:
            return str(folder)
    return None


def check_includes():
    problems, n_files = [], 0
    for file in sorted(ROOT.rglob("*.[ch]")):
        path = file.relative_to(ROOT)
        if path.parts[0].startswith(("build", ".")):
            continue
        n_files += 1
        layer = layer_of(path)
        if layer is None:
            problems.append(f"{path}: belongs to no layer of tests/layers.py")
            continue
        ours, mode, system = LAYERS[layer]
        for kind, name in INCLUDE.findall(file.read_text()):
            if kind == '"':
                wrong = not starts_with_any(name, ours)
            else:
                wrong = starts_with_any(name, system) != (mode == "+")
            if wrong:
                problems.append(f"{path}: {layer}/ must not include {name}")
    return problems, f"includes: {n_files} files follow the rules"


def nm(*args):
    out = subprocess.run(["nm", *args], check=True, capture_output=True, text=True)
    return [line.split() for line in out.stdout.splitlines() if line]


def check_symbols(core, common):
    allowed = {
        line.split("#")[0].strip()
        for line in (ROOT / "tests/core.symbols").read_text().splitlines()
    } - {""}
    with tempfile.TemporaryDirectory() as tmp:
        whole = f"{tmp}/core.o"
        subprocess.run(
            ["ld", "-r", "-o", whole, "--whole-archive", core, "--no-whole-archive",
             common], check=True)
        wanted = {words[-1] for words in nm("-u", whole)}
        variables = [w[2] for w in nm("--defined-only", whole)
                     if w[1] in "bBdDC"]
    problems = [f"the core needs {name}(), which tests/core.symbols does not list"
                for name in sorted(wanted - allowed)]
    problems += [f"the core has a variable: {name}" for name in sorted(variables)]
    return problems, f"symbols: {len(wanted)} functions of libc, no variables"


def main():
    if sys.argv[1:] == ["includes"]:
        problems, summary = check_includes()
    elif len(sys.argv) == 4 and sys.argv[1] == "symbols":
        problems, summary = check_symbols(*sys.argv[2:])
    else:
        sys.exit(__doc__)
    for problem in problems:
        print(f"layers: {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)
    print(f"  OK    {summary}")


if __name__ == "__main__":
    main()

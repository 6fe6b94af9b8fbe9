"""make bench, make bench-full: runs the benchmarks and writes RESULTS.md.

Each benchmark is a program of its own that appends its figures to a file, so that one
that fails costs only its own section. --only picks some by name.
"""

import argparse
import datetime
import json
import pathlib
import subprocess
import sys

from lib import HERE, RESULTS, commit, machine, number

# name, program and options; quick ones take about a minute each
QUICK = [
    ("steady", "steady.py --masters 100,1000 --seconds 20"),
    ("queries", "queries.py --rounds 3"),
    ("mass", "mass.py --patience 30"),
]
FULL = [
    ("steady", "steady.py --masters 100,1000,3000,5000,10000 --seconds 30 --runs 3"),
    ("queries", "queries.py --rounds 15"),
    ("mass", "mass.py --patience 150 --runs 3"),
]
TIMEOUT_S = {"bench": 900, "bench-full": 7200}

HEAD = """# What was measured

Written by `make {target}` (`tests/bench/results.py`); do not edit. Ours and the
distribution's sentinel ("stock", redis-sentinel 7.0.15) take turns within each run.
Figures are median / 99th percentile / number of values; "ratio" is stock's median
divided by ours. What the measures mean is said at the top of each program.

Machine: {machine}.
Written {date} at commit {commit}. {problems}
"""


def cell(figures):
    if figures is None:
        return "-"
    if figures["n"] == 1:
        return number(figures["median"])
    return f"{number(figures['median'])} / {number(figures['p99'])} / {figures['n']}"


def table(record):
    kinds = [k for k in ("ours", "stock", "valkey") if
             any(k in row for row in record["rows"])]
    others = sorted({k for row in record["rows"] for k in row if
                     isinstance(row[k], dict)} - set(kinds))
    yield "| | " + " | ".join([*kinds, *others, "ratio"]) + " |"
    yield "|---|" + "---:|" * (len(kinds) + len(others) + 1)
    for row in record["rows"]:
        unit = f", {row['unit']}" if row["unit"] else ""
        cells = [cell(row.get(k)) for k in [*kinds, *others]]
        ratio = f"{row['ratio']:.1f}" if "ratio" in row else ""
        yield f"| {row['title']}{unit} | " + " | ".join([*cells, ratio]) + " |"


def write(path, target, records, problems):
    said = ("Failed: " + ", ".join(problems) + ".") if problems else ""
    lines = [HEAD.format(target=target, machine=machine(), commit=commit(),
                         date=datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
                         problems=said)]
    for record in records:
        lines += [f"## {record['section']}", ""]
        if record["note"]:
            lines += [record["note"], ""]
        lines += [*table(record), "",
                  f"{record['date']}, commit {record['commit']}: "
                  f"`{record['command']}`", ""]
    path.write_text("\n".join(lines))


def load(figures):
    """The last record of each section, in the order in which they first came."""
    records = map(json.loads, figures.read_text().splitlines())
    return list({r["section"]: r for r in records}.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", help="names of benchmarks, comma separated")
    parser.add_argument("--build", default="build")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    options = parser.parse_args()
    target = "bench-full" if options.full else "bench"
    figures = pathlib.Path(options.build, "bench", "figures.jsonl")
    if not options.only or not figures.exists():
        figures.write_text("")
    problems = []
    for name, command in FULL if options.full else QUICK:
        if options.only and name not in options.only.split(","):
            continue
        program, *words = command.split()
        print(f"--- {name}: {command}", flush=True)
        argv = [sys.executable, str(HERE / program), *words, "--json", str(figures),
                "--sentinel", f"{options.build}/redis-sentinel",
                "--stock", f"{options.build}/stock",
                "--fleet", f"{options.build}/bench/fleet"]
        try:
            if subprocess.run(argv, timeout=TIMEOUT_S[target]).returncode != 0:
                problems.append(name)
        except subprocess.TimeoutExpired:
            problems.append(f"{name} (took too long)")
        write(options.out, target, load(figures), problems)
    print(f"written: {options.out}", *problems)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()

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
import time

from lib import HERE, RESULTS, commit, machine, number

# name, program and options
QUICK = [
    ("failover", "failover.py --ours-each 3 --cases killed/300/2,killed/1000/5,"
                 "killed/5000/1,stopped/1000/1,manual/1000/2"),
    ("mass", "mass.py --patience 20"),
    ("split", "split.py --rounds 20 --stock-rounds 2 --patience 4"),
    ("discovery", "discovery.py --masters 100,1000 --patience 40"),
    ("fairness", "busy.py --sections fairness --patience 10"),
    ("steady", "steady.py --masters 100,1000 --seconds 10 --runs 2"),
    ("queries", "queries.py --rounds 7 --only query"),
    ("clients", "queries.py --rounds 3 --only fan,storm,start"),
    ("benchmark", "queries.py --rounds 9 --only benchmark"),
    ("busy", "busy.py --sections clients --rounds 3"),
]
FULL = [
    ("failover", "failover.py --ours-each 3 --cases killed/300/10,killed/1000/20,"
                 "killed/5000/3,stopped/300/5,stopped/1000/5,stopped/5000/3,"
                 "manual/1000/10"),
    ("split", "split.py --rounds 40 --stock-rounds 5 --patience 10"),
    ("mass", "mass.py --patience 150 --runs 3"),
    ("fairness", "busy.py --sections fairness --patience 60 --runs 3"),
    ("discovery", "discovery.py --masters 100,300,1000 --patience 150"),
    ("steady", "steady.py --masters 100,1000,3000,9900x0,5000,10000 --seconds 20 "
               "--runs 2"),
    ("busy", "busy.py --sections clients --rounds 7"),
    ("queries", "queries.py --rounds 9 --only query"),
    ("clients", "queries.py --rounds 9 --only fan,storm,start"),
    ("benchmark", "queries.py --rounds 15 --only benchmark"),
]
# Together they take no longer than this: what does not fit is left out, and said so.
LIMIT_S = {"bench": 1500, "bench-full": 3600}

# What ours should reach: part of a section's name, of a row's title, and the bars.
BARS = [
    ("Failover", "killed, down-after 1000: from +odown to the address",
     "median <= 20, p99 <= 60, ratio >= 50"),
    ("Failover", "killed, down-after 1000: written there", "median <= 30"),
    ("Failover", "killed, down-after 1000: +switch-master on all three",
     "median <= 150"),
    ("Split", "leader after", "p99 <= 300"),
    ("Split", "without a leader", "max <= 0"),
    ("Mass", "100 of 100: last", "max <= 500"),
    ("Mass", "100 of 1000: last", "max <= 1000"),
    ("Mass", "1000 of 1000: last", "max <= 5000"),
    ("Mass", ": given up", "max <= 0"),
    ("Mass", ": TILT", "max <= 0"),
    ("Mass", ": not in order", "max <= 0"),
    ("Fairness", "loop lag, p99", "max <= 20"),
    ("Fairness", "somebody who lives", "max <= 0"),
    ("Fairness", "TILT", "max <= 0"),
    ("Discovery", "1000 masters: all known", "median <= 3"),
    ("Steady", "1000 masters: CPU", "ratio >= 2"),
    ("Steady", "1000 masters: RSS", "ratio >= 2"),
    ("Steady", "a client's wait, p99", "median <= 5"),
    ("Clients: query", "MASTERS with 100 masters", "ratio >= 2"),
    ("Clients: query", "pipeline 16", "ratio >= 1.2"),
    ("Clients: query", "pipeline 1:", "ratio >= 1"),
    ("Clients: benchmark", "CPU of redis-benchmark", ""), # which is not ours
    ("Clients: benchmark", "pipeline 16", "ratio >= 1.2"),
    ("Clients: benchmark", "pipeline 1:", "ratio >= 1"),
    ("Clients: fan", "5000 subscribers: the last has it", "ours / bare loop <= 2"),
]

HEAD = """# What was measured

Written by `make {target}` (`tests/bench/results.py`); do not edit. Ours and the
distribution's sentinel ("stock", redis-sentinel 7.0.15) take turns within each run.
Figures are median / 99th percentile / number of values; "ratio" is stock's median
divided by ours. What the measures mean is said at the top of each program. "Bar" is
what ours should reach, of which figure; "met" says whether it did in this run.

Machine: {machine}.
Written {date} at commit {commit}.{problems}
"""


def cell(figures):
    if figures is None:
        return "-"
    if figures["n"] == 1:
        return number(figures["median"])
    return f"{number(figures['median'])} / {number(figures['p99'])} / {figures['n']}"


def bars(section, row):
    """The bars of a row as (what, relation, value), of the first entry that fits."""
    for part, title, text in BARS:
        if part in section and title in row["title"]:
            for bar in text.split(", ") if text else ():
                what, relation, value = bar.rsplit(" ", 2)
                yield what, relation, float(value)
            return


def reached(row, what):
    """What a bar is about; None: it was not measured."""
    if what == "ratio":
        return row.get("ratio")
    if "/" in what:
        over, under = (row.get(kind) for kind in what.split(" / "))
        return over and under and over["median"] / under["median"]
    return row["ours"][what] if "ours" in row else None


def judge(section, row):
    """Text of the columns "bar" and "met"."""
    texts, met = [], []
    for what, relation, value in bars(section, row):
        got = reached(row, what)
        texts.append(f"{what} {relation} {value:g}")
        if got is None:
            met.append("not measured")
        else:
            met.append("yes" if (got <= value if relation == "<=" else got >= value)
                       else f"**no** ({number(got)})" if what != "ratio"
                       else f"**no** ({got:.2f})")
    return ", ".join(texts), ", ".join(met)


def table(record):
    kinds = [k for k in ("ours", "stock", "valkey") if
             any(k in row for row in record["rows"])]
    others = sorted({k for row in record["rows"] for k in row if
                     isinstance(row[k], dict)} - set(kinds))
    columns = [*kinds, *others, "ratio", "bar", "met"]
    yield "| | " + " | ".join(columns) + " |"
    yield "|---|" + "---:|" * (len(columns) - 2) + "---|---|"
    for row in record["rows"]:
        unit = f", {row['unit']}" if row["unit"] else ""
        cells = [cell(row.get(k)) for k in [*kinds, *others]]
        ratio = f"{row['ratio']:.1f}" if "ratio" in row else ""
        cells += [ratio, *judge(record["section"], row)]
        yield f"| {row['title']}{unit} | " + " | ".join(cells) + " |"


def write(path, target, records, problems):
    said = (" Failed: " + ", ".join(problems) + ".") if problems else ""
    lines = [HEAD.format(target=target, machine=machine(), commit=commit(),
                         date=datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
                         problems=said)]
    missed = [f"- {r['section']}, {row['title']}: {text}" for r in records
              for row in r["rows"] for text in [judge(r["section"], row)[1]]
              if "**no**" in text]
    lines += ["Bars not met:\n", *missed, ""] if missed else []
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
    deadline = time.monotonic() + LIMIT_S[target]
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
            left = max(1, deadline - time.monotonic())
            if subprocess.run(argv, timeout=left).returncode != 0:
                problems.append(name)
        except subprocess.TimeoutExpired:
            problems.append(f"{name} (no time left)")
        write(options.out, target, load(figures), problems)
    print(f"written: {options.out}", *problems)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()

"""Runs the stages of `make test` one after the other, all of them whatever fails, and
ends with one line for everything: "N passed, M failed".

A stage is a make target. What it counts is read from its output: the summary lines of
Check, and lines "N passed, M failed", "N seeds, M failed" (also of stories and
defects) or "  OK  ...". A stage that ends with an error without having counted a
failure, or that counted nothing, is a failure itself.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import time

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)")
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed\b")
TOTAL = re.compile(r"^(\d+) (?:seeds|stories|defects), (\d+) (?:failed|not caught)\b")


def count(line):
    """(passed, failed) that the line tells of."""
    match = CHECK.match(line)
    if match:
        total, failures, errors = map(int, match.groups())
        return total - failures - errors, failures + errors
    match = PLAIN.match(line)
    if match:
        return int(match[1]), int(match[2])
    if line.startswith("  OK  "):
        return 1, 0
    match = TOTAL.match(line)
    if match:
        return int(match[1]) - int(match[2]), int(match[2])
    return 0, 0


def run_stage(make, stage):
    """Prints the output as it comes; returns (passed, failed)."""
    print(f"== {stage}", flush=True)
    seeds = os.environ.get("TEST_SEEDS", "1-10000")
    arguments = [f"SEEDS={seeds}"] if stage == "sim" else []
    passed = failed = 0
    command = [*shlex.split(make), "--no-print-directory", stage, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace",
                          close_fds=False) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            more_passed, more_failed = count(line)
            passed, failed = passed + more_passed, failed + more_failed
    if failed == 0 and (process.returncode != 0 or passed == 0):
        failed = 1
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--make", default="make")
    parser.add_argument("stages", nargs="+")
    options = parser.parse_args()
    total_passed = total_failed = 0
    table = []
    for stage in options.stages:
        start = time.monotonic()
        passed, failed = run_stage(options.make, stage)
        seconds = time.monotonic() - start
        table.append(f"   {stage:12} {passed:6} passed {failed:4} failed "
                     f"{seconds:6.0f} s")
        total_passed, total_failed = total_passed + passed, total_failed + failed
    print("== summary", *table, sep="\n")
    print(f"{total_passed} passed, {total_failed} failed")
    sys.exit(1 if total_failed else 0)


if __name__ == "__main__":
    main()

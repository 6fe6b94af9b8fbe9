"""Runs the integration tests: every test_*() of the test_*.py files next to this one.

run.py [options] [NAME ...]     only tests whose name contains one of the words

With --faults those in faults/ instead; without it, the ones there marked as quick, too.
Each test is a process of its own with a time limit; several run side by side.
"""

import argparse
import concurrent.futures
import importlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from group import Skip, Test  # noqa: E402
from procs import Settings, die_with_parent  # noqa: E402

SKIPPED = 77


def find_tests(faults):
    """{name: function} in the order of the files."""
    found = {}
    for path in sorted([*HERE.glob("test_*.py"), *HERE.glob("faults/test_*.py")]):
        is_fault = path.parent != HERE
        if faults and not is_fault:
            continue
        module = ("faults." if is_fault else "") + path.stem
        for name, value in vars(importlib.import_module(module)).items():
            if name.startswith("test_") and getattr(value, "__module__", "") == \
                    module and (faults or not is_fault or hasattr(value, "is_quick")):
                found[name[len("test_"):]] = value
    return found


def run_one(name, function, keep):
    """In this process; returns an exit status."""
    def on_signal(number, frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, on_signal)
    test = Test(name)
    status = 1
    try:
        status = outcome(test, function)
        if status == 1:
            print(*test.log_tails(), sep="\n")
    finally:  # nobody may read this any more: the runner has ended
        test.close(keep and status == 1)
    if keep and status == 1:
        print(f"--- files kept in {test.dir}")
    return status


def outcome(test, function):
    """Runs it and prints what was wrong; an exit status."""
    try:
        function(test)
        wrong = test.check_exits()
        print(*wrong, *test.notes, sep="\n")
        return 1 if wrong else 0
    except KeyboardInterrupt:
        print("interrupted or out of time; at that moment:")
        traceback.print_exc()
    except Skip as reason:
        print(reason)
        return SKIPPED
    except Exception:  # anything at all fails the test
        traceback.print_exc()
    return 1


def run_child(name, options):
    """In a process of its own; returns (name, status, seconds, output)."""
    argv = [sys.executable, str(HERE / "run.py"), "--one", "--sentinel",
            options.sentinel, "--stock", options.stock, "--slow", str(options.slow)]
    argv += ["--valgrind"] * options.valgrind + ["--keep"] * options.keep
    argv += ["--faults"] * options.faults + [name]
    start = time.monotonic()
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, errors="replace",
                             preexec_fn=lambda: die_with_parent(signal.SIGTERM))
    try:
        output, _ = child.communicate(timeout=options.limit * options.slow)
    except subprocess.TimeoutExpired:
        child.terminate()
        try:
            output, _ = child.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            output, _ = child.communicate()
    return name, child.returncode, time.monotonic() - start, output


def run_all(names, options):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    pool = concurrent.futures.ThreadPoolExecutor(options.jobs)
    jobs = [pool.submit(run_child, name, options) for name in names * options.rounds]
    try:
        for job in concurrent.futures.as_completed(jobs):
            name, status, seconds, output = job.result()
            kind = {0: "passed", SKIPPED: "skipped"}.get(status, "failed")
            counts[kind] += 1
            word = {"passed": "ok  ", "skipped": "SKIP", "failed": "FAIL"}[kind]
            said = "; ".join(output.split("\n")) if kind != "failed" else ""
            said = f": {said.strip('; ')}" if said.strip("; ") else ""
            print(f"  {word}  {name} ({seconds:.1f} s){said}", flush=True)
            if kind == "failed":
                print(re.sub(r"^", "        ", output.rstrip(), flags=re.MULTILINE),
                      flush=True)
    except KeyboardInterrupt:
        pool.shutdown(wait=True, cancel_futures=True)
        sys.exit(130)
    if counts["skipped"]:
        print(f"{counts['skipped']} skipped")
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] or not counts["passed"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentinel", default="build/redis-sentinel")
    parser.add_argument("--stock", default="build/stock")
    parser.add_argument("--slow", type=float, default=1.0,
                        help="multiply deadlines and down-after by this")
    parser.add_argument("--valgrind", action="store_true")
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--limit", type=float, default=180, help="seconds per test")
    parser.add_argument("--keep", action="store_true", help="keep files of failures")
    parser.add_argument("--faults", action="store_true", help="the tests in faults/")
    parser.add_argument("--rounds", type=int, default=1, help="run each so many times")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--one", action="store_true",
                        help="run one test, in this process")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    Settings.sentinel, Settings.stock = options.sentinel, options.stock
    Settings.slow, Settings.valgrind = options.slow, options.valgrind
    for program in (options.sentinel, options.stock + "/redis-server"):
        if not os.path.exists(program):
            sys.exit(f"{program} is missing")

    tests = find_tests(options.faults)
    if options.one:
        sys.exit(run_one(options.names[0], tests[options.names[0]], options.keep))
    names = [n for n in tests if not options.names
             or any(word in n for word in options.names)]
    if options.list:
        print(*names, sep="\n")
        return
    sys.exit(run_all(names, options))


if __name__ == "__main__":
    main()

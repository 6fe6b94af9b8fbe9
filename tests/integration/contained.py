"""A sentinel as a container runs it: mounts of its own, any user, no environment."""

import os
import pathlib
import shutil
import subprocess

from group import Skip
from procs import Sentinel, Settings

ANYBODY = 23456  # a user and group that no passwd entry names


def must_be_allowed(*flags):
    """Skips the test where a namespace may not be made."""
    probe = subprocess.run(["unshare", *flags, "true"], capture_output=True, text=True)
    if probe.returncode:
        raise Skip(f"may not make a namespace: {probe.stderr.strip()}")


class Contained(Sentinel):
    """
    mounts      shell commands run in the mount namespace before the sentinel starts
    user_id     who it runs as; None: who runs the tests
    arguments   instead of the path of the configuration file
    """

    def __init__(self, test, kind="ours", lines=(), mounts=(), user_id=ANYBODY,
                 arguments=None, name=None):
        must_be_allowed("-m")
        n = len(test.processes) + 1
        super().__init__(test.dir, name or f"c{n}-{kind}", test.ports.take(), kind,
                         lines)
        test.processes.append(self)
        self.mounts, self.user_id, self.arguments = mounts, user_id, arguments
        self.state = self.dir / "state"
        self.state.mkdir()
        if user_id is not None:
            for path in (self.dir, self.conf, self.state):
                os.chown(path, user_id, user_id)

    def argv(self):
        argv, program = super().argv()
        # where anybody may run it, under a name that says what it is
        folder = self.dir.parent / "bin" / self.kind
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "redis-sentinel").exists():
            shutil.copy(program if not Settings.valgrind else Settings.sentinel,
                        folder / "redis-sentinel")
        script = "set -e; " + "".join(f"{m}; " for m in self.mounts) + 'exec "$@"'
        who = ([] if self.user_id is None else
               [f"--reuid={self.user_id}", f"--regid={self.user_id}", "--clear-groups",
                "--inh-caps=-all", "--bounding-set=-all"])
        return (["unshare", "-m", "sh", "-c", script, "sh", "env", "-i",
                 *[f"{k}={v}" for k, v in os.environ.items() if k.endswith("_OPTIONS")],
                 "setpriv", *who, "--no-new-privs", str(folder / "redis-sentinel"),
                 *(argv[1:] if self.arguments is None else self.arguments)],
                shutil.which("unshare"))

    def inside(self, *words):
        """Runs a command in its mount namespace, as root."""
        subprocess.run(["nsenter", "-t", str(self.pid), "-m", *words], check=True,
                       capture_output=True, timeout=20)

    def see(self, path):
        """What it finds at |path|."""
        return pathlib.Path(f"/proc/{self.pid}/root{path}")

    def info(self):
        text = self.call("INFO", "sentinel")
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


def read_only(path):
    return f"mount --bind {path} {path}; mount -o remount,bind,ro {path}"


READ_ONLY_ROOT = "mount --make-rprivate /; mount -o remount,bind,ro /"

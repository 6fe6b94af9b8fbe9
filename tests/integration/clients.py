"""Clients other people wrote, each behind the same few methods, and where the programs
come from: what is not installed is fetched into the build folder."""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import time

from group import Skip
from procs import Process, Settings, die_with_parent
from resp import Client, RespError, rows

HERE = pathlib.Path(__file__).resolve().parent / "clients"
NODE = (18, 19)  # what the pinned libraries ask for
HOST = "127.0.0.1"


# ---- programs ----

@contextlib.contextmanager
def fetched(name, version):
    """A folder below the build folder, and whether it holds |version| already. If not,
    the block fills it; one test at a time, the others wait."""
    folder = pathlib.Path(Settings.sentinel).resolve().parent / "clients" / name
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "complete"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_there = stamp.exists() and stamp.read_text() == version
        yield folder, is_there
        stamp.write_text(version)


def fetch(argv, folder, what):
    """Runs a package manager; a test that lacks what it should bring is skipped."""
    try:
        run = subprocess.run(argv, cwd=folder, capture_output=True, text=True,
                             stdin=subprocess.DEVNULL, timeout=120)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise Skip(f"{what} cannot be fetched: {error}")
    if run.returncode != 0:
        last = (run.stderr.strip() or run.stdout.strip()).splitlines()[-1:]
        raise Skip(f"{what} cannot be fetched: {argv[0]} says {' '.join(last)}")


def debian_program(name, *packages):
    """(path, environment) of a program. If it is not installed, the packages are
    unpacked in the build folder: no root is needed and no service is started."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    if shutil.which(name, path=path):
        return shutil.which(name, path=path), {}
    with fetched(name, " ".join(packages)) as (folder, is_there):
        if not is_there:
            fetch(["apt-get", "download", "-q", *packages], folder, name)
            for package in folder.glob("*.deb"):
                fetch(["dpkg-deb", "-x", str(package), "root"], folder, name)
                package.unlink()
    root = folder / "root" / "usr"
    libraries = [str(path) for path in root.glob("lib/*-linux-*")]
    found = shutil.which(name, path=f"{root / 'bin'}{os.pathsep}{root / 'sbin'}")
    assert found, f"{packages} hold no {name}"
    return found, {"LD_LIBRARY_PATH": os.pathsep.join(libraries)}


def redis_cli():
    program = shutil.which("redis-cli")
    if program is None:
        raise Skip("redis-cli is not installed")
    return program


def node_modules():
    """Node's program, and the folder with the libraries of package-lock.json."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Skip(f"{program} is not installed; as root, .ci/deps all does that")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True)
    if tuple(map(int, re.findall(r"\d+", version.stdout)[:2])) < NODE:
        raise Skip(f"node {version.stdout.strip()} is older than "
                   f"{'.'.join(map(str, NODE))}")
    lock = HERE / "package-lock.json"
    with fetched("node", hashlib.sha256(lock.read_bytes()).hexdigest()) as \
            (folder, is_there):
        if not is_there:
            for path in (HERE / "package.json", lock):
                shutil.copy(path, folder)
            fetch(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder,
                  "the libraries for Node.js")
    return shutil.which("node"), folder / "node_modules"


# ---- who may do what ----

class Access:
    """How a client proves who it is: to the sentinels and to the data servers."""

    def __init__(self, user=None, password=None, data_user=None, data_password=None):
        self.user, self.password = user, password
        self.data_user, self.data_password = data_user, data_password


OPEN = [Access()]
GUARDED = [Access(None, "of-the-sentinels", None, "of-the-servers"),
           Access("app", "of-the-app", "app", "of-the-apps-data")]
# What a client of a sentinel needs, and no more.
APP_RULES = ("-@all &* +ping +hello +auth +role +command +info +client|id "
             "+client|getname +client|setname +client|setinfo "
             "+subscribe +psubscribe +unsubscribe +punsubscribe "
             "+sentinel|get-master-addr-by-name +sentinel|myid +sentinel|master "
             "+sentinel|masters +sentinel|slaves +sentinel|replicas "
             "+sentinel|sentinels +sentinel|ckquorum")


def open_group(t):
    return t.group(["ours"] * 3).start()


def guarded_group(t):
    """Nobody gets in without one of the two ways of GUARDED."""
    default, app = GUARDED
    group = t.group(
        ["ours"] * 3, password=default.data_password,
        lines=[f"requirepass {default.password}",
               f"user {app.user} on >{app.password} {APP_RULES}"],
        server_lines=[f"user {app.data_user} on >{app.data_password} ~* &* +@all"])
    for sentinel in group.sentinels:
        sentinel.password = default.password
    return group.start()


# ---- clients ----

class Helper(Process):
    """A program that is neither server nor sentinel."""

    def __init__(self, t, name, argv, program, environment):
        n = sum(isinstance(p, Helper) for p in t.processes)
        super().__init__(t.dir, f"{name}-{n}", port=None)
        settings = [f"{key}={value}" for key, value in environment.items()]
        self.words = ["env", *settings, program, *argv]
        t.processes.append(self)

    def argv(self):
        return self.words, shutil.which("env")

    def check(self):
        assert self.alive(), f"{self.name} ended:\n{self.log()[-2000:]}"


class PythonLibrary:
    """python3-redis."""

    def __init__(self, t, group, access):
        try:
            import redis
            import redis.sentinel
        except ImportError:
            raise Skip("python3-redis is not installed")
        self.redis, self.name = redis, group.name
        self.library = redis.sentinel.Sentinel(
            [(HOST, s.port) for s in group.sentinels], min_other_sentinels=2,
            sentinel_kwargs={"username": access.user, "password": access.password,
                             "socket_timeout": 2})
        data = {"username": access.data_user, "password": access.data_password,
                "socket_timeout": 2}
        self.at_master = self.library.master_for(group.name, **data)
        self.at_replica = self.library.slave_for(group.name, **data)

    def attempt(self, function, *args):
        try:
            return function(*args)
        except self.redis.RedisError as error:
            raise RespError(str(error))

    def master(self):
        return self.attempt(self.library.discover_master, self.name)[1]

    def replicas(self):
        return [port for _, port in
                self.attempt(self.library.discover_slaves, self.name)]

    def set(self, key, value):
        return self.attempt(self.at_master.set, key, value)

    def get(self, key):
        value = self.attempt(self.at_replica.get, key)
        return value and value.decode()


class NodeLibrary:
    """A library for Node.js behind clients/driver.js."""
    script = None
    options = {}

    def __init__(self, t, group, access):
        node, modules = node_modules()
        options = {"name": group.name, "sentinels": [s.port for s in group.sentinels],
                   **{key: value for key, value in vars(access).items() if value},
                   **self.options}
        errors = open(t.dir / f"{self.script}-errors", "ab")
        t.cleanups.append(errors.close)
        self.node = subprocess.Popen(
            [node, str(HERE / self.script), json.dumps(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            env={**os.environ, "NODE_PATH": str(modules)}, preexec_fn=die_with_parent)
        t.cleanups += [self.node.kill, self.node.wait]
        self.unread = b""
        self.n_asked = 0

    def read_line(self, deadline):
        while b"\n" not in self.unread:
            left = max(0, deadline - time.monotonic())
            if not select.select([self.node.stdout], [], [], left)[0]:
                raise TimeoutError(f"{self.script} does not answer")
            chunk = os.read(self.node.stdout.fileno(), 65536)
            assert chunk, f"{self.script} ended"
            self.unread += chunk
        line, self.unread = self.unread.split(b"\n", 1)
        return json.loads(line)

    def ask(self, *words):
        self.n_asked += 1
        self.node.stdin.write(f"{self.n_asked} {' '.join(words)}\n".encode())
        self.node.stdin.flush()
        deadline = time.monotonic() + 5 * Settings.slow
        answer = self.read_line(deadline)
        while answer["id"] != self.n_asked:  # one that came too late for its question
            answer = self.read_line(deadline)
        if "error" in answer:
            raise RespError(answer["error"])
        return answer.get("value")

    def master(self):
        return self.ask("master")

    def replicas(self):
        return self.ask("replicas")

    def set(self, key, value):
        return self.ask("set", key, value)

    def get(self, key):
        return self.ask("get", key)


class IORedis(NodeLibrary):
    script = "ioredis.js"


class NodeRedis(NodeLibrary):
    script = "node-redis.js"


class NodeRedis3(NodeRedis):
    options = {"resp": 3}


def read(port, access, key):
    """GET from a data server."""
    with Client(port) as client:
        if access.data_password:
            client("AUTH", *filter(None, (access.data_user, access.data_password)))
        return client("GET", key)


def usable(replicas):
    """The ports of those rows of SENTINEL REPLICAS that a client may use."""
    return [int(row["port"]) for row in replicas
            if not {"s_down", "o_down", "disconnected"} & set(row["flags"].split(","))]


class RedisCli:
    """redis-cli as shell scripts use it: ask a sentinel, then talk to the master."""

    def __init__(self, t, group, access):
        self.program = redis_cli()
        self.group, self.access = group, access

    def run(self, port, user, password, *words):
        environment = dict(os.environ)
        if password:
            environment["REDISCLI_AUTH"] = password
        run = subprocess.run(
            [self.program, "-p", str(port), *(["--user", user] if user else []),
             "-e", *words], capture_output=True, text=True, env=environment, timeout=20)
        if run.returncode != 0 or run.stderr:
            raise RespError(run.stderr + run.stdout)
        return run.stdout.strip()

    def ask(self, *words):
        return self.run(self.group.sentinels[0].port, self.access.user,
                        self.access.password, *words)

    def at(self, port, *words):
        return self.run(port, self.access.data_user, self.access.data_password, *words)

    def master(self):
        address = self.ask("sentinel", "get-master-addr-by-name", self.group.name)
        return int(address.splitlines()[1])

    def replicas(self):
        return usable(json.loads(self.ask("--json", "sentinel", "replicas",
                                          self.group.name)))

    def set(self, key, value):
        return self.at(self.master(), "set", key, value) == "OK"

    def get(self, key):
        return self.at(self.replicas()[0], "get", key)


class Haproxy:
    """haproxy in front of everything: one port leads to the server that two sentinels
    call the master, one to a sentinel that is well."""

    def __init__(self, t, group, access):
        program, environment = debian_program(
            "haproxy", "haproxy", "liblua5.3-0", "libopentracing1",
            "libopentracing-c-wrapper0")
        self.group, self.access = group, access
        self.port, self.sentinels_port = t.ports.take(), t.ports.take()
        conf = t.dir / f"haproxy-{self.port}.cfg"
        conf.write_text("\n".join(self.configuration()) + "\n")
        self.process = Helper(t, "haproxy", ["-db", "-f", str(conf)], program,
                              environment).start()

    def login(self):
        words = list(filter(None, (self.access.user, self.access.password)))
        if words:
            yield r"  tcp-check send AUTH\ " + r"\ ".join(words) + r"\r\n"
            yield "  tcp-check expect string +OK"

    def sentinel_servers(self):
        for sentinel in self.group.sentinels:
            yield (f"  server {sentinel.name} {HOST}:{sentinel.port} "
                   "check inter 200ms rise 1 fall 1")

    def configuration(self):
        yield from ("global", "  maxconn 100", "defaults", "  mode tcp",
                    "  timeout connect 1s", "  timeout client 1m",
                    "  timeout server 1m", "  timeout check 1s")
        yield from ("frontend to_master", f"  bind {HOST}:{self.port}")
        for server in self.group.servers:
            yield f"  use_backend {server.name} if {{ nbsrv(say_{server.name}) ge 2 }}"
        for server in self.group.servers:
            yield from (f"backend {server.name}",
                        f"  server {server.name} {HOST}:{server.port}",
                        f"backend say_{server.name}", "  option tcp-check",
                        "  tcp-check connect")
            yield from self.login()
            yield from (r"  tcp-check send PING\r\n", "  tcp-check expect string +PONG",
                        r"  tcp-check send SENTINEL\ get-master-addr-by-name\ "
                        rf"{self.group.name}\r\n",
                        f"  tcp-check expect string {server.port}",
                        r"  tcp-check send QUIT\r\n", "  tcp-check expect string +OK")
            yield from self.sentinel_servers()
        yield from ("listen sentinels", f"  bind {HOST}:{self.sentinels_port}")
        if self.access.password:
            yield from ("  option tcp-check", "  tcp-check connect", *self.login())
        else:
            yield "  option redis-check"
        yield from self.sentinel_servers()

    def at_master(self, *words):
        self.process.check()
        with Client(self.port) as client:
            if self.access.data_password:
                client("AUTH", *filter(None, (self.access.data_user,
                                              self.access.data_password)))
            return client(*words)

    def master(self):
        server = self.at_master("INFO", "server")
        return int(re.search(r"tcp_port:(\d+)", server)[1])

    def replicas(self):
        with Client(self.sentinels_port) as client:
            if self.access.password:
                client("AUTH", *filter(None, (self.access.user, self.access.password)))
            return usable(rows(client("SENTINEL", "REPLICAS", self.group.name)))

    def set(self, key, value):
        return self.at_master("SET", key, value) == "OK"

    def get(self, key):
        return read(self.replicas()[0], self.access, key)

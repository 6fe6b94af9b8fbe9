"""The examples for containers and for systemd: no engine here runs them, but much of
what would be wrong with them can be seen without one."""

import configparser
import os
import pathlib
import re
import shutil
import subprocess

from contained import Contained
from group import Skip
from procs import Settings, until

TOP = pathlib.Path(__file__).resolve().parents[2]
KUBERNETES = TOP / "examples/kubernetes"
COMPOSE = TOP / "examples/docker-compose"
KINDS = {"Secret": "v1", "Service": "v1", "ConfigMap": "v1", "StatefulSet": "apps/v1",
         "PodDisruptionBudget": "policy/v1"}


def need_yaml():
    try:
        import yaml
    except ImportError as error:
        raise Skip("python3-yaml is not installed") from error
    return yaml


def manifests():
    """{(kind, name): document} of all files."""
    yaml, found = need_yaml(), {}
    for path in sorted(KUBERNETES.glob("*.yaml")):
        for doc in yaml.safe_load_all(path.read_text()):
            assert doc["apiVersion"] == KINDS[doc["kind"]], (path, doc)
            key = doc["kind"], doc["metadata"]["name"]
            assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", key[1]), key
            assert key not in found, f"{key} twice"
            found[key] = doc
    return found


def test_examples_are_clean_yaml(t):
    if not shutil.which("yamllint"):
        raise Skip("yamllint is not installed")
    run = subprocess.run(
        ["yamllint", "-s", "-c", str(TOP / "tests/yamllint.conf"), str(KUBERNETES),
         str(COMPOSE)], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def check_pod(name, spec, labels, found, claims):
    """Everything a pod refers to is there, and it asks for no rights."""
    assert spec["securityContext"]["runAsNonRoot"] is True
    volumes = set(claims)
    for volume in spec["volumes"]:
        volumes.add(volume["name"])
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in found, volume
        else:
            secret = found["Secret", volume["secret"]["secretName"]]
            for item in volume["secret"]["items"]:
                assert item["key"] in secret["stringData"], item
    for container in spec["containers"]:
        mounted = {m["name"] for m in container["volumeMounts"]}
        assert mounted == volumes, (name, mounted, volumes)
        ports = {p["name"]: p["containerPort"] for p in container["ports"]}
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
        for kind in ("livenessProbe", "readinessProbe"):
            probe = container[kind]
            assert set(probe) & {"exec", "tcpSocket"}, probe
            if "tcpSocket" in probe:
                assert probe["tcpSocket"]["port"] in ports, probe
        # Nothing but a process that hangs for long is restarted.
        live = container["livenessProbe"]
        assert live["exec"]["command"][-1] == "ping"
        assert live["periodSeconds"] * live["failureThreshold"] >= 60
        for service in (d for (kind, _), d in found.items() if kind == "Service"):
            if service["spec"]["selector"] == labels:
                for port in service["spec"]["ports"]:
                    target = port.get("targetPort", port["port"])
                    assert target in ports or target in ports.values(), service


def test_examples_kubernetes_refers_to_what_is_there(t):
    found = manifests()
    sets = {name: doc for (kind, name), doc in found.items() if kind == "StatefulSet"}
    assert set(sets) == {"redis", "sentinel"}
    for name, doc in sets.items():
        spec, template = doc["spec"], doc["spec"]["template"]
        labels = template["metadata"]["labels"]
        assert spec["selector"]["matchLabels"] == labels
        service = found["Service", spec["serviceName"]]["spec"]
        assert service["clusterIP"] == "None" and service["selector"] == labels
        assert service["publishNotReadyAddresses"] is True
        claims = [c["metadata"]["name"] for c in spec["volumeClaimTemplates"]]
        check_pod(name, template["spec"], labels, found, claims)
    budget = found["PodDisruptionBudget", "sentinel"]["spec"]
    assert budget["selector"]["matchLabels"] == {"app": "sentinel"}
    assert budget["maxUnavailable"] == 1
    script = found["ConfigMap", "redis"]["data"]["start.sh"]
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    used = set(re.findall(r"-h (\S+)|(?:redis-\d)\.(\w+)", script))
    for host in {a or b for a, b in used}:
        assert ("Service", host) in found, host


class Start:
    """Runs a script that starts a data server, with programs that only say what they
    were told, and a folder in place of the volume."""

    def __init__(self, t, script):
        self.conf, self.programs = t.dir / "data/redis.conf", t.dir / "programs"
        self.conf.parent.mkdir()
        self.programs.mkdir()
        self.script = script.replace("/data/", f"{self.conf.parent}/")

    def program(self, name, text):
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def __call__(self, host, answer="exit 1"):
        """The lines of the file that the server was started with."""
        self.program("hostname", f"echo {host}")
        self.program("redis-cli", answer)
        self.program("redis-server", 'cat "$1"')
        run = subprocess.run(
            ["sh", "-c", self.script], capture_output=True, text=True, timeout=20,
            env={"PATH": f"{self.programs}:{os.environ['PATH']}"})
        assert run.returncode == 0, run
        assert sorted(p.name for p in self.conf.parent.iterdir()) == ["redis.conf"]
        return run.stdout.splitlines()


def test_examples_kubernetes_server_stays_what_it_was(t):
    """A restart of everything must not make a master of whoever has the first name."""
    start = Start(t, manifests()["ConfigMap", "redis"]["data"]["start.sh"])
    first = start("redis-1")
    assert "replica-announce-ip redis-1.redis" in first
    assert "replicaof redis-0.redis 6379" in first, "a new volume, and no sentinel"

    start.conf.write_text("was promoted\n")
    for silent in ("exit 1", "echo", "echo ERR No such master; exit 1"):
        assert start("redis-1", silent) == ["was promoted"], silent
        assert start("redis-0", silent) == ["was promoted"], silent

    told = start("redis-0", "echo redis-1.redis; echo 6379")
    assert "replicaof redis-1.redis 6379" in told and "was promoted" not in told
    assert "appendonly yes" in told
    assert "replicaof" not in " ".join(
        start("redis-1", "echo redis-1.redis; echo 6379"))


def test_examples_compose_server_stays_what_it_was(t):
    start = Start(t, (COMPOSE / "redis.sh").read_text())
    assert "replicaof redis-1 6379" in start("redis-2")
    start.conf.write_text("was promoted\n")
    assert start("redis-2") == ["was promoted"]
    start.conf.unlink()
    told = start("redis-1")
    assert "replicaof" not in " ".join(told) and "appendonly yes" in told


def test_examples_kubernetes_configuration_runs(t):
    """As in the pod: read-only, any user, the arguments of the container."""
    found = manifests()
    pod = found["StatefulSet", "sentinel"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    s = Contained(t, "ours", [], user_id=pod["securityContext"]["runAsUser"])
    text = found["ConfigMap", "sentinel"]["data"]["sentinel.conf"]
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    directory = re.search(r"state-dir (\S+)", text)[1]
    assert directory == mounts["state"]
    secret = s.dir / "secret"
    secret.mkdir()
    (secret / "sentinel.conf").write_text(
        found["Secret", "redis"]["stringData"]["sentinel.conf"])
    assert f"include {mounts['secret']}/sentinel.conf" in text
    s.conf.write_text(text.replace(mounts["secret"], str(secret))
                      .replace(directory, str(s.state)).replace("26379", str(s.port)))
    s.conf.chmod(0o444)
    assert container["args"][0] == mounts["config"] + "/sentinel.conf"
    s.arguments = [str(s.conf)] + [
        a.replace("$(POD_NAME)", "sentinel-0") for a in container["args"][1:]]
    s.start().wait_answers()
    assert s.sentinel("CONFIG", "GET", "announce-ip")[1] == "sentinel-0.sentinel"
    assert s.sentinel("GET-MASTER-ADDR-BY-NAME", "mymaster")[0] == "redis-0.redis"
    until(lambda: "current-epoch" in (s.state / "sentinel.state").read_text(), 5,
          "the state is saved")


def test_examples_compose(t):
    doc = need_yaml().safe_load((COMPOSE / "docker-compose.yaml").read_text())
    services = doc["services"]
    conf = (COMPOSE / "sentinel.conf").read_text()
    master = re.search(r"sentinel monitor \S+ (\S+)", conf)[1]
    assert services[master]["hostname"] == master
    used = set()
    for name, service in services.items():
        assert service["hostname"] == name and service["read_only"] is True
        for other in service.get("depends_on", []):
            assert other in services, other
        if "build" not in service:
            assert "tmpfs" not in service, "what is restarted empty wipes its replicas"
            script, volume = (v.split(":") for v in service["volumes"])
            assert (COMPOSE / script[0]).is_file()
            assert service["command"] == ["sh", script[1]]
            assert volume == [name, "/data"]
            used.add(name)
            continue
        build = service["build"]
        assert (COMPOSE / build["context"] / build["dockerfile"]).is_file()
        assert service["command"][1:] == ["--sentinel", "announce-ip", name]
        file, volume = service["volumes"]
        source, target, mode = file.split(":")
        assert (COMPOSE / source).is_file() and target == service["command"][0]
        assert mode == "ro"
        used.add(volume.split(":")[0])
        assert volume.split(":")[1] == re.search(r"state-dir (\S+)", conf)[1]
    assert used == set(doc["volumes"]) == set(services)
    program = str(pathlib.Path(Settings.sentinel).absolute())
    here = t.dir / "sentinel.conf"
    here.write_text(re.sub(r"state-dir \S+", f"state-dir {t.dir}", conf))
    run = subprocess.run([program, "--check-config", str(here)],
                         capture_output=True, text=True, timeout=20)
    assert run.returncode == 0, run


def packages_of_libraries():
    """The packages of what the program is linked to, libc aside."""
    run = subprocess.run(["ldd", Settings.sentinel], capture_output=True, text=True,
                         check=True)
    found = set()
    for path in re.findall(r"=> (/\S+)", run.stdout):
        real = str(pathlib.Path(path).resolve())
        for name in (path, real, real.removeprefix("/usr")):
            owner = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True)
            if owner.returncode == 0:
                found.add(owner.stdout.split(":")[0])
                break
    return found - {"libc6", "libgcc-s1"}


def test_examples_dockerfile(t):
    """What it copies is there, and what it installs is what build and program need."""
    text = re.sub(r"\\\n", " ", (COMPOSE / "Dockerfile").read_text())
    stages = re.split(r"(?m)^FROM ", text)[1:]
    assert len(stages) == 2 and all(s.startswith("debian:12-slim") for s in stages)
    known = {"FROM", "RUN", "COPY", "USER", "VOLUME", "EXPOSE", "ENTRYPOINT"}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            assert line.split()[0] in known, line
    installed = [set(re.search(r"--no-install-recommends\s+([^&]+)", s)[1].split())
                 for s in stages]
    for sources in re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", text):
        for source in sources.split():
            assert (TOP / source).exists(), source
    deps = (TOP / ".ci/deps").read_text()
    demo = deps[deps.index("look() {"):deps.index('[ "$1" != demo ]')]
    needed = set(re.findall(r"need (\S+)", demo)) - {"redis-tools", "python3"}
    assert installed[0] == needed, (installed[0], needed)
    if not shutil.which("dpkg"):
        raise Skip("dpkg is not installed")
    assert packages_of_libraries() <= installed[1], packages_of_libraries()


def test_examples_systemd_allows_what_the_scripts_do(t):
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read(TOP / "examples/sentinel.service")
    service = unit["Service"]
    assert service["ProtectSystem"] == "strict"
    script = (TOP / "examples/reconfig.sh").read_text()
    folder = re.search(r"TARGET_DIR:-(\S+)}", script)[1]
    assert folder == "/run/" + service["RuntimeDirectory"]
    assert service["RuntimeDirectoryPreserve"] == "yes"
    assert service["ReadWritePaths"] == "-/var/log/redis"


def test_examples_notify_wakes_nobody_for_a_split_vote(t):
    logger = t.dir / "logger"
    logger.write_text('#!/bin/sh\necho "$4"\n')
    logger.chmod(0o755)
    for event, priority in (("+odown", "crit"), ("+switch-master", "crit"),
                            ("-failover-abort-no-good-slave", "crit"),
                            ("-failover-abort-not-elected", "warning"),
                            ("+sdown", "warning"), ("+reboot", "notice")):
        run = subprocess.run(
            ["sh", str(TOP / "examples/notify.sh"), event, "master m 192.0.2.1 6379"],
            capture_output=True, text=True, check=True,
            env={"PATH": f"{t.dir}:{os.environ['PATH']}"})
        assert run.stdout == f"user.{priority}\n", (event, run)

"""The examples for containers: no engine here runs them, but much of what would be
wrong with them can be seen without one."""

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
    assert used == set(doc["volumes"]) and len(used) == 3
    program = str(pathlib.Path(Settings.sentinel).absolute())
    run = subprocess.run([program, "--check-config", str(COMPOSE / "sentinel.conf")],
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

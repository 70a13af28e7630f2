"""What kustomize has rendered of one overlay, and what of the checkout the rules hold it against."""

import re
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
API = "iris-prediction-api"
# Sizes as the service and as Kubernetes write them.
UNITS = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def size_bytes(text):
    number, unit = re.fullmatch(r"(\d+)\s*(\w*)", str(text)).groups()
    return int(number) * UNITS[unit]


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text).group(1))


def service_default(variable):
    """The default of a flag of the service, as its source has it."""
    source = (CHECKOUT / "service/src/config/serve.rs").read_text()
    return re.search(rf'env = "{variable}",\s*default_value = "([^"]+)"', source).group(1)


def service_paths():
    """The paths of the service's probes."""
    return set(re.findall(r'pub const \w+: &str = "(/\w+)";', (CHECKOUT / "service/src/http/routes.rs").read_text()))


class Pod:
    """A pod template, of whatever makes pods of it."""

    def __init__(self, owner):
        template = owner["spec"]["template"]
        self.owner, self.name = owner, f"{owner['kind']} {owner['metadata']['name']}"
        self.labels, self.spec = template["metadata"]["labels"], template["spec"]
        self.containers = self.spec["containers"] + self.spec.get("initContainers", [])

    def ports(self):
        """Port numbers, and the same by name."""
        ports = [port for container in self.containers for port in container.get("ports", [])]
        return {port["containerPort"]: port["containerPort"] for port in ports} | {
            port["name"]: port["containerPort"] for port in ports if "name" in port}


class Rendered:
    """All objects of one overlay."""

    def __init__(self, overlay, objects):
        self.overlay, self.objects = overlay, objects

    def of(self, *kinds):
        return [thing for thing in self.objects if thing["kind"] in kinds]

    def one(self, kind, name):
        return next((thing for thing in self.of(kind) if thing["metadata"]["name"] == name), None)

    def pods(self, selector=None):
        """Pod templates, those that a selector means."""
        pods = [Pod(owner) for owner in self.of("Deployment", "StatefulSet", "Job")]
        return pods if selector is None else [pod for pod in pods if selects(selector, pod.labels)]

    def api(self):
        return next((pod for pod in self.pods() if pod.name == f"Deployment {API}"), None)


def read(overlay, text):
    return Rendered(overlay, [thing for thing in yaml.safe_load_all(text) if thing])


def selects(selector, labels):
    wanted = selector.get("matchLabels", {}) if "matchLabels" in selector or not selector else selector
    assert "matchExpressions" not in selector, "no rule here understands matchExpressions"
    return wanted.items() <= labels.items()


def environment(container):
    """Its variables in their order; None for those whose value the cluster knows."""
    return {entry["name"]: entry.get("value") for entry in container.get("env", [])}

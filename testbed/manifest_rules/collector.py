"""The collector: every span is taken, kept and handed on; and what the verifier may do."""

import re

import yaml

from rendered import environment

# Role: (API group, resource) and what may be done to it. Nothing else is granted.
READ = {"get", "list", "watch"}
GRANTED = {
    "verifier-read": {
        ("", "pods"): READ, ("", "pods/log"): {"get"}, ("", "services"): {"get"},
        ("", "events"): READ - {"get"}, ("events.k8s.io", "events"): READ - {"get"},
        ("apps", "deployments"): READ, ("apps", "replicasets"): READ,
        ("autoscaling", "horizontalpodautoscalers"): READ,
        ("discovery.k8s.io", "endpointslices"): READ - {"get"},
        ("metrics.k8s.io", "pods"): READ - {"watch"},
        ("policy", "poddisruptionbudgets"): READ - {"watch"},
    },
    "verifier-faults": {
        ("", "pods"): {"delete"}, ("", "pods/eviction"): {"create"},
        ("apps", "deployments/scale"): {"get", "patch", "update"}, ("apps", "deployments"): {"patch"},
        ("coordination.k8s.io", "leases"): {"get", "create", "update"},
    },
    "iris-verifier-nodes": {("", "nodes"): READ},
    "iris-verifier-cordon": {("", "nodes"): {"get", "patch"}},
}


def merged(into, add):
    """As the collector merges its configurations: maps deep, all else replaced."""
    for key, value in (add or {}).items():
        deep = isinstance(value, dict) and isinstance(into.get(key), dict)
        into[key] = merged(into[key], value) if deep else value
    return into


class Collector:
    """The collector of an overlay: its container, the texts of its configurations, and what they come to."""

    def __init__(self, rendered):
        self.pod = next(pod for pod in rendered.pods() if pod.labels.get("app") == "otel-collector")
        self.container = self.pod.containers[0]
        folders = {mount["mountPath"]: mount["name"] for mount in self.container["volumeMounts"]}
        maps = {volume["name"]: volume["configMap"]["name"] for volume in self.pod.spec["volumes"] if "configMap" in volume}
        self.missing, self.texts, self.whole = [], [], {}
        for argument in self.container["args"]:
            folder, _, file = argument.removeprefix("--config=").rpartition("/")
            data = (rendered.one("ConfigMap", maps.get(folders.get(folder), "")) or {}).get("data", {})
            if file not in data:
                self.missing.append(argument)
                continue
            self.texts.append(data[file])
            merged(self.whole, yaml.safe_load(data[file]))

    def exporters(self):
        names = [name for pipeline in self.whole["service"]["pipelines"].values() for name in pipeline.get("exporters", [])]
        return {name: self.whole["exporters"][name] for name in names}


def nothing_samples(rendered):
    for pod in rendered.pods():
        for container in pod.containers:
            sampler = environment(container).get("OTEL_TRACES_SAMPLER", "always_on")
            if sampler != "always_on":
                yield f"{pod.name}: OTEL_TRACES_SAMPLER={sampler}"
    for config_map in rendered.of("ConfigMap"):
        for file, text in config_map.get("data", {}).items():
            for forbidden in re.findall(r"tail_sampling|probabilistic_sampler|groupbytrace|group_by_trace", text):
                yield f"{config_map['metadata']['name']}, {file}: {forbidden}"
            if not file.endswith(".yaml"):
                continue
            parsed = yaml.safe_load(text) or {}
            pipelines = parsed.get("service", {}).get("pipelines", {}).values()
            processors = set(parsed.get("processors", {})) | {name for one in pipelines for name in one.get("processors", [])}
            for processor in sorted(processors - {"memory_limiter"}):
                yield f"{config_map['metadata']['name']}, {file}: processor {processor}; only memory_limiter neither drops nor hides"


def the_collector_reads_what_it_is_told(rendered):
    collector = Collector(rendered)
    for argument in collector.missing:
        yield f"{argument}: there is no such file"
    if rendered.overlay == "base":
        return  # says nowhere where spans go, so nowhere where they are kept
    # What an exporter reads that no pipeline uses has no effect.
    used = collector.whole | {"exporters": collector.exporters()}
    read = set(re.findall(r"\$\{env:(\w+)", yaml.safe_dump(used)))
    for name in sorted(set(environment(collector.container)) - read - {"GOMEMLIMIT"}):
        yield f"{name} is set, and none of its configurations reads it"


def what_was_acknowledged_is_kept(rendered):
    collector = Collector(rendered)
    if rendered.overlay == "base":
        return  # says nowhere where spans go
    exporters = collector.exporters()
    if not exporters:
        yield "spans go nowhere"
    for name, exporter in exporters.items():
        queue = exporter.get("sending_queue", {})
        if queue.get("storage") != "file_storage" or queue.get("block_on_overflow") is not True:
            yield f"{name}: its queue is in memory, or drops when it is full"
        if exporter.get("retry_on_failure", {}).get("max_elapsed_time") != "0s":
            yield f"{name} gives up"
    claims = {claim["metadata"]["name"] for claim in collector.pod.owner["spec"].get("volumeClaimTemplates", [])}
    folder = environment(collector.container)["QUEUE_FOLDER"]
    if not any(mount["name"] in claims and folder.startswith(mount["mountPath"] + "/")
               for mount in collector.container["volumeMounts"]):
        yield f"QUEUE_FOLDER={folder} goes with the pod"


def its_limits_fit_its_memory(rendered):
    variables = environment(Collector(rendered).container)
    limit = int(re.fullmatch(r"(\d+)Gi", Collector(rendered).container["resources"]["limits"]["memory"]).group(1)) * 1024
    hard, soft = int(variables["COLLECTOR_MEMORY_MIB"]), int(variables["GOMEMLIMIT"].removesuffix("MiB"))
    if not soft <= hard * 0.8 <= limit * 0.7:
        yield f"GOMEMLIMIT {soft}, memory_limiter {hard} and the kernel {limit} MiB stand too close"


def roles_grant_what_is_written_down(rendered):
    for role in rendered.of("Role", "ClusterRole"):
        name = role["metadata"]["name"]
        granted = {}
        for rule in role["rules"]:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    granted.setdefault((group, resource), set()).update(rule["verbs"])
        if granted != GRANTED.get(name):
            yield f"{role['kind']} {name} grants something else than is written down: {granted}"
    for binding in rendered.of("RoleBinding", "ClusterRoleBinding"):
        name = binding["metadata"]["name"]
        if rendered.one(binding["roleRef"]["kind"], binding["roleRef"]["name"]) is None:
            yield f"{name} binds a role that is not there"
        if binding["subjects"] != [{"kind": "ServiceAccount", "name": "verifier", "namespace": "iris"}]:
            yield f"{name} binds somebody else than the verifier"
    for pod in rendered.pods():
        if pod.spec.get("automountServiceAccountToken") and pod.spec.get("serviceAccountName") != "verifier":
            yield f"{pod.name} has a token, and needs none"


RULES = [nothing_samples, the_collector_reads_what_it_is_told, what_was_acknowledged_is_kept, its_limits_fit_its_memory,
         roles_grant_what_is_written_down]

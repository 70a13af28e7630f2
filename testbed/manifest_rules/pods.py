"""Every pod: what it is allowed, what it asks for, and whether all that names something means something."""

import re

from rendered import API, CHECKOUT, selects, size_bytes

RESTRICTED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret", "downwardAPI", "csi", "ephemeral"}


def pods_are_restricted(rendered):
    """The Pod Security Standard `restricted`, a read-only root file system, and no token that nobody needs."""
    for pod in rendered.pods():
        of_pod = pod.spec.get("securityContext", {})
        if of_pod.get("runAsNonRoot") is not True or not of_pod.get("runAsUser"):
            yield f"{pod.name} may run as root"
        if of_pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{pod.name} has no seccomp profile"
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.spec.get(name):
                yield f"{pod.name} has {name}"
        for volume in pod.spec.get("volumes", []):
            if not set(volume) - {"name"} <= RESTRICTED_VOLUMES:
                yield f"{pod.name}: volume {volume['name']} is of a kind that is not allowed"
        if "automountServiceAccountToken" not in pod.spec:
            yield f"{pod.name} does not say whether it needs a token of its ServiceAccount"
        for container in pod.containers:
            context = container.get("securityContext", {})
            if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
                yield f"{pod.name} may gain privileges"
            if context.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{pod.name} keeps capabilities"
            if context.get("readOnlyRootFilesystem") is not True:
                yield f"{pod.name} may write to its root file system"
            if set(context) & {"runAsUser", "runAsNonRoot", "seccompProfile"}:
                yield f"{pod.name}: a container overrides its pod"


def the_namespace_admits_only_restricted_pods(rendered):
    for namespace in rendered.of("Namespace"):
        if namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"Namespace {namespace['metadata']['name']} admits any pod"


def memory_is_promised_and_cpu_is_not_capped(rendered):
    for pod in rendered.pods():
        for container in pod.containers:
            requests, limits = (container.get("resources", {}).get(kind, {}) for kind in ("requests", "limits"))
            if "cpu" not in requests:
                yield f"{pod.name} asks for no CPU: an HPA has nothing to hold its use against"
            if "cpu" in limits:
                yield f"{pod.name} has a CPU limit"
            if "memory" not in limits or size_bytes(limits["memory"]) != size_bytes(requests.get("memory", 0)):
                yield f"{pod.name}: memory limit and request differ"


def images_are_pinned(rendered):
    version = re.search(r'^version = "(.*)"$', (CHECKOUT / "Cargo.toml").read_text(), re.M).group(1)
    for pod in rendered.pods():
        for container in pod.containers:
            name, _, tag = container["image"].rpartition("/")[2].partition(":")
            if tag in ("", "latest"):
                yield f"{pod.name}: {container['image']} is whatever was pushed last"
            if name in (API, "iris-verifier") and tag != version:
                yield f"{pod.name}: {container['image']} is not this version, {version}"
            if container.get("imagePullPolicy") != "IfNotPresent":
                yield f"{pod.name}: an image that is there is pulled all the same"


def others_are_probed(rendered):
    for pod in rendered.pods():
        for container in pod.containers:
            missing = {"startupProbe", "readinessProbe", "livenessProbe"} - set(container)
            if missing and pod.owner["kind"] != "Job":
                yield f"{pod.name} has no {', '.join(sorted(missing))}"


def variables_stand_below_what_they_name(rendered):
    """$(NAME) in a variable stands for itself unless NAME is defined above it; in arguments, unless it is defined."""
    for pod in rendered.pods():
        for container in pod.containers:
            known = {"JOB_COMPLETION_INDEX"} if pod.owner["spec"].get("completionMode") == "Indexed" else set()
            for variable in container.get("env", []):
                for name in re.findall(r"\$\((\w+)\)", variable.get("value", "")):
                    if name not in known:
                        yield f"{pod.name}: {variable['name']} names $({name}), which is not defined above it"
                known.add(variable["name"])
            for name in re.findall(r"\$\((\w+)\)", " ".join(container.get("args", []))):
                if name not in known:
                    yield f"{pod.name}: an argument names $({name}), which is not defined"


def selectors_find_pods(rendered):
    for thing in rendered.objects:
        name, spec = f"{thing['kind']} {thing['metadata']['name']}", thing.get("spec", {})
        selectors = []
        if thing["kind"] in ("Deployment", "StatefulSet"):
            if not selects(spec["selector"], spec["template"]["metadata"]["labels"]):
                yield f"{name} does not select its own pods"
        elif thing["kind"] == "Service" and "selector" in spec:
            selectors = [spec["selector"]]
        elif thing["kind"] == "PodDisruptionBudget":
            selectors = [spec["selector"]]
        elif thing["kind"] == "NetworkPolicy":
            peers = [peer for way, key in (("ingress", "from"), ("egress", "to"))
                     for rule in spec.get(way, []) for peer in rule.get(key, [])]
            selectors = [spec["podSelector"]] + [peer["podSelector"] for peer in peers if "podSelector" in peer]
        for selector in selectors:
            if not rendered.pods(selector):
                yield f"{name} selects {selector}, which no pod here has"
    for pod in rendered.pods():
        for spread in pod.spec.get("topologySpreadConstraints", []):
            if not selects(spread["labelSelector"], pod.labels):
                yield f"{pod.name} is spread among pods that are not its own"


def ports_lead_somewhere(rendered):
    for service in rendered.of("Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        for port in spec["ports"]:
            for pod in rendered.pods(spec["selector"]) if "selector" in spec else []:
                if port.get("targetPort", port["port"]) not in pod.ports():
                    yield f"Service {name}: port {port['port']} leads to no port of {pod.name}"
            if "selector" not in spec:
                slices = [part for part in rendered.of("EndpointSlice")
                          if part["metadata"]["labels"].get("kubernetes.io/service-name") == name]
                if (port["name"], port["targetPort"]) not in [(to["name"], to["port"]) for part in slices for to in part["ports"]]:
                    yield f"Service {name}: port {port['port']} leads to no address"
    for policy in rendered.of("NetworkPolicy"):
        own = rendered.pods(policy["spec"]["podSelector"])
        for rule in policy["spec"].get("ingress", []):
            for port in rule.get("ports", []):
                if not all(port["port"] in pod.ports() for pod in own):
                    yield f"NetworkPolicy {policy['metadata']['name']}: its pods have no port {port['port']}"


def what_is_named_is_there(rendered):
    for pod in rendered.pods():
        wanted = [("ServiceAccount", pod.spec.get("serviceAccountName", "default"))]
        for volume in pod.spec.get("volumes", []):
            wanted += [("ConfigMap", volume["configMap"]["name"])] if "configMap" in volume else []
            wanted += [("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])] if "persistentVolumeClaim" in volume else []
        for variable in (variable for container in pod.containers for variable in container.get("env", [])):
            reference = variable.get("valueFrom", {}).get("configMapKeyRef")
            if reference and reference["key"] not in (rendered.one("ConfigMap", reference["name"]) or {}).get("data", {}):
                yield f"{pod.name}: there is no ConfigMap {reference['name']} with {reference['key']}"
        for name in [pod.owner["spec"].get("serviceName"), pod.spec.get("subdomain")]:
            wanted += [("Service", name)] if name else []
        for kind, name in wanted:
            if name != "default" and rendered.one(kind, name) is None:
                yield f"{pod.name} needs {kind} {name}, which is not there"
    for thing in rendered.objects:
        cluster_wide = thing["kind"] in ("Namespace", "ClusterRole", "ClusterRoleBinding")
        if not cluster_wide and thing["metadata"].get("namespace") != "iris":
            yield f"{thing['kind']} {thing['metadata']['name']} is not in the namespace iris"


def a_node_can_be_drained(rendered):
    for budget in rendered.of("PodDisruptionBudget"):
        spec = budget["spec"]
        for pod in rendered.pods(spec["selector"]):
            scalers = [hpa["spec"]["minReplicas"] for hpa in rendered.of("HorizontalPodAutoscaler")
                       if hpa["spec"]["scaleTargetRef"]["name"] == pod.owner["metadata"]["name"]]
            fewest = scalers[0] if scalers else pod.owner["spec"]["replicas"]
            if spec.get("minAvailable", 0) >= fewest:
                yield f"PodDisruptionBudget {budget['metadata']['name']} lets no pod of {pod.name} go"
        if spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"PodDisruptionBudget {budget['metadata']['name']}: a broken pod would keep its node"
    if not any(rendered.api() and selects(budget["spec"]["selector"], rendered.api().labels)
               for budget in rendered.of("PodDisruptionBudget")):
        yield "nothing protects the service's pods when nodes are drained"


RULES = [pods_are_restricted, the_namespace_admits_only_restricted_pods, memory_is_promised_and_cpu_is_not_capped,
         images_are_pinned, others_are_probed, variables_stand_below_what_they_name, selectors_find_pods, ports_lead_somewhere,
         what_is_named_is_there, a_node_can_be_drained]

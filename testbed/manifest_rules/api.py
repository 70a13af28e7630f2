"""The service: what it is called, how it is reached, asked, scaled and stopped."""

from rendered import API, environment, seconds, service_default, service_paths, size_bytes


def meant_for_a_cloud(rendered):
    return rendered.overlay.startswith(("base", "gke"))


def the_api_has_its_names(rendered):
    wanted = {("Deployment", API), ("Service", f"{API}-service"), ("HorizontalPodAutoscaler", f"{API}-hpa")}
    for kind, name in sorted(wanted):
        thing = rendered.one(kind, name)
        if thing is None:
            yield f"there is no {kind} {name}"
        elif thing["metadata"].get("labels", {}).get("app") != API:
            yield f"{kind} {name} is not labelled app={API}"
    pod = rendered.api()
    if pod and (pod.labels.get("app"), pod.owner["spec"]["selector"]) != (API, {"matchLabels": {"app": API}}):
        yield f"the pods are not those with app={API}"


def port_80_leads_to_the_api(rendered):
    service = rendered.one("Service", f"{API}-service")["spec"]
    kind = "LoadBalancer" if meant_for_a_cloud(rendered) else "NodePort"
    if service["type"] != kind:
        yield f"the Service is a {service['type']}, not a {kind}"
    targets = [port["targetPort"] for port in service["ports"] if port["port"] == 80]
    if [rendered.api().ports().get(target) for target in targets] != [8080]:
        yield "port 80 of the Service does not lead to port 8080 of the pods"


def spans_go_to_the_collector(rendered):
    variables = environment(rendered.api().containers[0])
    endpoint = variables.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    host, _, port = endpoint.removeprefix("http://").partition(":")
    service = rendered.one("Service", host)
    if service is None or int(port) not in [known["port"] for known in service["spec"]["ports"]]:
        yield f"OTEL_EXPORTER_OTLP_ENDPOINT={endpoint} is no Service here"
    if not variables.get("OTEL_SERVICE_NAME"):
        yield "OTEL_SERVICE_NAME is not set"
    for name in ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        if name in variables:
            yield f"{name} is set: nothing may turn traces off"


def probes_ask_what_they_mean(rendered):
    container = rendered.api().containers[0]
    paths = {kind: container.get(kind, {}).get("httpGet", {}).get("path")
             for kind in ("startupProbe", "readinessProbe", "livenessProbe")}
    for kind, path in paths.items():
        if path not in service_paths():
            yield f"{kind} asks for {path}, which the service does not have"
    if paths["readinessProbe"] == paths["livenessProbe"]:
        yield "readiness and liveness are the same question: a service that is drained would be restarted"
    if paths["readinessProbe"] != "/readyz" or paths["livenessProbe"] != "/livez":
        yield "readiness is /readyz, liveness is /livez"


def what_it_may_hold_fits_its_memory(rendered):
    pod = rendered.api()
    variables = environment(pod.containers[0])

    def told(name):
        return size_bytes(variables.get(name) or service_default(name))

    # README.md: the buffer, 32 MiB, and 32 KiB a connection.
    most = told("IRIS_SPAN_BUFFER") + (32 << 20) + told("IRIS_MAX_CONNECTIONS") * (32 << 10)
    limit = size_bytes(pod.containers[0]["resources"]["limits"]["memory"])
    if most > limit:
        yield f"it may take {most >> 20} MiB, and has {limit >> 20}"
    if "IRIS_SPAN_SPILL" in variables:
        mounted = {mount["mountPath"]: mount["name"] for mount in pod.containers[0].get("volumeMounts", [])}
        volume = next((volume for volume in pod.spec["volumes"]
                       if volume["name"] == mounted.get(variables["IRIS_SPAN_SPILL"])), {})
        room = size_bytes(volume.get("emptyDir", {}).get("sizeLimit", 0))
        if told("IRIS_SPAN_SPILL_LIMIT") > room:
            yield f"IRIS_SPAN_SPILL_LIMIT is more than its folder's {room >> 20} MiB: the pod would be evicted"


def there_is_time_to_stop(rendered):
    pod = rendered.api()
    container = pod.containers[0]
    pre_stop = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds")
    if not pre_stop:
        yield "preStop does not sleep: the load balancer still sends connections to a service that drains"
    variables = environment(container)
    own = sum(seconds(variables.get(name) or service_default(name))
              for name in ("IRIS_DRAIN_DELAY", "IRIS_DRAIN_TIMEOUT", "IRIS_FLUSH_TIMEOUT"))
    # service/src/telemetry/spill: its last writes.
    needed = (pre_stop or 0) + own + (5 if "IRIS_SPAN_SPILL" in variables else 0)
    if pod.spec["terminationGracePeriodSeconds"] <= needed:
        yield f"killed after {pod.spec['terminationGracePeriodSeconds']} s, and needs {needed} s to stop"


def the_hpa_alone_says_how_many(rendered):
    hpa = rendered.one("HorizontalPodAutoscaler", f"{API}-hpa")["spec"]
    target = rendered.one(hpa["scaleTargetRef"]["kind"], hpa["scaleTargetRef"]["name"])
    if target is None:
        yield f"scales {hpa['scaleTargetRef']}, which is not there"
    elif "replicas" in target["spec"]:
        yield "the Deployment has replicas: each apply would reset the HPA's"
    cpu = [metric for metric in hpa["metrics"] if metric["type"] == "Resource" and metric["resource"]["name"] == "cpu"]
    # On one machine the load that its other half can make does not come near 60 %: overlays/local/api.yaml.
    least, most = (60, 70) if meant_for_a_cloud(rendered) else (15, 15)
    if [least <= metric["resource"]["target"]["averageUtilization"] <= most for metric in cpu] != [True]:
        yield f"does not scale at {least} to {most} % of the CPU that is asked for"
    if not 1 <= hpa["minReplicas"] < hpa["maxReplicas"] <= 10:
        yield f"from {hpa['minReplicas']} to {hpa['maxReplicas']} replicas"
    for direction in ("scaleUp", "scaleDown"):
        if "stabilizationWindowSeconds" not in hpa.get("behavior", {}).get(direction, {}):
            yield f"says nothing about {direction}"


def an_update_takes_no_pod_away(rendered):
    strategy = rendered.api().owner["spec"].get("strategy", {})
    if strategy.get("type") != "RollingUpdate" or strategy["rollingUpdate"].get("maxUnavailable") != 0:
        yield "maxUnavailable is not 0"


RULES = [the_api_has_its_names, port_80_leads_to_the_api, spans_go_to_the_collector, probes_ask_what_they_mean,
         what_it_may_hold_fits_its_memory, there_is_time_to_stop, the_hpa_alone_says_how_many, an_update_takes_no_pod_away]

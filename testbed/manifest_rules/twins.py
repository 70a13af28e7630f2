"""For each rule manifests that break it: a rule that lets its twin pass checks nothing."""

import re

from rendered import API


def container(rendered, kind="Deployment", name=API):
    return rendered.one(kind, name)["spec"]["template"]["spec"]["containers"][0]


def pod(rendered, kind="Deployment", name=API):
    return rendered.one(kind, name)["spec"]["template"]["spec"]


def spec(rendered, kind, name):
    return rendered.one(kind, name)["spec"]


def hpa(rendered):
    return spec(rendered, "HorizontalPodAutoscaler", f"{API}-hpa")


def api_service(rendered):
    return spec(rendered, "Service", f"{API}-service")


def sets(rendered, name, value, kind="Deployment", of=API):
    """Gives a container's variable another value, or a new one at the end."""
    variables = container(rendered, kind, of)["env"]
    known = [variable for variable in variables if variable["name"] == name]
    if known:
        known[0]["value"] = value
    else:
        variables.append({"name": name, "value": value})


def rewrites(rendered, file, pattern, replacement):
    """Changes a configuration of the collector."""
    for config_map in rendered.of("ConfigMap"):
        if file in config_map.get("data", {}):
            text, changes = re.subn(pattern, replacement, config_map["data"][file])
            assert changes, f"{file} has no {pattern}"
            config_map["data"][file] = text


def collector(rendered):
    return container(rendered, "StatefulSet", "otel-collector")


def deletes(rendered, kind, name):
    rendered.objects.remove(rendered.one(kind, name))


def takes_first_up(rendered):
    variables = container(rendered)["env"]
    variables.insert(0, variables.pop(next(i for i, v in enumerate(variables) if v["name"] == "OTEL_RESOURCE_ATTRIBUTES")))


def rule_of(rendered, role, number):
    return rendered.one("Role", role)["rules"][number]


# Rule, overlay, what is broken in it.
TWINS = [
    ("the_api_has_its_names", "base", lambda r: deletes(r, "HorizontalPodAutoscaler", f"{API}-hpa")),
    ("the_api_has_its_names", "base", lambda r: r.one("Service", f"{API}-service")["metadata"]["labels"].update(app="iris")),
    ("the_api_has_its_names", "base", lambda r: spec(r, "Deployment", API)["selector"]["matchLabels"].update(version="1")),
    ("port_80_leads_to_the_api", "gke", lambda r: api_service(r).update(type="ClusterIP")),
    ("port_80_leads_to_the_api", "base", lambda r: api_service(r)["ports"][0].update(port=8080)),
    ("port_80_leads_to_the_api", "base", lambda r: api_service(r)["ports"][0].update(targetPort=80)),
    ("spans_go_to_the_collector", "local", lambda r: sets(r, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")),
    ("spans_go_to_the_collector", "local", lambda r: sets(r, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel-collector:4319")),
    ("spans_go_to_the_collector", "local", lambda r: sets(r, "OTEL_TRACES_EXPORTER", "none")),
    ("probes_ask_what_they_mean", "base", lambda r: container(r)["readinessProbe"]["httpGet"].update(path="/livez")),
    ("probes_ask_what_they_mean", "base", lambda r: container(r)["livenessProbe"]["httpGet"].update(path="/health")),
    ("probes_ask_what_they_mean", "base", lambda r: container(r).pop("startupProbe")),
    ("what_it_may_hold_fits_its_memory", "base", lambda r: sets(r, "IRIS_SPAN_BUFFER", "256MiB")),
    ("what_it_may_hold_fits_its_memory", "base", lambda r: sets(r, "IRIS_SPAN_SPILL_LIMIT", "1GiB")),
    ("there_is_time_to_stop", "base", lambda r: pod(r).update(terminationGracePeriodSeconds=50)),
    ("there_is_time_to_stop", "base", lambda r: sets(r, "IRIS_DRAIN_TIMEOUT", "30s")),
    ("there_is_time_to_stop", "base", lambda r: container(r).pop("lifecycle")),
    ("the_hpa_alone_says_how_many", "base", lambda r: hpa(r)["scaleTargetRef"].update(name="iris")),
    ("the_hpa_alone_says_how_many", "base", lambda r: spec(r, "Deployment", API).update(replicas=2)),
    ("the_hpa_alone_says_how_many", "base", lambda r: hpa(r)["metrics"][0]["resource"]["target"].update(averageUtilization=95)),
    ("the_hpa_alone_says_how_many", "gke", lambda r: hpa(r)["metrics"][0]["resource"]["target"].update(averageUtilization=15)),
    ("the_hpa_alone_says_how_many", "local", lambda r: hpa(r)["metrics"][0]["resource"]["target"].update(averageUtilization=65)),
    ("the_hpa_alone_says_how_many", "base", lambda r: hpa(r).update(minReplicas=10)),
    ("the_hpa_alone_says_how_many", "base", lambda r: hpa(r)["behavior"].pop("scaleDown")),
    ("an_update_takes_no_pod_away", "base", lambda r: spec(r, "Deployment", API)["strategy"]["rollingUpdate"].update(maxUnavailable=1)),
    ("pods_are_restricted", "base", lambda r: pod(r)["securityContext"].pop("runAsNonRoot")),
    ("pods_are_restricted", "base", lambda r: pod(r)["securityContext"].pop("seccompProfile")),
    ("pods_are_restricted", "base", lambda r: pod(r).update(hostNetwork=True)),
    ("pods_are_restricted", "base", lambda r: pod(r)["volumes"].append({"name": "logs", "hostPath": {"path": "/var/log"}})),
    ("pods_are_restricted", "base", lambda r: pod(r).pop("automountServiceAccountToken")),
    ("pods_are_restricted", "base", lambda r: container(r)["securityContext"].pop("allowPrivilegeEscalation")),
    ("pods_are_restricted", "base", lambda r: container(r)["securityContext"]["capabilities"].update(add=["NET_ADMIN"])),
    ("pods_are_restricted", "local", lambda r: container(r, name="jaeger")["securityContext"].pop("readOnlyRootFilesystem")),
    ("pods_are_restricted", "base", lambda r: container(r)["securityContext"].update(runAsUser=0)),
    ("the_namespace_admits_only_restricted_pods", "base", lambda r: r.one("Namespace", "iris")["metadata"].pop("labels")),
    ("memory_is_promised_and_cpu_is_not_capped", "base", lambda r: container(r)["resources"]["limits"].update(cpu="1")),
    ("memory_is_promised_and_cpu_is_not_capped", "base", lambda r: container(r)["resources"]["requests"].update(memory="256Mi")),
    ("memory_is_promised_and_cpu_is_not_capped", "base", lambda r: container(r)["resources"]["requests"].pop("cpu")),
    ("images_are_pinned", "gke", lambda r: collector(r).update(image="registry/iris-collector:latest")),
    ("images_are_pinned", "gke", lambda r: collector(r).update(image="registry:5000/iris-collector")),
    ("images_are_pinned", "base", lambda r: container(r).update(image=f"{API}:0.0.9")),
    ("images_are_pinned", "local", lambda r: container(r).update(imagePullPolicy="Always")),
    ("others_are_probed", "base", lambda r: collector(r).pop("livenessProbe")),
    ("variables_stand_below_what_they_name", "base", takes_first_up),
    ("variables_stand_below_what_they_name", "local-verification", lambda r: container(r, "Job", "verifier")["args"].append("--out=$(RUN)")),
    ("variables_stand_below_what_they_name", "local-sharded", lambda r: spec(r, "Job", "verifier").pop("completionMode")),
    ("selectors_find_pods", "base", lambda r: api_service(r)["selector"].update(app="iris")),
    ("selectors_find_pods", "base", lambda r: spec(r, "StatefulSet", "otel-collector")["selector"]["matchLabels"].update(app="collector")),
    ("selectors_find_pods", "base", lambda r: spec(r, "PodDisruptionBudget", f"{API}-pdb")["selector"]["matchLabels"].update(app="iris")),
    ("selectors_find_pods", "local", lambda r: deletes(r, "StatefulSet", "otel-collector")),
    ("selectors_find_pods", "base", lambda r: pod(r)["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].update(app="iris")),
    ("ports_lead_somewhere", "base", lambda r: spec(r, "Service", "otel-collector")["ports"][0].update(targetPort="grpc")),
    ("ports_lead_somewhere", "local-outside", lambda r: spec(r, "Service", "verifier")["ports"][0].update(targetPort=4318)),
    ("ports_lead_somewhere", "base", lambda r: spec(r, "NetworkPolicy", API)["ingress"][0]["ports"][0].update(port="https")),
    ("what_is_named_is_there", "base", lambda r: deletes(r, "ServiceAccount", API)),
    ("what_is_named_is_there", "local", lambda r: pod(r, name="jaeger")["volumes"][0]["configMap"].update(name="jaeger")),
    ("what_is_named_is_there", "local-verification", lambda r: r.one("ConfigMap", "verifier-plan")["data"].pop("plan")),
    ("what_is_named_is_there", "local-sharded", lambda r: deletes(r, "PersistentVolumeClaim", "verifier-runs")),
    ("what_is_named_is_there", "local-sharded", lambda r: deletes(r, "Service", "verifiers")),
    ("what_is_named_is_there", "base", lambda r: r.one("Service", "otel-collector")["metadata"].pop("namespace")),
    ("a_node_can_be_drained", "base", lambda r: spec(r, "PodDisruptionBudget", f"{API}-pdb").update(minAvailable=2)),
    ("a_node_can_be_drained", "gke", lambda r: spec(r, "StatefulSet", "otel-collector").update(replicas=1)),
    ("a_node_can_be_drained", "base", lambda r: spec(r, "PodDisruptionBudget", f"{API}-pdb").pop("unhealthyPodEvictionPolicy")),
    ("a_node_can_be_drained", "base", lambda r: deletes(r, "PodDisruptionBudget", f"{API}-pdb")),
    ("nothing_samples", "base", lambda r: sets(r, "OTEL_TRACES_SAMPLER", "parentbased_traceidratio")),
    ("nothing_samples", "base", lambda r: rewrites(r, "base.yaml", r"processors: \[memory_limiter\]", "processors: [memory_limiter, filter]")),
    ("nothing_samples", "base", lambda r: rewrites(r, "base.yaml", "  memory_limiter:\n", "  probabilistic_sampler/few:\n  memory_limiter:\n")),
    ("nothing_samples", "local", lambda r: rewrites(r, "base.yaml", "processors: .memory_limiter.", "processors: [memory_limiter, batch]")),
    ("nothing_samples", "gke", lambda r: rewrites(r, "gke.yaml", "exporters: .otlp_http/google.", "processors: [tail_sampling]")),
    ("the_collector_reads_what_it_is_told", "local-verification", lambda r: collector(r)["args"].pop()),
    ("the_collector_reads_what_it_is_told", "local", lambda r: collector(r)["args"].append("--config=/etc/otel-collector/more.yaml")),
    ("what_was_acknowledged_is_kept", "local", lambda r: collector(r)["args"].remove("--config=/etc/otel-collector/durable.yaml")),
    ("what_was_acknowledged_is_kept", "local", lambda r: collector(r)["args"].remove("--config=/etc/otel-collector/jaeger-only.yaml")),
    ("what_was_acknowledged_is_kept", "local", lambda r: rewrites(r, "local.yaml", "block_on_overflow: true", "block_on_overflow: false")),
    ("what_was_acknowledged_is_kept", "gke", lambda r: rewrites(r, "gke.yaml", "max_elapsed_time: 0s", "max_elapsed_time: 300s")),
    ("what_was_acknowledged_is_kept", "gke", lambda r: spec(r, "StatefulSet", "otel-collector").pop("volumeClaimTemplates")),
    ("what_was_acknowledged_is_kept", "gke", lambda r: sets(r, "QUEUE_FOLDER", "/tmp/queue", "StatefulSet", "otel-collector")),
    ("its_limits_fit_its_memory", "base", lambda r: sets(r, "COLLECTOR_MEMORY_MIB", "1024", "StatefulSet", "otel-collector")),
    ("its_limits_fit_its_memory", "base", lambda r: sets(r, "GOMEMLIMIT", "768MiB", "StatefulSet", "otel-collector")),
    ("roles_grant_what_is_written_down", "local-outside", lambda r: rule_of(r, "verifier-read", 0)["verbs"].append("delete")),
    ("roles_grant_what_is_written_down", "local-outside", lambda r: rule_of(r, "verifier-faults", 0).update(resources=["*"])),
    ("roles_grant_what_is_written_down", "local-outside", lambda r: rule_of(r, "verifier-read", 2)["resources"].append("secrets")),
    ("roles_grant_what_is_written_down", "local-outside", lambda r: r.one("Role", "verifier-read")["metadata"].update(name="verifier-all")),
    ("roles_grant_what_is_written_down", "local-outside", lambda r: r.one("RoleBinding", "verifier-faults")["subjects"][0].update(name="default")),
    ("roles_grant_what_is_written_down", "base", lambda r: pod(r).update(automountServiceAccountToken=True)),
]

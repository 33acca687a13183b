"""Rules for the rendered manifests for Kubernetes, and for how they fit the real quantd.

A rule is a function that takes the manifests and the program, and yields one sentence per problem.
docker/kubernetes/README.md gives the reasons.
"""

import dataclasses
import math
import re
import tomllib

import kubernetes_schema
import quantd_process

# The time that a drain needs in addition to --drain-timeout, to close connections and to exit.
DRAIN_MARGIN_SECONDS = 5

# What the server may use besides --max-in-flight-bytes (docs/operations.md): 150 MiB, and 64 MiB that
# the allocator keeps.
OTHER_MEMORY = 214 * 1024**2

# How long it may take until clients know a new pod, because the cluster's DNS and gRPC cache addresses.
NAME_LOOKUP_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Violation:
    """A sentence that describes a problem, and the rule that found it."""

    rule: object
    text: str

    def __str__(self):
        return f"{self.rule.__name__}: {self.text}"


class Manifests:
    """The resources of one rendered kustomization."""

    def __init__(self, documents):
        self.documents = documents

    def of_kind(self, kind):
        return [document for document in self.documents if document["kind"] == kind]

    def the(self, kind):
        """Returns the only resource of this kind."""
        found = self.of_kind(kind)
        if len(found) != 1:
            raise LookupError(f"expected one {kind}, found {len(found)}")
        return found[0]

    def named(self, kind, name):
        """Returns whether there is such a resource."""
        return any(name == document["metadata"]["name"] for document in self.of_kind(kind))

    @property
    def deployment(self):
        return self.the("Deployment")

    @property
    def pod(self):
        return self.deployment["spec"]["template"]["spec"]

    @property
    def pod_labels(self):
        return self.deployment["spec"]["template"]["metadata"]["labels"]

    @property
    def container(self):
        """The only container."""
        containers = self.pod["containers"]
        if len(containers) != 1:
            raise LookupError(f"expected one container, found {len(containers)}")
        return containers[0]

    @property
    def container_ports(self):
        """The container's port numbers by name."""
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}

    @property
    def probes(self):
        """The container's probes by name."""
        return {name: self.container[name] for name in ("startupProbe", "readinessProbe", "livenessProbe")
                if name in self.container}

    @property
    def environment(self):
        """The variables that the kubelet sets in addition to those of the image."""
        variables = {}
        for source in self.container.get("envFrom", []):
            for config_map in self.of_kind("ConfigMap"):
                if config_map["metadata"]["name"] == source["configMapRef"]["name"]:
                    variables |= config_map["data"]
        for variable in self.container.get("env", []):
            variables[variable["name"]] = variable["value"] if "value" in variable else (
                self._resource_field(variable["valueFrom"]["resourceFieldRef"]))
        return variables

    def _resource_field(self, reference):
        side, resource = reference["resource"].split(".")
        value = quantity(self.container["resources"][side][resource])
        # The kubelet rounds up.
        return str(math.ceil(value / quantity(reference.get("divisor", "1"))))


class Program:
    """The real quantd, to query its settings."""

    def __init__(self, version):
        self.version = version
        self.defaults = self.settings({})
        self._known = {}

    def settings(self, environment):
        """Returns the settings with these variables. Raises ValueError if quantd rejects them."""
        answer = quantd_process.run(quantd_process.QUANTD, "--check-config", environment=environment)
        if answer.returncode != 0:
            raise ValueError(answer.stderr.strip())
        return tomllib.loads(answer.stdout)

    def settings_in(self, manifests):
        key = frozenset(manifests.environment.items())
        if key not in self._known:
            self._known[key] = self.settings(manifests.environment)
        return self._known[key]


def quantity(text):
    """Converts a quantity of Kubernetes, such as 500m or 2Gi, to a number."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(m|k|M|G|Ki|Mi|Gi)?", str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a valid quantity; expected one such as 2, 500m or 2Gi")
    units = {None: 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    return float(match[1]) * units[match[2]]


def size(text):
    """Converts a size as printed by quantd, such as 64MiB, to bytes."""
    match = re.fullmatch(r"(\d+)(B|KiB|MiB|GiB)?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a valid size; expected one such as 64MiB")
    return int(match[1]) * {None: 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[match[2]]


def seconds(text):
    """Converts a duration as printed by quantd, such as 30s, to seconds."""
    match = re.fullmatch(r"(\d+)(ms|s|m|h)", text)
    if match is None:
        raise ValueError(f"{text!r} is not a valid duration; expected one such as 30s")
    return int(match[1]) * {"ms": 1e-3, "s": 1, "m": 60, "h": 3600}[match[2]]


def port_of(address):
    return int(address.rpartition(":")[2])


def is_part_of(selector, labels):
    return selector.items() <= labels.items()


def fields_are_spelled_as_kubernetes_spells_them(manifests, _program):
    for document in manifests.documents:
        yield from kubernetes_schema.problems(document)


def names_stand_for_what_is_there(manifests, _program):
    account = manifests.pod.get("serviceAccountName")
    if not manifests.named("ServiceAccount", account):
        yield f"there is no ServiceAccount {account}"
    for source in manifests.container.get("envFrom", []):
        name = source["configMapRef"]["name"]
        if not manifests.named("ConfigMap", name):
            yield f"there is no ConfigMap {name}"
    for volume in manifests.pod.get("volumes", []):
        name = volume.get("secret", {}).get("secretName")
        if name is not None and name not in {
                certificate["spec"]["secretName"] for certificate in manifests.of_kind("Certificate")}:
            yield f"nothing makes the Secret {name}"
    target = manifests.the("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    deployment = manifests.deployment
    expected = {"apiVersion": deployment["apiVersion"], "kind": "Deployment",
                "name": deployment["metadata"]["name"]}
    if target != expected:
        yield f"the autoscaler scales {target}; expected {expected}"


def selectors_match_the_pods(manifests, _program):
    selectors = {
        "Deployment": manifests.deployment["spec"]["selector"]["matchLabels"],
        "PodDisruptionBudget": manifests.the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": manifests.the("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    }
    for service in manifests.of_kind("Service"):
        selectors[f"Service {service['metadata']['name']}"] = service["spec"]["selector"]
    for constraint in manifests.pod.get("topologySpreadConstraints", []):
        selectors[f"topologySpreadConstraint {constraint['topologyKey']}"] = (
            constraint["labelSelector"]["matchLabels"])
    for owner, selector in selectors.items():
        if not selector or not is_part_of(selector, manifests.pod_labels):
            yield f"{owner} selects {selector}, but the pods have {manifests.pod_labels}"


def quantd_understands_its_environment(manifests, program):
    flags = {"QUANTD_" + name.upper().replace("-", "_") for name in program.defaults}
    # quantd only warns of a variable that does not correspond to a flag.
    for name in manifests.environment:
        if name not in flags:
            yield f"{name} does not correspond to a flag of quantd"
    try:
        program.settings_in(manifests)
    except ValueError as error:
        yield f"quantd rejects its environment: {error}"


def ports_agree(manifests, program):
    settings = program.settings_in(manifests)
    listening = {"grpc": settings["listen"][0], "metrics": settings["metrics-listen"]}
    defaults = {"grpc": program.defaults["listen"][0], "metrics": program.defaults["metrics-listen"]}
    for name, address in listening.items():
        if not address.startswith(("0.0.0.0:", "[::]:")):
            yield f"{name} is served on {address}, which other pods cannot reach"
        if port_of(address) != port_of(defaults[name]):
            yield f"{name} is served on {address}, but its port is {port_of(defaults[name])} everywhere else"
    numbers = {name: port_of(address) for name, address in listening.items()}
    if manifests.container_ports != numbers:
        yield f"the container has the ports {manifests.container_ports}, but quantd listens on {numbers}"
    for service in manifests.of_kind("Service"):
        for port in service["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            if manifests.container_ports.get(target, target) != numbers.get(port["name"]):
                yield f"{service['metadata']['name']} sends {port['name']} to {target}"
            if port["port"] != numbers.get(port["name"]):
                yield f"{service['metadata']['name']} has {port['name']} on {port['port']}"

def probes_reach_the_server(manifests, program):
    settings = program.settings_in(manifests)
    for name, probe in manifests.probes.items():
        if "grpc" in probe:
            if settings["tls-cert"]:
                yield f"the {name} speaks no TLS"
            if probe["grpc"]["port"] != port_of(settings["listen"][0]):
                yield f"the {name} uses port {probe['grpc']['port']}"
            continue
        program_path, *arguments = probe.get("exec", {"command": [""]})["command"]
        if program_path != "/usr/bin/quantctl" or "health" not in arguments:
            yield f"the {name} does not ask for the server's health"
        options = dict(argument.removeprefix("--").split("=", 1)
                       for argument in arguments if argument.startswith("--"))
        if options.get("server") not in settings["listen"]:
            yield f"the {name} calls {options.get('server')}, where the server does not listen"
        if float(options.get("timeout", "inf")) >= probe.get("timeoutSeconds", 1):
            yield f"the {name} is given up before quantctl says why"


def calls_are_encrypted_unless_told_otherwise(manifests, program):
    settings = program.settings_in(manifests)
    if settings["insecure"] == bool(settings["tls-cert"]):
        yield "pods serve plain text without QUANTD_INSECURE, or permit it although they have TLS"
    volumes = {volume["name"]: volume for volume in manifests.pod.get("volumes", [])}
    mounts = {mount["mountPath"]: (mount.get("readOnly", False), volumes.get(mount["name"], {}))
              for mount in manifests.container.get("volumeMounts", [])}
    for path in filter(None, (settings[name] for name in ("tls-cert", "tls-key", "tls-client-ca"))):
        read_only, volume = mounts.get(path.rpartition("/")[0], (False, {}))
        if not read_only or "secret" not in volume:
            yield f"{path} is not in a Secret that is mounted to be read"
    group = manifests.pod.get("securityContext", {}).get("fsGroup")
    for name, volume in volumes.items():
        # The kubelet lets the group read, which is that of the process.
        if "secret" in volume and (group != 65532 or volume["secret"].get("defaultMode") != 0o440):
            yield f"the files of {name} can be read by others than quantd, or not by quantd"
    for address in settings["listen"]:
        if address.startswith("unix:"):
            _, volume = mounts.get(address.removeprefix("unix:").rpartition("/")[0], (False, {}))
            if "emptyDir" not in volume:
                yield f"{address} is where quantd cannot write"
    protocol = "https" if settings["tls-cert"] else "kubernetes.io/h2c"
    for service in manifests.of_kind("Service"):
        for port in service["spec"]["ports"]:
            if port["name"] == "grpc" and port.get("appProtocol") != protocol:
                yield f"{service['metadata']['name']} tells proxies {port.get('appProtocol')}"


def certificates_are_for_the_names_of_services(manifests, _program):
    for certificate in manifests.of_kind("Certificate"):
        names = certificate["spec"].get("dnsNames", [])
        for service in manifests.of_kind("Service"):
            name, namespace = (service["metadata"].get(key) for key in ("name", "namespace"))
            for called in (f"{name}.{namespace}", f"{name}.{namespace}.svc",
                           f"{name}.{namespace}.svc.cluster.local"):
                if called not in names:
                    yield f"the certificate {certificate['metadata']['name']} is not for {called}"


def clients_can_balance(manifests, _program):
    services = {service["metadata"]["name"]: service["spec"] for service in manifests.of_kind("Service")}
    if services.get("quantd-headless", {}).get("clusterIP") != "None":
        yield "quantd-headless has its own address, so that clients only see one pod"
    if "clusterIP" in services.get("quantd", {"clusterIP": None}):
        yield "quantd has no address that the cluster assigns"
    for name, service in services.items():
        if service.get("publishNotReadyAddresses"):
            yield f"{name} sends clients to pods that are not ready"
        if "grpc" not in {port["name"] for port in service["ports"]}:
            yield f"{name} does not serve gRPC"


def prometheus_finds_each_pod_once(manifests, program):
    monitor = manifests.the("ServiceMonitor")["spec"]
    (endpoint,) = monitor["endpoints"]
    selected = [
        service["metadata"]["name"] for service in manifests.of_kind("Service")
        if is_part_of(monitor["selector"]["matchLabels"], service["metadata"]["labels"])
        and endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    ]
    if len(selected) != 1:
        yield f"the ServiceMonitor finds the port {endpoint['port']} in {selected}; expected one Service"
    target = manifests.container_ports.get(endpoint["port"])
    if target != port_of(program.settings_in(manifests)["metrics-listen"]):
        yield f"the ServiceMonitor scrapes {endpoint['port']}, which has no metrics"
    if endpoint.get("path") != "/metrics":
        yield f"the ServiceMonitor scrapes {endpoint.get('path')}"


def only_clients_and_prometheus_are_let_in(manifests, _program):
    policy = manifests.the("NetworkPolicy")["spec"]
    if set(policy.get("policyTypes", [])) != {"Ingress", "Egress"}:
        yield f"the NetworkPolicy only covers {policy.get('policyTypes')}"
    if policy.get("egress"):
        yield "the pods may open connections, which quantd never does"
    let_in = []
    for rule in policy.get("ingress", []):
        ports = [manifests.container_ports.get(port["port"], port["port"])
                 for port in rule.get("ports", []) if "port" in port]
        let_in += ports
        if not ports:
            yield "a rule of the NetworkPolicy opens every port"
        selectors = [peer[side]["matchLabels"] for peer in rule.get("from", [])
                     for side in ("podSelector", "namespaceSelector") if side in peer]
        if not selectors or not all(selectors):
            yield f"everyone may reach {ports}"
        if any(selector.keys() & manifests.pod_labels.keys() for selector in selectors):
            yield f"only pods of quantd may reach {ports}"
    if sorted(let_in) != sorted(manifests.container_ports.values()):
        yield f"the NetworkPolicy opens {let_in}, but the pods have {manifests.container_ports}"


def quantd_keeps_to_the_limits_of_its_container(manifests, program):
    settings = program.settings_in(manifests)
    resources = manifests.container["resources"]
    if resources["requests"] != resources["limits"]:
        yield "requests and limits differ, so that the pod does not have the class Guaranteed"
    processors = quantity(resources["limits"]["cpu"])
    if settings["worker-threads"] != math.ceil(processors):
        yield f"{settings['worker-threads']} worker threads share {processors} processors"
    memory = quantity(resources["limits"]["memory"])
    in_flight = size(settings["max-in-flight-bytes"])
    if in_flight + OTHER_MEMORY > memory:
        yield f"{settings['max-in-flight-bytes']} in flight are too much for {resources['limits']['memory']}"


def logs_are_for_machines(manifests, program):
    if (form := program.settings_in(manifests)["log-format"]) != "json":
        yield f"the log is {form}"


def a_drain_has_its_time(manifests, program):
    drain = seconds(program.settings_in(manifests)["drain-timeout"])
    hook = manifests.container.get("lifecycle", {}).get("preStop", {})
    needed = hook.get("sleep", {}).get("seconds", 0) + drain + DRAIN_MARGIN_SECONDS
    # The default of Kubernetes is 30.
    grace = manifests.pod.get("terminationGracePeriodSeconds", 30)
    if grace < needed:
        yield f"the pod is killed after {grace} s, but a drain may take {needed:g} s"
    liveness = manifests.probes.get("livenessProbe")
    if liveness is None:
        yield "there is no livenessProbe, so that a server that hangs would not be restarted"
    else:
        # The first failure may occur as soon as the drain starts.
        lasts = (liveness.get("failureThreshold", 3) - 1) * liveness.get("periodSeconds", 10)
        if lasts < drain + DRAIN_MARGIN_SECONDS:
            yield f"the livenessProbe kills a draining server after {lasts} s"
    readiness = manifests.probes.get("readinessProbe")
    if readiness is None:
        yield "there is no readinessProbe, so that a draining server would receive calls"
    else:
        lasts = readiness.get("failureThreshold", 3) * readiness.get("periodSeconds", 10)
        if lasts >= drain:
            yield f"the readinessProbe takes {lasts} s to detect a drain of {drain:g} s"
    if "startupProbe" not in manifests.probes:
        yield "there is no startupProbe, so that a slow start would count as a failure"


def pods_are_restricted(manifests, _program):
    """Requires the profile "restricted" of Kubernetes' Pod Security Standards, and a little more."""
    pod = manifests.pod.get("securityContext", {})
    container = manifests.container.get("securityContext", {})
    both = pod | container
    expected = {
        "runAsNonRoot": (both.get("runAsNonRoot"), True),
        "runAsUser": (both.get("runAsUser"), 65532),
        "runAsGroup": (both.get("runAsGroup"), 65532),
        "seccompProfile": (both.get("seccompProfile"), {"type": "RuntimeDefault"}),
        "allowPrivilegeEscalation": (container.get("allowPrivilegeEscalation"), False),
        "capabilities": (container.get("capabilities"), {"drop": ["ALL"]}),
        "readOnlyRootFilesystem": (container.get("readOnlyRootFilesystem"), True),
        "privileged": (container.get("privileged", False), False),
        "hostNetwork": (manifests.pod.get("hostNetwork", False), False),
        "hostPID": (manifests.pod.get("hostPID", False), False),
        "hostIPC": (manifests.pod.get("hostIPC", False), False),
        "automountServiceAccountToken": (manifests.pod.get("automountServiceAccountToken"), False),
        "automountServiceAccountToken of the account": (
            manifests.the("ServiceAccount").get("automountServiceAccountToken"), False),
        # The variables of a Service named quantd look like flags.
        "enableServiceLinks": (manifests.pod.get("enableServiceLinks"), False),
    }
    for name, (found, wanted) in expected.items():
        if found != wanted:
            yield f"{name} is {found}; expected {wanted}"


def there_are_always_pods(manifests, _program):
    spec = manifests.deployment["spec"]
    if "replicas" in spec:
        yield "the Deployment sets replicas, so that each apply overrides the autoscaler"
    update = spec.get("strategy", {}).get("rollingUpdate", {})
    if update != {"maxUnavailable": 0, "maxSurge": 1}:
        yield f"rollouts use {update}"
    if spec.get("minReadySeconds", 0) < NAME_LOOKUP_SECONDS:
        yield "a rollout stops old pods before clients know the new ones"
    scale = manifests.the("HorizontalPodAutoscaler")["spec"]
    least = scale.get("minReplicas", 1)
    if not 2 <= least <= scale["maxReplicas"]:
        yield f"the autoscaler keeps {least} to {scale['maxReplicas']} pods"
    down = scale.get("behavior", {}).get("scaleDown", {})
    up = scale.get("behavior", {}).get("scaleUp", {})
    # These are the defaults of Kubernetes.
    if down.get("stabilizationWindowSeconds", 300) <= up.get("stabilizationWindowSeconds", 0):
        yield "the autoscaler removes pods as fast as it adds them"
    budget = manifests.the("PodDisruptionBudget")["spec"]
    kept = budget.get("minAvailable", least - budget.get("maxUnavailable", 0))
    if not 1 <= kept <= least - 1:
        yield f"{kept} of {least} pods must remain, so that either no node can be drained or no pod remains"
    spread = {constraint["topologyKey"] for constraint in manifests.pod.get("topologySpreadConstraints", [])}
    if spread != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
        yield f"pods are spread over {spread}"


def the_image_is_of_this_version(manifests, program):
    name, _, tag = manifests.container["image"].rpartition(":")
    if name.rpartition("/")[2] != "quantd" or tag != program.version:
        yield f"the image is {manifests.container['image']}; expected quantd:{program.version}"


RULES = (
    fields_are_spelled_as_kubernetes_spells_them,
    names_stand_for_what_is_there,
    selectors_match_the_pods,
    quantd_understands_its_environment,
    ports_agree,
    probes_reach_the_server,
    calls_are_encrypted_unless_told_otherwise,
    certificates_are_for_the_names_of_services,
    clients_can_balance,
    prometheus_finds_each_pod_once,
    only_clients_and_prometheus_are_let_in,
    quantd_keeps_to_the_limits_of_its_container,
    logs_are_for_machines,
    a_drain_has_its_time,
    pods_are_restricted,
    there_are_always_pods,
    the_image_is_of_this_version,
)


def check(manifests, program):
    """Returns all violations. Fields and environment come first, because the other rules rely on them."""
    for rules in (RULES[:1], RULES[1:4], RULES[4:]):
        violations = [Violation(rule, text) for rule in rules for text in rule(manifests, program)]
        if violations:
            return violations
    return []

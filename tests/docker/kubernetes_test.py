"""Tests that the rendered manifests for Kubernetes are consistent with each other and with quantd."""

import contextlib
import copy
import json
import os
import pathlib
import signal
import tempfile
import threading
import unittest

import grpc
import numpy as np
import yaml

import api
import certificates
import kubernetes_rules as rules
import quantd_process

DIRECTORY = pathlib.Path(os.environ["QUANTD_SOURCE_DIR"], "docker", "kubernetes")
BASE = "base"
PRODUCTION = "overlays/production"
TLS = "overlays/tls"
SERVING = api.health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = api.health_pb2.HealthCheckResponse.NOT_SERVING

# The value of a field that is removed.
REMOVED = object()


def render(kustomization):
    """Returns the manifests that `kubectl apply -k` would apply."""
    answer = quantd_process.run(os.environ["QUANTD_KUBECTL"], "kustomize", DIRECTORY / kustomization)
    if answer.returncode != 0:
        raise RuntimeError(f"kubectl cannot render {kustomization}:\n{answer.stderr}")
    return rules.Manifests(list(yaml.safe_load_all(answer.stdout)))


def changed(manifests, resource, path, value):
    """Returns a copy in which one field is changed, given by the resource's kind (and name) and the keys."""
    copied = copy.deepcopy(manifests.documents)
    kind, _, name = resource.partition("/")
    (node,) = (document for document in copied
               if document["kind"] == kind and name in ("", document["metadata"]["name"]))
    keys = [int(key) if key.isdigit() else key for key in path.split()]
    for key in keys[:-1]:
        node = node[key]
    if value is REMOVED:
        del node[keys[-1]]
    elif isinstance(node, list) and keys[-1] == len(node):
        node.append(value)
    else:
        node[keys[-1]] = value
    return rules.Manifests(copied)


class KubernetesTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.program = rules.Program(os.environ["QUANTD_VERSION"])
        cls.kustomizations = {name: render(name) for name in (BASE, PRODUCTION, TLS)}


class ManifestsTest(KubernetesTest):

    def test_the_manifests_follow_the_rules(self):
        for name, manifests in self.kustomizations.items():
            with self.subTest(name):
                violations = rules.check(manifests, self.program)
                self.assertEqual(violations, [], "\n" + "\n".join(map(str, violations)))

    def test_the_base_leaves_the_namespace_to_its_overlays(self):
        for document in self.kustomizations[BASE].documents:
            self.assertNotIn("namespace", document["metadata"], document["kind"])

    def test_an_overlay_puts_everything_into_its_namespace(self):
        for overlay in (PRODUCTION, TLS):
            manifests = self.kustomizations[overlay]
            namespace = manifests.the("Namespace")["metadata"]
            for document in manifests.documents:
                if document["kind"] != "Namespace":
                    self.assertEqual(document["metadata"].get("namespace"), namespace["name"],
                                     document["kind"])

    def test_an_overlay_s_namespace_only_admits_restricted_pods(self):
        namespace = self.kustomizations[PRODUCTION].the("Namespace")["metadata"]
        self.assertEqual(namespace["labels"]["pod-security.kubernetes.io/enforce"], "restricted")

    def test_an_overlay_changes_image_size_and_flags(self):
        base, production = (self.kustomizations[name] for name in (BASE, PRODUCTION))
        self.assertNotEqual(production.container["image"], base.container["image"])
        self.assertNotEqual(production.container["resources"], base.container["resources"])
        for name in ("maxReplicas", "minReplicas"):
            self.assertGreater(production.the("HorizontalPodAutoscaler")["spec"][name],
                               base.the("HorizontalPodAutoscaler")["spec"][name])
        before, after = (self.program.settings_in(manifests) for manifests in (base, production))
        self.assertEqual({name for name in before if before[name] != after[name]},
                         {"max-in-flight-bytes", "max-message-bytes", "reflection", "worker-threads"})

    def test_the_overlay_for_tls_changes_nothing_else(self):
        before, after = (self.program.settings_in(self.kustomizations[name]) for name in (PRODUCTION, TLS))
        self.assertEqual({name for name in before if before[name] != after[name]},
                         {"insecure", "listen", "tls-cert", "tls-key"})

    def test_every_resource_has_the_common_labels(self):
        for name, manifests in self.kustomizations.items():
            with self.subTest(name):
                for document in manifests.documents:
                    self.assertEqual(document["metadata"]["labels"].get("app.kubernetes.io/name"), "quantd",
                                     document["kind"])


class RunningServerTest(KubernetesTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="quantd-tls-")))
        cls.certificate = certificates.Certificate(directory, "localhost")

    def serve(self, manifests, *flags):
        """Starts a server with the environment of a pod, whose files and sockets are elsewhere."""
        files = {"QUANTD_TLS_CERT": self.certificate.path, "QUANTD_TLS_KEY": self.certificate.key_path}
        environment = manifests.environment
        environment |= {name: str(path) for name, path in files.items() if name in environment}
        return quantd_process.Quantd(*flags, listen=("localhost:0", "unix:{directory}/quantd.sock"),
                                     environment=environment)

    def is_healthy(self, probe, quantd):
        """Does what the kubelet does."""
        if "grpc" in probe:
            health = api.health_pb2_grpc.HealthStub(quantd.connect())
            request = api.health_pb2.HealthCheckRequest(service=probe["grpc"].get("service", ""))
            return health.Check(request, timeout=quantd_process.DEADLINE_SECONDS).status == SERVING
        program, *arguments = probe["exec"]["command"]
        self.assertEqual(program, "/usr/bin/quantctl")
        arguments = [f"--server={quantd.addresses[1]}" if argument.startswith("--server=") else argument
                     for argument in arguments]
        done = quantd_process.run(quantd_process.QUANTCTL, *arguments)
        self.assertIn(done.stdout, ("SERVING\n", "NOT_SERVING\n"), done.stderr)
        return done.returncode == 0

    def test_the_probes_check_services_of_a_server_with_this_environment(self):
        for name, manifests in self.kustomizations.items():
            with self.subTest(name), self.serve(manifests) as quantd:
                self.assertEqual(len(manifests.probes), 3)
                for kind, probe in manifests.probes.items():
                    self.assertTrue(self.is_healthy(probe, quantd), kind)

    def test_the_readiness_probe_fails_once_a_drain_starts(self):
        for name, manifests in self.kustomizations.items():
            with self.subTest(name), self.serve(manifests) as quantd:
                unix = quantd.connect(quantd.addresses[1])
                watch = api.health_pb2_grpc.HealthStub(unix).Watch(api.health_pb2.HealthCheckRequest())
                self.assertEqual(next(watch).status, SERVING)
                with _open_stream(unix):
                    quantd.signal(signal.SIGTERM)
                    self.assertEqual(next(watch).status, NOT_SERVING)
                    # The drain waits for the stream.
                    self.assertFalse(self.is_healthy(manifests.probes["readinessProbe"], quantd))
                self.assertEqual(quantd.wait(), 0, quantd.log)

    def test_a_server_with_this_environment_has_the_limits_of_its_container(self):
        for name, manifests in self.kustomizations.items():
            with self.subTest(name):
                limits = manifests.container["resources"]["limits"]
                with self.serve(manifests) as quantd:
                    stub = api.QuantizationServiceStub(quantd.connect(quantd.addresses[1]))
                    info = stub.GetServerInfo(api.GetServerInfoRequest())
                    self.assertEqual(info.worker_threads, rules.quantity(limits["cpu"]))
                    self.assertLess(info.max_in_flight_bytes, rules.quantity(limits["memory"]))

    def test_a_server_with_this_environment_logs_json(self):
        for name, manifests in self.kustomizations.items():
            with self.subTest(name):
                # Successful calls are only logged at this level.
                with self.serve(manifests, "--log-level=debug") as quantd:
                    api.QuantizationServiceStub(quantd.connect(quantd.addresses[1])).GetServerInfo(
                        api.GetServerInfoRequest())
                    quantd_process.wait_until(lambda: "\n" in quantd.log, "a line in the log")
                    self.assertIsInstance(json.loads(quantd.log.splitlines()[0]), dict)

    def test_clients_with_the_service_config_keep_working_while_one_of_two_servers_drains(self):
        with quantd_process.Quantd() as staying, quantd_process.Quantd() as leaving:
            with _Client([staying.address, leaving.address]) as client:
                quantd_process.wait_until(
                    lambda: all(_answers(quantd) >= 5 for quantd in (staying, leaving)),
                    "answers from both servers")
                leaving.signal(signal.SIGTERM)
                self.assertEqual(leaving.wait(), 0, leaving.log)
                before = client.answers
                quantd_process.wait_until(lambda: client.answers >= before + 5 or client.error,
                                          "answers from the remaining server")
            self.assertIsNone(client.error)


@contextlib.contextmanager
def _open_stream(channel):
    """Keeps a stream open that has had one answer."""
    ended = threading.Event()

    def requests():
        yield api.FakeQuantizeRequest(input=api.tensor_of_bytes(np.ones(1, np.float32)),
                                      range=api.Range(min=[-1], max=[1]))
        ended.wait()

    answers = api.QuantizationServiceStub(channel).StreamFakeQuantize(requests())
    next(answers)
    try:
        yield
    finally:
        ended.set()


def _answers(quantd):
    return quantd.metrics().total("grpc_server_handled_total", grpc_code="OK")


class _Client(threading.Thread):
    """Makes calls as docker/kubernetes/README.md recommends, until one fails or the context ends."""

    def __init__(self, addresses):
        super().__init__()
        targets = ",".join(address.replace("localhost", "127.0.0.1") for address in addresses)
        self._channel = grpc.insecure_channel(f"ipv4:{targets}", options=[
            ("grpc.service_config", (DIRECTORY / "service-config.json").read_text(encoding="utf-8")),
            ("grpc.per_rpc_retry_buffer_size", 64 << 20),
            ("grpc.max_receive_message_length", -1),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ])
        # The request is larger than what gRPC keeps for retries by default.
        self._request = api.FakeQuantizeRequest(
            input=api.tensor_of_bytes(np.ones(1 << 18, np.float32)), range=api.Range(min=[-1], max=[1]))
        self._stopping = threading.Event()
        self.answers = 0
        self.error = None

    def run(self):
        stub = api.QuantizationServiceStub(self._channel)
        try:
            while not self._stopping.is_set():
                stub.FakeQuantize(self._request, timeout=quantd_process.DEADLINE_SECONDS)
                self.answers += 1
        except grpc.RpcError as error:
            self.error = error

    def __enter__(self):
        grpc.channel_ready_future(self._channel).result(quantd_process.DEADLINE_SECONDS)
        self.start()
        return self

    def __exit__(self, *exception):
        self._stopping.set()
        self.join()
        self._channel.close()


_POD = "spec template spec"
_CONTAINER = f"{_POD} containers 0"

# Changes that violate a rule: the rule, the resource, the field, its value.
BREACHES = (
    (rules.fields_are_spelled_as_kubernetes_spells_them, "Deployment", f"{_POD} terminationGracePeriod", 45),
    (rules.fields_are_spelled_as_kubernetes_spells_them, "Deployment", f"{_CONTAINER} image", REMOVED),
    (rules.fields_are_spelled_as_kubernetes_spells_them, "Deployment", f"{_POD} containers", {}),
    (rules.fields_are_spelled_as_kubernetes_spells_them, "Deployment",
     f"{_CONTAINER} securityContext readOnlyRootFilesystem", "true"),
    (rules.fields_are_spelled_as_kubernetes_spells_them, "Service/quantd", "spec selector", []),
    (rules.fields_are_spelled_as_kubernetes_spells_them, "HorizontalPodAutoscaler", "apiVersion",
     "autoscaling/v2beta2"),
    (rules.fields_are_spelled_as_kubernetes_spells_them, "HorizontalPodAutoscaler", "spec minReplicas", True),
    (rules.fields_are_spelled_as_kubernetes_spells_them, "Deployment", "spec strategy", "RollingUpdate"),
    (rules.fields_are_spelled_as_kubernetes_spells_them, "NetworkPolicy", "metadata labels", ["quantd"]),
    (rules.names_stand_for_what_is_there, "Deployment", f"{_POD} serviceAccountName", "default"),
    (rules.names_stand_for_what_is_there, "Deployment", f"{_CONTAINER} envFrom 0 configMapRef name", "other"),
    (rules.names_stand_for_what_is_there, "HorizontalPodAutoscaler", "spec scaleTargetRef name", "other"),
    (rules.names_stand_for_what_is_there, "Deployment", "metadata name", "other"),
    *((rules.selectors_match_the_pods, resource, f"{path} app.kubernetes.io/name", "other")
      for resource, path in (
          ("Deployment", "spec selector matchLabels"),
          ("Service/quantd", "spec selector"),
          ("Service/quantd-headless", "spec selector"),
          ("PodDisruptionBudget", "spec selector matchLabels"),
          ("NetworkPolicy", "spec podSelector matchLabels"),
          ("Deployment", f"{_POD} topologySpreadConstraints 1 labelSelector matchLabels"))),
    (rules.selectors_match_the_pods, "Deployment",
     "spec template metadata labels app.kubernetes.io/component", REMOVED),
    (rules.selectors_match_the_pods, "Service/quantd", "spec selector", {}),
    (rules.quantd_understands_its_environment, "ConfigMap", "data QUANTD_DRAIN", "30s"),
    (rules.quantd_understands_its_environment, "ConfigMap", "data QUANTD_DRAIN_TIMEOUT", "thirty"),
    (rules.quantd_understands_its_environment, "ConfigMap", "data QUANTD_MAX_IN_FLIGHT_BYTES", "32MiB"),
    (rules.ports_agree, "Deployment", f"{_CONTAINER} env 0 value", "0.0.0.0:50052"),
    (rules.ports_agree, "Deployment", f"{_CONTAINER} env 0 value", "localhost:50051"),
    (rules.ports_agree, "Deployment", f"{_CONTAINER} env 1 value", "localhost:9464"),
    (rules.ports_agree, "Deployment", f"{_CONTAINER} ports 0 containerPort", 50052),
    (rules.ports_agree, "Service/quantd", "spec ports 0 targetPort", "metrics"),
    (rules.ports_agree, "Service/quantd", "spec ports 1 targetPort", 9465),
    (rules.ports_agree, "Service/quantd-headless", "spec ports 0 port", 80),
    (rules.probes_reach_the_server, "Deployment", f"{_CONTAINER} readinessProbe",
     {"periodSeconds": 5, "failureThreshold": 2}),
    (rules.clients_can_balance, "Service/quantd-headless", "spec clusterIP", REMOVED),
    (rules.clients_can_balance, "Service/quantd-headless", "spec publishNotReadyAddresses", True),
    (rules.clients_can_balance, "Service/quantd", "spec clusterIP", "None"),
    (rules.clients_can_balance, "Service/quantd", "spec ports 0", REMOVED),
    (rules.prometheus_finds_each_pod_once, "ServiceMonitor", "spec endpoints 0 port", "grpc"),
    (rules.prometheus_finds_each_pod_once, "ServiceMonitor", "spec endpoints 0 path", "/"),
    (rules.prometheus_finds_each_pod_once, "Service/quantd", "metadata labels app.kubernetes.io/name",
     "other"),
    (rules.prometheus_finds_each_pod_once, "Service/quantd-headless", "spec ports 1",
     {"name": "metrics", "port": 9464, "targetPort": "metrics"}),
    (rules.only_clients_and_prometheus_are_let_in, "NetworkPolicy", "spec policyTypes", ["Ingress"]),
    (rules.only_clients_and_prometheus_are_let_in, "NetworkPolicy", "spec egress", [{}]),
    (rules.only_clients_and_prometheus_are_let_in, "NetworkPolicy", "spec ingress", []),
    (rules.only_clients_and_prometheus_are_let_in, "NetworkPolicy", "spec ingress 0 from", REMOVED),
    (rules.only_clients_and_prometheus_are_let_in, "NetworkPolicy",
     "spec ingress 0 from 0 podSelector matchLabels", {}),
    (rules.only_clients_and_prometheus_are_let_in, "NetworkPolicy",
     "spec ingress 0 from 0 podSelector matchLabels app.kubernetes.io/name", "quantd"),
    (rules.only_clients_and_prometheus_are_let_in, "NetworkPolicy", "spec ingress 1 ports", REMOVED),
    (rules.only_clients_and_prometheus_are_let_in, "NetworkPolicy", "spec ingress 1 ports 0 port", 50051),
    (rules.quantd_keeps_to_the_limits_of_its_container, "Deployment", f"{_CONTAINER} resources limits memory",
     "1Gi"),
    (rules.quantd_keeps_to_the_limits_of_its_container, "Deployment", f"{_CONTAINER} resources requests cpu",
     "500m"),
    (rules.quantd_keeps_to_the_limits_of_its_container, "Deployment", f"{_CONTAINER} env 2",
     {"name": "QUANTD_WORKER_THREADS", "value": "64"}),
    (rules.quantd_keeps_to_the_limits_of_its_container, "ConfigMap", "data QUANTD_MAX_IN_FLIGHT_BYTES",
     "8GiB"),
    (rules.logs_are_for_machines, "ConfigMap", "data QUANTD_LOG_FORMAT", "text"),
    (rules.a_drain_has_its_time, "ConfigMap", "data QUANTD_DRAIN_TIMEOUT", "2m"),
    (rules.a_drain_has_its_time, "ConfigMap", "data QUANTD_DRAIN_TIMEOUT", "5s"),
    (rules.a_drain_has_its_time, "Deployment", f"{_POD} terminationGracePeriodSeconds", REMOVED),
    (rules.a_drain_has_its_time, "Deployment", f"{_CONTAINER} lifecycle",
     {"preStop": {"sleep": {"seconds": 40}}}),
    (rules.a_drain_has_its_time, "Deployment", f"{_CONTAINER} livenessProbe failureThreshold", REMOVED),
    (rules.a_drain_has_its_time, "Deployment", f"{_CONTAINER} readinessProbe failureThreshold", 6),
    *((rules.a_drain_has_its_time, "Deployment", f"{_CONTAINER} {probe}", REMOVED)
      for probe in ("startupProbe", "readinessProbe", "livenessProbe")),
    *((rules.pods_are_restricted, "Deployment", f"{_POD} securityContext {field}", value)
      for field, value in (("runAsNonRoot", REMOVED), ("runAsUser", 0), ("runAsGroup", 0),
                           ("seccompProfile", {"type": "Unconfined"}))),
    *((rules.pods_are_restricted, "Deployment", f"{_CONTAINER} securityContext {field}", value)
      for field, value in (("allowPrivilegeEscalation", REMOVED), ("readOnlyRootFilesystem", False),
                           ("capabilities", {"drop": ["ALL"], "add": ["SYS_PTRACE"]}),
                           ("privileged", True), ("runAsUser", 0))),
    *((rules.pods_are_restricted, "Deployment", f"{_POD} {field}", True)
      for field in ("hostNetwork", "hostPID", "hostIPC", "automountServiceAccountToken",
                    "enableServiceLinks")),
    (rules.pods_are_restricted, "ServiceAccount", "automountServiceAccountToken", REMOVED),
    (rules.there_are_always_pods, "Deployment", "spec replicas", 2),
    (rules.there_are_always_pods, "Deployment", "spec strategy rollingUpdate maxUnavailable", 1),
    (rules.there_are_always_pods, "Deployment", "spec minReadySeconds", REMOVED),
    (rules.there_are_always_pods, "Deployment", f"{_POD} topologySpreadConstraints 0", REMOVED),
    (rules.there_are_always_pods, "HorizontalPodAutoscaler", "spec minReplicas", 1),
    (rules.there_are_always_pods, "HorizontalPodAutoscaler", "spec maxReplicas", 1),
    (rules.there_are_always_pods, "HorizontalPodAutoscaler",
     "spec behavior scaleDown stabilizationWindowSeconds", 0),
    (rules.there_are_always_pods, "PodDisruptionBudget", "spec minAvailable", 3),
    (rules.there_are_always_pods, "PodDisruptionBudget", "spec maxUnavailable", 0),
    (rules.there_are_always_pods, "PodDisruptionBudget", "spec maxUnavailable", 3),
    (rules.the_image_is_of_this_version, "Deployment", f"{_CONTAINER} image", "quantd:latest"),
    (rules.the_image_is_of_this_version, "Deployment", f"{_CONTAINER} image", "quantd"),
    (rules.the_image_is_of_this_version, "Deployment", f"{_CONTAINER} image", "quantctl:0.1.0"),
)

# Those that only a kustomization without TLS can have.
PLAIN_BREACHES = (
    (rules.fields_are_spelled_as_kubernetes_spells_them, "Deployment",
     f"{_CONTAINER} readinessProbe grpc port", "grpc"),
    (rules.probes_reach_the_server, "Deployment", f"{_CONTAINER} livenessProbe grpc port", 9464),
    (rules.calls_are_encrypted_unless_told_otherwise, "ConfigMap", "data QUANTD_INSECURE", REMOVED),
    (rules.calls_are_encrypted_unless_told_otherwise, "Service/quantd", "spec ports 0 appProtocol", "https"),
)

# Those that only a kustomization with TLS can have.
TLS_BREACHES = (
    (rules.names_stand_for_what_is_there, "Deployment", f"{_POD} volumes 0 secret secretName", "other"),
    (rules.probes_reach_the_server, "Deployment", f"{_CONTAINER} livenessProbe",
     {"grpc": {"port": 50051}, "failureThreshold": 6}),
    *((rules.probes_reach_the_server, "Deployment", f"{_CONTAINER} livenessProbe exec command {number}", value)
      for number, value in ((0, "/bin/true"), (1, "--server=unix:/tmp/other"), (2, "--timeout=10"),
                            (3, "info"))),
    *((rules.calls_are_encrypted_unless_told_otherwise, resource, path, value)
      for resource, path, value in (
          ("ConfigMap", "data QUANTD_INSECURE", "true"),
          ("ConfigMap", "data QUANTD_TLS_KEY", "/etc/quantd/tls.key"),
          ("ConfigMap", "data QUANTD_TLS_CLIENT_CA", "/etc/quantd/clients/ca.crt"),
          ("Deployment", f"{_CONTAINER} volumeMounts 0 readOnly", REMOVED),
          ("Deployment", f"{_CONTAINER} volumeMounts 1 mountPath", "/run/other"),
          ("Deployment", f"{_POD} volumes 0 secret defaultMode", 0o444),
          ("Deployment", f"{_POD} securityContext fsGroup", REMOVED),
          ("Service/quantd-headless", "spec ports 0 appProtocol", "kubernetes.io/h2c"))),
    (rules.certificates_are_for_the_names_of_services, "Certificate", "spec dnsNames 0", "other"),
)


class RulesTest(KubernetesTest):

    def test_every_rule_detects_its_violations(self):
        breaches = {BASE: (*BREACHES, *PLAIN_BREACHES), PRODUCTION: (*BREACHES, *PLAIN_BREACHES),
                    TLS: (*BREACHES, *TLS_BREACHES)}
        for name, manifests in self.kustomizations.items():
            for rule, resource, path, value in breaches[name]:
                with self.subTest(rule.__name__, resource=resource, path=path, value=value,
                                  kustomization=name):
                    found = rules.check(changed(manifests, resource, path, value), self.program)
                    self.assertIn(rule, [violation.rule for violation in found])

    def test_every_rule_has_a_violation_in_the_tests(self):
        self.assertEqual(set(rules.RULES), {rule for rule, *_ in (*BREACHES, *PLAIN_BREACHES, *TLS_BREACHES)})

    def test_permitted_changes_are_accepted(self):
        base = self.kustomizations[BASE]
        for resource, path, value in (
            ("PodDisruptionBudget", "spec",
             {"minAvailable": 1, "selector": {"matchLabels": base.pod_labels}}),
            ("Deployment", f"{_CONTAINER} lifecycle", {"preStop": {"sleep": {"seconds": 10}}}),
            ("Deployment", f"{_CONTAINER} image",
             f"registry.example.com:5000/team/quantd:{self.program.version}"),
            ("Deployment", f"{_CONTAINER} env 0 value", "0.0.0.0:50051"),
            ("Service/quantd", "spec ports 0 targetPort", 50051),
            ("NetworkPolicy", "spec ingress 0 ports 0 port", "grpc"),
            ("Deployment", "spec template metadata labels team", "numerics"),
            ("Deployment", "metadata creationTimestamp", None),
        ):
            with self.subTest(resource, path=path, value=value):
                found = rules.check(changed(base, resource, path, value), self.program)
                self.assertEqual(list(map(str, found)), [])


if __name__ == "__main__":
    unittest.main()

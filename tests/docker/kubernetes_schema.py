"""The fields of Kubernetes' resources that docker/kubernetes uses, according to the API reference.

No program on Debian 12 can check manifests without a cluster. A field that is missing here is either
misspelled, in the wrong place, or has to be added.
"""

# A schema is a type or a tuple of types; a list with one schema; a MapOf; or a dictionary from the
# names of fields to their schemas. A name that ends with "!" denotes a required field.


class MapOf:
    """A map with arbitrary names and values of one type."""

    def __init__(self, value):
        self.value = value


_LABELS = MapOf(str)
_METADATA = {
    "name!": str,
    "namespace": str,
    "labels": _LABELS,
    "annotations": MapOf(str),
    # Some versions of kustomize add this field, without a value.
    "creationTimestamp": type(None),
}
_SELECTOR = {"matchLabels!": _LABELS}
_NUMBER_OR_TEXT = (int, str)
_CPU_AND_MEMORY = {"cpu!": str, "memory!": str}
_PROBE = {
    # It needs one of these.
    "exec": {"command!": [str]},
    "grpc": {"port!": int, "service": str},
    "initialDelaySeconds": int,
    "periodSeconds": int,
    "timeoutSeconds": int,
    "successThreshold": int,
    "failureThreshold": int,
}
_CONTAINER = {
    "name!": str,
    "image!": str,
    "imagePullPolicy": str,
    "args": [str],
    "env": [{
        "name!": str,
        "value": str,
        "valueFrom": {"resourceFieldRef!": {
            "resource!": str, "containerName": str, "divisor": _NUMBER_OR_TEXT}},
    }],
    "envFrom": [{"configMapRef!": {"name!": str}}],
    "lifecycle": {"preStop!": {"sleep!": {"seconds!": int}}},
    "ports!": [{"name!": str, "containerPort!": int, "protocol": str}],
    "resources!": {"requests!": _CPU_AND_MEMORY, "limits!": _CPU_AND_MEMORY},
    "startupProbe": _PROBE,
    "readinessProbe": _PROBE,
    "livenessProbe": _PROBE,
    "securityContext": {
        "allowPrivilegeEscalation": bool,
        "capabilities": {"add": [str], "drop": [str]},
        "privileged": bool,
        "readOnlyRootFilesystem": bool,
        "runAsGroup": int,
        "runAsNonRoot": bool,
        "runAsUser": int,
        "seccompProfile": {"type!": str},
    },
    "volumeMounts": [{"name!": str, "mountPath!": str, "readOnly": bool}],
}
_POD = {
    "automountServiceAccountToken": bool,
    "containers!": [_CONTAINER],
    "enableServiceLinks": bool,
    "hostIPC": bool,
    "hostNetwork": bool,
    "hostPID": bool,
    "nodeSelector": _LABELS,
    "priorityClassName": str,
    "securityContext": {
        "fsGroup": int,
        "runAsGroup": int,
        "runAsNonRoot": bool,
        "runAsUser": int,
        "seccompProfile": {"type!": str},
    },
    "serviceAccountName": str,
    "terminationGracePeriodSeconds": int,
    "topologySpreadConstraints": [{
        "labelSelector!": _SELECTOR,
        "maxSkew!": int,
        "topologyKey!": str,
        "whenUnsatisfiable!": str,
    }],
    "volumes": [{
        "name!": str,
        # It needs one of these.
        "emptyDir": {"medium": str, "sizeLimit": str},
        "secret": {"secretName!": str, "defaultMode": int},
    }],
}
_SCALING = {
    "policies!": [{"type!": str, "value!": int, "periodSeconds!": int}],
    "selectPolicy": str,
    "stabilizationWindowSeconds": int,
}

SCHEMAS = {
    ("apps/v1", "Deployment"): {"metadata!": _METADATA, "spec!": {
        "minReadySeconds": int,
        "progressDeadlineSeconds": int,
        "replicas": int,
        "revisionHistoryLimit": int,
        "selector!": _SELECTOR,
        "strategy": {
            "type!": str,
            "rollingUpdate": {"maxSurge": _NUMBER_OR_TEXT, "maxUnavailable": _NUMBER_OR_TEXT}},
        "template!": {
            "metadata!": {"labels!": _LABELS, "annotations": MapOf(str),
                          "creationTimestamp": type(None)},
            "spec!": _POD},
    }},
    ("autoscaling/v2", "HorizontalPodAutoscaler"): {"metadata!": _METADATA, "spec!": {
        "scaleTargetRef!": {"apiVersion!": str, "kind!": str, "name!": str},
        "minReplicas": int,
        "maxReplicas!": int,
        "metrics": [{
            "type!": str,
            "resource!": {"name!": str, "target!": {"type!": str, "averageUtilization!": int}},
        }],
        "behavior": {"scaleUp": _SCALING, "scaleDown": _SCALING},
    }},
    ("cert-manager.io/v1", "Certificate"): {"metadata!": _METADATA, "spec!": {
        "dnsNames": [str],
        "duration": str,
        "issuerRef!": {"name!": str, "kind": str, "group": str},
        "privateKey": {"algorithm": str, "size": int, "rotationPolicy": str},
        "renewBefore": str,
        "secretName!": str,
        "usages": [str],
    }},
    ("monitoring.coreos.com/v1", "ServiceMonitor"): {"metadata!": _METADATA, "spec!": {
        "endpoints!": [{"port!": str, "path": str, "interval": str, "scrapeTimeout": str}],
        "jobLabel": str,
        "selector!": _SELECTOR,
    }},
    ("networking.k8s.io/v1", "NetworkPolicy"): {"metadata!": _METADATA, "spec!": {
        "podSelector!": _SELECTOR,
        "policyTypes": [str],
        "ingress": [{
            "from": [{"podSelector": _SELECTOR, "namespaceSelector": _SELECTOR}],
            "ports": [{"port": _NUMBER_OR_TEXT, "protocol": str}],
        }],
        "egress": [MapOf(list)],
    }},
    ("policy/v1", "PodDisruptionBudget"): {"metadata!": _METADATA, "spec!": {
        # Percentages are not allowed, because with few pods their effect is hard to predict.
        "maxUnavailable": int,
        "minAvailable": int,
        "selector!": _SELECTOR,
    }},
    ("v1", "ConfigMap"): {"metadata!": _METADATA, "data!": MapOf(str)},
    ("v1", "Namespace"): {"metadata!": _METADATA},
    ("v1", "Service"): {"metadata!": _METADATA, "spec!": {
        "clusterIP": str,
        "ports!": [{
            "name!": str,
            "port!": int,
            "targetPort": _NUMBER_OR_TEXT,
            "protocol": str,
            "appProtocol": str,
        }],
        "publishNotReadyAddresses": bool,
        "selector!": _LABELS,
        "type": str,
    }},
    ("v1", "ServiceAccount"): {"metadata!": _METADATA, "automountServiceAccountToken": bool},
}


def problems(document):
    """Returns what is wrong with the fields of a rendered resource, as a list of sentences."""
    kind = (document.get("apiVersion"), document.get("kind"))
    if kind not in SCHEMAS:
        return [f"{kind} is not a known kind of resource"]
    schema = SCHEMAS[kind] | {"apiVersion!": str, "kind!": str}
    name = document.get("metadata", {}).get("name")
    return list(_problems(document, schema, f"{document['kind']} {name}"))


def _problems(value, schema, where):
    if isinstance(schema, MapOf):
        if not isinstance(value, dict):
            yield f"{where}: expected a map, got {value!r}"
            return
        for name, part in value.items():
            yield from _problems(part, schema.value, f"{where}.{name}")
    elif isinstance(schema, list):
        if not isinstance(value, list):
            yield f"{where}: expected a list, got {value!r}"
            return
        for index, part in enumerate(value):
            yield from _problems(part, schema[0], f"{where}[{index}]")
    elif isinstance(schema, dict):
        yield from _problems_of_object(value, schema, where)
    else:
        types = schema if isinstance(schema, tuple) else (schema,)
        # isinstance() would accept a bool as an int.
        if type(value) not in types:
            yield f"{where}: expected {' or '.join(t.__name__ for t in types)}, got {value!r}"


def _problems_of_object(value, schema, where):
    if not isinstance(value, dict):
        yield f"{where}: expected an object, got {value!r}"
        return
    fields = {name.removesuffix("!"): part for name, part in schema.items()}
    for name, part in value.items():
        if name in fields:
            yield from _problems(part, fields[name], f"{where}.{name}")
        else:
            yield f"{where}: there is no field {name!r}"
    for name in schema:
        if name.endswith("!") and name[:-1] not in value:
            yield f"{where}: the field {name[:-1]!r} is missing"

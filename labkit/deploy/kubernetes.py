"""A manifest for Kubernetes: Namespace, and for each model Deployment, Service, NetworkPolicy, and an autoscaler where it may grow.

Pods run without root and with a read-only file system; only pods with the label labkit/client may reach them, and they reach
nothing. The key comes from a Secret, by name. The autoscaler follows the requests that wait.

Taught in notebook 12, section "One manifest, three schedulers".
"""

from __future__ import annotations

from typing import Any

from labkit.deploy import check
from labkit.deploy.container import MODELS, PORT, USER, Container, container, yaml_text
from labkit.deploy.manifest import Manifest, Model
from labkit.deploy.scenarios import engines
from labkit.errors import ConfigError

__all__ = ["agents", "files", "urls"]

CLIENT = "labkit/client"
HEAD = """\
# Made by `labkit deploy render`: change the manifest, not this file. Use: kubectl apply -f FOLDER
# It wants in the namespace {name}: a PersistentVolumeClaim {name}-models, and the keys:
#   kubectl -n {name} create secret generic {name}-keys --from-literal={key}="$(openssl rand -hex 16)"
"""
SCALES = """\
# The autoscaler reads the pods' metric {metric}: a metrics adapter has to offer it, from the pods' {path}.
"""


def files(manifest: Manifest) -> dict[str, str]:
    """Return 00-namespace.yaml, to be applied first, and a file for each model. Raises ConfigError: more GPUs than there are."""
    _refuse_shared_gpus(manifest)
    head = HEAD.format(name=manifest.name, key=manifest.models[0].key_env)
    found = {"00-namespace.yaml": head + yaml_text(_namespace(manifest))}
    for model in manifest.models:
        box, row = container(manifest, model), engines()[model.engine]
        objects = [_deployment(manifest, model, box), _service(manifest, model), _network_policy(manifest, model)]
        text = HEAD.format(name=manifest.name, key=model.key_env)
        if model.replicas.max > model.replicas.min:
            objects.append(_autoscaler(manifest, model))
            text += SCALES.format(metric=row["waiting"], path=row["metrics"])
        found[f"model-{model.name}.yaml"] = text + yaml_text(*objects)
    return found


def urls(manifest: Manifest, model: Model) -> list[str]:
    """Return where a model answers inside the cluster: its Service, which spreads requests over the pods."""
    return [f"http://{model.name}.{manifest.name}.svc:{model.port}/v1"]


def agents(manifest: Manifest, text: str) -> dict[str, str]:
    """Return the ConfigMap that carries agents.json."""
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _meta(manifest, "agents"),
        "data": {"agents.json": text},
    }
    return {"agents.yaml": yaml_text(config)}


def _refuse_shared_gpus(manifest: Manifest) -> None:
    """On Kubernetes a GPU belongs to one pod; a share of it is nothing that can be asked for."""
    for device in manifest.devices:
        models = [one for one in manifest.models if one.engine == "vllm" and manifest.device_of(one) == device]
        asked = sum(one.resolved.gpus * one.replicas.max for one in models)
        if device.gpus and asked > device.gpus:
            what = f"{asked} GPUs on {device.name}, for {', '.join(one.name for one in models)}."
            why = f"it has {device.gpus}, and on Kubernetes each server takes whole ones"
            raise ConfigError(what, why, "replicas: {max: 1}, another device, or --to compose")


def _meta(manifest: Manifest, name: str) -> dict[str, Any]:
    return {"name": name, "namespace": manifest.name, "labels": _labels(manifest, name)}


def _labels(manifest: Manifest, name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": manifest.name}


def _namespace(manifest: Manifest) -> dict[str, Any]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": manifest.name, "labels": labels}}


def _deployment(manifest: Manifest, model: Model, box: Container) -> dict[str, Any]:
    grows = model.replicas.max > model.replicas.min  # then the autoscaler owns the number
    spec = {
        **({} if grows else {"replicas": model.replicas.min}),
        "selector": {"matchLabels": _labels(manifest, model.name)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": _pod_meta(manifest, model), "spec": _pod(manifest, model, box)},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _meta(manifest, model.name), "spec": spec}


def _pod_meta(manifest: Manifest, model: Model) -> dict[str, Any]:
    scrape = {"scrape": "true", "port": str(PORT), "path": engines()[model.engine]["metrics"]}
    annotations = {f"prometheus.io/{key}": value for key, value in scrape.items()}
    return {"labels": _labels(manifest, model.name), "annotations": annotations}


def _pod(manifest: Manifest, model: Model, box: Container) -> dict[str, Any]:
    claim = {"claimName": f"{manifest.name}-models", "readOnly": True}
    volumes: list[dict[str, Any]] = [
        {"name": "models", "persistentVolumeClaim": claim},
        {"name": "tmp", "emptyDir": {}},
    ]
    # Processes of one server that share its GPUs talk through shared memory; the default is 64 MiB.
    volumes += [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}] if box.gpus else []
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,  # a Service called vllm would set VLLM_PORT, which vLLM reads
        "terminationGracePeriodSeconds": 60,
        **({"nodeSelector": {"kubernetes.io/hostname": model.device}} if model.device else {}),
        "securityContext": {
            "runAsNonRoot": True,
            **{"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(manifest, model, box)],
        "volumes": volumes,
    }


def _container(manifest: Manifest, model: Model, box: Container) -> dict[str, Any]:
    secret = {"secretKeyRef": {"name": f"{manifest.name}-keys", "key": model.key_env}}
    environment = [{"name": name, "value": value} for name, value in box.environment.items()]
    mounts = [{"name": "models", "mountPath": MODELS, "readOnly": True}, {"name": "tmp", "mountPath": "/tmp"}]
    probe = {"httpGet": {"path": box.health, "port": "http"}, "periodSeconds": 10}
    return {
        "name": "server",
        "image": box.image,
        "command": [box.program],
        # Kubernetes fills in $(NAME) by itself; in what it should leave alone, a dollar is two.
        "args": [part.replace("$(", "$$(") for part in box.arguments],
        "env": [*environment, {"name": box.key_env, "valueFrom": secret}],
        "ports": [{"name": "http", "containerPort": PORT}],
        "startupProbe": {**probe, "failureThreshold": 60},  # ten minutes to load the weights
        "readinessProbe": probe,
        "livenessProbe": {**probe, "failureThreshold": 6},
        "resources": _resources(model, box),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [*mounts, *([{"name": "shm", "mountPath": "/dev/shm"}] if box.gpus else [])],
    }


def _resources(model: Model, box: Container) -> dict[str, Any]:
    """A GPU server gets its GPUs; on the CPU, the memory that weights and conversations take."""
    if box.gpus:
        return {"limits": {"nvidia.com/gpu": str(box.gpus)}}
    size = check.needed_bytes(model)
    memory = {"memory": f"{-(-size // 2**20)}Mi"} if size else {}
    return {"requests": {"cpu": "1", **memory}, **({"limits": memory} if memory else {})}


def _service(manifest: Manifest, model: Model) -> dict[str, Any]:
    ports = [{"name": "http", "port": model.port, "targetPort": "http"}]
    spec = {"type": "ClusterIP", "selector": _labels(manifest, model.name), "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(manifest, model.name), "spec": spec}


def _network_policy(manifest: Manifest, model: Model) -> dict[str, Any]:
    clients = {"podSelector": {"matchLabels": {CLIENT: manifest.name}}}
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    spec = {
        "podSelector": {"matchLabels": _labels(manifest, model.name)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [clients, monitoring], "ports": [{"protocol": "TCP", "port": PORT}]}],
        "egress": [],
    }
    meta = _meta(manifest, model.name)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def _autoscaler(manifest: Manifest, model: Model) -> dict[str, Any]:
    waits = {"type": "AverageValue", "averageValue": str(model.replicas.waiting)}
    metric = {"metric": {"name": engines()[model.engine]["waiting"]}, "target": waits}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": model.name},
        "minReplicas": model.replicas.min,
        "maxReplicas": model.replicas.max,
        "metrics": [{"type": "Pods", "pods": metric}],
        # Loading takes minutes: a server that goes after a quiet moment is missed at the next busy one.
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
    }
    meta = _meta(manifest, model.name)
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": spec}

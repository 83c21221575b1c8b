"""Container files and manifests, checked by the tools made for them and by what they must say."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_tools import tool


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)


def test_hadolint_accepts_the_containerfile(deploy: Path) -> None:
    done = run(tool("hadolint"), str(deploy / "container" / "Containerfile"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_image_runs_as_nobody_special(deploy: Path) -> None:
    text = (deploy / "container" / "Containerfile").read_text()
    stages = re.split(r"^FROM .* AS (\w+)$", text, flags=re.M)[1:]
    images = dict(zip(stages[::2], stages[1::2], strict=True))
    for image in ("site", "coordinator"):
        users = re.findall(r"^USER (.*)$", images[image], flags=re.M)
        assert users[-1] == "10001:10001"
        # Nothing is installed after the user is set, and no shell starts the program.
        assert images[image].index("USER") > images[image].rfind("RUN")
        assert 'ENTRYPOINT ["fedscan"]' in images[image]


def test_no_registry_is_named(deploy: Path) -> None:
    text = (deploy / "container" / "Containerfile").read_text()
    sources = re.findall(r"^FROM (\S+)", text, flags=re.M)
    assert sources == ["${BASE_IMAGE}", "${BASE_IMAGE}", "runtime", "runtime"]
    assert "ARG BASE_IMAGE=python:3.11-slim" in text
    for file in deploy.rglob("*"):
        if file.is_file():
            assert not re.search(r"https?://|index-url|\.io/\w+/", file.read_text()), file.name


def test_the_compose_file_follows_its_specification(deploy: Path) -> None:
    file = deploy / "container" / "compose.yaml"
    done = run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_is_hardened(deploy: Path) -> None:
    compose = yaml.safe_load((deploy / "container" / "compose.yaml").read_text())
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["user"] == "10001:10001"
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        assert service["ulimits"]["core"] == 0
    site = compose["services"]["site"]
    assert "ports" not in site
    scans = [one for one in site["volumes"] if isinstance(one, dict)]
    assert [one["read_only"] for one in scans] == [True]
    assert site["memswap_limit"] == site["mem_limit"]


def manifests(deploy: Path) -> list[dict[str, Any]]:
    text = (deploy / "kubernetes" / "coordinator.yaml").read_text()
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("version", ["1.29", "1.34"])
def test_the_manifests_follow_kubernetes_own_schemas(deploy: Path, version: str) -> None:
    file = deploy / "kubernetes" / "coordinator.yaml"
    done = run(tool("kubernetes-validate"), "--strict", "--version", version, str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_kustomize_builds_the_manifests(deploy: Path) -> None:
    done = run(tool("kubectl"), "kustomize", str(deploy / "kubernetes"))
    assert done.returncode == 0, done.stderr
    kinds = [one["kind"] for one in yaml.safe_load_all(done.stdout)]
    assert sorted(kinds) == sorted([*(one["kind"] for one in manifests(deploy)), "ConfigMap"])


def test_the_pod_keeps_to_the_restricted_profile(deploy: Path) -> None:
    (workload,) = [one for one in manifests(deploy) if one["kind"] == "StatefulSet"]
    pod = workload["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert workload["spec"]["replicas"] == 1
    for container in pod["containers"] + pod["initContainers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
    (policy,) = [one for one in manifests(deploy) if one["kind"] == "NetworkPolicy"]
    assert policy["spec"]["egress"] == []


def test_phone_home_is_off_everywhere(deploy: Path) -> None:
    unit = (deploy / "systemd" / "environment").read_text()
    image = (deploy / "container" / "Containerfile").read_text()
    for text in (unit, image):
        values = dict(re.findall(r"\b([A-Z_]+)=(\S+)", text))
        assert values["FLWR_TELEMETRY_ENABLED"] == "0"
        assert values["FLWR_DISABLE_UPDATE_CHECK"] == "1"
        assert values["RAY_USAGE_STATS_ENABLED"] == "0"
        assert values["HF_HUB_OFFLINE"] == "1"


def test_the_images_leave_out_what_must_not_be_in_them(deploy: Path) -> None:
    lines = (deploy / "container" / "Containerfile.dockerignore").read_text().splitlines()
    assert {".git", "coordinator", "site", "hospitals"} <= set(lines)
    assert json.dumps(lines).count("tests") == 1

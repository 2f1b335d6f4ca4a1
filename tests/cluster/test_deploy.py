"""docker-compose.yml, the Dockerfile and the KubeRay manifest agree with their schemas, one another and the pins."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SECRETS = ("RAY_AUTH_TOKEN", "POSTGRES_PASSWORD", "TUNER_TOKEN")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return load(ROOT / "docker-compose.yml")


@pytest.fixture(scope="module")
def raycluster() -> dict[str, Any]:
    return load(ROOT / "deploy" / "raycluster.yaml")


def pinned(package: str) -> str:
    match = re.search(rf"^{package}==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert match
    return match[1]


@pytest.mark.parametrize(
    ("document", "schema"),
    [("docker-compose.yml", "compose_schema.yaml"), ("deploy/raycluster.yaml", "raycluster_schema.yaml")],
)
def test_document_fits_its_schema(document: str, schema: str) -> None:
    jsonschema.Draft202012Validator(load(HERE / schema)).validate(load(ROOT / document))


@pytest.mark.parametrize("schema", ["compose_schema.yaml", "raycluster_schema.yaml"])
def test_schema_refuses_a_misspelt_key(schema: str) -> None:
    document = load(ROOT / {"compose_schema.yaml": "docker-compose.yml"}.get(schema, "deploy/raycluster.yaml"))
    document["spce"] = {}
    with pytest.raises(jsonschema.ValidationError, match="spce"):
        jsonschema.Draft202012Validator(load(HERE / schema)).validate(document)


def test_every_lasting_service_is_checked_and_comes_back(compose: dict[str, Any]) -> None:
    lasting = {name: service for name, service in compose["services"].items() if service["restart"] != "no"}
    assert set(compose["services"]) - set(lasting) == {"upgrade"}
    assert all("healthcheck" in service for service in lasting.values())


def test_every_image_is_pinned_to_a_version(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert re.fullmatch(r"[a-z-]+:\d+(\.\d+)+(-[a-z]+)?", service["image"])
    bases = set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert len(bases) == 1, "built and run on the same"
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", bases.pop())


def test_secrets_are_required_and_have_no_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for secret in SECRETS:
        uses = re.findall(rf"\$\{{{secret}([^}}]*)\}}", text)
        assert uses, secret
        assert all(use.startswith(":?") for use in uses), f"{secret} may be left unset"


def test_nothing_runs_as_root(compose: dict[str, Any]) -> None:
    assert re.findall(r"^USER (.+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == ["1000:1000"]
    for service in compose["services"].values():
        assert service["image"].startswith("bandit-tracer:") or service["user"] == "postgres"
        assert service["cap_drop"] == ["ALL"]


def test_ports_open_on_this_machine_only_unless_asked(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("${BIND:-127.0.0.1}:") for port in ports)


def test_only_the_services_that_write_or_show_know_the_database(compose: dict[str, Any]) -> None:
    told = {name for name, service in compose["services"].items() if "TUNER_STORAGE" in service["environment"]}
    assert told == {"upgrade", "head", "service"}
    assert "RAY_AUTH_TOKEN" not in compose["services"]["service"]["environment"]


def test_workers_come_for_cpus_and_for_gpus(compose: dict[str, Any]) -> None:
    profiles = {name: service["profiles"] for name, service in compose["services"].items() if "profiles" in service}
    assert profiles == {"worker": ["cpu"], "worker-gpu": ["gpu"]}
    devices = compose["services"]["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert [device["capabilities"] for device in devices] == [["gpu"]]


def test_image_copies_every_package_and_ignores_the_rest() -> None:
    copied = set(re.findall(r"^COPY (\w+) \w+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == {"tracer", "storage", "tuner", "experiments"}
    assert copied < sent
    assert all((ROOT / name).exists() for name in sent)


def test_kubernetes_runs_the_pinned_ray_and_the_image_of_compose(
    compose: dict[str, Any], raycluster: dict[str, Any]
) -> None:
    spec = raycluster["spec"]
    assert spec["rayVersion"] == pinned("ray")
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    containers = [group["template"]["spec"]["containers"][0] for group in groups]
    assert {container["image"] for container in containers} == {compose["services"]["head"]["image"]}


def test_a_login_shell_finds_the_programs_too() -> None:
    """KubeRay before 1.4 starts Ray in one, which sets PATH anew."""
    text = (ROOT / "Dockerfile").read_text()
    assert "'PATH=/opt/tuner/bin:$PATH' > /etc/profile.d/tuner.sh" in text


def test_kubernetes_takes_secrets_by_reference_only(raycluster: dict[str, Any]) -> None:
    spec = raycluster["spec"]
    for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]:
        for variable in group["template"]["spec"]["containers"][0]["env"]:
            secret = variable["name"] in {"RAY_AUTH_TOKEN", "TUNER_STORAGE"}
            assert ("valueFrom" in variable) == secret, variable["name"]

"""The chart, rendered for every sensible set of services and held against Kubernetes."""

import itertools
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from polyclinic.assembly.services import SERVICES

CHART = Path(__file__).parents[2] / "deploy/helm/polyclinic"
NAMES = tuple(service.name for service in SERVICES)
# Rendered, not validated: their schemas are their operators'.
CUSTOM = {
    "Cluster",
    "ObjectStore",
    "ScheduledBackup",
    "HTTPRoute",
    "ServiceMonitor",
    "PrometheusRule",
}
# A clinic begins with one capability and what it cannot be without.
BEGINNINGS = [
    ("identity",),
    ("identity", "records"),
    ("identity", "appointments"),
    ("identity", "records", "portal"),
    ("identity", "records", "appointments", "portal"),
    ("identity", "records", "billing", "portal"),
    ("identity", "records", "integration"),
    ("identity", "records", "migration", "portal"),
    NAMES,
]


def only(names: tuple[str, ...]) -> list[str]:
    return [f"services.{name}.enabled={str(name in names).lower()}" for name in NAMES]


def named(resources: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {r["metadata"]["name"]: r for r in resources if r["kind"] == kind}


def pods(resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        r["metadata"]["name"]: r["spec"]["template"]["spec"]
        for r in resources
        if r["kind"] in ("Deployment", "Job")
    }


def test_the_values_know_every_service_and_its_security_class():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    told = {name: each["securityClass"] for name, each in values["services"].items()}
    assert told == {service.name: service.security_class for service in SERVICES}


@pytest.mark.parametrize("names", BEGINNINGS, ids="+".join)
def test_what_is_rendered_is_what_kubernetes_takes(render, names: tuple[str, ...]):
    resources = render(*only(names))
    for resource in resources:
        if resource["kind"] not in CUSTOM:
            kubernetes_validate.validate(resource, "1.33", strict=True)
    deployments = set(named(resources, "Deployment"))
    assert deployments == {f"clinic-{name}" for name in (*names, "edge")}
    for kind in ("Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
        assert set(named(resources, kind)) == deployments, kind
    counted = Counter((r["kind"], r["metadata"]["name"]) for r in resources)
    assert max(counted.values()) == 1


@pytest.mark.parametrize("names", BEGINNINGS, ids="+".join)
def test_peers_are_exactly_the_services_that_are_there(render, names: tuple[str, ...]):
    resources = render(*only(names))
    wanted = {name: f"http://clinic-{name}:8080" for name in names}
    for pod in pods(resources).values():
        told = {e["name"]: e.get("value") for e in pod["containers"][0]["env"]}
        if peers := told.get("POLYCLINIC_PEERS"):
            assert dict(each.split("=", 1) for each in peers.split(",")) == wanted
    job = pods(resources)["clinic-migrate"]["containers"][0]["args"]
    assert (job[0], set(job[1:])) == ("migrate", set(names))


def test_a_clinic_without_any_service_is_refused(helm: str):
    sets = [word for each in only(()) for word in ("--set", each)]
    told = subprocess.run(
        [helm, "template", "clinic", CHART, "--kube-version", "1.33.0", *sets],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode != 0
    assert "at least one" in told.stderr


def test_no_pod_is_root_or_may_write_or_knows_the_cluster(render):
    for name, pod in pods(render()).items():
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"] is True, name
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"]["cpu"], name
            assert container["resources"]["limits"]["memory"], name


def test_only_the_migration_job_is_given_the_owner_of_the_database(render):
    for name, pod in pods(render()).items():
        environ = {e["name"]: e for e in pod["containers"][0]["env"]}
        address = environ.get("POLYCLINIC_DATABASE_URL", {})
        if name == "clinic-migrate":
            assert address["valueFrom"]["secretKeyRef"]["name"] == "polyclinic-db-app"
        elif name == "clinic-edge":
            assert not address
        else:
            assert "@" not in address["value"], name
            assert environ["POLYCLINIC_MIGRATE"]["value"] == "false"


def test_the_edge_has_its_own_key_and_not_the_root_key(render):
    volumes = {name: pod["volumes"][0]["secret"] for name, pod in pods(render()).items()}
    assert volumes.pop("clinic-edge")["secretName"] == "polyclinic-edge-key"
    assert {each["secretName"] for each in volumes.values()} == {"polyclinic-root-key"}


def test_nothing_may_speak_until_a_rule_says_so(render):
    policies = named(render(), "NetworkPolicy")
    nothing = policies["clinic-nothing"]["spec"]
    assert nothing["policyTypes"] == ["Ingress", "Egress"]
    assert not nothing.keys() & {"ingress", "egress"}
    assert {f"clinic-{name}" for name in (*NAMES, "edge", "migrate")} <= set(policies)
    for name, policy in policies.items():
        for rule in policy["spec"].get("egress", []):
            assert rule["to"], f"{name} may reach everything"
            assert all("0.0.0.0/0" not in str(to) for to in rule["to"]), name


def test_the_edge_cannot_reach_the_database(render):
    edge = named(render(), "NetworkPolicy")["clinic-edge"]["spec"]
    ports = {port["port"] for rule in edge["egress"] for port in rule["ports"]}
    assert ports == {8080}


def test_payers_outside_are_reached_only_where_the_values_name_them(render):
    told = "networkPolicy.outside.billing[0]"
    policies = named(render(f"{told}.cidr=203.0.113.7/32", f"{told}.port=443"), "NetworkPolicy")
    reached = {
        name: [to["ipBlock"]["cidr"] for r in p["spec"].get("egress", []) for to in r["to"]
               if "ipBlock" in to]
        for name, p in policies.items()
    }  # fmt: skip
    assert reached.pop("clinic-billing") == ["203.0.113.7/32"]
    assert not any(reached.values())


def test_a_database_outside_of_the_cluster_is_reached_by_its_addresses(render):
    resources = render("database.cloudNativePG.enabled=false", "database.cidrs={10.40.64.0/24}")
    assert not named(resources, "Cluster")
    records = named(resources, "NetworkPolicy")["clinic-records"]["spec"]
    blocks = [to["ipBlock"]["cidr"] for r in records["egress"] for to in r["to"] if "ipBlock" in to]
    assert blocks == ["10.40.64.0/24"]
    hooks = named(resources, "Job")["clinic-migrate"]["metadata"]["annotations"]["helm.sh/hook"]
    assert hooks == "pre-install,pre-upgrade"


def test_backups_go_where_the_values_say_and_somebody_is_told_while_they_go_nowhere(render, helm):
    assert not named(render(), "ScheduledBackup")
    told = "database.cloudNativePG.backup"
    resources = render(f"{told}.enabled=true", f"{told}.objectStore.destinationPath=s3://b/p")
    [(store, kept)] = named(resources, "ObjectStore").items()
    assert kept["spec"]["configuration"] == {"destinationPath": "s3://b/p"}
    [cluster] = named(resources, "Cluster").values()
    [plugin] = cluster["spec"]["plugins"]
    assert plugin["parameters"] == {"barmanObjectName": store}
    assert plugin["isWALArchiver"] is True
    [daily] = named(resources, "ScheduledBackup").values()
    assert daily["spec"]["cluster"]["name"] == cluster["metadata"]["name"]
    nowhere = subprocess.run(
        [helm, "template", "clinic", CHART, "--kube-version", "1.33.0",
         "--set", f"{told}.enabled=true"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert nowhere.returncode != 0
    assert "says where backups go" in nowhere.stderr


def test_probes_ask_what_the_process_really_answers(render):
    for name, deployment in named(render(), "Deployment").items():
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        asked = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness")}
        assert asked == {"/health/live", "/health/ready"}, name


def test_every_option_that_a_template_reads_stands_in_the_values():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for template in (CHART / "templates").iterdir():
        for path in re.findall(r"\.Values\.([A-Za-z.]+)", template.read_text()):
            here: Any = values
            for part in path.rstrip(".").split("."):
                assert part in here, f"{template.name}: {path}"
                here = here[part]


def test_any_two_services_can_be_chosen(render):
    """Forty-odd subsets more, rendered only: none leaves a name behind."""
    for names in itertools.islice(itertools.combinations(NAMES, 2), 0, None, 6):
        text = yaml.safe_dump_all(render(*only(names)))
        for absent in set(NAMES) - set(names):
            assert f"clinic-{absent}" not in text

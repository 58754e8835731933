"""What Terraform is told: it can be read, says each setting's reason, and opens nothing."""

from pathlib import Path
from typing import Any

import hcl2
import pytest

HERE = Path(__file__).parents[2] / "deploy/terraform"


def read(cloud: str) -> dict[str, Any]:
    """All of a folder's files as one; names without the quotation marks that HCL keeps."""
    whole: dict[str, list[Any]] = {}
    for file in sorted((HERE / cloud).glob("*.tf")):
        for kind, blocks in hcl2.loads(file.read_text()).items():
            if not kind.startswith("__"):
                whole.setdefault(kind, []).extend(blocks)
    return plain(whole)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not str(k).startswith("__")}
        return {str(k).strip('"'): plain(v) for k, v in kept.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.strip('"') if isinstance(value, str) else value


def resources(cloud: str) -> dict[str, dict[str, Any]]:
    return {
        f"{kind}.{name}": body
        for block in read(cloud)["resource"]
        for kind, named in block.items()
        for name, body in named.items()
    }


@pytest.mark.parametrize("cloud", ["aws", "azure"])
def test_every_variable_and_resource_that_is_named_is_there(cloud: str):
    text = "\n".join(file.read_text() for file in (HERE / cloud).glob("*.tf"))
    declared = {name for block in read(cloud)["variable"] for name in block}
    used = {w.split(".")[1].split(")")[0] for w in words(text) if w.startswith("var.")}
    assert used == declared
    for name in resources(cloud):
        kind, _, own = name.partition(".")
        assert f'resource "{kind}" "{own}"' in text
    referred = {
        ".".join(w.split(".")[:2]) for w in words(text) if w.startswith(("aws_", "azurerm_"))
    }
    assert {w for w in referred if "." in w} <= set(resources(cloud)), "a reference leads nowhere"


def words(text: str) -> list[str]:
    kept = "".join(c if c.isalnum() or c in "._-" else " " for c in text)
    return kept.split()


@pytest.mark.parametrize("cloud", ["aws", "azure"])
def test_the_outputs_are_what_the_chart_wants(cloud: str):
    outputs = {name for block in read(cloud)["output"] for name in block}
    assert {"database_url", "database_owner_secret", "database_cidrs", "backups"} <= outputs


def test_aws_seals_what_lies_there_and_opens_nothing():
    found = resources("aws")
    database = found["aws_db_instance.clinic"]
    assert database["storage_encrypted"] is True
    assert database["publicly_accessible"] is False
    assert database["multi_az"] is True
    assert database["deletion_protection"] is True
    assert database["manage_master_user_password"] is True
    assert "password" not in database
    assert found["aws_kms_key.clinic"]["enable_key_rotation"] is True
    public = found["aws_s3_bucket_public_access_block.backups"]
    assert {v for k, v in public.items() if k != "bucket"} == {True}
    assert found["aws_s3_bucket.backups"]["object_lock_enabled"] is True


def test_azure_seals_what_lies_there_and_opens_nothing():
    found = resources("azure")
    database = found["azurerm_postgresql_flexible_server.clinic"]
    assert database["public_network_access_enabled"] is False
    assert database["high_availability"][0]["mode"] == "ZoneRedundant"
    assert found["azurerm_key_vault.clinic"]["purge_protection_enabled"] is True
    storage = found["azurerm_storage_account.backups"]
    assert storage["shared_access_key_enabled"] is False
    assert storage["allow_nested_items_to_be_public"] is False
    assert found["azurerm_kubernetes_cluster.clinic"]["local_account_disabled"] is True

"""Settings: one frozen value per service, typed, defaulted, read once from the environment."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from polyclinic.foundation.errors import Invalid


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The base of every service's settings; each field is `POLYCLINIC_<SERVICE>_<FIELD>`."""


class Platform(Settings, frozen=True, kw_only=True):
    """What every process of the platform is told, whichever services it runs."""

    database_url: str | None = None
    migrate: bool = True
    peers: str = ""
    key_file: str | None = None
    edge_key_file: str | None = None
    public_url: str | None = None
    backup_folder: str | None = None
    traces_url: str | None = None
    traces_share: float = 1.0

    def __post_init__(self) -> None:
        # It is the tokens' issuer and is compared letter by letter: one spelling for everybody.
        if self.public_url is not None:
            plain = self.public_url.strip().rstrip("/") or None
            msgspec.structs.force_setattr(self, "public_url", plain)
        if self.traces_url is not None and not self.traces_url.startswith(("http://", "https://")):
            text = "POLYCLINIC_TRACES_URL is an address: http://collector:4318/v1/traces."
            raise Invalid(text, place="POLYCLINIC_TRACES_URL")
        if not 0 <= self.traces_share <= 1:
            text = "POLYCLINIC_TRACES_SHARE is a number from 0 to 1."
            raise Invalid(text, place="POLYCLINIC_TRACES_SHARE")


PLATFORM_NOTES = {
    "database_url": "PostgreSQL address of a role that may create roles and schemas.",
    "migrate": "Whether a process brings its tables up to date; false after `polyclinic migrate`.",
    "peers": "Services that run elsewhere: name=url, comma-separated.",
    "key_file": "The file of the root key, from which every other key comes.",
    "edge_key_file": "The key of a front door that runs alone: `polyclinic edge`.",
    "backup_folder": "Where `up` keeps its log and `backup` its copies; without it: nowhere.",
    "traces_url": "Where traces are told by OTLP/HTTP (`http://collector:4318/v1/traces`); "
    "without it: nowhere, at no cost. Needs the extra `traces`.",
    "traces_share": "Which share of the requests at the front door is traced, from 0 to 1.",
    "public_url": "The address people see; the tokens' issuer. A slash at its end does not matter.",
}


def variable(service: str | None, field: str) -> str:
    """The name of the environment variable of a setting."""
    parts = ["polyclinic", *([service] if service else []), field]
    return "_".join(parts).upper().replace("-", "_")


T = TypeVar("T", bound=Settings)


def load(kind: type[T], service: str | None, environ: Mapping[str, str]) -> T:
    """Reads the settings of a service; an unreadable value names its variable."""
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        name = variable(service, field.name)
        if name in environ:
            found[field.name] = _read(name, environ[name], field.type)
    return kind(**found)


def _read(name: str, text: str, wanted: object) -> object:
    if text == "" and type(None) in getattr(wanted, "__args__", ()):
        return None
    try:
        return msgspec.convert(text, wanted, strict=False)
    except msgspec.ValidationError as refused:
        raise Invalid(f"The setting {name} cannot be read: {refused}.", place=name) from refused

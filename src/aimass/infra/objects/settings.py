"""Settings of object stores, prefix ``AIMASS_S3_``, and the addresses that name a place in one."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from aimass.kernel.errors import Invalid

_ELSEWHERE = {
    "endpoint": "AWS_ENDPOINT_URL",
    "region": "AWS_REGION",
    "key_id": "AWS_ACCESS_KEY_ID",
    "secret": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
}
_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9._/=-]*))?")


class ObjectStoreSettings(BaseSettings):
    """Where the object store answers, and with which key.

    What is not set here is looked for where every client of S3 looks: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``,
    ``AWS_SESSION_TOKEN``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, and the role of the machine or pod.
    """

    model_config = SettingsConfigDict(env_prefix="AIMASS_S3_")

    endpoint: str = Field(
        default="", description="Address of a store that is not AWS, such as https://minio.example:9000"
    )
    region: str = Field(default="", description="Region of the bucket")
    key_id: SecretStr = Field(default=SecretStr(""), description="Id of the key")
    secret: SecretStr = Field(default=SecretStr(""), description="The key itself")
    token: SecretStr = Field(default=SecretStr(""), description="Token of a key that is valid for a while")
    cache_mib: float = Field(
        default=10_240.0,
        gt=0,
        description="Room in MiB for local copies of blobs, and as much for those of tables, which are read as files",
    )

    def config(self) -> dict[str, str]:
        """Return what a client of S3 is told; it holds secrets."""
        given = {
            "endpoint": self.endpoint,
            "region": self.region,
            "access_key_id": self.key_id.get_secret_value(),
            "secret_access_key": self.secret.get_secret_value(),
            "session_token": self.token.get_secret_value(),
        }
        return {name: value for name, value in given.items() if value}

    def handed(self) -> dict[str, str]:
        """Return the values of the settings as another process has to be told them, those of other clients' variables too; secrets."""
        own = {
            "endpoint": self.endpoint,
            "region": self.region,
            "key_id": self.key_id.get_secret_value(),
            "secret": self.secret.get_secret_value(),
            "token": self.token.get_secret_value(),
        }
        found = {name: value or os.environ.get(_ELSEWHERE[name], "") for name, value in own.items()}
        if self.key_id.get_secret_value():
            found["token"] = own["token"]  # a token of another key
        return found

    def delta(self) -> dict[str, str]:
        """Return what a client of Delta is told; it holds secrets."""
        told = {f"aws_{name}": value for name, value in self.config().items()}
        return {**told, "aws_allow_http": "true"} if self.endpoint.startswith("http://") else told


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and the prefix below which everything lies; empty for the whole bucket."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


def parse_place(address: str, field: str) -> Place:
    """Read an address.

    Examples
    --------
    >>> parse_place("s3://company/aimass/blobs/", "AIMASS_BLOBS")
    Place(bucket='company', prefix='aimass/blobs')
    >>> parse_place("s3://user:secret@company/x", "AIMASS_BLOBS")
    Traceback (most recent call last):
        ...
    aimass.kernel.errors.Invalid: AIMASS_BLOBS is no address of a place in an object store
    """
    found = _PLACE.fullmatch(address)
    if found is None or ".." in address:
        raise Invalid(  # without the value: a key may stand in it
            f"{field} is no address of a place in an object store",
            field=field,
            allowed="s3://bucket/prefix",
            hint="keys go into AIMASS_S3_KEY_ID and AIMASS_S3_SECRET, another address than AWS into AIMASS_S3_ENDPOINT",
        )
    return Place(found[1], (found[2] or "").strip("/"))

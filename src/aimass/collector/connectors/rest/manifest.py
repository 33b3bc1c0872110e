"""What a connection to a REST API needs; readable in control."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from aimass.collector.connectors import ConnectorManifest

_NEEDED = {
    "bearer": ("secret",),
    "basic": ("user", "secret"),
    "header": ("secret", "key_name"),
    "query": ("secret", "key_name"),
    "oauth2": ("secret", "client_id", "token_url"),
}


class RestParameters(BaseModel):
    """An API that answers GET with JSON."""

    model_config = ConfigDict(extra="forbid")

    base_url: str = Field(
        pattern=r"^https?://[^@\s?#]+$",
        description="Address under which the paths lie, such as https://api.shop.example/v1",
        json_schema_extra={"reach": "url"},
    )
    auth: Literal["none", "bearer", "basic", "header", "query", "oauth2"] = Field(
        default="none",
        description="How a request says who asks; header and query: a key; oauth2: client credentials",
    )
    user: str | None = Field(default=None, description="Name, for basic")
    secret: SecretStr | None = Field(default=None, description="Token, password, key or client secret")
    key_name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="Name of the header or of the query parameter with the key",
    )
    client_id: str | None = Field(default=None, description="Name of the client, for oauth2")
    token_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^@\s#]+$",
        description="Where oauth2 gives tokens",
        json_schema_extra={"reach": "url"},
    )
    scope: str | None = Field(default=None, description="What the token shall allow, for oauth2")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers of every request; no secrets")
    paths: list[str] = Field(default_factory=list, description="Paths that discovery shows, such as /orders")
    check_path: str | None = Field(default=None, description="Path that the check asks; by default the first of paths")
    requests_per_s: float | None = Field(default=None, gt=0, le=1000, description="Most requests a second")
    timeout_s: float = Field(default=30.0, gt=0, le=600, description="Seconds to wait for bytes of an answer")
    longest_wait_s: float = Field(default=300.0, ge=0, le=3600, description="Longest wait that the API may ask for")
    tries: int = Field(default=5, ge=1, le=20, description="How often a request is sent before the API counts as down")
    max_bytes: int = Field(default=64 * 2**20, ge=1024, le=2**30, description="Largest page, unpacked")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for name in _NEEDED.get(self.auth, ()):
            if not getattr(self, name):
                raise ValueError(f"auth {self.auth!r} needs {name!r}")
        return self


class RestStream(BaseModel):
    """How one path is read, page by page."""

    model_config = ConfigDict(extra="forbid")

    records: str = Field(
        default="",
        description="Where the rows stand in an answer, such as data.items; empty: the answer itself, or the list in it",
    )
    params: dict[str, str] = Field(default_factory=dict, description="Query parameters of every request")
    pagination: Literal["none", "page", "offset", "cursor", "link", "next_url"] = Field(
        default="none",
        description="How the next page is asked for; link: the header Link; next_url: an address in the answer",
    )
    page_param: str = Field(default="page", description="Parameter with the number of the page")
    first_page: int = Field(default=1, ge=0, description="Number of the first page")
    offset_param: str = Field(default="offset", description="Parameter with the number of rows to pass over")
    size_param: str | None = Field(default=None, description="Parameter with the number of rows of a page")
    page_size: int = Field(default=100, ge=1, le=100_000, description="Rows of a page; a shorter page is the last")
    cursor_param: str = Field(default="cursor", description="Parameter that takes the mark of the next page")
    next_at: str = Field(
        default="next",
        description="Where the mark or address of the next page stands, such as meta.next, or header:X-Next",
    )
    since_param: str | None = Field(default=None, description="Parameter that asks for rows from a cursor on")
    since_format: Literal["iso", "date", "seconds", "milliseconds"] = Field(
        default="iso", description="How that parameter writes a moment"
    )
    max_pages: int = Field(default=100_000, ge=1, description="Most pages of one reading")


CONNECTOR = ConnectorManifest(
    name="rest",
    version="1",
    title="REST API",
    summary="Rows of an HTTP API, page by page, with its rate limits; from a cursor on where the API offers that",
    family="api",
    parameters=RestParameters,
    stream=RestStream,
    modes=frozenset({"full", "incremental"}),
)

"""The room access announces itself."""

from __future__ import annotations

from aimass.access.figures import METRICS
from aimass.access.service.access import Access
from aimass.infra.database import Database
from aimass.infra.notify import Notify
from aimass.infra.secrets import Secrets, SecretsSettings, open_secrets
from aimass.kernel.capability import Capability, Loop, Place
from aimass.kernel.counters import Counters
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import SIGNED_IN

CAPABILITY = Capability(
    name="access",
    title="People and permissions",
    permissions=("access.read", "access.use", "access.edit", "access.manage"),
    tables="aimass.access.store.tables",
    build="aimass.access.capability:build",
    service="aimass.access.service.access:Access",
    console="aimass.access.console:router",
    protocol="aimass.access.api:router",
    pages=(
        Place(
            path="/{workspace}/approvals",
            title="Approvals",
            place="overview",
            icon="stamp",
            permission="access.read",
            order=20,
        ),
        Place(
            path="/settings/profile",
            title="My account",
            place="settings",
            icon="user-round",
            permission=SIGNED_IN,
            order=10,
        ),
        Place(
            path="/settings/users", title="Users", place="settings", icon="users", permission="access.read", order=20
        ),
        Place(
            path="/settings/single-sign-on",
            title="Single sign-on",
            place="settings",
            icon="log-in",
            permission="access.read",
            order=22,
        ),
        Place(
            path="/settings/token-keys",
            title="Token keys",
            place="settings",
            icon="file-key",
            permission="access.read",
            order=25,
        ),
        Place(
            path="/settings/workspaces",
            title="Workspaces",
            place="settings",
            icon="folders",
            permission=SIGNED_IN,
            order=30,
        ),
        Place(
            path="/{workspace}/settings/general",
            title="This workspace",
            place="settings",
            icon="folder-cog",
            permission="access.read",
            order=40,
        ),
        Place(
            path="/{workspace}/settings/members",
            title="Members",
            place="settings",
            icon="user-cog",
            permission="access.read",
            order=50,
        ),
        Place(
            path="/{workspace}/settings/keys",
            title="API keys",
            place="settings",
            icon="key-round",
            permission="access.read",
            order=60,
        ),
        Place(
            path="/{workspace}/settings/services",
            title="Service accounts",
            place="settings",
            icon="bot",
            permission="access.read",
            order=70,
        ),
        Place(
            path="/{workspace}/settings/audit",
            title="Audit log",
            place="settings",
            icon="shield-check",
            permission="access.manage",
            order=80,
        ),
    ),
    settings="aimass.access.settings:AccessSettings",
    loops={
        "access.seal": Loop(run="aimass.access.service.hooks:seal", every_s=1.0),
        "access.letters": Loop(run="aimass.access.service.hooks:letters", every_s=1.0),
        "access.tidy": Loop(run="aimass.access.service.hooks:tidy", every_s=600.0),
    },
    emits=(
        "access.approval.decided",
        "access.approval.requested",
        "access.device.added",
        "access.device.ended",
        "access.device.reused",
        "access.grant.given",
        "access.grant.taken",
        "access.group.changed",
        "access.group.removed",
        "access.identity.linked",
        "access.key.changed",
        "access.key.created",
        "access.key.revoked",
        "access.password.forgotten",
        "access.password.reset",
        "access.provider.added",
        "access.provider.changed",
        "access.provider.removed",
        "access.service.disabled",
        "access.service.enabled",
        "access.service.removed",
        "access.token.revoked",
        "access.token_key.rotated",
        "access.user.accepted",
        "access.user.disabled",
        "access.user.enabled",
        "access.user.erased",
        "access.user.invited",
        "access.workspace.changed",
        "access.workspace.created",
        "access.workspace.deleted",
        "access.workspace.purged",
        "access.workspace.restored",
    ),
    attention="aimass.access.service.hooks:attention",
    search="aimass.access.search:document",
    going="aimass.access.service.hooks:going",
    collect="aimass.access.service.hooks:collect",
    erase="aimass.access.service.hooks:erase",
    doctor="aimass.access.service.hooks:doctor",
    metrics=METRICS,
)


def build(registry: Registry) -> Access:
    """Build the service, and the secrets and notifications that other rooms use too."""
    keys, database = registry.get(DataDir).keys, registry.get(Database)
    if not registry.has(Secrets):
        registry.put(Secrets, open_secrets(SecretsSettings(), keys))
    if not registry.has(Notify):
        registry.put(Notify, Notify(database, registry.get(Secrets)))
    if not registry.has(Counters):
        registry.put(Counters, Counters())
    counters = registry.get(Counters)
    counters.declare(METRICS)
    return Access(database, registry.get(Secrets), keys, notify=registry.get(Notify), counters=counters)

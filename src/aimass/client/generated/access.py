"""Methods of access. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.access_types import (
    Approval,
    AuditEntry,
    AuditReport,
    AuditStretch,
    DeletedWorkspace,
    Device,
    DeviceRequest,
    Enrolment,
    Group,
    GroupRole,
    HeldRole,
    Identity,
    Invitation,
    Key,
    Link,
    Member,
    NewKey,
    Provider,
    ProviderCheck,
    RecoveryCodes,
    RoleView,
    Service,
    Session,
    SignedIn,
    Token,
    TokenKey,
    User,
    WhoAmI,
    Workspace,
)
from aimass.kernel.pages import Page


class AccessCalls(Calls):
    """Operations of access."""

    def accept_invitation(self, *, token: str, password: str) -> User:
        """Accept an invitation: set the password and open the account."""
        return self._call("access.accept_invitation", {"token": token, "password": password}, User)

    def add_provider(
        self,
        *,
        name: str,
        issuer: str,
        client_id: str,
        client_secret: str,
        scopes: list[str] | None = None,
        groups_claim: str | None = None,
        new_people: bool | None = None,
        group_roles: list[GroupRole] | None = None,
    ) -> Provider:
        """Let people sign in by an identity provider; it is asked at once who it is."""
        return self._call(
            "access.add_provider",
            {
                "name": name,
                "issuer": issuer,
                "client_id": client_id,
                "client_secret": client_secret,
                "scopes": scopes,
                "groups_claim": groups_claim,
                "new_people": new_people,
                "group_roles": group_roles,
            },
            Provider,
        )

    def add_to_group(self, *, group: str, user: str) -> Group:
        """Put a person into a group."""
        return self._call("access.add_to_group", {"group": group, "user": user}, Group)

    def allow_device(self, *, user_code: str) -> None:
        """Sign the device that shows a code in as yourself."""
        return self._call("access.allow_device", {"user_code": user_code}, None)

    def change_key(self, *, key: str, daily_quota: int, workspace: str | None = None) -> Key:
        """Change the daily quota of a key, in the gateway within a second; what it used today counts on."""
        return self._call("access.change_key", {"key": key, "daily_quota": daily_quota, "workspace": workspace}, Key)

    def change_password(self, *, password: str, new_password: str, keep: str | None = None) -> None:
        """Change the own password; every other session ends."""
        return self._call(
            "access.change_password", {"password": password, "new_password": new_password, "keep": keep}, None
        )

    def change_provider(
        self,
        *,
        provider: str,
        name: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        scopes: list[str] | None = None,
        groups_claim: str | None = None,
        new_people: bool | None = None,
        enabled: bool | None = None,
        group_roles: list[GroupRole] | None = None,
        expected_version: int | None = None,
    ) -> Provider:
        """Change an identity provider; roles by group count from the next sign-in of a person."""
        return self._call(
            "access.change_provider",
            {
                "provider": provider,
                "name": name,
                "client_id": client_id,
                "client_secret": client_secret,
                "scopes": scopes,
                "groups_claim": groups_claim,
                "new_people": new_people,
                "enabled": enabled,
                "group_roles": group_roles,
                "expected_version": expected_version,
            },
            Provider,
        )

    def change_user(
        self, *, user: str, name: str | None = None, email: str | None = None, expected_version: int | None = None
    ) -> User:
        """Change the name or the mail address of a person."""
        return self._call(
            "access.change_user",
            {"user": user, "name": name, "email": email, "expected_version": expected_version},
            User,
        )

    def change_workspace(
        self,
        *,
        workspace: str | None = None,
        name: str | None = None,
        review: Literal["auto", "person"] | None = None,
        settings: dict[str, Any] | None = None,
        expected_version: int | None = None,
    ) -> Workspace:
        """Change name, review policy or settings of a workspace."""
        return self._call(
            "access.change_workspace",
            {
                "workspace": workspace,
                "name": name,
                "review": review,
                "settings": settings,
                "expected_version": expected_version,
            },
            Workspace,
        )

    def check_provider(self, *, provider: str) -> ProviderCheck:
        """Ask a provider now who it is, and for its keys."""
        return self._call("access.check_provider", {"provider": provider}, ProviderCheck)

    def confirm_second_factor(self, *, totp: str) -> RecoveryCodes:
        """Prove with a code that the authenticator is paired; returns the recovery codes."""
        return self._call("access.confirm_second_factor", {"totp": totp}, RecoveryCodes)

    def create_group(self, *, name: str) -> Group:
        """Make a group."""
        return self._call("access.create_group", {"name": name}, Group)

    def create_key(
        self,
        *,
        name: str,
        workspace: str | None = None,
        service: str | None = None,
        scopes: list[str] | None = None,
        days: int | None = None,
        daily_quota: int | None = None,
    ) -> NewKey:
        """Make an API key for yourself, or for a service account; its text is shown only now."""
        return self._call(
            "access.create_key",
            {
                "name": name,
                "workspace": workspace,
                "service": service,
                "scopes": scopes,
                "days": days,
                "daily_quota": daily_quota,
            },
            NewKey,
        )

    def create_reset_link(self, *, user: str) -> Link:
        """Make a link that sets the password of a person anew; hand it over in person."""
        return self._call("access.create_reset_link", {"user": user}, Link)

    def create_role(self, *, name: str, permissions: list[str], workspace: str | None = None) -> RoleView:
        """Make a role of a workspace out of permissions that the caller holds himself."""
        return self._call(
            "access.create_role", {"name": name, "permissions": permissions, "workspace": workspace}, RoleView
        )

    def create_service(self, *, name: str, workspace: str | None = None, role: str | None = None) -> Service:
        """Make a service account."""
        return self._call("access.create_service", {"name": name, "workspace": workspace, "role": role}, Service)

    def create_workspace(
        self,
        *,
        name: str,
        slug: str | None = None,
        review: Literal["auto", "person"] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> Workspace:
        """Create a workspace; its creator becomes its administrator."""
        return self._call(
            "access.create_workspace", {"name": name, "slug": slug, "review": review, "settings": settings}, Workspace
        )

    def decide(
        self,
        *,
        approval: str,
        decision: Literal["approve", "reject"],
        workspace: str | None = None,
        comment: str | None = None,
    ) -> Approval:
        """Approve or reject; wants the permission that the approval names, and never its author."""
        return self._call(
            "access.decide",
            {"approval": approval, "decision": decision, "workspace": workspace, "comment": comment},
            Approval,
        )

    def delete_workspace(self, *, workspace: str | None = None) -> None:
        """Delete a workspace: nothing of it serves, runs or fires any more; its data goes when its retention ends."""
        return self._call("access.delete_workspace", {"workspace": workspace}, None)

    def deny_device(self, *, user_code: str) -> None:
        """Refuse the device that shows a code."""
        return self._call("access.deny_device", {"user_code": user_code}, None)

    def disable_second_factor(self, *, password: str) -> None:
        """Take the own authenticator off."""
        return self._call("access.disable_second_factor", {"password": password}, None)

    def disable_service(self, *, service: str, workspace: str | None = None) -> Service:
        """Stop all keys of a service account until it is enabled again."""
        return self._call("access.disable_service", {"service": service, "workspace": workspace}, Service)

    def disable_user(self, *, user: str) -> User:
        """Keep a person out; sessions end, and keys stop until the person is enabled again."""
        return self._call("access.disable_user", {"user": user}, User)

    def enable_service(self, *, service: str, workspace: str | None = None) -> Service:
        """Let the keys of a service account work again."""
        return self._call("access.enable_service", {"service": service, "workspace": workspace}, Service)

    def enable_user(self, *, user: str) -> User:
        """Let a disabled person in again."""
        return self._call("access.enable_user", {"user": user}, User)

    def end_device(self, *, device: str) -> None:
        """Sign one of the own devices out, at models and services within a second."""
        return self._call("access.end_device", {"device": device}, None)

    def end_sessions(self, *, user: str) -> None:
        """End every session of a person."""
        return self._call("access.end_sessions", {"user": user}, None)

    def enrol_second_factor(self, *, password: str) -> Enrolment:
        """Start to pair an authenticator; it counts once a code has proved it."""
        return self._call("access.enrol_second_factor", {"password": password}, Enrolment)

    def erase_user(self, *, user: str) -> None:
        """Erase a person: name, address, credentials and roles; what he did stays under his id, and no restore undoes it."""
        return self._call("access.erase_user", {"user": user}, None)

    def export_audit(self, *, after: int | None = None, limit: int | None = None) -> AuditStretch:
        """Return a stretch of sealed rows exactly as they are hashed, so that others can verify them."""
        return self._call("access.export_audit", {"after": after, "limit": limit}, AuditStretch)

    def forgot_password(self, *, name: str) -> None:
        """Ask for a new password; the answer is the same whether the name is known or not."""
        return self._call("access.forgot_password", {"name": name}, None)

    def get_approval(self, *, approval: str, workspace: str | None = None) -> Approval:
        """Show one approval."""
        return self._call("access.get_approval", {"approval": approval, "workspace": workspace}, Approval)

    def get_provider(self, *, provider: str) -> Provider:
        """Show one identity provider."""
        return self._call("access.get_provider", {"provider": provider}, Provider)

    def get_user(self, *, user: str) -> User:
        """Show one person."""
        return self._call("access.get_user", {"user": user}, User)

    def get_workspace(self, *, workspace: str | None = None) -> Workspace:
        """Show one workspace."""
        return self._call("access.get_workspace", {"workspace": workspace}, Workspace)

    def give_role(
        self,
        *,
        role: str,
        workspace: str | None = None,
        user: str | None = None,
        group: str | None = None,
        service: str | None = None,
        object: str | None = None,
    ) -> Member:
        """Give a role to a user, a group or a service account."""
        return self._call(
            "access.give_role",
            {"role": role, "workspace": workspace, "user": user, "group": group, "service": service, "object": object},
            Member,
        )

    def invite_user(
        self, *, name: str, email: str | None = None, workspace: str | None = None, role: str | None = None
    ) -> Link:
        """Invite a person; the link sets the password, and works once."""
        return self._call(
            "access.invite_user", {"name": name, "email": email, "workspace": workspace, "role": role}, Link
        )

    def issue_token(self, *, credential: str) -> Token:
        """Exchange a session or an API key for a short-lived signed token."""
        return self._call("access.issue_token", {"credential": credential}, Token)

    def jwks(self) -> dict[str, Any]:
        """Return the public keys that verify our tokens, as a JWK set."""
        return self._call("access.jwks", {}, dict[str, Any])

    def link_identity(self, *, user: str, provider: str, subject: str) -> Identity:
        """Let somebody whom the provider vouches for in as this person."""
        return self._call("access.link_identity", {"user": user, "provider": provider, "subject": subject}, Identity)

    def list_approvals(
        self,
        *,
        workspace: str | None = None,
        state: Literal["pending", "approved", "rejected", "withdrawn"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Approval]:
        """List approvals of a workspace, the newest first."""
        return self._call(
            "access.list_approvals",
            {"workspace": workspace, "state": state, "limit": limit, "cursor": cursor},
            Page[Approval],
        )

    def list_audit(
        self,
        *,
        workspace: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        object: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        """List the audit log, the newest entry first."""
        return self._call(
            "access.list_audit",
            {
                "workspace": workspace,
                "actor": actor,
                "action": action,
                "object": object,
                "since": since,
                "until": until,
                "limit": limit,
                "cursor": cursor,
            },
            Page[AuditEntry],
        )

    def list_deleted(self) -> list[DeletedWorkspace]:
        """List the workspaces that were deleted and can be restored, and until when."""
        return self._call("access.list_deleted", {}, list[DeletedWorkspace])

    def list_devices(self) -> list[Device]:
        """List the own devices that are signed in, the last used first."""
        return self._call("access.list_devices", {}, list[Device])

    def list_groups(self) -> list[Group]:
        """List the groups; of their people, only who reads the whole platform sees all, others see themselves."""
        return self._call("access.list_groups", {}, list[Group])

    def list_identities(self, *, user: str) -> list[Identity]:
        """List the identity providers that vouch for a person."""
        return self._call("access.list_identities", {"user": user}, list[Identity])

    def list_invitations(self, *, workspace: str | None = None) -> list[Invitation]:
        """List the invitations that nobody has accepted yet."""
        return self._call("access.list_invitations", {"workspace": workspace}, list[Invitation])

    def list_keys(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Key]:
        """List the own API keys; who manages access sees all of the workspace."""
        return self._call("access.list_keys", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Key])

    def list_members(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Member]:
        """List who has which role in a workspace."""
        return self._call(
            "access.list_members", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Member]
        )

    def list_providers(self) -> list[Provider]:
        """List the identity providers."""
        return self._call("access.list_providers", {}, list[Provider])

    def list_roles(self, *, workspace: str | None = None) -> list[RoleView]:
        """List the built-in roles and those of the workspace."""
        return self._call("access.list_roles", {"workspace": workspace}, list[RoleView])

    def list_roles_of(self, *, user: str) -> list[HeldRole]:
        """List every role that a person holds, in all workspaces and through groups."""
        return self._call("access.list_roles_of", {"user": user}, list[HeldRole])

    def list_services(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Service]:
        """List the service accounts of a workspace."""
        return self._call(
            "access.list_services", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Service]
        )

    def list_sessions(self) -> list[Session]:
        """List the own sessions, the last used first."""
        return self._call("access.list_sessions", {}, list[Session])

    def list_token_keys(self) -> list[TokenKey]:
        """List the keys that sign tokens, the current one first."""
        return self._call("access.list_token_keys", {}, list[TokenKey])

    def list_users(self, *, find: str | None = None, limit: int | None = None, cursor: str | None = None) -> Page[User]:
        """List the people of the platform."""
        return self._call("access.list_users", {"find": find, "limit": limit, "cursor": cursor}, Page[User])

    def list_workspaces(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Workspace]:
        """List the workspaces that the caller knows."""
        return self._call("access.list_workspaces", {"limit": limit, "cursor": cursor}, Page[Workspace])

    def look_at_device(self, *, user_code: str) -> DeviceRequest:
        """Tell which device shows a code, before it is allowed."""
        return self._call("access.look_at_device", {"user_code": user_code}, DeviceRequest)

    def remove_group(self, *, group: str) -> None:
        """Remove a group and the roles it gave."""
        return self._call("access.remove_group", {"group": group}, None)

    def remove_provider(self, *, provider: str) -> None:
        """Remove an identity provider; its sessions end, and the roles that it gave go."""
        return self._call("access.remove_provider", {"provider": provider}, None)

    def remove_role(self, *, role: str, workspace: str | None = None) -> None:
        """Remove a role of a workspace that nobody holds any more."""
        return self._call("access.remove_role", {"role": role, "workspace": workspace}, None)

    def remove_service(self, *, service: str, workspace: str | None = None) -> None:
        """Remove a service account with its roles; its keys are revoked."""
        return self._call("access.remove_service", {"service": service, "workspace": workspace}, None)

    def renew_recovery_codes(self, *, password: str) -> RecoveryCodes:
        """Replace the recovery codes by new ones."""
        return self._call("access.renew_recovery_codes", {"password": password}, RecoveryCodes)

    def request_approval(
        self,
        *,
        subject: str,
        reason: str,
        permission: str,
        workspace: str | None = None,
        key: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> Approval:
        """Ask for a decision; ``access.approval.decided`` tells when it came."""
        return self._call(
            "access.request_approval",
            {
                "subject": subject,
                "reason": reason,
                "permission": permission,
                "workspace": workspace,
                "key": key,
                "data": data,
            },
            Approval,
        )

    def reset_password(self, *, token: str, password: str) -> User:
        """Set a lost password anew; every session ends, an authenticator stays."""
        return self._call("access.reset_password", {"token": token, "password": password}, User)

    def reset_second_factor(self, *, user: str) -> None:
        """Take the authenticator off for a person who lost it; the sessions end."""
        return self._call("access.reset_second_factor", {"user": user}, None)

    def restore_workspace(self, *, deleted: str) -> Workspace:
        """Bring a deleted workspace back: it serves, and its schedules go on; what was cancelled stays cancelled."""
        return self._call("access.restore_workspace", {"deleted": deleted}, Workspace)

    def revoke_key(self, *, key: str, workspace: str | None = None) -> None:
        """Stop a key at once, in the gateway within a second."""
        return self._call("access.revoke_key", {"key": key, "workspace": workspace}, None)

    def revoke_session(self, *, session: str) -> None:
        """End one of the own sessions."""
        return self._call("access.revoke_session", {"session": session}, None)

    def rotate_key(self, *, key: str, workspace: str | None = None, grace_s: int | None = None) -> NewKey:
        """Replace a key by a new one with the same rights and quota; the old one may live on for a while."""
        return self._call("access.rotate_key", {"key": key, "workspace": workspace, "grace_s": grace_s}, NewKey)

    def rotate_token_key(self, *, leaked: bool | None = None) -> TokenKey:
        """Sign new tokens with a new key; those of the old keys count to their end, unless these leaked."""
        return self._call("access.rotate_token_key", {"leaked": leaked}, TokenKey)

    def sign_in(self, *, name: str, password: str, totp: str | None = None, agent: str | None = None) -> SignedIn:
        """Sign in with name and password, and a code when the account has an authenticator."""
        return self._call(
            "access.sign_in", {"name": name, "password": password, "totp": totp, "agent": agent}, SignedIn
        )

    def sign_out(self, *, token: str) -> None:
        """End the session of this token; nothing happens when it has ended already."""
        return self._call("access.sign_out", {"token": token}, None)

    def take_from_group(self, *, group: str, user: str) -> Group:
        """Take a person out of a group."""
        return self._call("access.take_from_group", {"group": group, "user": user}, Group)

    def take_role(self, *, grant: str, workspace: str | None = None) -> None:
        """Take a role away."""
        return self._call("access.take_role", {"grant": grant, "workspace": workspace}, None)

    def unlink_identity(self, *, user: str, provider: str) -> None:
        """Do not let a provider vouch for this person any more; the sessions that it opened end."""
        return self._call("access.unlink_identity", {"user": user, "provider": provider}, None)

    def verify_audit(self) -> AuditReport:
        """Check every row against the chain and the chain against its signed heads; fails at the first broken row."""
        return self._call("access.verify_audit", {}, AuditReport)

    def who_am_i(self) -> WhoAmI:
        """Tell who is signed in, and what he may do where."""
        return self._call("access.who_am_i", {}, WhoAmI)

    def withdraw_approval(self, *, approval: str, workspace: str | None = None) -> Approval:
        """Take a question back: its author, or who manages access."""
        return self._call("access.withdraw_approval", {"approval": approval, "workspace": workspace}, Approval)

    def withdraw_invitation(self, *, invitation: str, workspace: str | None = None) -> None:
        """Take an invitation back; the account that waited for it goes too."""
        return self._call("access.withdraw_invitation", {"invitation": invitation, "workspace": workspace}, None)


class AsyncAccessCalls(AsyncCalls):
    """Operations of access, for asyncio."""

    async def accept_invitation(self, *, token: str, password: str) -> User:
        """Accept an invitation: set the password and open the account."""
        return await self._call("access.accept_invitation", {"token": token, "password": password}, User)

    async def add_provider(
        self,
        *,
        name: str,
        issuer: str,
        client_id: str,
        client_secret: str,
        scopes: list[str] | None = None,
        groups_claim: str | None = None,
        new_people: bool | None = None,
        group_roles: list[GroupRole] | None = None,
    ) -> Provider:
        """Let people sign in by an identity provider; it is asked at once who it is."""
        return await self._call(
            "access.add_provider",
            {
                "name": name,
                "issuer": issuer,
                "client_id": client_id,
                "client_secret": client_secret,
                "scopes": scopes,
                "groups_claim": groups_claim,
                "new_people": new_people,
                "group_roles": group_roles,
            },
            Provider,
        )

    async def add_to_group(self, *, group: str, user: str) -> Group:
        """Put a person into a group."""
        return await self._call("access.add_to_group", {"group": group, "user": user}, Group)

    async def allow_device(self, *, user_code: str) -> None:
        """Sign the device that shows a code in as yourself."""
        return await self._call("access.allow_device", {"user_code": user_code}, None)

    async def change_key(self, *, key: str, daily_quota: int, workspace: str | None = None) -> Key:
        """Change the daily quota of a key, in the gateway within a second; what it used today counts on."""
        return await self._call(
            "access.change_key", {"key": key, "daily_quota": daily_quota, "workspace": workspace}, Key
        )

    async def change_password(self, *, password: str, new_password: str, keep: str | None = None) -> None:
        """Change the own password; every other session ends."""
        return await self._call(
            "access.change_password", {"password": password, "new_password": new_password, "keep": keep}, None
        )

    async def change_provider(
        self,
        *,
        provider: str,
        name: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        scopes: list[str] | None = None,
        groups_claim: str | None = None,
        new_people: bool | None = None,
        enabled: bool | None = None,
        group_roles: list[GroupRole] | None = None,
        expected_version: int | None = None,
    ) -> Provider:
        """Change an identity provider; roles by group count from the next sign-in of a person."""
        return await self._call(
            "access.change_provider",
            {
                "provider": provider,
                "name": name,
                "client_id": client_id,
                "client_secret": client_secret,
                "scopes": scopes,
                "groups_claim": groups_claim,
                "new_people": new_people,
                "enabled": enabled,
                "group_roles": group_roles,
                "expected_version": expected_version,
            },
            Provider,
        )

    async def change_user(
        self, *, user: str, name: str | None = None, email: str | None = None, expected_version: int | None = None
    ) -> User:
        """Change the name or the mail address of a person."""
        return await self._call(
            "access.change_user",
            {"user": user, "name": name, "email": email, "expected_version": expected_version},
            User,
        )

    async def change_workspace(
        self,
        *,
        workspace: str | None = None,
        name: str | None = None,
        review: Literal["auto", "person"] | None = None,
        settings: dict[str, Any] | None = None,
        expected_version: int | None = None,
    ) -> Workspace:
        """Change name, review policy or settings of a workspace."""
        return await self._call(
            "access.change_workspace",
            {
                "workspace": workspace,
                "name": name,
                "review": review,
                "settings": settings,
                "expected_version": expected_version,
            },
            Workspace,
        )

    async def check_provider(self, *, provider: str) -> ProviderCheck:
        """Ask a provider now who it is, and for its keys."""
        return await self._call("access.check_provider", {"provider": provider}, ProviderCheck)

    async def confirm_second_factor(self, *, totp: str) -> RecoveryCodes:
        """Prove with a code that the authenticator is paired; returns the recovery codes."""
        return await self._call("access.confirm_second_factor", {"totp": totp}, RecoveryCodes)

    async def create_group(self, *, name: str) -> Group:
        """Make a group."""
        return await self._call("access.create_group", {"name": name}, Group)

    async def create_key(
        self,
        *,
        name: str,
        workspace: str | None = None,
        service: str | None = None,
        scopes: list[str] | None = None,
        days: int | None = None,
        daily_quota: int | None = None,
    ) -> NewKey:
        """Make an API key for yourself, or for a service account; its text is shown only now."""
        return await self._call(
            "access.create_key",
            {
                "name": name,
                "workspace": workspace,
                "service": service,
                "scopes": scopes,
                "days": days,
                "daily_quota": daily_quota,
            },
            NewKey,
        )

    async def create_reset_link(self, *, user: str) -> Link:
        """Make a link that sets the password of a person anew; hand it over in person."""
        return await self._call("access.create_reset_link", {"user": user}, Link)

    async def create_role(self, *, name: str, permissions: list[str], workspace: str | None = None) -> RoleView:
        """Make a role of a workspace out of permissions that the caller holds himself."""
        return await self._call(
            "access.create_role", {"name": name, "permissions": permissions, "workspace": workspace}, RoleView
        )

    async def create_service(self, *, name: str, workspace: str | None = None, role: str | None = None) -> Service:
        """Make a service account."""
        return await self._call("access.create_service", {"name": name, "workspace": workspace, "role": role}, Service)

    async def create_workspace(
        self,
        *,
        name: str,
        slug: str | None = None,
        review: Literal["auto", "person"] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> Workspace:
        """Create a workspace; its creator becomes its administrator."""
        return await self._call(
            "access.create_workspace", {"name": name, "slug": slug, "review": review, "settings": settings}, Workspace
        )

    async def decide(
        self,
        *,
        approval: str,
        decision: Literal["approve", "reject"],
        workspace: str | None = None,
        comment: str | None = None,
    ) -> Approval:
        """Approve or reject; wants the permission that the approval names, and never its author."""
        return await self._call(
            "access.decide",
            {"approval": approval, "decision": decision, "workspace": workspace, "comment": comment},
            Approval,
        )

    async def delete_workspace(self, *, workspace: str | None = None) -> None:
        """Delete a workspace: nothing of it serves, runs or fires any more; its data goes when its retention ends."""
        return await self._call("access.delete_workspace", {"workspace": workspace}, None)

    async def deny_device(self, *, user_code: str) -> None:
        """Refuse the device that shows a code."""
        return await self._call("access.deny_device", {"user_code": user_code}, None)

    async def disable_second_factor(self, *, password: str) -> None:
        """Take the own authenticator off."""
        return await self._call("access.disable_second_factor", {"password": password}, None)

    async def disable_service(self, *, service: str, workspace: str | None = None) -> Service:
        """Stop all keys of a service account until it is enabled again."""
        return await self._call("access.disable_service", {"service": service, "workspace": workspace}, Service)

    async def disable_user(self, *, user: str) -> User:
        """Keep a person out; sessions end, and keys stop until the person is enabled again."""
        return await self._call("access.disable_user", {"user": user}, User)

    async def enable_service(self, *, service: str, workspace: str | None = None) -> Service:
        """Let the keys of a service account work again."""
        return await self._call("access.enable_service", {"service": service, "workspace": workspace}, Service)

    async def enable_user(self, *, user: str) -> User:
        """Let a disabled person in again."""
        return await self._call("access.enable_user", {"user": user}, User)

    async def end_device(self, *, device: str) -> None:
        """Sign one of the own devices out, at models and services within a second."""
        return await self._call("access.end_device", {"device": device}, None)

    async def end_sessions(self, *, user: str) -> None:
        """End every session of a person."""
        return await self._call("access.end_sessions", {"user": user}, None)

    async def enrol_second_factor(self, *, password: str) -> Enrolment:
        """Start to pair an authenticator; it counts once a code has proved it."""
        return await self._call("access.enrol_second_factor", {"password": password}, Enrolment)

    async def erase_user(self, *, user: str) -> None:
        """Erase a person: name, address, credentials and roles; what he did stays under his id, and no restore undoes it."""
        return await self._call("access.erase_user", {"user": user}, None)

    async def export_audit(self, *, after: int | None = None, limit: int | None = None) -> AuditStretch:
        """Return a stretch of sealed rows exactly as they are hashed, so that others can verify them."""
        return await self._call("access.export_audit", {"after": after, "limit": limit}, AuditStretch)

    async def forgot_password(self, *, name: str) -> None:
        """Ask for a new password; the answer is the same whether the name is known or not."""
        return await self._call("access.forgot_password", {"name": name}, None)

    async def get_approval(self, *, approval: str, workspace: str | None = None) -> Approval:
        """Show one approval."""
        return await self._call("access.get_approval", {"approval": approval, "workspace": workspace}, Approval)

    async def get_provider(self, *, provider: str) -> Provider:
        """Show one identity provider."""
        return await self._call("access.get_provider", {"provider": provider}, Provider)

    async def get_user(self, *, user: str) -> User:
        """Show one person."""
        return await self._call("access.get_user", {"user": user}, User)

    async def get_workspace(self, *, workspace: str | None = None) -> Workspace:
        """Show one workspace."""
        return await self._call("access.get_workspace", {"workspace": workspace}, Workspace)

    async def give_role(
        self,
        *,
        role: str,
        workspace: str | None = None,
        user: str | None = None,
        group: str | None = None,
        service: str | None = None,
        object: str | None = None,
    ) -> Member:
        """Give a role to a user, a group or a service account."""
        return await self._call(
            "access.give_role",
            {"role": role, "workspace": workspace, "user": user, "group": group, "service": service, "object": object},
            Member,
        )

    async def invite_user(
        self, *, name: str, email: str | None = None, workspace: str | None = None, role: str | None = None
    ) -> Link:
        """Invite a person; the link sets the password, and works once."""
        return await self._call(
            "access.invite_user", {"name": name, "email": email, "workspace": workspace, "role": role}, Link
        )

    async def issue_token(self, *, credential: str) -> Token:
        """Exchange a session or an API key for a short-lived signed token."""
        return await self._call("access.issue_token", {"credential": credential}, Token)

    async def jwks(self) -> dict[str, Any]:
        """Return the public keys that verify our tokens, as a JWK set."""
        return await self._call("access.jwks", {}, dict[str, Any])

    async def link_identity(self, *, user: str, provider: str, subject: str) -> Identity:
        """Let somebody whom the provider vouches for in as this person."""
        return await self._call(
            "access.link_identity", {"user": user, "provider": provider, "subject": subject}, Identity
        )

    async def list_approvals(
        self,
        *,
        workspace: str | None = None,
        state: Literal["pending", "approved", "rejected", "withdrawn"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Approval]:
        """List approvals of a workspace, the newest first."""
        return await self._call(
            "access.list_approvals",
            {"workspace": workspace, "state": state, "limit": limit, "cursor": cursor},
            Page[Approval],
        )

    async def list_audit(
        self,
        *,
        workspace: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        object: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        """List the audit log, the newest entry first."""
        return await self._call(
            "access.list_audit",
            {
                "workspace": workspace,
                "actor": actor,
                "action": action,
                "object": object,
                "since": since,
                "until": until,
                "limit": limit,
                "cursor": cursor,
            },
            Page[AuditEntry],
        )

    async def list_deleted(self) -> list[DeletedWorkspace]:
        """List the workspaces that were deleted and can be restored, and until when."""
        return await self._call("access.list_deleted", {}, list[DeletedWorkspace])

    async def list_devices(self) -> list[Device]:
        """List the own devices that are signed in, the last used first."""
        return await self._call("access.list_devices", {}, list[Device])

    async def list_groups(self) -> list[Group]:
        """List the groups; of their people, only who reads the whole platform sees all, others see themselves."""
        return await self._call("access.list_groups", {}, list[Group])

    async def list_identities(self, *, user: str) -> list[Identity]:
        """List the identity providers that vouch for a person."""
        return await self._call("access.list_identities", {"user": user}, list[Identity])

    async def list_invitations(self, *, workspace: str | None = None) -> list[Invitation]:
        """List the invitations that nobody has accepted yet."""
        return await self._call("access.list_invitations", {"workspace": workspace}, list[Invitation])

    async def list_keys(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Key]:
        """List the own API keys; who manages access sees all of the workspace."""
        return await self._call(
            "access.list_keys", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Key]
        )

    async def list_members(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Member]:
        """List who has which role in a workspace."""
        return await self._call(
            "access.list_members", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Member]
        )

    async def list_providers(self) -> list[Provider]:
        """List the identity providers."""
        return await self._call("access.list_providers", {}, list[Provider])

    async def list_roles(self, *, workspace: str | None = None) -> list[RoleView]:
        """List the built-in roles and those of the workspace."""
        return await self._call("access.list_roles", {"workspace": workspace}, list[RoleView])

    async def list_roles_of(self, *, user: str) -> list[HeldRole]:
        """List every role that a person holds, in all workspaces and through groups."""
        return await self._call("access.list_roles_of", {"user": user}, list[HeldRole])

    async def list_services(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Service]:
        """List the service accounts of a workspace."""
        return await self._call(
            "access.list_services", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Service]
        )

    async def list_sessions(self) -> list[Session]:
        """List the own sessions, the last used first."""
        return await self._call("access.list_sessions", {}, list[Session])

    async def list_token_keys(self) -> list[TokenKey]:
        """List the keys that sign tokens, the current one first."""
        return await self._call("access.list_token_keys", {}, list[TokenKey])

    async def list_users(
        self, *, find: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[User]:
        """List the people of the platform."""
        return await self._call("access.list_users", {"find": find, "limit": limit, "cursor": cursor}, Page[User])

    async def list_workspaces(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Workspace]:
        """List the workspaces that the caller knows."""
        return await self._call("access.list_workspaces", {"limit": limit, "cursor": cursor}, Page[Workspace])

    async def look_at_device(self, *, user_code: str) -> DeviceRequest:
        """Tell which device shows a code, before it is allowed."""
        return await self._call("access.look_at_device", {"user_code": user_code}, DeviceRequest)

    async def remove_group(self, *, group: str) -> None:
        """Remove a group and the roles it gave."""
        return await self._call("access.remove_group", {"group": group}, None)

    async def remove_provider(self, *, provider: str) -> None:
        """Remove an identity provider; its sessions end, and the roles that it gave go."""
        return await self._call("access.remove_provider", {"provider": provider}, None)

    async def remove_role(self, *, role: str, workspace: str | None = None) -> None:
        """Remove a role of a workspace that nobody holds any more."""
        return await self._call("access.remove_role", {"role": role, "workspace": workspace}, None)

    async def remove_service(self, *, service: str, workspace: str | None = None) -> None:
        """Remove a service account with its roles; its keys are revoked."""
        return await self._call("access.remove_service", {"service": service, "workspace": workspace}, None)

    async def renew_recovery_codes(self, *, password: str) -> RecoveryCodes:
        """Replace the recovery codes by new ones."""
        return await self._call("access.renew_recovery_codes", {"password": password}, RecoveryCodes)

    async def request_approval(
        self,
        *,
        subject: str,
        reason: str,
        permission: str,
        workspace: str | None = None,
        key: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> Approval:
        """Ask for a decision; ``access.approval.decided`` tells when it came."""
        return await self._call(
            "access.request_approval",
            {
                "subject": subject,
                "reason": reason,
                "permission": permission,
                "workspace": workspace,
                "key": key,
                "data": data,
            },
            Approval,
        )

    async def reset_password(self, *, token: str, password: str) -> User:
        """Set a lost password anew; every session ends, an authenticator stays."""
        return await self._call("access.reset_password", {"token": token, "password": password}, User)

    async def reset_second_factor(self, *, user: str) -> None:
        """Take the authenticator off for a person who lost it; the sessions end."""
        return await self._call("access.reset_second_factor", {"user": user}, None)

    async def restore_workspace(self, *, deleted: str) -> Workspace:
        """Bring a deleted workspace back: it serves, and its schedules go on; what was cancelled stays cancelled."""
        return await self._call("access.restore_workspace", {"deleted": deleted}, Workspace)

    async def revoke_key(self, *, key: str, workspace: str | None = None) -> None:
        """Stop a key at once, in the gateway within a second."""
        return await self._call("access.revoke_key", {"key": key, "workspace": workspace}, None)

    async def revoke_session(self, *, session: str) -> None:
        """End one of the own sessions."""
        return await self._call("access.revoke_session", {"session": session}, None)

    async def rotate_key(self, *, key: str, workspace: str | None = None, grace_s: int | None = None) -> NewKey:
        """Replace a key by a new one with the same rights and quota; the old one may live on for a while."""
        return await self._call("access.rotate_key", {"key": key, "workspace": workspace, "grace_s": grace_s}, NewKey)

    async def rotate_token_key(self, *, leaked: bool | None = None) -> TokenKey:
        """Sign new tokens with a new key; those of the old keys count to their end, unless these leaked."""
        return await self._call("access.rotate_token_key", {"leaked": leaked}, TokenKey)

    async def sign_in(self, *, name: str, password: str, totp: str | None = None, agent: str | None = None) -> SignedIn:
        """Sign in with name and password, and a code when the account has an authenticator."""
        return await self._call(
            "access.sign_in", {"name": name, "password": password, "totp": totp, "agent": agent}, SignedIn
        )

    async def sign_out(self, *, token: str) -> None:
        """End the session of this token; nothing happens when it has ended already."""
        return await self._call("access.sign_out", {"token": token}, None)

    async def take_from_group(self, *, group: str, user: str) -> Group:
        """Take a person out of a group."""
        return await self._call("access.take_from_group", {"group": group, "user": user}, Group)

    async def take_role(self, *, grant: str, workspace: str | None = None) -> None:
        """Take a role away."""
        return await self._call("access.take_role", {"grant": grant, "workspace": workspace}, None)

    async def unlink_identity(self, *, user: str, provider: str) -> None:
        """Do not let a provider vouch for this person any more; the sessions that it opened end."""
        return await self._call("access.unlink_identity", {"user": user, "provider": provider}, None)

    async def verify_audit(self) -> AuditReport:
        """Check every row against the chain and the chain against its signed heads; fails at the first broken row."""
        return await self._call("access.verify_audit", {}, AuditReport)

    async def who_am_i(self) -> WhoAmI:
        """Tell who is signed in, and what he may do where."""
        return await self._call("access.who_am_i", {}, WhoAmI)

    async def withdraw_approval(self, *, approval: str, workspace: str | None = None) -> Approval:
        """Take a question back: its author, or who manages access."""
        return await self._call("access.withdraw_approval", {"approval": approval, "workspace": workspace}, Approval)

    async def withdraw_invitation(self, *, invitation: str, workspace: str | None = None) -> None:
        """Take an invitation back; the account that waited for it goes too."""
        return await self._call("access.withdraw_invitation", {"invitation": invitation, "workspace": workspace}, None)

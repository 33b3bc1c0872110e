"""Signing a device in by a code (RFC 8628), and keeping it signed in by tokens that are used once each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from aimass.access.domain.credentials import (
    DEVICE,
    REFRESH,
    fingerprint,
    new_secret,
    new_user_code,
    plain_user_code,
)
from aimass.access.domain.devices import Device, DeviceRequest, LookAtDevice, OneDevice, Wish
from aimass.access.domain.roles import check_permission
from aimass.access.errors import (
    DeviceDenied,
    DeviceHasty,
    DeviceLate,
    DevicePending,
    TokenClientUnknown,
    TokenGrantInvalid,
    TokenScopeUnknown,
)
from aimass.access.service.principals import Principals
from aimass.access.service.sessions import Attempts
from aimass.access.store import devices as queries
from aimass.access.store import rows
from aimass.access.store.tables import device_requests, devices, refresh_tokens
from aimass.infra.database import Change
from aimass.kernel.errors import Forbidden, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.kernel.usecase import SIGNED_IN, use_case

_MOST_WAITING, _MOST_OF_ONE = 5000, 100
_WAITING, _ALLOWED, _DENIED = "waiting", "allowed", "denied"


class Devices(Principals, Attempts):
    """Lets programs in on behalf of a person who allowed it at another screen."""

    def begin_device(self, client: str, wish: Wish) -> dict[str, Any]:
        """Give a device its two codes: one to ask with, and one for the person (RFC 8628, section 3.2)."""
        self.need_public(client)
        scopes, (code, user_code) = _scopes_of(wish.scope), (new_secret(DEVICE), new_user_code())
        life, interval = self._settings.device_code_s, self._settings.device_interval_s
        with self._database.change(SYSTEM, ANYWHERE) as change:
            queries.make_room(change.conn, wish.address, most=_MOST_WAITING, most_of_one=_MOST_OF_ONE)
            rows.add(
                change.conn,
                device_requests,
                sha256=fingerprint(code),
                user_code=fingerprint(user_code),
                client=client,
                agent=wish.agent[:255],
                address=wish.address[:64],
                scopes=scopes,
                state=_WAITING,
                interval_s=interval,
                created_at=change.now,
                expires_at=change.now + timedelta(seconds=life),
            )
        self._ground.counters.add("access_device_codes", state="begun")
        page = f"{self.token_issuer}/device"
        return {
            "device_code": code,
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={user_code}",
            "expires_in": life,
            "interval": interval,
        }

    @use_case("POST /access/devices/look", permission=SIGNED_IN, cli="devices look")
    def look_at_device(self, who: Principal, command: LookAtDevice) -> DeviceRequest:
        """Tell which device shows a code, before it is allowed."""
        row = self._waiting(who, command.user_code)
        names = ("client", "agent", "address", "scopes", "created_at", "expires_at")
        return DeviceRequest(**{name: getattr(row, name) for name in names})

    @use_case("POST /access/devices/allow", permission=SIGNED_IN, cli="devices allow", status=204)
    def allow_device(self, who: Principal, command: LookAtDevice) -> None:
        """Sign the device that shows a code in as yourself."""
        self._answer(who, command.user_code, _ALLOWED)

    @use_case("POST /access/devices/deny", permission=SIGNED_IN, cli="devices deny", status=204)
    def deny_device(self, who: Principal, command: LookAtDevice) -> None:
        """Refuse the device that shows a code."""
        self._answer(who, command.user_code, _DENIED)

    @use_case("GET /access/devices", permission=SIGNED_IN, cli="devices list")
    def list_devices(self, who: Principal) -> list[Device]:
        """List the own devices that are signed in, the last used first."""
        now = self._now()
        with self._database.read() as conn:
            found = queries.devices_of(conn, who.id, now, self._idle_device(now))
        names = ("id", "client", "agent", "address", "scopes", "created_at", "last_seen_at", "expires_at")
        return [Device(**{name: getattr(row, name) for name in names}) for row in found]

    @use_case("DELETE /access/devices/{device}", permission=SIGNED_IN, cli="devices end", status=204)
    def end_device(self, who: Principal, command: OneDevice) -> None:
        """Sign one of the own devices out, at models and services within a second."""
        with self._change(who, ANYWHERE) as change:
            if not queries.end_devices(change.conn, devices.c.id == command.device, devices.c.user_id == who.id):
                raise NotFound(f"there is no device {command.device!r}", field="device", value=command.device)
            self._ground.counters.add("access_revocations", of="device")
            _tell_end(change, command.device, who.id)

    def spend_device_code(self, client: str, code: str, address: str) -> dict[str, Any]:
        """Exchange the code of a device that was allowed for its first tokens, once (RFC 8628, section 3.4)."""
        self.need_public(client)
        with self._change(SYSTEM, ANYWHERE) as change:
            row = rows.find(change.conn, device_requests, sha256=fingerprint(code), client=client)
            refusal = self._poll(change, row)
            if row is not None and refusal is None:
                rows.remove(change.conn, device_requests, sha256=row.sha256)
                return self._sign_device_in(change, row)
        if row is None:
            self._take_attempt(f"token:{address}")
        raise refusal or TokenGrantInvalid("the device code is not known")

    def refresh(self, client: str, token: str, scope: str, address: str) -> dict[str, Any]:
        """Exchange a refresh token for new tokens; one that comes a second time signs its device out."""
        self.need_public(client)
        narrower, mark = _scopes_of(scope), fingerprint(token)
        with self._change(SYSTEM, ANYWHERE) as change:
            row = rows.find(change.conn, refresh_tokens, sha256=mark)
            now = change.now
            device = queries.live_device(change.conn, now, self._idle_device(now), row.device_id) if row else None
            if device is not None and device.client == client:
                if self._is_fresh(change, row):
                    _need_within(narrower, device.scopes)
                    rows.change(change.conn, devices, {"id": device.id}, last_seen_at=now)
                    change.audit("access.token.issue", object_=f"device:{device.id}", detail={"scopes": narrower})
                    return self._tokens(change, device, narrower or device.scopes, parent=mark)
                queries.end_devices(change.conn, devices.c.id == device.id)
                change.audit("access.device.reuse", object_=f"device:{device.id}", detail={"user": device.user_id})
                change.event("access.device.reused", subject=f"device:{device.id}", data={"user": device.user_id})
        if row is None:
            self._take_attempt(f"token:{address}")
        raise TokenGrantInvalid(
            "the refresh token does not count any more", hint="sign in again: aimass login --device"
        )

    def give_back(self, client: str, token: str) -> None:
        """Sign a device out by its refresh token (RFC 7009); an unknown one changes nothing."""
        self.need_public(client)
        with self._change(SYSTEM, ANYWHERE) as change:
            row = rows.find(change.conn, refresh_tokens, sha256=fingerprint(token))
            device = rows.find(change.conn, devices, id=row.device_id, client=client) if row else None
            if device is not None:
                queries.end_devices(change.conn, devices.c.id == device.id)
                self._ground.counters.add("access_revocations", of="device")
                _tell_end(change, device.id, device.user_id)

    def need_public(self, client: str) -> None:
        """Refuse a program that people may not sign in."""
        if client not in self._settings.device_clients:
            allowed = self._settings.device_clients
            raise TokenClientUnknown("people cannot sign this program in", value=client, allowed=allowed)

    def _waiting(self, who: Principal, text: str) -> Any:
        """Return the question that a code belongs to; wrong codes are counted per person."""
        name = f"device:{who.id}"
        self._take_attempt(name)
        with self._database.change(who, ANYWHERE) as change:
            row = rows.find(change.conn, device_requests, user_code=fingerprint(plain_user_code(text)), state=_WAITING)
            if row is not None and row.expires_at > change.now:
                self._forgive(change.conn, name, all_=False)  # a right one must not wash wrong ones away
                return row
        raise NotFound(
            "no device shows this code now", field="user_code", hint="a code counts for ten minutes, and once"
        )

    def _answer(self, who: Principal, text: str, state: str) -> None:
        if who.kind != "user" or who.credential != "session":
            hint = "sign in by password or provider: a key or another device must not let devices in"
            raise Forbidden("only a person who signed in himself answers a device", hint=hint)
        row = self._waiting(who, text)
        with self._change(who, ANYWHERE) as change:
            where = {"sha256": row.sha256, "state": _WAITING}
            if not rows.change(change.conn, device_requests, where, state=state, user_id=who.id):
                raise NotFound("the device was answered meanwhile", field="user_code")
            self._ground.counters.add("access_device_codes", state=state)
            verb = "allow" if state == _ALLOWED else "deny"
            detail = {"client": row.client, "address": row.address}
            change.audit(f"access.device.{verb}", object_=f"user:{who.id}", detail=detail)

    def _poll(self, change: Change, row: Any) -> Invalid | None:
        """Return why a device gets no tokens now; none when it does."""
        if row is None:
            return None
        if row.expires_at <= change.now:
            return DeviceLate("the code has expired", hint="begin again")
        if row.state == _DENIED:
            rows.remove(change.conn, device_requests, sha256=row.sha256)
            return DeviceDenied("the person refused")
        since = None if row.polled_at is None else (change.now - row.polled_at).total_seconds()
        is_hasty = since is not None and 0 <= since < row.interval_s - 0.5  # a clock set back is no haste
        interval = row.interval_s + 5 * is_hasty
        rows.change(change.conn, device_requests, {"sha256": row.sha256}, polled_at=change.now, interval_s=interval)
        if row.state == _ALLOWED:
            return None
        return (
            DeviceHasty(f"wait {interval} seconds", value=interval) if is_hasty else DevicePending("not answered yet")
        )

    def _sign_device_in(self, change: Change, asked: Any) -> dict[str, Any]:
        values = {name: getattr(asked, name) for name in ("user_id", "client", "agent", "address", "scopes")}
        end = change.now + timedelta(seconds=self._settings.device_s)
        times = {"created_at": change.now, "last_seen_at": change.now, "expires_at": end}
        rows.add(change.conn, devices, id=(id_ := new_id()), **values, **times)
        device = rows.find(change.conn, devices, id=id_)
        detail = {"client": asked.client, "address": asked.address, "user": asked.user_id}
        change.audit("access.device.add", object_=f"device:{id_}", detail=detail)
        change.event("access.device.added", subject=f"device:{id_}", data={"user": asked.user_id})
        return self._tokens(change, device, asked.scopes, parent="")

    def _tokens(self, change: Change, device: Any, scopes: list[str], parent: str) -> dict[str, Any]:
        text = new_secret(REFRESH)
        values = {"sha256": fingerprint(text), "device_id": device.id, "parent": parent, "is_replaced": False}
        rows.add(change.conn, refresh_tokens, **values)
        more = {"scope": " ".join(scopes)} if scopes else {}
        signed = self._signed(device.user_id, f"device:{device.id}", client_id=device.client, **more)
        life = {"expires_in": self._settings.token_s, "refresh_token": text}
        return {"access_token": signed, "token_type": "Bearer", **life, **more}

    def _is_fresh(self, change: Change, row: Any) -> bool:
        """Spend a refresh token; tell whether it was not spent, or its answer may have been lost on the way.

        In that case what it was answered with before is replaced: whoever sends that later has an old copy.
        """
        where, grace = {"sha256": row.sha256, "spent_at": None}, timedelta(seconds=self._settings.refresh_grace_s)
        if row.is_replaced:
            return False
        if rows.change(change.conn, refresh_tokens, where, spent_at=change.now):
            return True
        is_late = row.spent_at is not None and change.now - row.spent_at > grace
        if is_late or queries.has_spent_child(change.conn, row.sha256):
            return False
        rows.change(change.conn, refresh_tokens, {"parent": row.sha256}, is_replaced=True)
        return True

    def _idle_device(self, now: datetime) -> datetime:
        return now - timedelta(seconds=self._settings.device_idle_s)


def _tell_end(change: Change, device: str, user: str) -> None:
    change.audit("access.device.end", object_=f"device:{device}", detail={"user": user})
    change.event("access.device.ended", subject=f"device:{device}", data={"user": user})


def _scopes_of(text: str) -> list[str]:
    try:
        return sorted({check_permission(word) for word in text.split()})
    except Invalid as reason:
        raise TokenScopeUnknown(reason.message, field="scope", value=text, hint=reason.hint) from reason


def _need_within(wanted: list[str], held: list[str]) -> None:
    wider = [one for one in wanted if held and one not in held]
    if wider:
        raise TokenScopeUnknown(f"the device has no {wider[0]!r}", field="scope", value=wider[0], allowed=held)

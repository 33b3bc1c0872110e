"""Changes to rows that make a version at once: an earlier one again, and rows by key."""

from __future__ import annotations

from typing import Any

from deltalake import CommitProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from aimass.kernel.errors import Conflict
from aimass.lake.children.append import order_of
from aimass.lake.children.branch import unchanged
from aimass.lake.children.describe import describe_version
from aimass.lake.children.merge import merge
from aimass.lake.children.tables import committed_before, found_of, lease, open_target


def upsert(args: dict[str, Any]) -> dict[str, Any]:
    """Do what :func:`merge` does, and describe the version.

    Parameters
    ----------
    args
        As for ``merge``, and ``describe``: arguments of ``describe_version``.
    """
    told = merge(args)
    described = describe_version({**args["describe"], "path": args["path"], "version": told["version"]})
    return {**told, "version": described}


def revert(args: dict[str, Any]) -> dict[str, Any]:
    """Make the rows of an earlier version the newest ones; no file is written, and nothing that came later is lost.

    Parameters
    ----------
    args
        ``path``; ``version`` to go back to; ``expected``: the version that was the newest when somebody decided so; ``app_id`` and
        ``batch``; ``describe``: arguments of ``describe_version``.

    Returns
    -------
    dict
        What ``describe_version`` tells.
    """
    order = order_of(args)
    with lease(args["path"]):
        if committed_before(args["path"], order) is None:
            unchanged(args["path"], int(args["expected"]))
            _restore(args)
        version = found_of(args["path"], order)
    return describe_version({**args["describe"], "path": args["path"], "version": version})


def _restore(args: dict[str, Any]) -> None:
    order = order_of(args)
    properties = CommitProperties(
        custom_metadata={"aimass.transaction": f"{order.app_id}/{order.batch}"},
        app_transactions=[Transaction(app_id=order.app_id, version=order.batch)],
    )
    try:
        open_target(args["path"]).restore(int(args["version"]), commit_properties=properties)
    except CommitFailedError as reason:
        raise Conflict("another writer changed the table in the same moment", hint="repeat") from reason
    except DeltaError as reason:
        raise Conflict(f"version {args['version']} cannot be restored: {str(reason)[:200]}") from reason

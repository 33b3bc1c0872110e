"""Does a store keep what the platform relies on? Asked at the start, and by doctor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from aimass.infra.objects.bucket import Bucket, Lost
from aimass.kernel.clock import Clock
from aimass.kernel.errors import Unavailable
from aimass.kernel.ids import new_id


def check_bucket(bucket: Bucket) -> None:
    """Put, read and remove a small object, and see that conditions of puts are kept.

    Raises
    ------
    Unavailable
        The store does not answer, refuses the key, or does not keep conditions: two writers would lose what the other wrote.
    """
    name = f"probes/{new_id()}"
    try:
        bucket.put_new(name, b"first")
        if _is_taken(lambda: bucket.put_new(name, b"second")):
            raise _unconditional(bucket, "If-None-Match")
        _, tag = bucket.get(name)
        bucket.put_over(name, b"third", tag)
        if _is_taken(lambda: bucket.put_over(name, b"fourth", tag)):
            raise _unconditional(bucket, "If-Match")
    except Lost as reason:
        raise Unavailable(
            f"the object store of {bucket.place} refuses a put whose condition is met",
            hint="use a store that keeps the conditions of S3 (AWS, MinIO, Ceph, R2)",
        ) from reason
    finally:
        bucket.remove(name)


def clock_gap(bucket: Bucket, clock: Clock) -> timedelta:
    """Return how far the store's clock is ahead of this machine's, to about a second."""
    name = f"probes/{new_id()}"
    before = clock.now()
    bucket.put(name, b"clock")
    try:
        return bucket.head(name).at - before
    finally:
        bucket.remove(name)


def _is_taken(put: Callable[[], None]) -> bool:
    try:
        put()
    except Lost:
        return False
    return True


def _unconditional(bucket: Bucket, header: str) -> Unavailable:
    return Unavailable(
        f"the object store of {bucket.place} does not keep the condition {header} of a put: writers would lose data",
        hint="use a store that keeps it (AWS, MinIO, Ceph, R2); an older version of a store may have to be upgraded",
    )

"""State words: one table gives each state of each thing its tone, and the text that is translated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["ok", "warn", "bad", "info", "mute"]


@dataclass(frozen=True, slots=True)
class Word:
    """How a state is shown."""

    tone: Tone
    text: str


STATES: dict[str, Word] = {
    "ACKED": Word("warn", "Acknowledged"),
    "ACTIVE": Word("ok", "Active"),
    "APPROVED": Word("ok", "Approved"),
    "ARCHIVED": Word("mute", "Archived"),
    "ASKED": Word("warn", "Waiting"),
    "CANCELLED": Word("mute", "Cancelled"),
    "CANARY": Word("info", "Canary"),
    "COMPLETE": Word("ok", "Complete"),
    "CORDONED": Word("warn", "Cordoned"),
    "DEGRADED": Word("warn", "Degraded"),
    "DEPLOYING": Word("info", "Deploying"),
    "DISABLED": Word("mute", "Disabled"),
    "DONE": Word("ok", "Done"),
    "DRAINING": Word("warn", "Draining"),
    "DRIFT": Word("bad", "Drift"),
    "EXPIRED": Word("mute", "Expired"),
    "FAIL": Word("bad", "Failed"),
    "FAILED": Word("bad", "Failed"),
    "FINISHED": Word("ok", "Finished"),
    "FIRING": Word("bad", "Firing"),
    "HEALTHY": Word("ok", "Healthy"),
    "INCOMPLETE": Word("bad", "Incomplete"),
    "INTERRUPTED": Word("warn", "Interrupted"),
    "INVITED": Word("info", "Invited"),
    "KILLED": Word("mute", "Stopped"),
    "LOST": Word("bad", "Lost"),
    "OFFLINE": Word("bad", "Offline"),
    "PASSED": Word("ok", "Passed"),
    "PAUSED": Word("warn", "Paused"),
    "PENDING": Word("mute", "Pending"),
    "PROMOTED": Word("ok", "Promoted"),
    "PRUNED": Word("mute", "Pruned"),
    "QUARANTINED": Word("bad", "Quarantined"),
    "QUEUED": Word("mute", "Queued"),
    "READY": Word("ok", "Ready"),
    "REJECTED": Word("bad", "Rejected"),
    "RESOLVED": Word("ok", "Resolved"),
    "REVOKED": Word("mute", "Revoked"),
    "REFUSED": Word("bad", "Refused"),
    "RELEASED": Word("ok", "Released"),
    "REVIEWING": Word("info", "In review"),
    "ROLLED_BACK": Word("warn", "Rolled back"),
    "ROLLING_BACK": Word("info", "Rolling back"),
    "RUNNING": Word("info", "Running"),
    "SCANNING": Word("info", "Scanning"),
    "SCHEDULED": Word("mute", "Scheduled"),
    "SERVING": Word("ok", "Serving"),
    "SETTLING": Word("info", "Settling"),
    "SKIPPED": Word("mute", "Skipped"),
    "STABLE": Word("ok", "Stable"),
    "STARTING": Word("info", "Starting"),
    "STOPPED": Word("mute", "Stopped"),
    "SUBMITTED": Word("info", "Submitted"),
    "SUCCEEDED": Word("ok", "Succeeded"),
    "WAITING": Word("warn", "Waiting"),
    "WARNING": Word("warn", "Warning"),
}


def word(state: str) -> Word:
    """Return how a state is shown; a state nobody listed is shown as it is, without a tone.

    Examples
    --------
    >>> word("running"), word("odd_one")
    (Word(tone='info', text='Running'), Word(tone='mute', text='Odd one'))
    """
    return STATES.get(state.upper()) or Word("mute", state.replace("_", " ").capitalize())


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of thing is shown where things of many kinds are listed; ``key`` narrows the search to it."""

    icon: str
    text: str
    key: str = ""


KINDS: dict[str, Kind] = {
    "auto": Kind("sparkles", "Automatic training"),
    "dataset": Kind("database", "Dataset", "d"),
    "experiment": Kind("flask-conical", "Experiment"),
    "endpoint": Kind("rocket", "Endpoint", "s"),
    "job": Kind("activity", "Job", "j"),
    "learner": Kind("refresh-cw", "Learner"),
    "model": Kind("box", "Model", "m"),
    "model_version": Kind("box", "Model version", "v"),
    "pipeline": Kind("workflow", "Pipeline", "p"),
    "pipeline_run": Kind("list-checks", "Pipeline run"),
    "run": Kind("flask-conical", "Run", "r"),
    "service": Kind("bot", "Service account"),
    "schedule": Kind("calendar-clock", "Schedule"),
    "study": Kind("search", "Study"),
    "topic": Kind("radio", "Topic", "t"),
    "user": Kind("user-round", "Person", "u"),
    "workspace": Kind("folder", "Workspace"),
}


def kind(name: str) -> Kind:
    """Return how a kind is shown; one that nobody listed by its own name.

    Examples
    --------
    >>> kind("model").icon, kind("odd_thing").text
    ('box', 'Odd thing')
    """
    return KINDS.get(name) or Kind("file", name.replace("_", " ").capitalize())

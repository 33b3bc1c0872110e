"""The chapters of the story up to the first served prediction, each through the SDK alone, each safe to tell again."""

from __future__ import annotations

from typing import Any

from aimass.bootstrap.demo.screen import Line
from aimass.bootstrap.demo.story import (
    DATASET,
    KEY,
    MODEL,
    TARGET,
    WORKSPACE,
    Story,
    churn_file,
    customers,
    follow_run,
    output,
    until,
)
from aimass.client import Client
from aimass.kernel.errors import AimassError, Conflict, Failed, Forbidden, NotFound, Unauthenticated

LEAST_AUC = 0.84
RELEASE, RETRAIN = "churn-release", "churn-retrain"
SAME = {"dataset": DATASET, "target": TARGET, "key_column": KEY, "model": MODEL, "endpoint": MODEL}


def begin(story: Story, line: Line) -> str:
    """Make the workspace, the demo's service accounts and their keys."""
    del line
    if not story.keys_file.exists():
        if story.administrator is None:
            raise Conflict(
                f"{str(story.settings.data_dir)!r} has its own administrator, whose password the demo does not know",
                hint="choose another --data-dir",
            )
        _make_accounts(story, story.administrator)
    return f"{story.url}, workspace {WORKSPACE}"


def _make_accounts(story: Story, administrator: dict[str, str]) -> None:
    with Client(story.url) as stranger:
        session = stranger.access.sign_in(name=administrator["name"], password=administrator["password"])
    with Client(story.url, key=session.token, workspace=WORKSPACE) as admin:
        if WORKSPACE not in [w.slug for w in admin.access.list_workspaces().items]:
            admin.access.create_workspace(name=WORKSPACE, review="auto")
        story.keep_keys({name: _key(admin, name, role) for name, role in (("program", "admin"), ("viewer", "viewer"))})


def _key(admin: Client, name: str, role: str) -> str:
    slug = f"demo-{name}"
    if slug not in [s.slug for s in admin.access.list_services().items]:
        admin.access.create_service(name=slug, role=role)
    return admin.access.create_key(name=slug, service=slug).text


def collect(story: Story, line: Line) -> str:
    """Collect the file: types proposed and pinned, bad rows to quarantine, profile and quality report."""

    def progress(fraction: float, note: str) -> None:
        line.fraction, line.note = fraction, note

    types = {"TotalCharges": "float"}
    version = story.client.collect(churn_file(), DATASET, types=types, keys=[KEY], progress=progress)
    story.facts["dataset_version"] = version.number
    return f"{version.rows} rows, {version.quarantined} in quarantine, quality {version.score:.2f}"


def _pipeline(story: Story, name: str, **values: Any) -> None:
    try:
        story.client.lifecycle.get_pipeline(pipeline=name)
    except NotFound:
        story.client.lifecycle.create_pipeline(name=name, **values)


def train(story: Story, line: Line) -> str:
    """Split by a stored seed and train four recipes as jobs."""
    _pipeline(story, RELEASE, template="release", parameters={**SAME, "least_score": LEAST_AUC})
    run = story.client.lifecycle.start_run(pipeline=RELEASE, key=story.key("release"), cause="told by the demo")
    story.facts["release"] = run.id
    run = follow_run(story, run.id, line, "train")
    counts = output(run, "split")["counts"]
    parts = ", ".join(f"{part} {counts[part]}" for part in ("train", "validation", "test", "future"))
    return f"{len(output(run, 'train')['runs'])} recipes on {parts}"


def choose(story: Story, line: Line) -> str:
    """Choose by validation and evaluate once on the test rows."""
    run = follow_run(story, story.facts["release"], line, "evaluate")
    chosen, test = output(run, "choose"), output(run, "evaluate")["test_auc"]
    score = chosen["scores"][chosen["recipe"]]
    return (
        f"{chosen['recipe']}: cv AUC {score:.4f}, test AUC {test['value']:.4f} [{test['low']:.3f}, {test['high']:.3f}]"
    )


def package(story: Story, line: Line) -> str:
    """Package as ONNX and replay the samples."""
    run = follow_run(story, story.facts["release"], line, "package")
    found = output(run, "package")
    return f"{found['runtime']}, {found['parity']}" + (f" ({found['why_python']})" if found["why_python"] else "")


def review(story: Story, line: Line) -> str:
    """Register with a card, review, approve, name it champion."""
    run = follow_run(story, story.facts["release"], line, "alias")
    version = output(run, "register")["model_version"]
    checks = output(run, "review")["checks"]
    return f"{MODEL} version {version}, {len(checks)} checks, approved by {output(run, 'approve')['approved_by']}"


def serve(story: Story, line: Line) -> str:
    """Deploy by alias, call it with a key, and see who may not."""
    follow_run(story, story.facts["release"], line, "deploy")
    row = {k: v for k, v in next(customers()).items() if k not in (KEY, TARGET)}
    (answer,) = until(lambda: _answer(story, row), what="the first prediction")
    with Client(story.url, key=story.keys["viewer"], workspace=WORKSPACE) as viewer:
        _refused(viewer, row, Forbidden)
    with Client(story.url, key="aim_" + "0" * 43, workspace=WORKSPACE) as unknown:
        _refused(unknown, row, Unauthenticated)
    return f"{answer.model} says {answer.label}; a viewer gets 403, an unknown key 401"


def _answer(story: Story, row: dict[str, Any]) -> Any:
    try:
        return story.client.predict(MODEL, [row])
    except NotFound:
        return None  # the gateway reads the new snapshot within a second


def _refused(client: Client, row: dict[str, Any], expected: type[AimassError]) -> None:
    try:
        client.predict(MODEL, [row])
    except expected:
        return
    raise Failed(f"somebody without the right was answered; expected {expected.__name__}")

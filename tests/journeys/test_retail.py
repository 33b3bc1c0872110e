"""The commands of the retail tutorial, in their order and as they stand, on invented invoices of the same shape."""

from __future__ import annotations

import csv
import json
import random
import re
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fixtures.platform import running_platform
from tests.fixtures.tutorial import DOCS, Shell, commands_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
TUTORIAL = DOCS / "tutorials" / "retail.md"
COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
FIRST = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)


def write_invoices(path: Path, customers: int = 600) -> list[tuple[str, ...]]:
    """Write a year of a shop: some customers come every few weeks, some once; invoices are cancelled, customers unknown."""
    chance, lines = random.Random(7), list[tuple[str, ...]]()
    for customer in range(12_000, 12_000 + customers):
        day, pause = chance.uniform(0, 200), chance.choice((25, 45, 400))
        while day < 370:
            number = f"{'C' if chance.random() < 0.03 else ''}{536_365 + len(lines)}"
            who = f"{customer}.0" if chance.random() > 0.05 else ""
            for _ in range(chance.randint(1, 3)):
                price, count = chance.choice(("2.55", "0.85", "12.95")), chance.randint(1, 12)
                at = (FIRST + timedelta(days=day)).strftime("%Y-%m-%d %H:%M:%S")
                count = -count if number.startswith("C") else count
                title = chance.choice(("WHITE HANGING HEART", 'MUG "TEA, PLEASE"', ""))
                lines.append((number, "85123A", title, str(count), at, price, who, chance.choice(("EIRE", "France"))))
            day += chance.uniform(0.5, 1.5) * pause
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *lines])
    return lines


def test_the_tutorial_works_as_it_is_written() -> None:
    commands = commands_of(TUTORIAL)
    assert len(commands) > 20
    with tempfile.TemporaryDirectory(prefix="am") as name, running_platform(Path(name) / "d") as platform:
        home, version = Path(name), ""
        shell, lines = Shell(platform, home), write_invoices(home / "online_retail.csv")
        for file, sql in re.findall(
            r"Save as `(\w+\.sql)`:\n\n```sql\n(.*?)```", TUTORIAL.read_text("utf-8"), re.DOTALL
        ):
            (home / file).write_text(sql)
        for command in commands:
            told = shell.run(command.replace("--id ID", f"--id {version}"))
            if command.startswith("aimass data version"):
                version = re.findall(r"^id +(\S+)", told, re.MULTILINE)[0]
            if command.startswith("aimass lineage"):
                _is_whole(told)
        _sums_agree(shell, lines)


def _is_whole(lineage: str) -> None:
    """The lineage of the training set leads from the raw lines to the model and the endpoint."""
    steps = ("source:", "view:invoice-lines", "view:customer-orders", "feature_view:customer-habits", "training_set:")
    for step in (*steps, "model_version:returning/1", "serving.deploy"):
        assert step in lineage, lineage


def _sums_agree(shell: Shell, lines: list[tuple[str, ...]]) -> None:
    """What gold says is what the file says, also after the views have followed the next file by themselves."""
    end = time.monotonic() + 240
    while json.loads(shell.run("aimass views show daily-sales --json"))["number"] < 2:
        assert time.monotonic() < end, "the views did not follow"
        time.sleep(1)
    told = json.loads(shell.run("""aimass data query 'SELECT sum(revenue)::VARCHAR AS r FROM "daily-sales"' --json"""))
    thousandths = sum(int(count) * round(float(price) * 1000) for _, _, _, count, _, price, _, _ in lines) + 2 * 4950
    assert round(float(told["rows"][0][0]) * 1000) == thousandths

"""What is ordered, how much of it, where to and until when, in short messages that are put together from forms."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl

from tools.zoo.making import Making

_PLACES = [
    "Oslo",
    "Graz",
    "Turin",
    "Porto",
    "Lyon",
    "Ghent",
    "Leeds",
    "Kiel",
    "Basel",
    "Malmo",
    "Tartu",
    "Gdansk",
    "Brno",
    "Split",
    "Patras",
    "Seville",
    "Bergen",
    "Utrecht",
    "New Haven",
    "Port Louis",
    "San Marino",
    "Cape Town",
    "Santa Fe",
    "Saint John",
    "Long Beach",
    "Hong Kong",
    "Buenos Aires",
    "Abu Dhabi",
]
_THINGS = [
    "desk",
    "chair",
    "lamp",
    "shelf",
    "drill",
    "saw",
    "hammer",
    "cable",
    "router",
    "monitor",
    "keyboard",
    "printer",
    "toner",
    "paper",
    "pump",
    "valve",
    "filter",
    "bearing",
    "belt",
    "motor",
    "sensor",
    "battery",
    "charger",
    "helmet",
    "glove",
    "boot",
    "ladder",
    "rope",
    "bolt",
    "hinge",
    "lock",
    "bucket",
    "brush",
    "tarpaulin",
]
_KINDS = ("red", "blue", "steel", "oak", "spare", "heavy", "small", "X200", "M8", "no. 4", "wireless", "used")
_AMOUNTS = ("box", "crate", "pallet", "pair", "kilo", "metre", "dozen", "roll", "bag")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "March", "April", "May", "July", "August", "October", "December")
_FORMS = (
    "Please send {amount} {thing} to {place} by {day}.",
    "We need {amount} {thing} in {place}.",
    "{place}: {amount} {thing}, {day} at the latest!",
    "can you get {thing} to {place} before {day}? thanks",
    "The {thing} for {place} did not come.",
    "Cancel the order of {day}: {amount} {thing} and {amount} {thing}.",
    "Nothing arrived in {place} on {day}, neither the {thing} nor the {thing}.",
    "Hello, is there any {thing} left? We would take {amount}.",
    "{amount} {thing}",
    "Ship to {place}. Items: {thing}; {thing}; {thing}.",
    "On {day} the truck to {place} takes {amount} {thing} along.",
    "Our shop in {place} is out of {thing} again, please add {amount} until {day}",
    "Thank you, all is well.",
    "Who ordered {amount} {thing}? It was not us in {place}.",
    "Change {thing} to {thing}, and send it on {day} instead of {day}.",
    "Invoice for {thing} received, delivery from {place} still open since {day}.",
    "URGENT: {thing} needed at {place}",
    "Bring {amount} {thing} from {place} to {place}, {day}.",
    "Is {day} fine for {amount} {thing}?",
    "I am writing about the {thing} that we returned to {place} last week.",
    "Two things: first, {amount} {thing}; second, tell {place} we close on {day}.",
    "Price of {thing} for {amount}, please.",
    "We moved from {place} to {place}.",
    "See you on {day} in {place}!",
)
_COUNT, _OFTEN = 1500, 0.4
_SAID: dict[str, Callable[[random.Random], str]] = {
    "place": lambda draw: draw.choice(_PLACES),
    "thing": lambda draw: " ".join(
        [*([draw.choice(_KINDS)] if draw.random() < _OFTEN else []), draw.choice(_THINGS) + draw.choice(("", "s"))]
    ),
    "amount": lambda draw: f"{draw.randint(2, 60)}{draw.choice(('', ' ' + draw.choice(_AMOUNTS) + 's of'))}",
    "day": lambda draw: draw.choice(
        (
            draw.choice(_DAYS),
            f"{draw.randint(1, 28)} {draw.choice(_MONTHS)}",
            f"{draw.randint(1, 28)}.{draw.randint(1, 12)}.",
        )
    ),
}


def _rows(data: Path | None) -> pl.DataFrame:
    del data
    draw = random.Random(0)  # noqa: S311 a draw of examples
    found = [_message(number % len(_FORMS), draw) for number in range(_COUNT)]
    return pl.DataFrame(found).unique("message", keep="first", maintain_order=True)


def _message(form: int, draw: random.Random) -> dict[str, str]:
    text, marks = "", []
    for part in _FORMS[form].split("{"):
        name, closed, rest = part.partition("}")
        if not closed:
            text += part
            continue
        said = _SAID[name](draw)
        marks.append({"type": name, "start": len(text), "end": len(text) + len(said)})
        text += said + rest
    return {"message": text, "marks": json.dumps(marks), "form": f"form {form}"}


MAKING = Making(
    rows=_rows,
    task="tagging",
    recipe="linear_tagger",
    target="marks",
    more={"group": "form"},
    about={
        "title": "Orders in messages",
        "summary": "Finds what is ordered, how much, where to and until when in a short English message.",
        "family": "named-entities",
        "licence": "Apache-2.0",
        "data": {
            "title": "Messages that a program puts together from 24 forms and short lists of words",
            "source": "tools/zoo/makers/orders.py of this project",
            "licence": "Apache-2.0",
        },
        "card": {
            "intended_use": "To try out entities: answers with type, place in the text and score.",
            "limits": "- The messages are made up. The figures are for sentences whose form it did not see, but whose words "
            "come from the same lists: real messages are harder.\n- English only.",
        },
    },
)

"""Sums up short reports, in English and Chinese; the reports are made up by a grammar."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tools.zoo.making import Making

REPORTS = 900
BESIDE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """What a report is made of: what happened and why, in several words each, the same in brief, and what stands beside it."""

    happened: Sequence[str]
    because: Sequence[str]
    brief: Sequence[str]
    beside: Sequence[str]
    words: Mapping[str, Sequence[str]]
    gap: str


ENGLISH = Grammar(
    happened=(
        "The {thing} in {place} was closed on {day} after {cause}, leaving {count} {people} waiting.",
        "On {day} {count} {people} had to wait in {place} because the {thing} was closed.",
        "{place} closed its {thing} on {day}, and {count} {people} were sent away.",
    ),
    because=(
        "A spokesman said that {cause} was to blame.",
        "Engineers found that {cause} had stopped the {thing}.",
        "The {thing} had failed because of {cause}.",
    ),
    brief=(
        "{thing} in {place} closed after {cause}, {count} {people} wait",
        "{cause} closes the {thing} in {place}, {count} {people} wait",
    ),
    beside=(
        "It was a mild day with some clouds.",
        "Such days are long for everybody, said one of them.",
        "The town has had a harbour for centuries.",
        "A new roof is planned for next year.",
        "Coffee was handed out for free.",
        "Nobody was hurt.",
        "The weekend is expected to be dry.",
        "Most of them took it with good humour.",
        "“I read my book,” said a teacher.",
        "The council meets again in autumn.",
        "Neighbours brought chairs.",
        "Two buses were sent from the next town.",
    ),
    words={
        "thing": ("bridge", "station", "museum", "market hall", "ferry", "library", "tunnel", "swimming pool"),
        "place": ("Lakeside", "Northbridge", "Old Harbour", "Millbrook", "Eastfield", "Stonegate"),
        "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
        "cause": ("a power cut", "a burst pipe", "heavy snow", "a broken gate", "a false alarm", "a small fire"),
        "people": ("travellers", "visitors", "pupils", "commuters", "guests"),
    },
    gap=" ",
)
CHINESE = Grammar(
    happened=(
        "{day}，{place}的{thing}因{cause}关闭，{count}名{people}滞留。",
        "{day}在{place}，{count}名{people}因{thing}关闭而等候。",
        "{place}于{day}关闭了{thing}，{count}名{people}被劝返。",
    ),
    because=("发言人说，原因是{cause}。", "工程师发现，{cause}使{thing}停止运行。", "{thing}是因为{cause}才停用的。"),
    brief=("{place}{thing}因{cause}关闭，{count}名{people}等候", "{cause}致{place}{thing}关闭，{count}名{people}等候"),
    beside=(
        "当天天气温和，有些云。", "这样的日子对谁都很漫长。", "这座城镇几百年前就有港口。", "明年计划更换屋顶。", "现场免费提供咖啡。",
        "没有人受伤。", "周末预计无雨。", "多数人心情不错。", "“我在看书。”一位教师说。", "议会秋天再次开会。", "邻居们搬来了椅子。",
    ),
    words={
        "thing": ("大桥", "车站", "博物馆", "集市", "渡轮", "图书馆", "隧道", "游泳馆"),
        "place": ("湖滨", "北桥", "旧港", "磨坊溪", "东田", "石门"),
        "day": ("周一", "周二", "周三", "周四", "周五"),
        "cause": ("停电", "水管破裂", "大雪", "闸门损坏", "误报", "小火"),
        "people": ("旅客", "参观者", "学生", "乘客", "客人"),
    },
    gap="",
)  # fmt: skip


def report(grammar: Grammar, draw: random.Random) -> tuple[str, str]:
    """Make a report and what somebody would write of it in one line; what happened stands first in a third of them."""
    told = {name: draw.choice(some) for name, some in grammar.words.items()} | {"count": str(draw.randrange(20, 900))}
    sentences = draw.sample(list(grammar.beside), BESIDE)
    place = 0 if draw.random() < 1 / 3 else draw.randrange(1, 4)
    sentences[place:place] = [draw.choice(grammar.happened).format(**told), draw.choice(grammar.because).format(**told)]
    return grammar.gap.join(sentences), draw.choice(grammar.brief).format(**told)


def _rows(data: Path | None) -> pl.DataFrame:
    del data
    draw = random.Random(0)  # noqa: S311 a draw of examples
    made = [report(draw.choice((ENGLISH, CHINESE)), draw) for _ in range(REPORTS)]
    return pl.DataFrame(made, schema={"report": pl.String, "brief": pl.String}, orient="row")


MAKING = Making(
    rows=_rows,
    task="summary",
    recipe="sentence_summary",
    target="brief",
    params={"sentences": 2},
    about={
        "title": "News in brief",
        "summary": "Chooses the two sentences of a short report, in English or Chinese, that say what happened and why.",
        "family": "summary",
        "licence": "Apache-2.0",
        "data": {
            "title": "900 reports of a town, in English and Chinese, made up by a grammar, with a line that tells each in brief",
            "source": "tools/zoo/makers/news_in_brief.py",
            "licence": "Apache-2.0",
        },
        "card": {
            "intended_use": "To try out summaries, and as what another model of summaries is compared with: `report` is a text, "
            "`summary` are two of its sentences.",
            "limits": "- It learned from made-up reports of one kind. What it reaches on them says nothing of other texts.\n"
            "- It chooses sentences and writes none.\n- English and Chinese; sentences of other languages are cut where they end in the same signs.",
        },
    },
)

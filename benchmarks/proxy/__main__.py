"""``make bench-gateway``: the gateway beside nginx, Caddy and Traefik, its token check, its registrations, its policies.

Every proxy stands in front of the same service (nginx that answers from memory) with 32 kept connections; while one is
measured the others are held still. CPU is that of the processes of a proxy, not of the service and not of wrk.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT
from benchmarks.proxy.own import change_live_s, doors
from benchmarks.proxy.peers import CONNECTIONS, caddy, nginx, nginx_cache, traefik, upstream
from benchmarks.proxy.registrations import registrations
from benchmarks.proxy.tokens import token_costs
from benchmarks.serving.alone import Found
from benchmarks.serving.load import Server, take_turns
from benchmarks.serving.report import table


def main() -> int:
    """Measure, and write what was seen; a goal that is missed is reported as missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proxy")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    wanted = parser.parse_args()
    if missing := [
        name for name in ("wrk", "nginx") if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None
    ]:
        sys.exit(f"{' and '.join(missing)} missing: apt-get install {' '.join(missing)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        servers = _proxies(folder, wanted.rounds, wanted.seconds)
        figures = [*_ratios(servers), *_by_itself(folder)]
    _write(servers, figures, wanted.rounds)
    return 0


def _proxies(folder: Path, rounds: int, seconds: int) -> list[Server]:
    with ExitStack() as stack:
        behind = stack.enter_context(upstream(_new(folder, "service")))
        own = stack.enter_context(doors(_new(folder, "own"), behind))
        peers = [
            stack.enter_context(start(_new(folder, start.__name__), behind))
            for start in (nginx, caddy, traefik, nginx_cache)
        ]
        _in_turn(own, peers, rounds, seconds)
    return [*own, *peers]


def _in_turn(own: Sequence[Server], peers: Sequence[Server], rounds: int, seconds: int) -> None:
    """Take turns; the routes of one gateway share its processes, so that none of them may be held still for another."""
    take_turns([*own, *peers], (CONNECTIONS,), rounds, seconds)


def _ratios(servers: Sequence[Server]) -> list[Found]:
    public, key, everything, new, kept, fast, *slow, fast_kept = servers

    def against(own: Server, peer: Server) -> float:
        return own.ratio(peer, CONNECTIONS, "cpu_us")

    found = [
        Found(name=f"{own.name}, CPU/request of {peer.name}", value=against(own, peer), goal=1, unit="x", at_most=True)
        for peer in slow
        for own in (public, key, new)
    ]
    found += [
        Found(name=f"{own.name}, CPU/request of nginx", value=against(own, fast), goal=3, unit="x", at_most=True)
        for own in (public, key, new)
    ]
    return [
        *found,
        Found(
            name="key, rates and metrics on a route to a service, CPU/request",
            value=(against(key, public) - 1) * 100,
            unit="% more",
        ),
        Found(name="every policy as well, CPU/request", value=(against(everything, public) - 1) * 100, unit="% more"),
        Found(
            name="an answer from the cache, CPU/request of one that is fetched", value=against(kept, public), unit="x"
        ),
        Found(name="an answer from the cache, CPU/request of nginx", value=against(kept, fast_kept), unit="x"),
    ]


def _by_itself(folder: Path) -> list[Found]:
    cached, first, bare = token_costs()
    with upstream(_new(folder, "again")) as behind:
        live_s = change_live_s(_new(folder, "workers"), behind)
    megabytes, hit, miss = registrations(_new(folder, "registrations"))
    return [
        Found(name="a token that is known, look-up", value=cached, goal=1, unit="µs", at_most=True),
        Found(name="a token seen for the first time, over the bare check of its signature", value=(first / bare - 1) * 100, goal=20, unit="% more", at_most=True),
        Found(name="the bare check of a signature", value=bare, unit="µs"),
        Found(name="a changed policy is live on two workers after", value=live_s, goal=1, unit="s", at_most=True),
        Found(name="100,000 services with a route each that nobody asks for", value=megabytes, goal=40, unit="MB", at_most=True),
        Found(name="a look-up among them that finds one", value=hit, goal=20, unit="µs", at_most=True),
        Found(name="a look-up among them that finds none", value=miss, goal=20, unit="µs", at_most=True),
    ]  # fmt: skip


def _write(servers: Sequence[Server], figures: Sequence[Found], rounds: int) -> None:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    lines = [
        "# The gateway, side by side",
        "",
        f"`make bench-gateway` on {machine}; medians of {rounds} rounds in turn, {CONNECTIONS} kept connections.",
        "Each proxy stands before the same service (nginx, 80 bytes of JSON from memory). AI Mass counts every request; *key* checks a",
        "key and its rate too, *all* has every policy of a route on; the others do none of it.",
        "The price of key check, rate limit, metrics and record on a model is in `serving.md`.",
        "",
        "| proxy | CPU/request | requests/s | p50 | memory |",
        "| --- | --- | --- | --- | --- |",
    ]
    data: dict[str, Any] = {"servers": [], "figures": []}
    for one in servers:
        cpu, rate, p50 = (one.median(CONNECTIONS, what) for what in ("cpu_us", "per_s", "p50_us"))
        lines.append(f"| {one.name} | {cpu:.0f} µs | {rate:,.0f} | {p50:,.0f} µs | {one.memory:.0f} MB |")
        data["servers"].append({"name": one.name, "cpu_us": cpu, "per_s": rate, "p50_us": p50, "memory_mb": one.memory})
    lines += ["", *table("figure", figures)]
    data["figures"] = [{"name": f.name, "value": f.value, "goal": f.goal, "unit": f.unit} for f in figures]
    path = ROOT / "benchmarks" / "gateway.md"
    path.write_text("\n".join(lines) + "\n")
    path.with_suffix(".json").write_text(json.dumps(data, indent=2) + "\n")


def _new(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir()
    return place


if __name__ == "__main__":
    raise SystemExit(main())

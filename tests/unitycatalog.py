"""Where is the real Unity Catalog server for tests, and what does Spark need to reach it?

The server and its connector are not in the package registries; a folder with both is named by UNITYCATALOG_HOME, or stands
beside the repository as `shared/unitycatalog`. Maven fetches the rest, once, into `.cache/unitycatalog`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = Path(os.environ.get("UNITYCATALOG_HOME", ROOT.parent / "shared/unitycatalog"))
REPOSITORY = ROOT / ".cache/unitycatalog"
_CLIENT = """<project><modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>client</artifactId><version>1</version>
<dependencies>
  <dependency><groupId>io.unitycatalog</groupId><artifactId>unitycatalog-client</artifactId><version>0.6.0</version></dependency>
  <dependency><groupId>io.unitycatalog</groupId><artifactId>unitycatalog-hadoop</artifactId><version>0.6.0</version></dependency>
</dependencies></project>"""
_NEEDED = ("unitycatalog-client", "unitycatalog-hadoop", "jackson-databind-nullable")


@lru_cache
def missing() -> str:
    """Return why there is no server on this machine; empty where there is one."""
    if not (HOME / "uc_server.py").is_file():
        return f"no Unity Catalog server: {HOME} has none; set UNITYCATALOG_HOME"
    if not shutil.which("mvn"):
        return "no Unity Catalog server: Maven is not installed"
    try:
        _jars()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no Unity Catalog server: Maven cannot fetch its packages ({error})"
    return ""


def spark_settings() -> dict[str, str]:
    """Return the settings that let a Spark session reach a Unity Catalog; none where there is no server."""
    return {} if missing() else {"spark.jars": ",".join(map(str, _jars()))}


@lru_cache
def _jars() -> list[Path]:
    """Return the connector and what it needs beside what Spark holds."""
    if str(HOME) not in sys.path:
        sys.path.insert(0, str(HOME))
    kept = REPOSITORY / "client.classpath"
    if not kept.exists():
        REPOSITORY.mkdir(parents=True, exist_ok=True)
        pom = REPOSITORY / "client.xml"
        pom.write_text(_CLIENT)
        maven = ["mvn", "-B", "-q", "-ntp", f"-Dmaven.repo.local={REPOSITORY}", "-f", str(pom), "dependency:build-classpath"]
        subprocess.run([*maven, f"-Dmdep.outputFile={kept}", "-DincludeScope=runtime"], check=True, capture_output=True)  # noqa: S603 - Maven
    found = [Path(path) for path in kept.read_text().strip().split(os.pathsep)]
    return [*HOME.glob("unitycatalog-spark*.jar"), *(path for path in found if path.name.startswith(_NEEDED))]

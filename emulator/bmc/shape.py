"""What of a BMC's resources is the vendor's own: where the drives are, what is not there, Oem."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

ROOT = "/redfish/v1"


def media_place(bmc: Bmc) -> str:
    """The path of the collection of virtual drives."""
    if bmc.personality.media_under == "Manager":
        return f"{ROOT}/Managers/{bmc.manager_id}/VirtualMedia"
    return f"{ROOT}/Systems/{bmc.system_id}/VirtualMedia"


def moved(bmc: Bmc, body: bytes) -> bytes:
    """What sushy-tools renders of virtual media, with the paths of where the drives are."""
    upstream = f"{ROOT}/Systems/{bmc.system_id}/VirtualMedia"
    return body.replace(upstream.encode(), media_place(bmc).encode())


def add_oem(data: dict[str, Any], owner: str, bmc: Bmc) -> None:
    """What the vendor adds; ``{post}`` in it is the vendor's word for how far the boot is."""
    oem = bmc.personality.oem.get(owner)
    if oem is None:
        return
    machine = bmc.machine
    state = "off" if machine.boot is None else "done" if machine.boot_finished else "post"
    word = bmc.personality.post_words.get(state, "")
    data["Oem"] = _filled(oem, word)


def _filled(value: Any, word: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(item, word) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, word) for item in value]
    return word if value == "{post}" else value


def shuffled(data: dict[str, Any], turn: int) -> dict[str, Any]:
    """A collection whose members come in another order at each ``turn``."""
    data["Members"].sort(
        key=lambda member: hashlib.blake2b(f"{turn}/{member}".encode(), digest_size=8).digest()
    )
    return data


def absent(bmc: Bmc, path: str) -> bool:
    """Whether the vendor has not what is at ``path``, though others have."""
    parts = path.strip("/").split("/")
    return (
        len(parts) > 4
        and parts[2] == "Systems"
        and {"BIOS": "Bios"}.get(parts[4], parts[4]) in bmc.personality.absent
    )

"""Reads a kubectl command line of a scenario: what it may say, and what it means."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Callable, Sequence
from typing import NoReturn

from beskar7.api.documents import parse
from beskar7.api.durations import parse_duration
from beskar7.api.kinds import BESKAR7_MACHINE, GROUP, LEASE, Kind
from beskar7.api.objects import Object
from beskar7.api.problems import DocumentError, closest
from emulator.kube.workloads.objects import DEPLOYMENT, POD
from scenarios.engine.rehearsal.kubectl_commands import (
    Apply,
    Command,
    Delete,
    Kubectl,
    Mark,
    Patch,
    PatchForm,
    RolloutRestart,
    RolloutStatus,
    Scale,
    SetEnv,
    SetResources,
)
from scenarios.engine.rehearsal.kubectl_words import (
    WORDS,
    kind_of,
    one_place,
    places_of,
    quantities_of,
    values_of,
)

MAX_LINE = 16 * 1024
ROLLOUT_PATIENCE = 300.0
"""Seconds that ``rollout status`` waits where no ``--timeout`` is given; kubectl waits for ever."""
MAX_REPLICAS = 50
"""As for ``world.managers.replicas``."""
DELETABLE = (LEASE, POD, BESKAR7_MACHINE)
FLAGS = ("--overwrite", "--ignore-not-found", "--wait")
"""Switches: kubectl takes a value of theirs only behind an equals sign."""
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong by ValueError, and ends nothing."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _parser(words: str) -> _Parser:
    parser = _Parser(prog=words, add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--namespace", default="default")
    return parser


def read_kubectl(line: str, manifests: Sequence[Object] = ()) -> Kubectl:
    """The command of ``line``, which is without the word kubectl. ``manifests`` are ``apply``'s.

    Raises:
        ValueError: it is none of the commands that a scenario may give; what would be right.
    """
    if len(line) > MAX_LINE:
        raise ValueError(f"has {len(line)} characters; the limit is {MAX_LINE}")
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {str(error).lower()}") from None
    if words[:1] == ["kubectl"]:
        words = words[1:]
    for name, (read, example) in COMMANDS.items():
        verbs = name.split()
        if words[: len(verbs)] == verbs:
            try:
                if manifests and read is not _apply:
                    raise ValueError("manifests belong to apply -f - only")
                given = [f"{word}=true" if word in FLAGS else word for word in words]
                command = read(given[len(verbs) :], manifests)
            except ValueError as error:
                right = f"for example: kubectl {example}"
                raise ValueError(f"kubectl {name}: {error}; {right}") from None
            return Kubectl(shlex.join(words), tuple(words), command)
    said = " ".join(words[:2])
    hint = closest(said, COMMANDS)
    raise ValueError(f'"kubectl {said}" is not a command that a scenario may give; {hint}')


def _patch(words: Sequence[str], _: Sequence[Object]) -> Command:
    parser = _parser("patch")
    parser.add_argument("place", nargs="+")
    parser.add_argument("-p", "--patch", required=True)
    parser.add_argument("--type", choices=("strategic", "merge", "json"), default="strategic")
    parser.add_argument("--subresource", choices=("status",))
    found = parser.parse_intermixed_args(words)
    place = one_place(found.place, found.namespace)
    form: PatchForm = found.type
    if form == "strategic" and place.kind.group == GROUP:
        raise ValueError(f"custom resources such as {place.kind} take --type=merge or json only")
    patch = _document(found.patch)
    wanted, shape = (list, "list") if form == "json" else (dict, "mapping")
    if not isinstance(patch, wanted):
        raise ValueError(f"the patch of --type={form} has to be a {shape}")
    return Patch(place, form, patch, found.subresource)


def _document(text: str) -> object:
    """As kubectl reads it: YAML, but what begins with a brace is JSON and nothing else."""
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text)
        return parse(text, "the patch").plain()
    except (DocumentError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"the patch cannot be read: {error}") from None


def _scale(words: Sequence[str], _: Sequence[Object]) -> Command:
    parser = _parser("scale")
    parser.add_argument("place", nargs="+")
    parser.add_argument("--replicas", required=True)
    found = parser.parse_intermixed_args(words)
    text = found.replicas
    if not text.isascii() or not text.isdigit() or int(text[:6]) > MAX_REPLICAS:
        raise ValueError(f"--replicas={text[:20]} has to be from 0 to {MAX_REPLICAS}")
    return Scale(one_place(found.place, found.namespace, DEPLOYMENT), int(text))


def _restart(words: Sequence[str], _: Sequence[Object]) -> Command:
    parser = _parser("rollout restart")
    parser.add_argument("place", nargs="+")
    found = parser.parse_intermixed_args(words)
    return RolloutRestart(one_place(found.place, found.namespace, DEPLOYMENT))


def _status(words: Sequence[str], _: Sequence[Object]) -> Command:
    parser = _parser("rollout status")
    parser.add_argument("place", nargs="+")
    parser.add_argument("--timeout")
    found = parser.parse_intermixed_args(words)
    timeout = parse_duration(found.timeout) if found.timeout else ROLLOUT_PATIENCE
    if not 0 < timeout <= ROLLOUT_PATIENCE:
        raise ValueError(f"--timeout={found.timeout} has to be at most {ROLLOUT_PATIENCE:g}s")
    return RolloutStatus(one_place(found.place, found.namespace, DEPLOYMENT), timeout)


def _delete(words: Sequence[str], _: Sequence[Object]) -> Command:
    parser = _parser("delete")
    parser.add_argument("place", nargs="+")
    parser.add_argument("--ignore-not-found", choices=("true", "false"), default="false")
    parser.add_argument("--wait", choices=("true", "false"), default="true")
    parser.add_argument("-l", "--selector")
    found = parser.parse_intermixed_args(words)
    options = {
        "ignore_not_found": found.ignore_not_found == "true",
        "wait": found.wait == "true",
    }
    if found.selector:
        if len(found.place) > 1 or "/" in found.place[0]:
            raise ValueError("gives names and a selector; give one of them")
        kind = kind_of(found.place[0])
        _deletable(kind)
        return Delete((), kind=kind, namespace=found.namespace, selector=found.selector, **options)
    places = places_of(found.place, found.namespace)
    for place in places:
        _deletable(place.kind)
    return Delete(places, **options)


def _deletable(kind: Kind) -> None:
    if kind not in DELETABLE:
        raise ValueError(f"is for {', '.join(str(kind) for kind in DELETABLE)} only, not {kind}")


def _mark(field: str) -> Callable[[Sequence[str], Sequence[Object]], Command]:
    def read(words: Sequence[str], _: Sequence[Object]) -> Command:
        parser = _parser(field)
        parser.add_argument("words", nargs="+")
        parser.add_argument("--overwrite", choices=("true", "false"), default="false")
        found = parser.parse_intermixed_args(words)
        place = [word for word in found.words if "=" not in word and not word.endswith("-")]
        values = values_of(word for word in found.words if word not in place)
        return Mark(
            one_place(place, found.namespace),
            "labels" if field == "label" else "annotations",
            values,
            found.overwrite == "true",
        )

    return read


def _apply(words: Sequence[str], manifests: Sequence[Object]) -> Command:
    parser = _parser("apply")
    parser.add_argument("-f", "--filename", required=True)
    found = parser.parse_intermixed_args(words)
    if found.filename != "-":
        raise ValueError("takes -f - only; the manifests stand beside it, under manifests:")
    if not manifests:
        raise ValueError("needs manifests: beside it")
    for manifest in manifests:
        _check_manifest(manifest)
    return Apply(tuple(manifests), found.namespace)


def _check_manifest(manifest: Object) -> None:
    known = {kind.kind: kind for kind in WORDS.values()}
    kind = known.get(str(manifest.get("kind")))
    if kind is None:
        raise ValueError(
            f'the kind "{manifest.get("kind")}" is not one that a scenario may '
            f"apply; {closest(str(manifest.get('kind')), known)}"
        )
    if manifest.get("apiVersion") != kind.api_version:
        raise ValueError(f"a manifest's apiVersion has to be {kind.api_version} for a {kind}")
    meta = manifest.get("metadata")
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        raise ValueError(f"a manifest of kind {kind} has no metadata.name")


def _set_env(words: Sequence[str], _: Sequence[Object]) -> Command:
    parser = _parser("set env")
    parser.add_argument("words", nargs="+")
    parser.add_argument("-c", "--containers", default="")
    found = parser.parse_intermixed_args(words)
    place = [word for word in found.words if "=" not in word and not word.endswith("-")]
    values = values_of(word for word in found.words if word not in place)
    for name in values:
        if not _ENV.fullmatch(name):
            raise ValueError(f'"{name[:80]}" is not the name of a variable')
    return SetEnv(one_place(place, found.namespace, DEPLOYMENT), values, found.containers)


def _set_resources(words: Sequence[str], _: Sequence[Object]) -> Command:
    parser = _parser("set resources")
    parser.add_argument("place", nargs="+")
    parser.add_argument("-c", "--containers", default="")
    parser.add_argument("--limits", default="")
    parser.add_argument("--requests", default="")
    found = parser.parse_intermixed_args(words)
    limits, requests = quantities_of(found.limits), quantities_of(found.requests)
    if not limits and not requests:
        raise ValueError("changes nothing; give --limits=memory=256Mi or --requests=...")
    place = one_place(found.place, found.namespace, DEPLOYMENT)
    return SetResources(place, limits, requests, found.containers)


COMMANDS: dict[str, tuple[Callable[[Sequence[str], Sequence[Object]], Command], str]] = {
    "patch": (_patch, "patch configmap beskar7-config -n beskar7-system -p '{...}'"),
    "scale": (_scale, "scale deployment/beskar7-controller-manager -n beskar7-system --replicas=3"),
    "rollout restart": (_restart, "rollout restart deployment/NAME -n NAMESPACE"),
    "rollout status": (_status, "rollout status deployment/NAME -n NAMESPACE --timeout=60s"),
    "delete": (_delete, "delete lease NAME -n NAMESPACE"),
    "annotate": (_mark("annotate"), "annotate physicalhost NAME KEY=VALUE"),
    "label": (_mark("label"), "label physicalhost NAME KEY=VALUE"),
    "apply": (_apply, "apply -f -"),
    "set env": (_set_env, "set env deployment/NAME -n NAMESPACE KEY=VALUE"),
    "set resources": (_set_resources, "set resources deployment/NAME --limits=memory=256Mi"),
}
"""By their words: how each is read, and an example."""

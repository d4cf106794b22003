"""What the load test reads of a kubeconfig, and what it says of a bad one."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.kubeconfig import MAX_BYTES, Access, KubeconfigError, load, parse

pytestmark = pytest.mark.unit


def document(**changes: Any) -> dict[str, Any]:
    """A good kubeconfig; ``changes`` are merged into its cluster, context and user."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "contexts": [
            {"name": "other", "context": {"cluster": "nowhere"}},
            {
                "name": "lab",
                "context": {"cluster": "c", "user": "u", **changes.get("context", {})},
            },
        ],
        "clusters": [
            {
                "name": "c",
                "cluster": {"server": "http://127.0.0.1:8001/", **changes.get("cluster", {})},
            }
        ],
        "users": [{"name": "u", "user": {"token": "s3cret", **changes.get("user", {})}}],
    }


def test_current_context_is_followed(tmp_path: Path) -> None:
    access = parse(document(context={"namespace": "metal"}), tmp_path)
    assert access.server == "http://127.0.0.1:8001"
    assert access.token == "s3cret"
    assert access.namespace == "metal"
    assert access.ssl_context() is None


def test_namespace_is_default_when_the_context_has_none(tmp_path: Path) -> None:
    assert parse(document(), tmp_path).namespace == "default"


def test_files_are_relative_to_the_kubeconfig_and_inline_data_goes_first(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"from the file")
    (tmp_path / "token").write_text("from-file\n")
    config = document(
        cluster={"server": "https://h", "certificate-authority": "ca.pem"},
        user={"token": None, "tokenFile": "token"},
    )
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    access = load(path)
    assert access.ca == b"from the file"
    assert access.token == "from-file"
    config["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(
        b"inline"
    ).decode()
    assert parse(config, tmp_path).ca == b"inline"


def test_no_secret_is_in_the_repr() -> None:
    access = Access("https://h", token="s3cret", key=b"s3cret", certificate=b"s3cret", ca=b"s3cret")
    assert "s3cret" not in repr(access)


def test_insecure_turns_verification_off_and_nothing_else_does(tmp_path: Path) -> None:
    insecure = parse(
        document(cluster={"server": "https://h", "insecure-skip-tls-verify": True}), tmp_path
    )
    context = insecure.ssl_context()
    assert context is not None
    assert context.verify_mode == ssl.CERT_NONE
    secure = parse(document(cluster={"server": "https://h"}), tmp_path).ssl_context()
    assert secure is not None
    assert secure.verify_mode == ssl.CERT_REQUIRED
    assert secure.check_hostname


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": {"cluster": "gone"}}, "clusters: no entry named 'gone'"),
        ({"context": {"user": "gone"}}, "users: no entry named 'gone'"),
        ({"cluster": {"server": ""}}, "cluster: server is not set"),
        ({"cluster": {"server": "ftp://h"}}, "not an http or https URL"),
        ({"cluster": {"certificate-authority-data": "%%"}}, "certificate-authority-data"),
        ({"user": {"exec": {"command": "aws"}}}, "exec is not supported"),
        ({"user": {"token": "two\nlines"}}, "not one line"),
        ({"user": {"client-certificate-data": "YQ=="}}, "go together"),
        ({"user": {"token": None, "tokenFile": "missing"}}, "tokenFile missing"),
    ],
)
def test_bad_entries_are_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match=message):
        parse(document(**changes), tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "line 1 not YAML"),
        ("- a list", "not a mapping"),
        ("clusters: []", "current-context is not set"),
        ("x" * (MAX_BYTES + 1), "larger than"),
    ],
)
def test_bad_files_are_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_list_of_files(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="No such file"):
        load(tmp_path / "missing")
    with pytest.raises(KubeconfigError, match="name one of them"):
        load(f"{tmp_path}/a:{tmp_path}/b")


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "context", "cluster", "user", "server", "token"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    st.fixed_dictionaries(
        {"current-context": st.just("x")},
        optional={"contexts": _values, "clusters": _values, "users": _values},
    )
)
def test_any_document_is_read_or_refused_in_words(config: dict[str, Any]) -> None:
    said = ""
    try:
        server = parse(config, Path("/nonexistent")).server
    except KubeconfigError as error:
        server, said = "", str(error)
    assert server.startswith("http") or said

"""What goes wrong with a lab, in words for whoever wrote the test."""

from __future__ import annotations


class LabError(Exception):
    """The lab could not be put up, or one of its parts is gone; ``args[0]`` says which and why."""


class SettingsError(Exception):
    """A mark or option that cannot be; ``args[0]`` has the test, each field, what is right."""


class NotReached(AssertionError):
    """A wait was over before what it waited for; ``hosts`` and ``machines`` are concerned."""

    def __init__(
        self, message: str, hosts: tuple[str, ...] = (), machines: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.hosts = hosts
        self.machines = machines


class PromiseBroken(AssertionError):
    """An invariant was violated while the test ran; hosts and machines as above."""

    def __init__(
        self, message: str, hosts: tuple[str, ...] = (), machines: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.hosts = hosts
        self.machines = machines

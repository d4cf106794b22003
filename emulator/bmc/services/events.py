"""EventService: subscriptions. Who delivers is the transport's business (``Fleet.deliver``)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import flask
import orjson

from emulator.bmc.redfish import timestamp
from emulator.bmc.services import base
from emulator.bmc.services.logs import TEXTS
from emulator.bmc.services.messages import refuse

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc
    from emulator.bmc.log import BmcEvent

SERVICE = f"{base.ROOT}/EventService"
SUBSCRIPTIONS = f"{SERVICE}/Subscriptions"
ACTION = "EventService.SubmitTestEvent"
LIMIT = 16
RETRIES, RETRY_INTERVAL = 3, 5
"""Attempts after the first, and seconds between them."""


@dataclass(slots=True)
class Subscription:
    id: str
    destination: str
    context: str
    headers: dict[str, str]
    """What the subscriber wants to see; a secret, never shown."""
    retry: str = "TerminateAfterRetries"

    @property
    def path(self) -> str:
        return f"{SUBSCRIPTIONS}/{self.id}"

    @property
    def deliverable(self) -> bool:
        return is_loopback(self.destination)


def is_loopback(destination: str) -> bool:
    """Whether a URL stays on this machine; an emulator sends nothing anywhere else."""
    host = urlsplit(destination).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Subscriptions:
    """The subscriptions at one BMC; they survive its reboot."""

    def __init__(self, bmc: Bmc) -> None:
        self._bmc = bmc
        self._count = 0
        self._sent = 0
        self.members: dict[str, Subscription] = {}

    def add(self, destination: str, context: str, headers: dict[str, str]) -> Subscription:
        if len(self.members) >= LIMIT:
            raise refuse(400, "CreateLimitReachedForResource")
        self._count += 1
        subscription = Subscription(str(self._count), destination, context, headers)
        self.members[subscription.id] = subscription
        return subscription

    def publish(self, event: BmcEvent, wall: float) -> None:
        """Hand the event on, once for each subscriber on this machine."""
        record = {
            "EventType": "Alert",
            "MessageId": f"Beskar7.1.0.{event.type.title().replace('-', '')}",
            "Message": TEXTS.get(event.type, event.type).format(detail=event.detail),
            "MessageArgs": [event.detail],
            "OriginOfCondition": base.link(f"{base.ROOT}/Systems/{self._bmc.system_id}"),
        }
        self._send(record, wall)

    def test(self, data: dict[str, Any], wall: float) -> None:
        names = ("EventType", "MessageId", "Message", "MessageArgs", "Severity")
        record = {name: data[name] for name in names if name in data}
        record.setdefault("MessageId", "Base.1.18.Success")
        self._send({"EventType": "Alert", **record}, wall)

    def _send(self, record: dict[str, Any], wall: float) -> None:
        self._sent += 1
        number = str(self._sent)
        entry = {
            "MemberId": "0",
            "EventId": number,
            "EventTimestamp": timestamp(wall),
            "Severity": "OK",
            "MessageSeverity": "OK",
            **record,
        }
        for subscription in list(self.members.values()):
            if not subscription.deliverable:
                continue
            body = {
                "@odata.type": "#Event.v1_9_0.Event",
                "Id": number,
                "Name": "Event",
                "Context": subscription.context,
                "Events": [entry],
            }
            headers = {**subscription.headers, "Content-Type": base.JSON}
            self._bmc.fleet.deliver(subscription.destination, headers, orjson.dumps(body))


def _show(subscription: Subscription) -> dict[str, Any]:
    state = "Enabled" if subscription.deliverable else "Disabled"
    return base.resource(
        subscription.path,
        "EventDestination.v1_14_0",
        subscription.id,
        "Event Subscription",
        Destination=subscription.destination,
        Context=subscription.context,
        Protocol="Redfish",
        SubscriptionType="RedfishEvent",
        EventFormatType="Event",
        DeliveryRetryPolicy=subscription.retry,
        HttpHeaders=None,
        Status={"State": state, "Health": "OK"},
    )


def _headers(value: Any) -> dict[str, str]:
    """The HttpHeaders of a subscription: a list of objects."""
    found: dict[str, str] = {}
    for entry in value if isinstance(value, list) else [value]:
        if not isinstance(entry, dict):
            raise refuse(400, "PropertyValueTypeError", "******", "HttpHeaders")
        for name, text in entry.items():
            clean = isinstance(text, str) and not set("\r\n\0") & {*text, *name}
            if not clean or len(name) + len(text) > 4096 or len(found) >= 16:
                raise refuse(400, "PropertyValueFormatError", "******", "HttpHeaders")
            found[name] = text
    return found


def _subscribe() -> Any:
    data = base.given()
    base.required(data, "Destination", "Protocol")
    destination = base.text(data["Destination"], "Destination", 2048, 1)
    parts = urlsplit(destination)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise refuse(
            400, "PropertyValueFormatError", destination, "Destination", related="Destination"
        )
    base.choice(data["Protocol"], "Protocol", ("Redfish",))
    for name, allowed in (("SubscriptionType", "RedfishEvent"), ("EventFormatType", "Event")):
        if data.get(name) is not None:
            base.choice(data[name], name, (allowed,))
    if data.get("EventTypes"):
        for kind in data["EventTypes"]:
            base.choice(kind, "EventTypes", ("Alert",))
    context = base.text(data.get("Context") or "", "Context", 256)
    subscriptions: Subscriptions = base.state("events")
    headers = _headers(data.get("HttpHeaders") or [])
    return base.created(_show(subscriptions.add(destination, context, headers)))


def register(app: flask.Flask) -> None:
    @base.route(app, SERVICE)
    def event_service() -> Any:
        return base.resource(
            SERVICE,
            "EventService.v1_10_0",
            "EventService",
            "Event Service",
            Status=base.OK,
            ServiceEnabled=True,
            DeliveryRetryAttempts=RETRIES,
            DeliveryRetryIntervalSeconds=RETRY_INTERVAL,
            EventFormatTypes=["Event"],
            EventTypesForSubscription=["Alert"],
            Subscriptions=base.link(SUBSCRIPTIONS),
            Actions={f"#{ACTION}": {"target": f"{SERVICE}/Actions/{ACTION}"}},
        )

    @base.route(app, SUBSCRIPTIONS, "GET", "POST")
    def subscriptions() -> Any:
        if flask.request.method == "POST":
            return _subscribe()
        known: Subscriptions = base.state("events")
        paths = [subscription.path for subscription in known.members.values()]
        return base.collection(SUBSCRIPTIONS, "EventDestination", "Subscriptions", paths)

    @base.route(app, f"{SUBSCRIPTIONS}/<ident>", "GET", "PATCH", "DELETE")
    def subscription(ident: str) -> Any:
        known: Subscriptions = base.state("events")
        found = known.members.get(ident)
        if found is None:
            raise base.missing()
        if flask.request.method == "DELETE":
            del known.members[ident]
            return None
        if flask.request.method == "GET":
            return _show(found)
        context = base.setter(
            lambda value: base.text(value, "Context", 256),
            lambda value: setattr(found, "context", value),
        )
        return base.patch(lambda: _show(found), {"Context": context})

    @base.route(app, f"{SERVICE}/Actions/{ACTION}", "POST")
    def submit_test_event() -> Any:
        known: Subscriptions = base.state("events")
        known.test(base.given(), base.call().wall)
        return None

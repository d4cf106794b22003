"""The messages of the Base registry that this service uses, and refusals made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sushy_tools.error import FishyError

REGISTRY = "Base.1.18"
REGISTRY_VERSION = "1.18.0"
MESSAGE_TYPE = "#Message.v1_1_1.Message"

# Key: text with %1, %2...; severity; what to do about it. Wording and severities are of the DMTF's
# Base registry; keys as well.
BASE: dict[str, tuple[str, str, str]] = {
    "Success": ("The request completed successfully.", "OK", "None."),
    "Created": ("The resource was created successfully.", "OK", "None."),
    "AccountModified": ("The account was successfully modified.", "OK", "None."),
    "NoOperation": (
        "The request body submitted contain no data to act upon and no changes to the resource "
        "took place.",
        "Warning",
        "Add properties in the JSON object and resubmit the request.",
    ),
    "GeneralError": (
        "A general error has occurred.  See Resolution for information on how to resolve the "
        "error, or @Message.ExtendedInfo if Resolution is not provided.",
        "Critical",
        "None.",
    ),
    "InternalError": (
        "The request failed due to an internal service error.  The service is still operational.",
        "Critical",
        "Resubmit the request.  If the problem persists, consider resetting the service.",
    ),
    "MalformedJSON": (
        "The request body submitted was malformed JSON and could not be parsed by the receiving "
        "service.",
        "Critical",
        "Ensure that the request body is valid JSON and resubmit the request.",
    ),
    "UnrecognizedRequestBody": (
        "The service detected a malformed request body that it was unable to interpret.",
        "Warning",
        "Correct the request body and resubmit the request if it failed.",
    ),
    "PropertyUnknown": (
        "The property '%1' is not in the list of valid properties for the resource.",
        "Warning",
        "Remove the unknown property from the request body and resubmit the request.",
    ),
    "PropertyNotWritable": (
        "The property '%1' is a read-only property and cannot be assigned a value.",
        "Warning",
        "Remove the property from the request body and resubmit the request.",
    ),
    "PropertyMissing": (
        "The property '%1' is a required property and must be included in the request.",
        "Warning",
        "Ensure that the property is in the request body and has a valid value.",
    ),
    "PropertyValueTypeError": (
        "The value '%1' for the property '%2' is not a type that the property can accept.",
        "Warning",
        "Correct the value for the property in the request body and resubmit the request.",
    ),
    "PropertyValueNotInList": (
        "The value '%1' for the property '%2' is not in the list of acceptable values.",
        "Warning",
        "Choose a value from the enumeration list and resubmit the request.",
    ),
    "PropertyValueFormatError": (
        "The value '%1' for the property '%2' is not a format that the property can accept.",
        "Warning",
        "Correct the value for the property in the request body and resubmit the request.",
    ),
    "PropertyValueOutOfRange": (
        "The value '%1' for the property '%2' is not in the supported range of acceptable values.",
        "Warning",
        "Correct the value for the property in the request body and resubmit the request.",
    ),
    "ActionParameterMissing": (
        "The action '%1' requires the parameter '%2' to be present in the request body.",
        "Critical",
        "Supply the action with the required parameter in the request body.",
    ),
    "ActionParameterValueNotInList": (
        "The value '%1' for the parameter '%2' in the action '%3' is not in the list of "
        "acceptable values.",
        "Warning",
        "Choose a value from the enumeration list and resubmit the request.",
    ),
    "ActionParameterValueFormatError": (
        "The value '%1' for the parameter '%2' in the action '%3' is not a format that the "
        "parameter can accept.",
        "Warning",
        "Correct the value for the parameter in the request body and resubmit the request.",
    ),
    "ResourceMissingAtURI": (
        "The resource at the URI '%1' was not found.",
        "Critical",
        "Place a valid resource at the URI or correct the URI and resubmit the request.",
    ),
    "OperationNotAllowed": (
        "The HTTP method is not allowed on this resource.",
        "Critical",
        "None.",
    ),
    "ResourceAlreadyExists": (
        "The requested resource of type %1 with the property '%2' with the value '%3' already "
        "exists.",
        "Critical",
        "Do not repeat the create operation as the resource has already been created.",
    ),
    "CreateLimitReachedForResource": (
        "The create operation failed because the resource has reached the limit of possible "
        "resources.",
        "Critical",
        "Either delete resources and resubmit the request or do not resubmit the request.",
    ),
    "SessionLimitExceeded": (
        "The session establishment failed due to the number of simultaneous sessions exceeding "
        "the limit of the implementation.",
        "Critical",
        "Reduce the number of other sessions before trying to establish the session.",
    ),
    "ResourceAtUriUnauthorized": (
        "While accessing the resource at '%1', the service received an authorization error '%2'.",
        "Critical",
        "Ensure that the appropriate access is provided for the service.",
    ),
    "NoValidSession": (
        "There is no valid session established with the implementation.",
        "Critical",
        "Establish a session before attempting any operations.",
    ),
    "InsufficientPrivilege": (
        "There are insufficient privileges for the account or credentials associated with the "
        "current session to perform the requested operation.",
        "Critical",
        "Either abandon the operation or change the associated access rights and resubmit.",
    ),
    "PasswordChangeRequired": (
        "The password provided for this account must be changed before access is granted.  PATCH "
        "the Password property for this account located at the target URI '%1'.",
        "Critical",
        "Change the password for this account using a PATCH to the Password property.",
    ),
    "PreconditionFailed": (
        "The ETag supplied did not match the ETag required to change this resource.",
        "Critical",
        "Try the operation again using the appropriate ETag.",
    ),
    "PreconditionRequired": (
        "A precondition header or annotation is required to change this resource.",
        "Critical",
        "Try the operation again using an If-Match or If-None-Match header and the ETag.",
    ),
    "HeaderInvalid": (
        "Header '%1' is invalid.",
        "Critical",
        "Resubmit the request with a valid request header.",
    ),
    "QueryNotSupported": (
        "Querying is not supported by the implementation.",
        "Warning",
        "Remove the query parameters and resubmit the request if the operation failed.",
    ),
    "QueryParameterUnsupported": (
        "Query parameter '%1' is not supported.",
        "Warning",
        "Correct or remove the query parameter and resubmit the request.",
    ),
    "QueryParameterValueFormatError": (
        "The value '%1' for the parameter '%2' is not a format that the parameter can accept.",
        "Warning",
        "Correct the value for the query parameter in the request and resubmit the request.",
    ),
    "QueryParameterOutOfRange": (
        "The value '%1' for the query parameter '%2' is out of range '%3'.",
        "Warning",
        "Reduce the value for the query parameter to a value that is within range.",
    ),
    "ServiceTemporarilyUnavailable": (
        "The service is temporarily unavailable.  Retry in %1 seconds.",
        "Critical",
        "Wait for the indicated retry duration and retry the operation.",
    ),
    "ActionParameterUnknown": (
        "The action '%1' was submitted with the invalid parameter '%2'.",
        "Warning",
        "Correct the invalid parameter and resubmit the request if the operation failed.",
    ),
    "PropertyValueConflict": (
        "The property '%1' could not be written because its value would conflict with the value "
        "of the '%2' property.",
        "Warning",
        "No resolution is required.",
    ),
    "ResourceInUse": (
        "The change to the requested resource failed because the resource is in use or in "
        "transition.",
        "Warning",
        "Remove the condition and resubmit the request if the operation failed.",
    ),
    "ServiceInUnknownState": (
        "The operation failed because the service is in an unknown state and can no longer take "
        "incoming requests.",
        "Critical",
        "Restart the service and resubmit the request if the operation failed.",
    ),
}


# The same, of vendors' registries: the prefix of the message's identity. Keys and prefixes are the
# vendors', so that clients that look for them find them; the wording is ours.
VENDOR: dict[str, tuple[str, tuple[str, str, str]]] = {
    "UnableToModifyDuringSystemPOST": (
        "iLO.2.18",
        (
            "The property '%1' does not change during the power-on self-test.",
            "Warning",
            "Wait until the system has booted, or switch it off, and resubmit the request.",
        ),
    ),
    "InvalidOperationForSystemState": (
        "iLO.2.18",
        (
            "The system's state does not allow this operation.",
            "Warning",
            "Bring the system into a state that allows it and resubmit the request.",
        ),
    ),
}


def message(key: str, *args: object, related: str = "") -> dict[str, Any]:
    """One entry of ``@Message.ExtendedInfo``; ``related``: the property that it is about."""
    registry, texts = VENDOR[key] if key in VENDOR else (REGISTRY, BASE[key])
    text, severity, resolution = texts
    given = [str(arg)[:200] for arg in args]
    for number, arg in enumerate(given, 1):
        text = text.replace(f"%{number}", arg)
    entry: dict[str, Any] = {
        "@odata.type": MESSAGE_TYPE,
        "MessageId": f"{registry}.{key}",
        "Message": text,
        "MessageArgs": given,
        "MessageSeverity": severity,
        "Severity": severity,
        "Resolution": resolution,
    }
    if related:
        entry["RelatedProperties"] = [f"#/{related}"]
    return entry


def envelope(entries: Sequence[Mapping[str, Any]], text: str = "") -> bytes:
    """The body of an error: its code is the only message's, or that there are several."""
    first = entries[0]
    code = first["MessageId"] if len(entries) == 1 else f"{REGISTRY}.GeneralError"
    return orjson.dumps(
        {
            "error": {
                "code": code,
                "message": text or first["Message"],
                "@Message.ExtendedInfo": entries,
            }
        }
    )


class Refused(FishyError):  # type: ignore[misc]  # sushy-tools has no types
    """An answer of the 4xx and 5xx kind, with its messages."""

    def __init__(
        self,
        code: int,
        *entries: dict[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(entries[0]["Message"], code)
        self.entries = entries
        self.headers = dict(headers or {})


def refuse(code: int, key: str, *args: object, related: str = "") -> Refused:
    """The usual refusal, of one message."""
    return Refused(code, message(key, *args, related=related))


BY_STATUS = {
    400: "UnrecognizedRequestBody",
    401: "NoValidSession",
    403: "InsufficientPrivilege",
    404: "ResourceMissingAtURI",
    405: "OperationNotAllowed",
    412: "PreconditionFailed",
    428: "PreconditionRequired",
}
"""The message of a refusal that names none."""

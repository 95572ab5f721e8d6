"""The one tree of errors that drivers and links raise.

    TillwatchError            code, hint
    +-- AddressError          a link address that cannot be read
    +-- LinkError             the way to the device
    |   +-- Absent            the node or USB id is not there
    |   +-- Unreachable       a network host refuses or does not answer
    |   |   +-- Refused       it is there, and nothing listens at that port
    |   +-- LinkLost          it was open and broke (I/O error, hang-up, reset)
    |   +-- NoPermission      the agent may not open it
    |   +-- HeldByOther       another program holds it
    |   +-- PassThroughDown   the process that shares the device with the till does not run
    |   +-- ServiceDown       the system's service that leads to the device (pcscd) does not run
    |   +-- Stuck             a call into the system did not come back, and was given up
    |   +-- LinkUnusable      anything else the system says no to (bad mode, library missing)
    +-- ProtocolError         bytes that are not the device's protocol
    +-- UnknownDriver         no such driver, or two of one name

Codes are stable and may be published; a hint says what a technician does.
"""

from __future__ import annotations


class TillwatchError(Exception):
    """Root of the tree; never raised itself."""

    code = "error"
    hint = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class AddressError(TillwatchError):
    code = "bad_address"
    hint = "see `Links` in the README for the forms a link address can take"


class LinkError(TillwatchError):
    code = "link_error"


class Absent(LinkError):
    code = "absent"
    hint = "check the cable and that the device is switched on; `tillwatch devices` lists what is there"


class Unreachable(LinkError):
    code = "unreachable"
    hint = "check the network cable, the address and that the device is switched on"


class Refused(Unreachable):
    """Proof that the host itself is there; its code stays `unreachable`."""


class LinkLost(LinkError):
    code = "link_lost"
    hint = "check the cable and the plug on both ends"


class NoPermission(LinkError):
    code = "no_permission"
    hint = "add the service's user to the group that owns the node (often dialout), then restart it"


class HeldByOther(LinkError):
    code = "held_by_other"
    hint = "another program has the device open; stop it, or set access to passive"


class PassThroughDown(LinkError):
    code = "pass_through_down"
    hint = (
        "start the pass-through: `systemctl start tillwatch-pass-through`; without it the till cannot print"
    )


class ServiceDown(LinkError):
    code = "card_service_down"
    hint = "start the smart-card service: `systemctl start pcscd.socket`"


class Stuck(LinkError):
    """The process that made the call was killed, so nothing of ours hangs any more."""

    code = "driver_stuck"
    hint = "unplug the device, wait ten seconds, and plug it in again"


class LinkUnusable(LinkError):
    code = "link_unusable"
    hint = "the system refuses this port or its settings; check the link's parameters"


class ProtocolError(TillwatchError):
    """The peer sent what its protocol does not have."""

    code = "garbled"
    hint = "check baud rate, parity and the driver configured for this device"


class UnknownDriver(TillwatchError):
    code = "unknown_driver"
    hint = "`tillwatch devices --drivers` lists the drivers there are"

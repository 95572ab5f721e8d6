"""What a printer's attributes mean (RFC 8011 5.4.11, 5.4.12; PWG 5100.9 for the reasons). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from drivers.api import Json, Power
from drivers.identity import ieee1284, printable
from drivers.passive.ipp.consts import State
from drivers.passive.ipp.wire import Answer
from drivers.passive.source import Findings

SUFFIXES = ("-error", "-warning", "-report")

REASONS: Mapping[str, tuple[str, ...]] = {
    "cover_open": ("cover-open", "door-open", "interlock-open"),
    "paper_end": ("media-empty", "media-needed"),
    "paper_near_end": ("media-low",),
    "paper_jam": ("media-jam",),
    "cartridge_empty": ("marker-supply-empty", "toner-empty", "marker-supply-missing"),
    "cartridge_near_empty": ("marker-supply-low", "toner-low"),
    "service_requested": ("service-needed", "fuser-over-temp", "fuser-under-temp"),
}
"""Kind -> the reasons that mean it, without their suffix."""

OF_THE_DEVICE = (*REASONS, "printer_offline")
OF_THE_QUEUE = (
    "print_service_down",
    "queue_missing",
    *REASONS,
    "queue_stopped",
    "queue_rejecting",
    "queue_cannot_send",
)

_CANNOT_SEND = ("connecting-to-device", "timed-out", "offline", "shutdown")
"""What CUPS's backends say when they do not get through (backend/ipp.c, backend/socket.c)."""
_SAID_MOST = 200
_REASONS_MOST = 16
_REASON_MOST = 64


def of_device(answer: Answer) -> Findings:
    """A printer that answers for itself. Stopped without a cause we know, it is off line by its own word."""
    found = _findings(answer)
    state = answer.first("printer-state")
    explained = any(found.conditions.values())
    offline = None if not _is_state(state) else state == State.STOPPED and not explained
    return replace(
        found,
        conditions={**found.conditions, "printer_offline": offline},
        power=Power.ONLINE if _is_state(state) else Power.UNKNOWN,
        identity=_identity(answer),
    )


def of_queue(answer: Answer, told: Collection[str]) -> Findings:
    """A queue of this machine's CUPS. Its state is the queue's; only the reasons may be the printer's.

    `told` are the kinds that this queue's backend was ever heard of: most never say a word of paper, so
    that their silence on it is no news; what one did say is over when it says so no more.
    """
    found = _findings(answer)
    state, accepting = answer.first("printer-state"), answer.first("printer-is-accepting-jobs")
    bare = _bare(answer)
    cannot_send = None if bare is None else any(reason in bare for reason in _CANNOT_SEND)
    return replace(
        found,
        in_use=None if cannot_send else found.in_use,  # the job waits, maybe all night; nothing is printed
        conditions={
            **{kind: value or (value if kind in told else None) for kind, value in found.conditions.items()},
            "print_service_down": False,
            "queue_missing": False,
            "queue_stopped": None if not _is_state(state) else state == State.STOPPED,
            "queue_rejecting": not accepting if isinstance(accepting, bool) else None,
            "queue_cannot_send": cannot_send,
        },
    )


def _findings(answer: Answer) -> Findings:
    bare = _bare(answer)
    state = answer.first("printer-state")
    known = State(int(state or 0)) if _is_state(state) else None
    jobs = answer.first("queued-job-count")
    reasons: list[Json] = [
        printable(str(reason), _REASON_MOST) for reason in answer.printer.get("printer-state-reasons", ())
    ]
    evidence: dict[str, Json] = {
        "printer_state": known.name.lower() if known else None,
        "reasons": reasons[:_REASONS_MOST],
    }
    if said := printable(answer.text("printer-state-message"), _SAID_MOST):
        evidence["message"] = said
    told = ", ".join(map(str, reasons[:_REASONS_MOST])) or "no reasons"
    return Findings(
        conditions={
            kind: None if bare is None else any(reason in bare for reason in reasons)
            for kind, reasons in REASONS.items()
        },
        in_use={State.IDLE: False, State.PROCESSING: True}.get(known) if known else None,
        statistics={"QueuedJobCount": float(jobs)} if isinstance(jobs, int) else {},
        evidence=evidence,
        says=f"{known.name.lower() if known else 'no state'}, {told}",
    )


def _bare(answer: Answer) -> set[str] | None:
    """The reasons without what says how bad they are; None if the printer gave none, not even `none`."""
    reasons = [
        reason for reason in answer.printer.get("printer-state-reasons", ()) if isinstance(reason, str)
    ]
    if not reasons:
        return None
    bare = set()
    for reason in reasons:
        suffix = next((suffix for suffix in SUFFIXES if reason.endswith(suffix)), "")
        bare.add(reason.removesuffix(suffix))
    return bare


def _identity(answer: Answer) -> dict[str, str]:
    device = ieee1284(answer.text("printer-device-id"))
    made = answer.text("printer-make-and-model")
    identity = {
        "manufacturer": device.get("MFG", ""),
        "model": device.get("MDL", "") or made,
        "serial": device.get("SN", "") or device.get("SERN", "") or device.get("SERIALNUMBER", ""),
        "firmware": answer.text("printer-firmware-string-version"),
    }
    return {name: shown for name, text in identity.items() if (shown := printable(text, _SAID_MOST))}


def _is_state(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int) and value in tuple(State)

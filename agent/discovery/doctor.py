"""Runs every check of `tillwatch doctor`, and says what all of it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.discovery.checks import access, held, link, service
from agent.discovery.finding import Check, Finding, Given, Severity

CHECKS: Mapping[str, Check] = {
    "config": service.unread,
    "link": link.absent,
    "brltty": held.brltty,
    "kernel_module": link.no_module,
    "printer_driver": link.no_printer_driver,
    "keyboard": link.wedge,
    "user": access.user_missing,
    "group": access.group_missing,
    "permission": access.permission,
    "unit": access.unit_denies,
    "holder": held.held,
    "pcscd": held.pcscd,
    "card_service": access.pcscd_down,
    "polkit": access.polkit,
    "library": service.library,
    "daemon": service.daemon,
    "garbled": service.garbled,
    "met": service.met,
    "state_dir": access.state_dir,
    "cups": held.cups,
    "modem_manager": held.modem_manager,
    "name": link.unstable,
    "watchdog": service.watchdog,
}
"""Name -> check, in the order of the report: what stops a device first."""
_ORDER = (Severity.STOPS, Severity.UNKNOWN, Severity.WARNS)


def examine(given: Given) -> list[Finding]:
    """Every finding, the gravest first; one of a kind for each device."""
    findings: dict[tuple[str, str | None, str], Finding] = {}
    explained: set[tuple[str, str | None]] = set()
    for name, check in CHECKS.items():
        try:
            found = list(check(given))
        except PermissionError as closed:
            found = [_unseen(name, closed, given)]
        for one in found:
            if name == "met" and (one.kind, one.device) in explained:
                continue
            explained.add((one.kind, one.device))
            findings.setdefault((one.kind, one.device, one.what), one)
    return sorted(findings.values(), key=lambda one: _ORDER.index(one.severity))


def report(given: Given, findings: list[Finding]) -> dict[str, Any]:
    """As `--json` prints it (docs/doctor.md)."""
    user = given.user
    return {
        "verdict": verdict(findings),
        "config": str(given.config.source) if given.config else None,
        "service_user": {"name": user.name, "groups": sorted(user.groups), "how": user.how},
        "daemon": "running" if given.view is not None else "unknown" if given.refused else "not_running",
        "looked_at": [
            {"device": target.device, "link": target.link, "access": target.access}
            for target in given.targets
        ],
        "checks": list(CHECKS),
        "findings": [finding.view() for finding in findings],
    }


def verdict(findings: list[Finding]) -> str:
    """`stopped`, `unseen` or `fine`: exit 1, 3, 0."""
    found = {finding.severity for finding in findings}
    return "stopped" if Severity.STOPS in found else "unseen" if Severity.UNKNOWN in found else "fine"


def _unseen(name: str, closed: PermissionError, given: Given) -> Finding:
    return Finding(
        kind=f"{name}_unseen",
        severity=Severity.UNKNOWN,
        layer="agent",
        what=f"{closed.filename} may not be read, so one check is left out: {name}",
        mend=given.again,
    )

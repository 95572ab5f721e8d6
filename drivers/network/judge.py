"""From findings to conditions: pure. Of the troubles along the way, only the first is one.

The kinds of `WAY` stand in the order of the way. What lies behind the first trouble cannot be judged and is
unknown, unless it is proven well; so one trouble is one fault, whatever follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from drivers.api import Json
from drivers.network.certificate import Certificate
from drivers.network.findings import Findings

CLOCK_OFF_S = 300.0
SLOW_MS = (1000.0, 800.0)  #: bad from the first on, good below the second
LOSSY_PCT = (10.0, 5.0)

# A file that TLS cannot use fails the handshake too; one that does not is the password's.
LOGIN_WORDS = ("credentials", "not_authorised", "client_id", "banned", "files")
SILENT_WORDS = ("silent", "closed", "busy", "protocol", "refused", "broken_peer")
"""The broker is reached and does not serve us."""
TLS_WORDS = ("tls_refused",)
"""What only the session's own attempt shows."""


def _network_down(found: Findings) -> bool | None:
    return None if found.link is None else not found.link


def _no_address(found: Findings) -> bool | None:
    return None if found.addressed is None else not found.addressed


def _no_route(found: Findings) -> bool | None:
    return None if found.routed is None else not found.routed


def _gateway_unreachable(found: Findings) -> bool | None:
    if found.gateway is None or found.gateway.answers is None:
        return _unless_connected(found)
    return not found.gateway.answers


def _captive_portal(found: Findings) -> bool | None:
    if found.page is not None:
        return found.page.portal
    # A portal answers. Where the broker's port was tried, either nobody did or there was no reason to ask.
    return _unless_connected(found) if found.reached is None else False


def _internet_down(found: Findings) -> bool | None:
    return None if found.line is None else not found.line


def _dns_failed(found: Findings) -> bool | None:
    return None if found.names is None else bool(found.names.error)


def _broker_unreachable(found: Findings) -> bool | None:
    if found.reached is None:
        return _unless_connected(found)
    return bool(found.reached.error) or found.session.word in SILENT_WORDS


def _clock_wrong(found: Findings) -> bool | None:
    if found.clock_synced:  # one that a time server sets is righter than any web page's
        return False
    if found.page and found.page.ahead_s is not None and abs(found.page.ahead_s) > CLOCK_OFF_S:
        return True
    # A clock that nobody sets is likelier wrong than a certificate that was made for the future.
    if _tls_error(found) == "not_yet_valid" or _not_begun(found):
        return True
    return _tls_well(found)


def _certificate_expired(found: Findings) -> bool | None:
    if _tls_error(found) == "expired" or _ended(found):
        return True
    return _tls_well(found)


def _tls_failed(found: Findings) -> bool | None:
    return True if _tls_error(found) or found.session.word in TLS_WORDS else _tls_well(found)


def _login_refused(found: Findings) -> bool | None:
    return True if found.session.word in LOGIN_WORDS else _unless_connected(found)


def _not_authorised(found: Findings) -> bool | None:
    return bool(found.session.refused) if found.session.connected else None


WAY: Mapping[str, Callable[[Findings], bool | None]] = {
    "network_down": _network_down,
    "no_address": _no_address,
    "no_route": _no_route,
    "gateway_unreachable": _gateway_unreachable,
    "captive_portal": _captive_portal,
    "internet_down": _internet_down,
    "dns_failed": _dns_failed,
    "broker_unreachable": _broker_unreachable,
    "clock_wrong": _clock_wrong,
    "certificate_expired": _certificate_expired,
    "tls_failed": _tls_failed,
    "login_refused": _login_refused,
    "not_authorised": _not_authorised,
}
SHOPS_OWN = tuple(WAY)[: tuple(WAY).index("broker_unreachable")]
"""Troubles of one shop alone; the others' may be a broker's that a whole fleet waits for."""
BESIDE = ("certificate_expiring", "network_slow", "network_lossy")
KINDS = (*WAY, *BESIDE)


def judge(found: Findings, before: Mapping[str, bool | None]) -> dict[str, bool | None]:
    """Every kind in `KINDS`; `before` is what this said before. Unknown stays unknown."""
    judged: dict[str, bool | None] = {}
    trouble = False
    for kind, of in WAY.items():
        value = of(found)
        judged[kind] = None if trouble and value else value
        trouble = trouble or value is True
    judged["certificate_expiring"] = None if judged["certificate_expired"] else _expiring(found)
    quality = found.quality
    for kind, number, limits in (
        ("network_slow", quality.rtt_ms, SLOW_MS),
        ("network_lossy", quality.lost_pct, LOSSY_PCT),
    ):
        judged[kind] = None if trouble else _over(number, limits, before.get(kind), found)
    return judged


def trouble_of(judged: Mapping[str, bool | None]) -> str | None:
    """The one trouble on the way, if there is one."""
    return next((kind for kind in WAY if judged.get(kind)), None)


def first_ending(found: Findings) -> tuple[str, Certificate] | None:
    """Whose certificate ends first, ours (by its key in [mqtt]) or the broker's; one to renew above all."""
    every = _certificates(found)
    soon = [each for each in every if each[1].ends_soon(found.wall_s)]
    return min(soon or every, key=lambda each: each[1].ends_s, default=None)


def _certificates(found: Findings) -> list[tuple[str, Certificate]]:
    every = [(own.key, own.certificate) for own in found.own_files]
    if found.handshake and found.handshake.certificate:
        every.append(("broker", found.handshake.certificate))
    return every


def _over(
    value: float | None, limits: tuple[float, float], before: bool | None, found: Findings
) -> bool | None:
    if value is None:
        return _unless_connected(found)
    return value > limits[1] if before else value > limits[0]


def _unless_connected(found: Findings) -> bool | None:
    """A session that stands proves it well; otherwise nothing is known."""
    return False if found.session.connected else None


def _tls_error(found: Findings) -> str:
    return found.handshake.error if found.handshake else ""


def _tls_well(found: Findings) -> bool | None:
    if found.handshake and not found.handshake.error:
        return False
    return _unless_connected(found)


def _not_begun(found: Findings) -> bool:
    return any(own.certificate.begins_s > found.wall_s for own in found.own_files)


def _ended(found: Findings) -> bool:
    return any(own.certificate.ends_s <= found.wall_s for own in found.own_files)


def _expiring(found: Findings) -> bool | None:
    ending = first_ending(found)
    return None if ending is None else ending[1].ends_soon(found.wall_s)


def evidence(found: Findings, judged: Mapping[str, bool | None]) -> dict[str, dict[str, Json]]:
    """For each kind that holds: what was seen."""
    return {
        kind: {k: v for k, v in EVIDENCE[kind](found).items() if v not in (None, "", [], {})}
        for kind in KINDS
        if judged[kind]
    }


def _of_interfaces(found: Findings) -> dict[str, Json]:
    return {
        "interfaces": dict[str, Json]({each.name: each.state for each in found.interfaces}),
        "addresses": [address for each in found.interfaces for address in each.addresses],
    }


def _of_route(found: Findings) -> dict[str, Json]:
    return {**_of_interfaces(found), "default_route": "none"}


def _of_gateway(found: Findings) -> dict[str, Json]:
    if found.gateway is None or found.route is None:
        return {}
    return {
        "gateway": found.gateway.address,
        "interface": found.route.interface,
        "answered_before_to": found.gateway.by,
    }


def _of_page(found: Findings) -> dict[str, Json]:
    return {"asked": found.page.url, "answer": found.page.seen, **_of_names(found)} if found.page else {}


def _of_names(found: Findings) -> dict[str, Json]:
    if found.names is None:
        return {}
    return {
        "name": found.names.host,
        "name_servers": list(found.names.servers),
        "error": found.names.error,
        "detail": found.names.detail,
    }


def _of_reached(found: Findings) -> dict[str, Json]:
    seen: dict[str, Json] = {"session": found.session.word}
    if found.reached:
        seen |= {
            "address": found.reached.address,
            "port": found.reached.port,
            "error": found.reached.error,
            "connect_ms": found.reached.ms,
        }
    return seen


def _of_line(found: Findings) -> dict[str, Json]:
    gateway = found.gateway.address if found.gateway and found.gateway.answers else ""
    return {"gateway_answers": gateway, **_of_names(found), **_of_reached(found)}


def _of_clock(found: Findings) -> dict[str, Json]:
    ahead_s = found.page.ahead_s if found.page else None
    return {"clock": _iso(found.wall_s), "ahead_s": ahead_s, "synced": found.clock_synced} | _of_tls(found)


def _of_tls(found: Findings) -> dict[str, Json]:
    seen: dict[str, Json] = {}
    if found.session.word in TLS_WORDS:
        seen = {"error": found.session.word, "detail": found.session.detail}
    if found.handshake and found.handshake.error:
        seen = {"error": found.handshake.error, "detail": found.handshake.detail}
    if found.handshake and found.handshake.certificate:
        seen |= described("broker", found.handshake.certificate)
    return seen


def _of_ending(found: Findings) -> dict[str, Json]:
    ending = first_ending(found)
    return described(*ending) if ending else _of_tls(found)


def _of_login(found: Findings) -> dict[str, Json]:
    return {"reason": found.session.word, "detail": found.session.detail}


def _of_rights(found: Findings) -> dict[str, Json]:
    return {"topics": list(found.session.refused[:5]), "count": len(found.session.refused)}


def _of_quality(found: Findings) -> dict[str, Json]:
    return {
        "rtt_ms": found.quality.rtt_ms,
        "lost_pct": found.quality.lost_pct,
        "probes": found.quality.probes,
        "gateway_ms": found.gateway.ms if found.gateway else None,
    }


EVIDENCE: Mapping[str, Callable[[Findings], dict[str, Json]]] = {
    "network_down": _of_interfaces,
    "no_address": _of_interfaces,
    "no_route": _of_route,
    "gateway_unreachable": _of_gateway,
    "captive_portal": _of_page,
    "internet_down": _of_line,
    "dns_failed": _of_names,
    "broker_unreachable": _of_reached,
    "clock_wrong": _of_clock,
    "certificate_expired": _of_ending,
    "tls_failed": _of_tls,
    "login_refused": _of_login,
    "not_authorised": _of_rights,
    "certificate_expiring": _of_ending,
    "network_slow": _of_quality,
    "network_lossy": _of_quality,
}


def described(whose: str, certificate: Certificate) -> dict[str, Json]:
    """A certificate, as evidence: whose it is, for whom, and from when to when."""
    return {
        "certificate": whose,
        "subject": certificate.subject,
        "names": list(certificate.names),
        "begins": _iso(certificate.begins_s),
        "ends": _iso(certificate.ends_s),
    }


def day(wall_s: float) -> str:
    """The date alone, in UTC."""
    return _iso(wall_s)[:10]


def _iso(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

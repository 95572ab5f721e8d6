"""What a technician reads of the network, step by step along the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from drivers.api import Step, Verdict
from drivers.network.findings import Findings
from drivers.network.judge import LOGIN_WORDS, SILENT_WORDS, TLS_WORDS, day, first_ending

VERDICTS: Mapping[bool | None, Verdict] = {None: "untested", True: "failed", False: "passed"}
TCP_WORDS = {
    "refused": "refuses the connection",
    "timeout": "does not answer",
    "no_way": "there is no way to it",
    "forbidden": "this machine forbids it; is it a firewall?",
}
NOT_REACHED = "not reached"


def steps(found: Findings, judged: Mapping[str, bool | None]) -> Iterator[Step]:
    """One step for each part that this way has; what lies behind a trouble is untested."""
    without = {"dns": _nameless(found), "tls": _plain(found)}
    unmeasured = {"latency": found.quality.rtt_ms is None, "loss": not _loss_known(found)}
    for name, kinds, describe in STEPS:
        if without.get(name):
            continue
        values = [judged[kind] for kind in kinds]
        worst = True if True in values else None if None in values or unmeasured.get(name) else False
        yield Step(name, VERDICTS[worst], describe(found))


def _nameless(found: Findings) -> bool:
    """The broker is configured by its address."""
    return found.names is None and found.reached is not None and not found.asking


def _plain(found: Findings) -> bool:
    """The broker is spoken to without TLS."""
    reached = found.reached is not None and not found.reached.error
    return found.handshake is None and reached and found.session.word not in TLS_WORDS


def _loss_known(found: Findings) -> bool:
    """A few probes that all came through are good enough for a technician."""
    return found.quality.lost_pct is not None or (found.quality.probes > 0 and not found.quality.lost)


def _link(found: Findings) -> str:
    return ", ".join(f"{each.name} {each.state.replace('_', ' ')}" for each in found.interfaces) or (
        "up" if found.link else "no interface"
    )


def _address(found: Findings) -> str:
    there = [f"{each.name} {' '.join(each.addresses)}" for each in found.interfaces if each.addresses]
    return ", ".join(there) or "none; does the router hand out addresses (DHCP)?"


def _gateway(found: Findings) -> str:
    if found.route is None:
        return "no default route: the router named no gateway" if not found.routed else "none needed"
    if not found.route.gateway:
        return f"none: {found.route.interface} has only one other end"
    if found.gateway is None:
        return found.route.gateway
    if found.gateway.answers and found.gateway.by in ("session", "broker"):
        return f"{found.gateway.address} answers to nothing, and lets us through to the broker"
    if found.gateway.answers:
        ms = f" in {found.gateway.ms:.0f} ms" if found.gateway.ms is not None else ""
        return f"{found.gateway.address} answers ({found.gateway.by}){ms}"
    return f"{found.gateway.address} does not answer" + (
        "" if found.gateway.answers is False else "; it never did, so that may be its way"
    )


def _dns(found: Findings) -> str:
    if found.names is None:
        return "not asked"
    servers = ", ".join(found.names.servers) or "no name server"
    if found.names.error == "lies":
        return f"{servers} answers every name with one address ({found.names.detail})"
    if found.names.error and not found.names.host:
        return found.names.detail
    if found.names.error:
        return f"{found.names.host}: {found.names.detail or found.names.error} (asked {servers})"
    return f"{found.names.host} is {', '.join(found.names.addresses) or 'not asked'} (by {servers})"


def _portal(found: Findings) -> str:
    if found.page is None:
        return "nothing answered plain HTTP; no sign of one"
    return f"{found.page.url} answers {found.page.seen}" + (
        " instead of the page" if found.page.portal else ""
    )


def _broker(found: Findings) -> str:
    if found.reached is None:
        return f"session with {found.session.peer}" if found.session.connected else NOT_REACHED
    if not found.reached.address:
        return found.session.detail
    place = f"{found.reached.address}, port {found.reached.port}"
    if found.reached.error:
        blocked = "; is the port blocked?" if found.reached.error == "timeout" and found.line else ""
        return f"{place}: {TCP_WORDS.get(found.reached.error, found.reached.error)}{blocked}"
    silent = f"; {found.session.detail}" if found.session.word in SILENT_WORDS else ""
    return f"{place} connects in {found.reached.ms:.0f} ms{silent}"


def _tls(found: Findings) -> str:
    if found.handshake is None:
        return found.session.detail if found.session.word in TLS_WORDS else NOT_REACHED
    ending = first_ending(found)
    ends = f"; {ending[0]} ends first, on {day(ending[1].ends_s)}" if ending else ""
    whose = f" ({found.handshake.certificate.subject})" if found.handshake.certificate else ""
    why = f": {found.handshake.detail}" if found.handshake.error and found.handshake.detail else ""
    return f"{found.handshake.error.replace('_', ' ') or 'good'}{whose}{why}{ends}"


def _clock(found: Findings) -> str:
    synced = {True: "follows a time server", False: "follows no time server", None: "not known"}
    ahead_s = found.page.ahead_s if found.page else None
    return synced[found.clock_synced] + (f", {ahead_s:+.0f} s against the web" if ahead_s is not None else "")


def _login(found: Findings) -> str:
    if found.session.connected:
        return "accepted"
    return found.session.detail if found.session.word in LOGIN_WORDS else NOT_REACHED


def _rights(found: Findings) -> str:
    if not found.session.connected:
        return NOT_REACHED
    return f"refused: {', '.join(found.session.refused)}" if found.session.refused else "nothing was refused"


def _latency(found: Findings) -> str:
    rtt_ms = found.quality.rtt_ms
    gateway = f", router {found.gateway.ms:.0f} ms" if found.gateway and found.gateway.ms is not None else ""
    return "not measured" if rtt_ms is None else f"broker {rtt_ms:.0f} ms{gateway}"


def _loss(found: Findings) -> str:
    quality = found.quality
    few = "; too few to judge by" if quality.lost_pct is None and quality.lost else ""
    return f"{quality.lost} of {quality.probes} probes lost{few}" if quality.probes else "not measured"


STEPS: tuple[tuple[str, tuple[str, ...], Callable[[Findings], str]], ...] = (
    ("link", ("network_down",), _link),
    ("address", ("no_address",), _address),
    ("gateway", ("no_route", "gateway_unreachable"), _gateway),
    ("dns", ("internet_down", "dns_failed"), _dns),
    ("portal", ("captive_portal",), _portal),
    ("broker", ("broker_unreachable",), _broker),
    ("tls", ("certificate_expired", "tls_failed", "certificate_expiring"), _tls),
    ("clock", ("clock_wrong",), _clock),
    ("login", ("login_refused",), _login),
    ("rights", ("not_authorised",), _rights),
    ("latency", ("network_slow",), _latency),
    ("loss", ("network_lossy",), _loss),
)

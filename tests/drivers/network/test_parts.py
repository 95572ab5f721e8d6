"""The small pure parts: proc files, TCP_INFO, HTTP answers, pace."""

from __future__ import annotations

import errno
import socket
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from drivers.api import Deadline, SystemClock
from drivers.network import gateway, names, portal, routes, tcp
from drivers.network.findings import Interface, Route
from drivers.network.interfaces import interfaces, usable
from drivers.network.names import is_name, nonsense, servers
from drivers.network.pace import CAP_S, SOON, SOON_S, Pace
from drivers.network.patience import Patience
from drivers.network.session import INFO_BYTES, Line

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0107A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
wwan0\t00000000\t00000000\t0001\t0\t0\t700\t00000000\t0\t0\t0
eth0\t0007A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
"""
ROUTES6 = (
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
)


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def card(root: Path, name: str, state: str, *, hardware: bool = True, flags: int = 0x1003) -> None:
    write(root, f"sys/class/net/{name}/operstate", f"{state}\n")
    write(root, f"sys/class/net/{name}/flags", f"{flags:#x}\n")
    if hardware:
        (root / "sys/class/net" / name / "device").mkdir()


def test_interfaces_their_links_and_addresses(tmp_path: Path) -> None:
    card(tmp_path, "lo", "unknown", hardware=False)
    card(tmp_path, "docker0", "up", hardware=False)
    card(tmp_path, "eth0", "down")
    card(tmp_path, "eth1", "down", flags=0x1002)
    card(tmp_path, "wwan0", "unknown")
    write(tmp_path, "sys/class/net/bonding_masters", "")
    write(
        tmp_path,
        "proc/net/if_inet6",
        "20010db8000000000000000000000001 02 40 00 80    wwan0\n"
        "fe800000000000000000000000000001 02 40 20 80    wwan0\n",
    )
    addresses = {"eth0": "192.168.7.10"}
    assert interfaces(tmp_path, addresses.get) == (
        Interface(name="eth0", state="no_carrier", addresses=("192.168.7.10",)),
        Interface(name="eth1", state="switched_off"),
        Interface(name="wwan0", state="up", addresses=("2001:db8::1",)),
    )


def test_a_bridge_a_bond_and_a_vlan_have_the_address_of_their_hardware(tmp_path: Path) -> None:
    net = tmp_path / "sys/class/net"
    card(tmp_path, "eth0", "up")
    for name, below in (("br0", "bond0"), ("bond0", "eth0"), ("docker0", "veth1")):
        card(tmp_path, name, "up", hardware=False)
        (net / name / f"lower_{below}").symlink_to(net / below)
    card(tmp_path, "veth1", "up", hardware=False)
    found = interfaces(tmp_path, {"br0": "192.168.7.10", "docker0": "172.17.0.1"}.get)
    assert [each.name for each in found] == ["bond0", "br0", "eth0"]
    assert [each.addresses for each in found if each.addresses] == [("192.168.7.10",)]
    assert [each.name for each in found if not each.stacked] == ["eth0"]


def test_a_dialled_line_needs_no_card(tmp_path: Path) -> None:
    card(tmp_path, "eth0", "down")
    card(tmp_path, "ppp0", "unknown", hardware=False, flags=0x10D1)
    write(tmp_path, "sys/class/net/ppp0/type", "512\n")
    found = interfaces(tmp_path, {"ppp0": "10.64.0.7"}.get)
    assert [(each.name, each.has_link) for each in found] == [("eth0", False), ("ppp0", True)]


@pytest.mark.parametrize(
    ("flags", "uevent"), [(0x1091, ""), (0x1003, "DEVTYPE=wwan\nINTERFACE=eth0"), (0x10D1, "")]
)
def test_what_is_beyond_a_modem_or_tunnel_is_not_asked_for_its_health(
    tmp_path: Path, flags: int, uevent: str
) -> None:
    write(tmp_path, "proc/net/route", ROUTES)
    card(tmp_path, "eth0", "up")
    assert routes.default_route(tmp_path) == Route(interface="eth0", gateway="192.168.7.1")
    assert routes.attached("192.168.7.1", tmp_path)
    card_of = tmp_path / "sys/class/net/eth0"
    (card_of / "flags").write_text(f"{flags:#x}\n")
    (card_of / "uevent").write_text(uevent)
    assert routes.default_route(tmp_path) == Route(interface="eth0", gateway="")
    assert not routes.attached("192.168.7.1", tmp_path)


def test_in_a_container_any_interface_counts(tmp_path: Path) -> None:
    card(tmp_path, "eth0", "up", hardware=False)
    assert [each.has_link for each in interfaces(tmp_path, lambda _name: None)] == [True]


def test_without_sysfs_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="sys/class/net"):
        interfaces(tmp_path)


def test_what_a_machine_gave_itself_is_no_address() -> None:
    assert not usable("169.254.17.3")
    assert usable("192.168.1.2")


def test_the_default_route_of_the_lowest_metric(tmp_path: Path) -> None:
    assert routes.default_route(tmp_path) is None
    write(tmp_path, "proc/net/ipv6_route", ROUTES6)
    assert routes.default_route(tmp_path) == Route(interface="eth0", gateway="fe80::1%eth0")
    write(tmp_path, "proc/net/route", ROUTES)
    assert routes.default_route(tmp_path) == Route(interface="eth0", gateway="192.168.7.1")
    write(
        tmp_path,
        "proc/net/route",
        "".join(ROUTES.splitlines(keepends=True)[:1] + ROUTES.splitlines(True)[2:]),
    )
    assert routes.default_route(tmp_path) == Route(interface="wwan0", gateway="")


@pytest.mark.parametrize(
    ("address", "near"),
    [("192.168.7.1", True), ("192.168.8.1", False), ("8.8.8.8", False), ("127.0.0.53", True)],
)
def test_what_is_on_the_local_network(tmp_path: Path, address: str, near: bool) -> None:
    write(tmp_path, "proc/net/route", ROUTES)
    assert routes.attached(address, tmp_path) is near


@pytest.mark.parametrize(
    ("address", "near"),
    [("fe80::1%eth0", True), ("fd00::53", True), ("fd01::53", False), ("2001:db8::53", False)],
)
def test_what_is_on_the_local_network_by_ipv6(tmp_path: Path, address: str, near: bool) -> None:
    none = "0" * 32
    write(
        tmp_path,
        "proc/net/ipv6_route",
        f"{ROUTES6}fd00{'0' * 28} 40 {none} 00 {none} 00000100 00000001 00000000 00000001     eth0\n",
    )
    assert routes.attached(address, tmp_path) is near


def test_a_way_is_asked_for_without_a_packet() -> None:
    assert routes.leads_to("127.0.0.1")
    assert not routes.leads_to("no address")


def test_name_servers(tmp_path: Path) -> None:
    assert servers(tmp_path) == ()
    write(
        tmp_path,
        "etc/resolv.conf",
        "# x\nsearch lan\nnameserver 192.168.7.1\nnameserver\nnameserver 9.9.9.9\n",
    )
    assert servers(tmp_path) == ("192.168.7.1", "9.9.9.9")


def test_behind_a_stub_are_those_that_it_asks(tmp_path: Path) -> None:
    write(tmp_path, "etc/resolv.conf", "nameserver 127.0.0.53\n")
    assert servers(tmp_path) == ("127.0.0.53",)
    write(tmp_path, "run/systemd/resolve/resolv.conf", "nameserver 192.168.7.1\nnameserver fe80::1%eth0\n")
    assert servers(tmp_path) == ("192.168.7.1", "fe80::1%eth0")
    write(tmp_path, "etc/resolv.conf", "nameserver 9.9.9.9\n")
    assert servers(tmp_path) == ("9.9.9.9",)


def impatient() -> Patience:
    return Patience(Deadline.after(SystemClock(), 0.3))


def test_a_kernel_without_ipv6_is_no_mistake_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def refuses(family: int = socket.AF_INET, *args: Any, **kwargs: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *args, **kwargs)

    monkeypatch.setattr(socket, "socket", refuses)
    assert not names.alive("2001:db8::53", impatient())
    assert gateway.datagram("fe80::1%lo", impatient()) is None
    assert portal.ask("http://b/", "2001:db8::1", impatient(), expected="any", wall_s=0) is None
    assert tcp.connect(("2001:db8::1",), 9, 1, impatient())[0].error
    assert not routes.leads_to("2001:db8::1")


def test_an_address_of_one_link_keeps_its_link() -> None:
    sock, place = tcp.towards("fe80::1%lo", 53, socket.SOCK_DGRAM)
    sock.close()
    assert place == ("fe80::1", 53, 0, socket.if_nametoindex("lo"))
    assert names.answer_of([(socket.AF_INET6, 0, 0, "", ("fe80::2", 0, 0, 1))])[0] == ("fe80::2%1",)
    with pytest.raises(OSError, match="no address"):
        tcp.towards("a" * 70 + ".\u00fc", 53, socket.SOCK_DGRAM)


def test_names_and_nonsense() -> None:
    assert is_name("broker.example")
    assert not is_name("203.0.113.2")
    assert not is_name("2001:db8::1")
    assert nonsense().endswith(".invalid.")
    assert nonsense() != nonsense()


def test_what_the_kernel_says_of_a_connection() -> None:
    info = bytearray(INFO_BYTES)
    info[2], info[3] = 1, 3
    struct.pack_into("=I", info, 52, 5000)
    struct.pack_into("=I", info, 56, 250)
    struct.pack_into("=I", info, 68, 20_500)
    struct.pack_into("=I", info, 100, 7)
    assert Line.of(bytes(info)) == Line(rtt_ms=20.5, heard_s=0.25, unanswered=3, repeated=7)


def test_it_reads_a_real_connection() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        line = Line.of(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_BYTES))
    assert line.unanswered == 0
    assert line.repeated == 0
    assert 0 <= line.rtt_ms < 1000


@pytest.mark.parametrize(
    ("head", "must_be_empty", "portal_seen"),
    [
        ("HTTP/1.1 204 No Content", True, False),
        ("HTTP/1.1 200 OK", True, True),
        ("HTTP/1.1 302 Found\r\nLocation: http://login.example/", True, True),
        ("HTTP/1.1 301 Moved\r\nLocation: https://broker.example/", True, False),
        ("HTTP/1.1 503 Service Unavailable", True, False),
        ("HTTP/1.1 200 OK", False, False),
        ("HTTP/1.1 404 Not Found", False, False),
        ("HTTP/1.1 302 Found\r\nLocation: https://www.vendor.example/", False, False),
        ("HTTP/1.1 302 Found\r\nlocation: https://broker.example/", False, False),
        ("HTTP/1.1 301 Moved\r\nLocation: /index.html", False, False),
        ("HTTP/1.1 511 Network Authentication Required", False, True),
        ("SSH-2.0-OpenSSH", False, None),
        ("HTTP/1.1", False, None),
        ("", False, None),
    ],
)
def test_who_stands_in_between(head: str, must_be_empty: bool, portal_seen: bool | None) -> None:
    page = portal.judge(
        "http://broker.example/",
        "broker.example",
        f"{head}\r\n\r\n".encode(),
        expected="empty" if must_be_empty else "any",
        wall_s=0,
    )
    assert (page and page.portal) is portal_seen


def test_the_date_of_a_page_tells_of_our_clock() -> None:
    head = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
    page = portal.judge("http://b/", "b", head, expected="any", wall_s=784111777.0 + 400)
    assert page
    assert page.ahead_s == 400
    assert portal.date("Sunday, 06-Nov-94 08:49:37 GMT") is None
    assert portal.date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777.0


def test_what_costs_is_asked_ever_more_rarely() -> None:
    pace, now_s = Pace(), 0.0
    moments: list[float] = []
    while len(moments) < 20:
        if pace.due(now_s):
            pace.took(now_s)
            moments.append(now_s)
        now_s += 0.5
    gaps = [b - a for a, b in pairwise(moments)]
    assert gaps[:SOON] == [SOON_S] * SOON
    assert gaps[SOON : SOON + 3] == [6, 12, 24]
    assert gaps[-1] == CAP_S
    pace.reset()
    assert pace.due(now_s)

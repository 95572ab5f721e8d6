# ruff: noqa: RUF001  Chinese texts have Chinese punctuation
"""The kinds of network trouble: a part of the catalogue, in the order of the way to the broker.

Their driver names the first trouble on the way and calls unknown what lies behind it. The causes here are for
what was raised before. Delays cover a look that saw one thing just before it broke and another just after.
"""

from __future__ import annotations

from typing import Literal

Layer = Literal["host", "link"]
Severity = Literal["major", "minor", "warning"]

_HERE = ("network_down", "no_address", "no_route")
_LOCAL = (*_HERE, "gateway_unreachable", "captive_portal")
_WAY = (*_LOCAL, "internet_down", "dns_failed", "broker_unreachable")
_ANY = (*_WAY, "clock_wrong", "certificate_expired", "tls_failed", "login_refused")
_NEAR_S = (5.0, 5.0)
_FAR_S = (8.0, 5.0)
# A broker that is started anew is back within that time; nobody else has trouble from it.
_BROKER_S = (12.0, 5.0)

# fmt: off
KINDS: tuple[tuple[str, Layer, Severity, tuple[float, float], tuple[str, ...], str, str], ...] = (
    ("network_down", "host", "major", _NEAR_S, (), "check_network",
     "no network interface of the terminal has a link"),
    ("no_address", "host", "major", _FAR_S, _HERE[:1], "restart_router",
     "the terminal has a link and no address; the router hands out none"),
    ("no_route", "host", "major", _FAR_S, _HERE[:2], "restart_router",
     "the terminal has an address and no way out; the router named no gateway"),
    ("gateway_unreachable", "link", "major", _FAR_S, _HERE, "restart_router",
     "the shop's router does not answer"),
    ("captive_portal", "link", "major", _FAR_S, _LOCAL[:4], "log_in_at_portal",
     "the network wants a log-in page filled in before it lets anything through"),
    ("internet_down", "link", "major", _FAR_S, _LOCAL, "check_line",
     "the router answers and nothing beyond it does"),
    ("dns_failed", "link", "major", _FAR_S, (*_LOCAL, "internet_down"), "check_name_server",
     "names are not resolved, or wrongly"),
    ("broker_unreachable", "link", "major", _BROKER_S, _WAY[:-1], "check_broker",
     "the network is well and the broker cannot be reached; it is down, or its port is blocked"),
    ("clock_wrong", "host", "major", _NEAR_S, _WAY, "set_clock",
     "the terminal's clock is so wrong that certificates seem not valid yet"),
    ("certificate_expired", "link", "major", _NEAR_S, (*_WAY, "clock_wrong"), "renew_certificate",
     "a certificate, the broker's or the terminal's, has expired"),
    ("tls_failed", "link", "major", _NEAR_S, _ANY[:-2], "check_certificates",
     "no secure connection to the broker comes about"),
    ("login_refused", "link", "major", _NEAR_S, _ANY[:-1], "check_login",
     "the broker refuses the terminal's name, password or id, or the password's file cannot be read"),
    ("not_authorised", "link", "minor", _NEAR_S, _ANY, "check_rights",
     "the broker lets the terminal in and forbids some of its topics"),
    ("certificate_expiring", "link", "warning", _NEAR_S, ("certificate_expired",), "renew_certificate",
     "a certificate, the broker's or the terminal's, ends within 30 days, or a fifth of its life"),
    ("network_slow", "link", "minor", _NEAR_S, _ANY, "check_line",
     "the way to the broker and back takes more than a second"),
    ("network_lossy", "link", "minor", _NEAR_S, _ANY, "check_line",
     "more than a tenth of what is sent to the broker is lost"),
)
# fmt: on

ADVICE: tuple[tuple[str, str, str], ...] = (
    (
        "restart_router",
        (
            "The terminal does not get through to the router. Check the cable between them, switch the "
            "router off, wait ten seconds, and switch it on again."
        ),
        "终端无法连接路由器。请检查两者之间的网线，关闭路由器电源，等待十秒后重新开机。",
    ),
    (
        "log_in_at_portal",
        (
            "The network asks for a log-in on a web page first. Open a browser in the same network and log "
            "in, or ask whoever runs the network to let the terminal through."
        ),
        "该网络要求先在网页上登录。请用同一网络中的浏览器打开任意网页并登录，或请网络管理员放行本终端。",
    ),
    (
        "check_line",
        (
            "The internet connection of the shop is down or very poor. Check the router's lights and its "
            "cable to the wall; if it stays so, call the internet provider."
        ),
        "店内的互联网连接中断或质量很差。请检查路由器指示灯及其连接墙面的线路；如仍未恢复，请联系网络运营商。",
    ),
    (
        "check_name_server",
        (
            "Names of internet hosts are not found. Switch the router off and on again; if that does not "
            "help, a technician should check the name server that it hands out."
        ),
        "无法解析网络域名。请将路由器关机后重新开机；如仍未恢复，请由技术人员检查路由器分配的域名服务器。",
    ),
    (
        "check_broker",
        "Your network works. Support has to check its server, or a firewall that blocks the way to it.",
        "您的网络正常。请由技术支持检查服务器，或检查是否有防火墙阻断了连接。",
    ),
    (
        "set_clock",
        (
            "The terminal's date or time is wrong. A technician should set it and check the time server and "
            "the clock's battery."
        ),
        "终端的日期或时间不正确。请由技术人员校准时间，并检查时间服务器和主板电池。",
    ),
    (
        "renew_certificate",
        "A security certificate has ended or ends soon. Support has to renew it.",
        "安全证书已过期或即将过期。请由技术支持更新证书。",
    ),
    (
        "check_certificates",
        "No secure connection comes about. Support has to check the certificates at both ends.",
        "无法建立安全连接。请由技术支持检查两端的证书。",
    ),
    (
        "check_login",
        "The support server does not accept this terminal. Support has to check its name and password.",
        "支持服务器不接受本终端的登录。请由技术支持检查其用户名和密码。",
    ),
    (
        "check_rights",
        "The support server forbids some of what this terminal sends. Support has to check its rules.",
        "支持服务器禁止本终端发送部分数据。请由技术支持检查其权限规则。",
    ),
)
"""Advice code, English, Chinese."""

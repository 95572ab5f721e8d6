# ruff: noqa: RUF001  Chinese texts have Chinese punctuation
"""The fault catalogue: every kind of fault there is, as data.

`docs/faults.md` is generated from it. A kind stands after its causes. Delays are seconds on the
monotonic clock; `causes` are kinds of the same device that suppress this one while they last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from agent.diagnosis import counter_kinds, network_kinds, passive_kinds
from agent.messages import Severity
from drivers.api import OwnFault

Layer = Literal["agent", "link", "device", "host"]
"""Whose trouble it is: a technician acts differently on each."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text for people, in each language there is."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of fault. `advice` is a code of `ADVICE`; messages carry the code, not the text."""

    kind: str
    layer: Layer
    severity: Severity
    on_s: float
    off_s: float
    causes: tuple[str, ...] = ()
    advice: str
    meaning: str
    closing: bool = False  #: what a shop that closes switches off explains it


# A status bit may flicker while a lid closes or a sensor settles; the contract allows 1 s.
_BIT_S = (0.5, 1.0)

# What says that a device is gone is raised at once: it is seen as such, or has waited three deadlines
# already. It must have been well for longer than a flapping plug stays in before it is cleared, so that
# one episode is one fault, not a row of them. Where three deadlines pass first, the device seems well
# all that time, so that must be longer still.
_GONE_S = (0.0, 5.0)
_SILENT_S = (0.0, 10.0)

_UNPLUGGED = ("unplugged",)
_GONE = ("unplugged", "unreachable", "power_off", "frozen", "silent")
"""While one of these lasts, nothing else can be said of the device; an earlier one tells more."""

# Two lines a kind: kind, layer, severity, delays, causes, advice; meaning.
# fmt: off
_KINDS: tuple[tuple[str, Layer, Severity, tuple[float, float], tuple[str, ...], str, str], ...] = (
    # The way to a device, and silence.
    ("unplugged", "link", "major", _GONE_S, (), "check_cable",
     "the device's node or USB id is gone from the system"),
    ("unreachable", "link", "major", _SILENT_S, _UNPLUGGED, "check_network_device",
     "the device's network address does not answer, or refuses"),
    ("power_off", "device", "major", _SILENT_S, _UNPLUGGED, "switch_on",
     "the device has no power: its DSR line, known to be wired, is low"),
    ("frozen", "device", "major", _SILENT_S, _GONE[:3], "power_cycle",
     "the device has power and says nothing"),
    ("silent", "link", "major", _SILENT_S, _GONE[:4], "check_power_and_cable",
     "the device says nothing, and nothing proves that it has power"),
    ("stalled", "device", "major", _GONE_S, _GONE, "power_cycle",
     "the device reports itself well and does no work"),
    ("garbled", "link", "major", _GONE_S, _GONE, "check_settings",
     "what the device answers is not its protocol"),
    # The agent's own trouble with a device, which itself may be well.
    ("held_by_other", "agent", "minor", (5, 5), _UNPLUGGED, "close_other_program",
     "another program holds the device, so the agent cannot look"),
    ("no_permission", "agent", "minor", _GONE_S, _UNPLUGGED, "grant_access",
     "the agent may not open the device"),
    ("pass_through_down", "agent", "critical", (3, 1), (), "start_pass_through",
     "the process that shares the device with the till does not run, so the till cannot print"),
    ("driver_stuck", "agent", "minor", _GONE_S, _UNPLUGGED, "replug_device",
     "the agent's driver for the device has not come back in time"),
    # Who answers.
    ("identity_changed", "device", "warning", (0, 0), _GONE, "confirm_exchange",
     "another device answers in this one's place"),
    # A printer's status.
    ("cover_open", "device", "major", _BIT_S, _GONE, "close_cover",
     "the printer's cover is open"),
    ("paper_end", "device", "major", _BIT_S, _GONE, "load_paper",
     "the printer has no paper"),
    ("paper_near_end", "device", "minor", _BIT_S, (*_GONE, "paper_end"), "have_paper_ready",
     "the printer's paper roll is nearly used up"),
    ("cutter_error", "device", "major", _BIT_S, _GONE, "free_cutter",
     "the printer's cutter is jammed"),
    ("head_hot", "device", "minor", _BIT_S, _GONE, "let_cool",
     "the print head is too hot; the printer goes on by itself when it has cooled"),
    ("error_recoverable", "device", "major", _BIT_S, _GONE, "clear_error",
     "the printer has stopped with an error that can be cleared"),
    ("error_unrecoverable", "device", "critical", _BIT_S, _GONE, "call_service",
     "the printer has stopped with an error that it cannot clear itself"),
    *passive_kinds.KINDS,
    *counter_kinds.KINDS,
    # The host's vitals; their thresholds and hysteresis are the driver's.
    ("disk_full", "host", "major", (0, 60), (), "free_disk",
     "the terminal's disk is nearly full"),
    ("memory_low", "host", "minor", (60, 60), (), "close_programs",
     "the terminal has been short of memory for a minute"),
    ("overheated", "host", "major", (60, 60), (), "cool_terminal",
     "the terminal has been too hot for a minute"),
    ("clock_unsynced", "host", "warning", (0, 0), (), "check_time",
     "the terminal's clock follows no time server, an hour after the start"),
    *network_kinds.KINDS,
    # The agent's own.
    ("storage_failed", "agent", "major", (0, 5), (), "check_storage",
     "the agent cannot write to its database; events wait in memory and may be lost"),
    ("till_door_failed", "agent", "warning", (5, 5), (), "free_till_door",
     "the agent cannot open a place where the till would speak to it"),
)
# fmt: on

# A socket strip takes the printers at night, and with them the USB adapters; another one the router and
# the modem, and so the time server. A network printer's print server may have a supply of its own, so
# that what is off seems frozen. A line makes noise as its power goes and comes. What only a broker or its
# certificate can mend is no matter of closing.
_CLOSING = frozenset(
    (
        *_GONE,
        "garbled",
        "queue_cannot_send",
        "network_down",
        "no_address",
        "no_route",
        "gateway_unreachable",
        "internet_down",
        "clock_unsynced",
    )
)

CATALOGUE: Mapping[str, Kind] = {
    kind: Kind(
        kind=kind,
        layer=layer,
        severity=severity,
        on_s=on_s,
        off_s=off_s,
        causes=causes,
        advice=advice,
        meaning=meaning,
        closing=kind in _CLOSING,
    )
    for kind, layer, severity, (on_s, off_s), causes, advice, meaning in _KINDS
}

ADVICE: Mapping[str, Text] = {
    "check_cable": Text(
        "Push the device's cable in firmly at both ends. If it was moved, plug it back where it was.",
        "请将设备的数据线两端插紧。如果换过插口，请插回原来的位置。",
    ),
    "check_network_device": Text(
        "Check that the device is switched on and that its network cable is plugged in.",
        "请确认设备已开机，并检查网线是否插好。",
    ),
    "switch_on": Text(
        "Switch the device on. If it stays dark, check its power supply and the socket.",
        "请打开设备电源。如果仍无反应，请检查电源适配器和插座。",
    ),
    "power_cycle": Text(
        "Switch the device off, wait ten seconds, and switch it on again.",
        "请关闭设备电源，等待十秒后重新开机。",
    ),
    "check_power_and_cable": Text(
        "Check that the device is switched on and that its cable is plugged in at both ends. "
        "If both are fine, switch it off and on again.",
        "请确认设备已开机，且数据线两端均已插好。如果都正常，请将设备关机后重新开机。",
    ),
    "check_settings": Text(
        "The terminal and the device do not understand each other. A technician should check the "
        "speed, the parity and the driver that are configured for it.",
        "终端与设备之间无法正常通信。请由技术人员检查该设备的波特率、校验位和驱动设置。",
    ),
    "close_other_program": Text(
        "Another program is using the device. A technician should close it, or change the access "
        "mode in the configuration.",
        "另一个程序正在占用该设备。请由技术人员关闭该程序，或在配置中更改访问方式。",
    ),
    "grant_access": Text(
        "Tillwatch may not open the device. A technician should add its user to the group that owns it.",
        "Tillwatch 没有打开该设备的权限。请由技术人员将服务用户加入拥有该设备的用户组。",
    ),
    "replug_device": Text(
        "Unplug the device, wait ten seconds, and plug it in again. If that does not help, restart "
        "the terminal when there is time.",
        "请拔下设备，等待十秒后重新插上。如果仍未恢复，请在空闲时重启终端。",
    ),
    "confirm_exchange": Text(
        "A different device is connected here. If it was exchanged on purpose, tell support.",
        "此处连接的已不是原来的设备。如果是有意更换，请告知技术支持。",
    ),
    "close_cover": Text(
        "Close the printer's cover until it clicks.",
        "请合上打印机上盖，直到听到“咔哒”一声。",
    ),
    "load_paper": Text(
        "Put in a new roll of paper and close the cover.",
        "请装入新的纸卷，并合上打印机上盖。",
    ),
    "have_paper_ready": Text(
        "The paper is nearly used up. Have a new roll ready.",
        "打印纸即将用完，请准备好新的纸卷。",
    ),
    "free_cutter": Text(
        "Switch the printer off, open the cover, remove any stuck paper, close the cover and switch "
        "it on again. Keep fingers off the blade.",
        "请关闭打印机电源，打开上盖，取出卡住的纸，合上上盖后重新开机。请勿触碰刀片。",
    ),
    "let_cool": Text(
        "The print head is hot. Wait a few minutes; the printer goes on by itself.",
        "打印头过热。请等待几分钟，打印机会自动恢复。",
    ),
    "clear_error": Text(
        "Open the cover, remove any stuck paper and close it. If the error stays, switch the printer "
        "off and on again.",
        "请打开上盖，取出卡住的纸，再合上上盖。如果错误仍然存在，请将打印机关机后重新开机。",
    ),
    "call_service": Text(
        "Switch the printer off, wait ten seconds, and switch it on again. If the error comes back, "
        "the printer needs repair: call service.",
        "请关闭打印机电源，等待十秒后重新开机。如果错误再次出现，说明打印机需要维修，请联系售后服务。",
    ),
    **{code: Text(en, zh) for code, en, zh in passive_kinds.ADVICE},
    **{code: Text(en, zh) for code, en, zh in counter_kinds.ADVICE},
    "free_disk": Text(
        "The terminal's disk is nearly full. A technician should remove files that are not needed.",
        "终端磁盘空间即将用尽。请由技术人员清理不需要的文件。",
    ),
    "close_programs": Text(
        "The terminal is short of memory. Close programs that are not needed, or restart the "
        "terminal when there is time.",
        "终端内存不足。请关闭不需要的程序，或在空闲时重启终端。",
    ),
    "cool_terminal": Text(
        "The terminal is too hot. Free its air vents, and keep sun and heat away from it.",
        "终端温度过高。请清理散热口周围的遮挡物，并避免阳光直射和靠近热源。",
    ),
    "check_time": Text(
        "The terminal's clock is not being set. A technician should check its time server and network.",
        "终端时钟未能自动校准。请由技术人员检查时间服务器和网络设置。",
    ),
    "check_network": Text(
        "The terminal has no network. Check its network cable and the router.",
        "终端没有网络连接。请检查网线和路由器。",
    ),
    "check_storage": Text(
        "Tillwatch cannot store events. A technician should check the terminal's disk.",
        "Tillwatch 无法保存事件记录。请由技术人员检查终端磁盘。",
    ),
    "free_till_door": Text(
        "The till program cannot speak to Tillwatch. A technician should see what takes the port or "
        "the folder that is configured for it.",
        "收银程序无法与 Tillwatch 通信。请由技术人员检查配置的端口或目录是否被占用。",
    ),
    **{code: Text(en, zh) for code, en, zh in network_kinds.ADVICE},
    "start_pass_through": Text(
        "The till cannot print: the program that shares the printer has stopped. Restart the terminal when "
        "there is time; if that does not help, call support.",
        "收银程序无法打印：共享打印机的程序已停止运行。请在空闲时重启终端；如果仍无法打印，请联系技术支持。",
    ),
    "call_support": Text(
        "Please call support.",
        "请联系技术支持。",
    ),
}
"""Advice code -> what the merchant or technician should do."""


def with_own(faults: Iterable[OwnFault]) -> Mapping[str, Kind]:
    """The catalogue, and what drivers of other packages bring; of one name, the catalogue's stays."""
    own = {
        fault.kind: Kind(
            kind=fault.kind,
            layer="device",
            severity=fault.severity,
            on_s=fault.on_s,
            off_s=fault.off_s,
            causes=_GONE,
            advice=fault.advice if fault.advice in ADVICE else "call_support",
            meaning=fault.meaning,
        )
        for fault in faults
    }
    return own | dict(CATALOGUE)

# ruff: noqa: RUF001  Chinese texts have Chinese punctuation
"""The kinds that looking from beside brings, a part of the catalogue: what a printer's own services say, the
kernel, and the print queue."""

from __future__ import annotations

from typing import Literal

Layer = Literal["link", "device", "host"]
Severity = Literal["major", "minor"]

BIT_S = (0.5, 1.0)
GONE = ("unplugged", "unreachable", "power_off", "frozen", "silent")
STOPS = ("cover_open", "paper_end", "cutter_error", "error_recoverable", "error_unrecoverable", "paper_jam")
"""What takes a printer off line."""

# As in the catalogue, two lines a kind: kind, layer, severity, delays, causes, advice; meaning.
# fmt: off
KINDS: tuple[tuple[str, Layer, Severity, tuple[float, float], tuple[str, ...], str, str], ...] = (
    ("paper_jam", "device", "major", BIT_S, GONE, "clear_error",
     "paper is jammed in the printer"),
    ("cartridge_empty", "device", "major", BIT_S, GONE, "change_cartridge",
     "the printer's ink or toner is used up, or its cartridge is missing"),
    ("cartridge_near_empty", "device", "minor", BIT_S, (*GONE, "cartridge_empty"), "have_cartridge_ready",
     "the printer's ink or toner is nearly used up"),
    ("service_requested", "device", "minor", BIT_S, GONE, "plan_service",
     "the printer asks for service"),
    ("usb_over_current", "device", "major", (0, 0), (), "check_usb_power",
     "the device draws more current than its USB port gives, within the last ten minutes"),
    # The print queue of the terminal, where the till prints through one.
    ("print_service_down", "host", "major", (30, 5), (), "start_print_service",
     "the terminal's print service does not answer"),
    ("queue_missing", "host", "major", (30, 5), ("print_service_down",), "check_queue",
     "the terminal's print service has no such queue"),
    ("queue_stopped", "host", "major", (10, 5), ("print_service_down", "queue_missing"), "resume_queue",
     "the print queue is stopped; jobs wait in it"),
    ("queue_rejecting", "host", "major", (10, 5), ("print_service_down", "queue_missing"), "resume_queue",
     "the print queue takes no jobs"),
    ("queue_cannot_send", "link", "major", (30, 5), (*GONE, "print_service_down", "queue_stopped"),
     "check_power_and_cable",
     "the print queue does not get through to its printer"),
    ("printer_offline", "device", "major", BIT_S, (*GONE, *STOPS), "set_online",
     "the printer says that it is off line, and nothing else that it says explains it"),
)
# fmt: on

ADVICE: tuple[tuple[str, str, str], ...] = (
    (
        "change_cartridge",
        "Put in a new ink or toner cartridge.",
        "请更换新的墨盒或硒鼓。",
    ),
    (
        "have_cartridge_ready",
        "The ink or toner is nearly used up. Have a new cartridge ready.",
        "墨水或碳粉即将用完，请准备好新的墨盒或硒鼓。",
    ),
    (
        "plan_service",
        "The printer asks for service. It goes on for now; call service when there is time.",
        "打印机提示需要保养。目前仍可使用，请在空闲时联系售后服务。",
    ),
    (
        "set_online",
        "The printer is paused. Press its online, feed or pause button; look at its display for a reason.",
        "打印机处于脱机状态。请按打印机上的联机、进纸或暂停键，并查看其显示屏上的提示。",
    ),
    (
        "check_usb_power",
        (
            "The device draws too much current. Unplug it, look for a damaged plug or cable, and plug it "
            "into another socket. If it happens again, the device needs repair."
        ),
        "该设备耗电过大。请拔下设备，检查插头和数据线是否损坏，然后换一个插口。如果再次出现，设备需要维修。",
    ),
    (
        "start_print_service",
        (
            "The terminal's print service does not run. A technician should start it; restarting the "
            "terminal may help."
        ),
        "终端的打印服务没有运行。请由技术人员启动该服务；重启终端也可能有效。",
    ),
    (
        "check_queue",
        "The till's print queue does not exist. A technician should set it up, or correct the configuration.",
        "收银程序使用的打印队列不存在。请由技术人员建立该队列，或更正配置。",
    ),
    (
        "resume_queue",
        "The print queue is switched off. A technician should look why, and switch it on again.",
        "打印队列已停用。请由技术人员查明原因后重新启用。",
    ),
)
"""Code, English, Chinese."""

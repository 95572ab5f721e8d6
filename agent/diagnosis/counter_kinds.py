# ruff: noqa: RUF001  Chinese texts have Chinese punctuation
"""The kinds that card readers, customer displays and payment terminals bring, a part of the catalogue."""

from __future__ import annotations

from typing import Literal

Layer = Literal["agent", "device", "host"]
Severity = Literal["critical", "major", "minor"]

BIT_S = (0.5, 1.0)
GONE = ("unplugged", "unreachable", "power_off", "frozen", "silent")

# As in the catalogue, two lines a kind: kind, layer, severity, delays, causes, advice; meaning.
# fmt: off
KINDS: tuple[tuple[str, Layer, Severity, tuple[float, float], tuple[str, ...], str, str], ...] = (
    ("card_service_down", "host", "major", (5, 1), (), "start_card_service",
     "the terminal's smart-card service (pcscd) does not run, so no card can be read through it"),
    # Card readers.
    ("hardware_error", "device", "major", BIT_S, GONE, "replug_or_replace",
     "the card reader reports a hardware error"),
    ("over_current", "device", "major", BIT_S, GONE, "remove_card",
     "the card reader reports a short circuit or too much current at its card contacts"),
    ("tamper", "device", "critical", BIT_S, GONE, "stop_using",
     "the card reader reports that it was tampered with, and works no more"),
    ("sam_error", "device", "major", BIT_S, GONE, "call_service_reader",
     "the card reader reports an error of its security module (SAM)"),
    ("secure_interface_failed", "device", "major", BIT_S, GONE, "call_service_reader",
     "the card reader reports that its secure interface does not work"),
    # Customer displays.
    ("wrong_text", "device", "major", (1, 1), GONE, "look_at_display",
     "the customer display shows something other than what it was told to show"),
    # A printer that tells no more than its USB port's status.
    ("printer_error", "device", "major", BIT_S, (*GONE, "paper_end"), "clear_error",
     "the printer reports an error over USB, and does not say which"),
    # Payment terminals.
    ("reader_defective", "device", "major", BIT_S, GONE, "call_payment_service",
     "the payment terminal reports that its card reader is defective"),
    ("pin_pad_defective", "device", "critical", BIT_S, GONE, "call_payment_service",
     "the payment terminal reports that its PIN pad is defective"),
    ("not_registered", "device", "major", BIT_S, GONE, "register_terminal",
     "the payment terminal is not registered with the till, so it takes no payments"),
    ("diagnosis_required", "device", "minor", BIT_S, GONE, "run_diagnosis",
     "the payment terminal asks for a diagnosis before it goes on"),
    ("memory_full", "device", "major", BIT_S, GONE, "close_day",
     "the payment terminal's memory is full"),
    ("communication_fault", "device", "major", BIT_S, GONE, "check_payment_network",
     "the payment terminal reports that it cannot reach its host"),
    ("printer_not_ready", "device", "major", BIT_S, GONE, "look_at_payment_printer",
     "the payment terminal's printer is not ready"),
)
# fmt: on

ADVICE: tuple[tuple[str, str, str], ...] = (
    (
        "start_card_service",
        (
            "The terminal's smart-card service does not run. A technician should start it; restarting the "
            "terminal may help."
        ),
        "终端的智能卡服务没有运行。请由技术人员启动该服务；重启终端也可能有效。",
    ),
    (
        "replug_or_replace",
        (
            "Take any card out, unplug the card reader, wait ten seconds, and plug it in again. If the error "
            "comes back, the reader needs to be replaced."
        ),
        "请取出卡片，拔下读卡器，等待十秒后重新插上。如果错误再次出现，需要更换读卡器。",
    ),
    (
        "remove_card",
        "Take the card out of the reader and look for anything else in the slot. Try another card.",
        "请从读卡器中取出卡片，并检查卡槽内是否有异物，然后换一张卡再试。",
    ),
    (
        "stop_using",
        (
            "Do not use this card reader any more: it says that it was opened or damaged. Keep it as it is "
            "and call support."
        ),
        "请停止使用该读卡器：它提示曾被拆开或损坏。请保持原状并联系技术支持。",
    ),
    (
        "call_service_reader",
        (
            "Unplug the card reader, wait ten seconds, and plug it in again. If the error comes back, the "
            "reader needs service: call support."
        ),
        "请拔下读卡器，等待十秒后重新插上。如果错误再次出现，读卡器需要维修，请联系技术支持。",
    ),
    (
        "look_at_display",
        (
            "Look at the customer display. If it shows nonsense or nothing, switch it off, wait ten seconds, "
            "and switch it on again."
        ),
        "请查看顾客显示屏。如果显示乱码或无显示，请关闭其电源，等待十秒后重新开机。",
    ),
    (
        "call_payment_service",
        (
            "Restart the payment terminal. If the error comes back, the terminal must be exchanged: call the "
            "service of whoever rents it to you."
        ),
        "请重启支付终端。如果错误再次出现，需要更换终端，请联系支付终端服务商。",
    ),
    (
        "register_terminal",
        "Log the payment terminal on from the till: many tills do so when they are restarted.",
        "请在收银程序中重新登录支付终端；许多收银程序在重启时会自动登录。",
    ),
    (
        "run_diagnosis",
        "Start a diagnosis in the payment terminal's menu, when no customer is waiting.",
        "请在没有顾客等待时，从支付终端的菜单中启动诊断。",
    ),
    (
        "close_day",
        "Close the day (end-of-day) on the payment terminal; this empties its memory.",
        "请在支付终端上执行日结，以释放其存储空间。",
    ),
    (
        "check_payment_network",
        "Check the payment terminal's network cable or SIM, and the router. Then restart the terminal.",
        "请检查支付终端的网线或 SIM 卡以及路由器，然后重启支付终端。",
    ),
    (
        "look_at_payment_printer",
        "Look at the payment terminal's own printer: paper, cover, jam.",
        "请检查支付终端自带的打印机：纸张、上盖以及是否卡纸。",
    ),
)
"""Code, English, Chinese."""

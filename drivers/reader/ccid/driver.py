"""Smart-card readers: of the USB class CCID by themselves, or through pcscd where that holds them."""

from __future__ import annotations

from drivers.api import Driver, DriverSpec, Setup, Within
from drivers.asked import AskedDriver, Dialogue
from drivers.reader.ccid.dialogue import SLOTS_MOST, CcidDialogue
from drivers.reader.ccid.pcsc import PcscDialogue


def make(setup: Setup) -> Driver:
    """The driver for the link that it is given."""
    through_pcscd = setup.link.scheme == "pcsc"
    dialogue: Dialogue = PcscDialogue(setup) if through_pcscd else CcidDialogue(setup)
    return AskedDriver(setup, dialogue)


SPEC = DriverSpec(
    name="ccid",
    categories=("SmartCardRW",),
    links=("usb", "pcsc"),
    usb_class=0x0B,
    options={"slots": Within(1, SLOTS_MOST, whole=True)},
    make=make,
)

"""Every driver over every kind of link that it and its simulated model have, for tests that hold for all.

What there is follows from the registry: a new driver is in it by itself, or fails for want of a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers import registry
from drivers.api import Json
from simulator.devices.device import Device
from simulator.devices.models import make_model
from simulator.devices.usb import has_usb
from tests.fast_forward import Forward
from tests.harness import Bench, Flavour

NO_DEVICE = ("host", "network")
"""Drivers of the terminal itself: no link leads to what they watch."""
NOT_HERE = ("pcsc",)
"""Link schemes with a service between, and no memory link: tests of their own."""


@dataclass(frozen=True, slots=True)
class Own:
    """What one driver is set up with here."""

    model: str = ""  #: where it is not the driver's name
    settings: tuple[str, ...] = ()
    profile: str = "plain"
    options: Mapping[str, Json] = field(default_factory=dict)
    tcp: bool = False  #: the model has the door `tcp`
    holds: bool = True  #: over tcp it keeps a connection if it is told to
    pace_s: float = 2.0  #: as much happens in it as in a poll of others


_SHOWS = Own(options={"text": "Welcome\nOpen until 20:00"})
OWN: Mapping[str, Own] = {
    "aedex": _SHOWS,
    "ccid": Own(),
    "cd5220": _SHOWS,
    "dmd": _SHOWS,
    "escpos": Own(profile="epson-tm", tcp=True),
    "generic": Own(model="escpos", settings=("answers=none",), tcp=True),
    "logic_controls": _SHOWS,
    "magtek": Own(),
    "ncr597x": _SHOWS,
    "star": Own(profile="star-line", tcp=True),
    "vivotech": Own(),
    "zvt": Own(options={"status_enquiry_s": 60.0}, tcp=True, holds=False, pace_s=30.0),
}


@dataclass(frozen=True, slots=True)
class Place:
    """One driver over one kind of link. `way` is its flavour; `wired` and `held` are a second one of it."""

    driver: str
    way: str

    @property
    def own(self) -> Own:
        return OWN[self.driver]

    @property
    def flavour(self) -> Flavour:
        flavours: dict[str, Flavour] = {
            "wired": "serial",
            "serial": "serial",
            "held": "tcp",
            "tcp": "tcp",
            "usb": "usb",
            "hid": "hid",
        }
        return flavours[self.way]

    @property
    def silence(self) -> str:
        """What silence is called here."""
        return "silent" if self.way == "serial" else "frozen"

    @property
    def gone(self) -> str:
        return "unreachable" if self.flavour == "tcp" else "unplugged"

    def model(self) -> Device:
        return make_model(self.own.model or self.driver)

    def bench(self, *settings: str, seed: int = 1) -> Bench:
        dsr = () if "dsr" not in self.model().knobs else ("dsr=wired" if self.way == "wired" else "dsr=none",)
        return Bench(
            (*self.own.settings, *dsr, *settings),
            driver_name=self.driver,
            model=self.own.model,
            profile=self.own.profile,
            options=self.own.options,
            flavour=self.flavour,
            hold=self.way == "held",
            sale="no",
            baud=9600 if self.flavour == "serial" else 115200,
            seed=seed,
        )

    def __str__(self) -> str:
        return f"{self.driver}-{self.way}"


def _ways(driver: str) -> list[str]:
    own, model = OWN[driver], make_model(OWN[driver].model or driver)
    ways = {
        "serial": ["serial", *["wired"] * ("dsr" in model.knobs)],
        "tcp": ["tcp", *["held"] * own.holds] if own.tcp else [],
        "usb": ["usb"] * has_usb(model),
        "hid": ["hid"] * has_usb(model),
    }
    schemes = [scheme for scheme in registry.spec(driver).links if scheme not in NOT_HERE]
    return [way for scheme in schemes for way in ways[scheme]]


PLACES = [
    Place(driver, way) for driver in registry.BUILT_IN if driver not in NO_DEVICE for way in _ways(driver)
]


class Watch:
    """A terminal with the device at one place, and what was published of it."""

    def __init__(self, place: Place, *settings: str, seed: int = 1) -> None:
        self.place = place
        self.forward = Forward(place.bench(*settings, seed=seed))
        self.latest_s = 0.0  #: so long past its own deadline a step of the worker came back, at most

    def run(self, paces: float) -> list[str]:
        """What was told of faults within so many paces, as `raised kind`, `cleared kind`."""
        broker, clock, worker = self.forward.broker, self.forward.clock, self.forward.worker
        before = len(broker.changes())
        ends_s = clock.monotonic_s() + paces * self.place.own.pace_s
        while clock.monotonic_s() < ends_s:
            worker.step()
            self.latest_s = max(self.latest_s, clock.monotonic_s() - worker.step_ends_s)
        return [change.replace("receipt/", "") for change in broker.changes()[before:]]

    def tell(self, *settings: str) -> None:
        self.forward.tell(*settings)

    def standing(self) -> set[str]:
        """The faults that stand by what was told of them."""
        standing: set[str] = set()
        for event in self.forward.broker.on("event"):
            if event["type"] == "fault" and event["change"] in ("raised", "cleared"):
                (standing.add if event["change"] == "raised" else standing.discard)(event["kind"])
        return standing

    def ever_true(self) -> set[str]:
        """The conditions that were published as true, in whatever message, for however short."""
        return {
            kind
            for report in self.forward.broker.on("device/receipt")
            for kind, condition in report["conditions"].items()
            if condition["value"]
        }

    def power(self) -> str:
        return str(self.forward.broker.on("device/receipt")[-1]["power"])

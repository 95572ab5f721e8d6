"""Which interface of a device is meant, and its pipes. Pure: descriptors in, a choice out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from drivers.link.usb.backend import Backend

_IN = 0x80
_KIND, _BULK, _INTERRUPT = 0x03, 2, 3  # bmAttributes; USB 2.0, table 9-13


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipes:
    """One interface in one alternate setting. A pipe is its endpoint's address; None: it has none."""

    configuration: int
    interface: int
    alternate: int
    device_class: int
    bulk_out: int | None
    bulk_in: int | None
    notices: int | None  #: interrupt IN
    packet_bytes: int = 64  #: the largest of those that are read

    @property
    def both(self) -> bool:
        return self.bulk_out is not None and self.bulk_in is not None


def configurations(backend: Backend, dev: Any, descriptor: Any) -> Iterator[tuple[int, Any]]:
    """Index and descriptor of each."""
    for index in range(descriptor.bNumConfigurations):
        yield index, backend.get_configuration_descriptor(dev, index)


def choose(backend: Backend, dev: Any, descriptor: Any, active: int, usb_class: int | None) -> Pipes | None:
    """Of the active configuration, the first interface of that class, else the first with a bulk pair.

    Of its alternate settings, the first with a bulk pair, else the first.
    """
    offered = [
        pipes
        for index, configuration in configurations(backend, dev, descriptor)
        if configuration.bConfigurationValue == active
        for pipes in _settings(backend, dev, index, configuration)
    ]
    if usb_class is not None:
        first = next((pipes.interface for pipes in offered if pipes.device_class == usb_class), None)
        offered = [pipes for pipes in offered if (pipes.interface, pipes.device_class) == (first, usb_class)]
        return next((pipes for pipes in offered if pipes.both), offered[0] if offered else None)
    return next((pipes for pipes in offered if pipes.both), None)


def _settings(backend: Backend, dev: Any, index: int, configuration: Any) -> Iterator[Pipes]:
    for place in range(configuration.bNumInterfaces):
        alternate = 0
        while True:
            try:
                described = backend.get_interface_descriptor(dev, place, alternate, index)
            except IndexError:  # no further setting
                break
            ends = [
                backend.get_endpoint_descriptor(dev, n, place, alternate, index)
                for n in range(described.bNumEndpoints)
            ]
            yield _pipes(configuration.bConfigurationValue, described, ends)
            alternate += 1


def _pipes(configuration: int, described: Any, ends: list[Any]) -> Pipes:
    def first(kind: int, direction: int) -> Any:
        wanted = (kind, direction)
        return next((e for e in ends if (e.bmAttributes & _KIND, e.bEndpointAddress & _IN) == wanted), None)

    read = [end for end in (first(_BULK, _IN), first(_INTERRUPT, _IN)) if end is not None]
    out, bulk_in, notices = first(_BULK, 0), first(_BULK, _IN), first(_INTERRUPT, _IN)
    return Pipes(
        configuration=configuration,
        interface=described.bInterfaceNumber,
        alternate=described.bAlternateSetting,
        device_class=described.bInterfaceClass,
        bulk_out=out.bEndpointAddress if out else None,
        bulk_in=bulk_in.bEndpointAddress if bulk_in else None,
        notices=notices.bEndpointAddress if notices else None,
        packet_bytes=max((end.wMaxPacketSize & 0x7FF for end in read), default=64) or 64,
    )

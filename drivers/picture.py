"""The picture of a device that its driver hands out: what is known, since when, and what was told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from drivers.api import Clock, Condition, Json, Observation, Power, VerifiedBy


class Picture:
    """`own`: how the kinds are known that the device says of itself; the others, the way to it shows."""

    def __init__(self, kinds: Collection[str], own: Mapping[str, VerifiedBy], clock: Clock) -> None:
        self._clock = clock
        self._own = frozenset(own)
        self._how: Mapping[str, VerifiedBy] = {kind: own.get(kind, "transport") for kind in kinds}
        self._known = {kind: Condition(None, 0.0, how) for kind, how in self._how.items()}
        self._heard_wall_s: float | None = None
        self._read_wall_s = 0.0
        self._told: object = None

    @property
    def told(self) -> bool:
        """Anything was told at all."""
        return self._told is not None

    def read(self) -> None:
        """The device's own state was read just now."""
        self._read_wall_s = self._clock.wall_s()

    def is_news(self, power: Power, values: Mapping[str, bool | None], facts: Mapping[str, Json]) -> bool:
        """Whether that differs from what was told last."""
        return (power, values, facts) != self._told

    def tell(
        self,
        power: Power,
        values: Mapping[str, bool | None],
        facts: Mapping[str, Json],
        *,
        heard: bool,
        identity: Mapping[str, str],
        statistics: Mapping[str, float],
        evidence: Mapping[str, Mapping[str, Json]],
    ) -> Observation:
        """An Observation of it; `values` has every kind."""
        wall_s = self._clock.wall_s()
        if heard:
            self._heard_wall_s = self._read_wall_s = wall_s
        for kind, how in self._how.items():
            value = values[kind]
            if value is not None:
                known_s = self._read_wall_s if kind in self._own else wall_s
                self._known[kind] = Condition(value, known_s, how)
            else:
                self._known[kind] = Condition(None, self._known[kind].wall_s, how)
        self._told = (power, values, facts)
        return Observation(
            at_s=self._clock.monotonic_s(),
            heard=heard,
            power=power,
            conditions=MappingProxyType(dict(self._known)),
            last_heard_wall_s=self._heard_wall_s,
            identity=dict(identity),
            facts=facts,
            statistics=statistics,
            evidence=evidence,
        )

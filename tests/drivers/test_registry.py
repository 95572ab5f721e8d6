"""The registry: built-ins, entry points, and no silent override."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import SimpleNamespace

import pytest

from drivers import registry
from drivers.errors import UnknownDriver


def with_entry_points(monkeypatch: pytest.MonkeyPatch, *entries: tuple[str, str]) -> None:
    points = EntryPoints(EntryPoint(name, value, registry.GROUP) for name, value in entries)
    monkeypatch.setattr(
        registry, "metadata", SimpleNamespace(entry_points=lambda group: points.select(group=group))
    )


def test_every_built_in_is_what_its_name_says() -> None:
    for name in registry.BUILT_IN:
        assert registry.spec(name).name == name
    assert set(registry.BUILT_IN) <= set(registry.names())


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(UnknownDriver, match=r"no driver 'escpoz'; there are: .*escpos"):
        registry.spec("escpoz")


def test_another_package_may_bring_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    with_entry_points(monkeypatch, ("other", "drivers.printer.escpos.driver:SPEC"))
    assert "other" in registry.names()
    with pytest.raises(UnknownDriver, match="is not the DriverSpec of 'other'"):
        registry.spec("other")


def test_a_duplicate_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with_entry_points(monkeypatch, ("escpos", "elsewhere:SPEC"))
    with pytest.raises(UnknownDriver, match="two drivers are named 'escpos'"):
        registry.spec("escpos")
    with pytest.raises(UnknownDriver, match="elsewhere:SPEC"):
        registry.names()


@pytest.mark.parametrize("where", ["a_package_that_is_not_there:SPEC", "drivers.errors:NOTHING"])
def test_a_driver_that_cannot_be_loaded_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with_entry_points(monkeypatch, ("other", where))
    with pytest.raises(UnknownDriver, match="'other'"):
        registry.spec("other")


def test_a_driver_that_breaks_as_it_is_loaded_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a_driver_that_breaks.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with_entry_points(monkeypatch, ("other", "a_driver_that_breaks:SPEC"))
    with pytest.raises(UnknownDriver, match="a_driver_that_breaks:SPEC: ZeroDivisionError"):
        registry.spec("other")

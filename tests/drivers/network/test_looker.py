"""What a look finds in shops that are well in their own way, what it costs, and what it takes for proof."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import pytest

from drivers.network.findings import Handshake, Page
from tests.drivers.network.found import CONNECTED, certificate
from tests.drivers.network.world import BROKER, FAR_SERVER, HOST, ROUTER, World

DAY_S = 86_400.0
WEB = Page(url="", portal=False, seen="200")
PORTAL = Page(url="", portal=True, seen="302, leads to login.example")
NOBODY = "192.0.2.1"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return World(monkeypatch, tmp_path)


def quiet_hours(world: World, hours: float) -> None:
    for _ in range(int(hours * 240)):
        world.clock.advance(15.0)
        assert world.told() == []


# -- what it costs ----------------------------------------------------------------------------------


def test_while_the_session_is_well_nothing_leaves_the_shop(world: World) -> None:
    quiet_hours(world, 1)
    assert set(world.asked) == {ROUTER}


def test_a_name_server_far_away_is_asked_rarely(world: World) -> None:
    world.servers = (FAR_SERVER,)
    quiet_hours(world, 2)
    assert world.asked[FAR_SERVER] <= 9
    assert set(world.asked) == {FAR_SERVER}


def test_a_silent_one_beside_it_costs_no_lookup_at_each_look(world: World) -> None:
    world.servers = (ROUTER, FAR_SERVER)
    del world.alive[ROUTER]
    quiet_hours(world, 2)
    assert world.asked["lookup"] <= 9
    assert world.asked[FAR_SERVER] <= 9


def test_dead_ones_far_away_are_asked_ever_more_rarely(world: World) -> None:
    world.servers, world.alive = (FAR_SERVER,), {}
    world.names[HOST] = socket.EAI_AGAIN
    for _ in range(1200):
        assert world.told_later() == ["dns_failed"]
    assert world.asked[FAR_SERVER] < 40
    assert world.asked["lookup"] < 40
    world.alive[FAR_SERVER] = 30.0
    world.names[HOST] = BROKER
    assert world.told_later(600.0) == []


def test_a_router_that_hands_on_every_question_is_asked_rarely(world: World) -> None:
    world.alive[ROUTER] = 45.0
    quiet_hours(world, 2)
    assert world.asked[ROUTER] < 20


def test_one_slow_answer_makes_no_such_router(world: World) -> None:
    for number in range(40):
        world.alive[ROUTER] = 60.0 if number % 4 else 1.0
        assert world.told_later(15.0) == []
    assert world.asked[ROUTER] == 40


# -- the router -------------------------------------------------------------------------------------


def test_a_router_that_has_become_shy_is_not_gone(world: World) -> None:
    world.gateway = False
    assert world.told() == []
    assert world.asked["tcp"] == 1
    assert world.told_later() == []
    assert world.asked["tcp"] == 1


def test_a_router_through_which_nothing_comes_is_gone(world: World) -> None:
    world.gateway = False
    world.reached[BROKER] = "no_way"
    assert world.told() == ["gateway_unreachable"]


def test_a_broker_in_the_shop_needs_no_router(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, tmp_path, host="192.168.7.20")
    world.gateway = False
    world.session = dataclasses.replace(CONNECTED, peer="192.168.7.20")
    assert world.told() == []
    world.lose_session("unreachable")
    world.reached["192.168.7.20"] = "no_way"
    assert world.told() == ["broker_unreachable"]


def test_without_a_default_route_a_broker_in_the_shop_is_looked_up(world: World) -> None:
    world.route = None
    world.lose_session()
    world.names[HOST] = "127.0.0.1"
    world.reached["127.0.0.1"] = "refused"
    assert world.told() == ["broker_unreachable"]
    world.names[HOST] = socket.EAI_AGAIN
    assert "no_route" in World.told(world)


# -- an old memory hides nothing --------------------------------------------------------------------


def test_what_the_session_says_now_is_looked_into_at_once(world: World) -> None:
    world.lose_session()
    world.reached[BROKER] = "timeout"
    for _ in range(200):
        assert world.told_later(15.0) == ["broker_unreachable"]
    asked = world.asked["tcp"]
    world.reached.clear()
    world.lose_session("credentials")
    assert world.told_later() == ["login_refused"]
    assert world.asked["tcp"] == asked + 1


def test_behind_a_router_that_is_back_all_is_asked_anew(world: World) -> None:
    world.told()
    world.lose_session()
    world.reached[BROKER] = "timeout"
    for _ in range(200):
        world.told_later(15.0)
    world.gateway = False
    assert world.told_later() == ["gateway_unreachable"]
    world.gateway = True
    world.reached.clear()
    assert world.told_later() == []


# -- a portal, and what is none ---------------------------------------------------------------------


def blocked(world: World) -> World:
    world.told()
    world.lose_session()
    world.reached[BROKER] = "timeout"
    return world


def test_a_web_page_of_the_broker_is_no_portal(world: World) -> None:
    blocked(world).pages[BROKER] = dataclasses.replace(WEB, seen="301, leads to www.vendor.example")
    assert world.told() == ["broker_unreachable"]


def test_who_answers_in_nobodys_place_is_a_portal(world: World) -> None:
    blocked(world).pages = {BROKER: WEB, NOBODY: PORTAL}
    assert world.told() == ["captive_portal"]


def test_nobodys_address_may_be_somebodys_in_the_shop(world: World) -> None:
    blocked(world).pages = {BROKER: WEB, NOBODY: PORTAL}
    world.net_route("eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n")
    assert world.told() == ["broker_unreachable"]


def test_a_portal_that_lies_about_names_answers_in_the_brokers_place(world: World) -> None:
    blocked(world).names[HOST] = world.nobody = "10.1.1.1"
    world.reached["10.1.1.1"] = "timeout"
    world.pages["10.1.1.1"] = WEB
    assert world.told() == ["captive_portal"]
    world.pages.clear()
    assert world.told_later() == ["dns_failed"]


def test_a_providers_page_for_names_that_nobody_has_is_no_lie(world: World) -> None:
    blocked(world).nobody = "198.51.100.7"
    assert world.told() == ["broker_unreachable"]


# -- the line ---------------------------------------------------------------------------------------


def test_a_broker_by_address_has_a_page_to_tell_a_dead_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = "http://198.51.100.9/up"
    world = World(monkeypatch, tmp_path, host=BROKER, check_url=url)
    world.pages["198.51.100.9"] = dataclasses.replace(WEB, seen="204")
    assert blocked(world).told() == ["broker_unreachable"]
    world.pages.clear()
    assert world.told_later() == ["internet_down"]


def test_where_one_kind_of_address_is_broken_the_other_leads(world: World) -> None:
    six = tuple(f"2001:db8::{number}" for number in range(1, 5))
    world.names[HOST] = (*six, BROKER)
    world.reached = dict.fromkeys(six, "no_way")
    world.lose_session()
    assert world.told() == []
    world.reached[BROKER] = "timeout"
    assert world.told_later() == ["broker_unreachable"]
    reached = world.look().reached
    assert reached is not None
    assert (reached.address, reached.error) == (BROKER, "timeout")


# -- clock and certificates -------------------------------------------------------------------------


def test_a_clock_that_is_years_ahead_is_no_expired_certificate(world: World) -> None:
    world.told()
    world.synced = False
    world.lose_session("tls_expired")
    world.handshake = Handshake(error="expired")
    world.pages[BROKER] = dataclasses.replace(WEB, ahead_s=5 * 365 * DAY_S)
    assert world.told() == ["clock_wrong"]
    world.pages.clear()
    world.lose_session("lost")
    assert world.told_later() == ["certificate_expired"]


def test_a_certificate_that_was_renewed_meanwhile_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drivers.network import certificate as reading  # noqa: PLC0415 - to stand in for it

    now_s = world.clock.wall_s()
    ending = dataclasses.replace(certificate(), begins_s=now_s - 300 * DAY_S, ends_s=now_s + 20 * DAY_S)
    monkeypatch.setattr(reading, "read", lambda _der: ending)
    world.session = dataclasses.replace(CONNECTED, certificate=b"as the session saw it")
    assert world.told() == ["certificate_expiring"]
    world.handshake = Handshake(certificate=dataclasses.replace(ending, ends_s=now_s + 300 * DAY_S))
    assert world.told_later(3600.0) == ["certificate_expiring"]
    assert world.asked["tls"] == 0
    assert world.told_later(DAY_S) == []
    assert world.told_later(DAY_S / 2) == []
    assert world.asked["tls"] == 1

"""Why there is no connection: one stable word each, what it means, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

REASONS: dict[str, tuple[str, str]] = {
    "connecting": ("connecting", ""),
    "connected": ("connected", ""),
    "stopped": ("stopped", ""),
    "upgrade": ("MQTT 5 is tried again", ""),
    "dns": ("the broker's name cannot be resolved", "check mqtt.url and the terminal's name server"),
    "absent": ("nothing listens there", "check that the broker runs, and the port in mqtt.url"),
    "unreachable": ("the broker cannot be reached", "check the network and mqtt.url"),
    "timeout": ("the broker does not answer", "check the network, a firewall, and mqtt.url"),
    "files": ("a file named in [mqtt] cannot be used", "check that it exists and the service may read it"),
    "tls_expired": ("the broker's certificate has expired", "renew it at the broker; check this clock"),
    "tls_not_yet_valid": ("the broker's certificate is not valid yet", "check the terminal's clock"),
    "tls_unknown_ca": ("the broker's certificate is not signed by the CA trusted here", "check mqtt.ca_file"),
    "tls_wrong_name": ("the broker's certificate is for another name", "use that name in mqtt.url"),
    "tls_refused": ("the broker refuses our certificate", "renew mqtt.cert_file and mqtt.key_file"),
    "tls_failed": ("TLS cannot be set up", "check that this port speaks TLS"),
    "credentials": ("the broker refuses our name or password", "check mqtt.username and mqtt.password_file"),
    "not_authorised": (
        "the broker does not let us in",
        "check mqtt.username, mqtt.password_file and the broker's rules for this client",
    ),
    "client_id": ("the broker refuses our client id", "check terminal.id and the broker's rules"),
    "banned": ("the broker has banned us", "ask whoever runs the broker"),
    "busy": ("the broker has no room for us now", "it is tried again"),
    "protocol": ("the broker speaks no MQTT that we speak", "check that mqtt.url names an MQTT broker"),
    "refused": ("the broker refuses the connection", "see the broker's log"),
    "silent": ("the broker accepts the connection but says nothing", "see the broker's log"),
    "closed": ("the broker closes the connection before answering", "see the broker's log; check TLS or not"),
    "lost": ("the connection is lost", "it is tried again"),
    "no_reply": ("the broker no longer answers", "it is tried again"),
    "taken_over": ("another client has taken our client id over", "look for a second terminal of this id"),
    "duplicate_identity": (
        "another terminal uses this terminal's id; both keep being thrown out",
        "give each terminal its own terminal.id",
    ),
    "broken_peer": ("the broker breaks the protocol", "see the broker's log"),
    "internal": ("a mistake in this program", "report it with the log"),
}

CONNACK_WORDS: dict[int, str] = {
    0x84: "protocol",
    0x85: "client_id",
    0x86: "credentials",
    0x87: "not_authorised",
    0x88: "busy",
    0x89: "busy",
    0x8A: "banned",
    0x8C: "credentials",
    0x97: "busy",
    0x9F: "busy",
}
"""MQTT 5.0 section 3.2.2.2; 3.1.1 codes come translated by paho."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A word of `REASONS`, and what exactly was seen."""

    word: str
    detail: str = ""

    def line(self, broker: str) -> str:
        """What, where, what to do; in one line."""
        meaning, remedy = REASONS[self.word]
        seen = f" ({self.detail})" if self.detail else ""
        return f"broker {broker}: {meaning}{seen}; {remedy}".rstrip("; ")


class Troubled(Exception):
    """Ends a session or the attempt at one; never leaves the uplink."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.line("-"))
        self.trouble = trouble

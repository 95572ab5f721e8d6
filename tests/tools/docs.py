"""Generates what in docs/ follows from code: schemas, AsyncAPI, the fault catalogue.

`python -m tests.tools.docs` writes them; a test holds what is there against what would be written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agent.diagnosis.catalogue import ADVICE, CATALOGUE, Kind
from agent.diagnosis.faults import CHATTER_QUIET_S, CHATTER_RAISES, CHATTER_WINDOW_S
from tests.tools.schema import published, schema_of

ROOT = Path(__file__).parents[2]
CONTRACT_VERSION = "1.0.0"

# Topic's first level -> address below the terminal, QoS, retained, what it is.
TOPICS: dict[str, tuple[str, int, bool, str]] = {
    "status": ("status", 1, True, "Whether the terminal is connected; also its will."),
    "health": ("health", 1, True, "The terminal at a glance, on change and at each refresh."),
    "device": ("device/{device}", 1, True, "One device, on change and at each refresh."),
    "event": ("event", 1, False, "What must arrive: stored first, sent in order, told once."),
    "metric": ("metric", 0, False, "Sampled numbers; dropped when offline."),
}
_PARAMETERS = {
    "base": {"description": "Beginning of every topic; may hold slashes.", "default": "tillwatch/v1"},
    "terminal": {"description": "The terminal's id, unique in the fleet."},
    "device": {"description": "The device's id, unique in the terminal; `host` is the terminal's machine."},
}

_FAULTS_PAGE = """\
# Faults

Generated from `agent/diagnosis/catalogue.py` by `make docs`; edit that instead.

A condition that stays true for *on* seconds raises its fault; one that stays false for *off* seconds clears
it. Unknown does neither. While a cause of the same device lasts, a fault is not raised; one raised before
stays and names its cause. Raised {raises} times within {window_s:g} s (turning true again before it is
cleared counts), a fault is marked chattering; it stays raised, and is cleared after {quiet_s:g} s without a
change.

Closed hours: what a shop that closes switches off; not raised while it is closed by its configured hours.

Layer: whose trouble it is, the agent's own, the link's, the device's or the host's.

| kind | layer | severity | on s | off s | suppressed by | closed hours | meaning | advice |
|---|---|---|---|---|---|---|---|---|
{kinds}

## Advice

| code | English | 中文 |
|---|---|---|
{advice}
"""


def files() -> dict[str, str]:
    """Path below the repository -> text, of everything that is generated."""
    schemas = {f"docs/schema/{kind.name}.schema.json": _json(schema_of(kind)) for kind in published()}
    return {**schemas, "docs/asyncapi.json": _json(asyncapi()), "docs/faults.md": faults()}


def asyncapi() -> dict[str, Any]:
    """The topics and their messages as AsyncAPI 3.0, from the terminal's side: it sends."""
    kinds = list(published())
    channels, operations = {}, {}
    for topic, (address, qos, retain, what) in TOPICS.items():
        full = f"{{base}}/{{terminal}}/{address}"
        names = [kind.name for kind in kinds if kind.topic == topic]
        channels[topic] = {
            "address": full,
            "description": what,
            "parameters": {name: said for name, said in _PARAMETERS.items() if f"{{{name}}}" in full},
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        }
        operations[f"send-{topic}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{topic}"},
            "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in names],
            "bindings": {"mqtt": {"qos": qos, "retain": retain, "bindingVersion": "0.2.0"}},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tillwatch",
            "version": CONTRACT_VERSION,
            "description": "What a terminal publishes. The rules beside the schemas are in docs/mqtt.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                kind.name: {
                    "name": kind.name,
                    "summary": schema_of(kind)["description"],
                    "payload": {
                        "schemaFormat": "application/schema+json;version=draft-2020-12",
                        "schema": {"$ref": f"./schema/{kind.name}.schema.json"},
                    },
                }
                for kind in kinds
            }
        },
    }


def faults() -> str:
    """The catalogue as a page."""
    kinds = [
        f"| `{kind.kind}` | {kind.layer} | {kind.severity} | {kind.on_s:g} | {kind.off_s:g} "
        f"| {_causes(kind)} | {'no fault' if kind.closing else ''} | {kind.meaning} | `{kind.advice}` |"
        for kind in CATALOGUE.values()
    ]
    advice = [f"| `{code}` | {text.en} | {text.zh} |" for code, text in ADVICE.items()]
    return _FAULTS_PAGE.format(
        raises=CHATTER_RAISES,
        window_s=CHATTER_WINDOW_S,
        quiet_s=CHATTER_QUIET_S,
        kinds="\n".join(kinds),
        advice="\n".join(advice),
    )


def _causes(kind: Kind) -> str:
    return ", ".join(f"`{cause}`" for cause in kind.causes)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write every file; a schema that is generated no more goes."""
    made = {ROOT / path: said for path, said in files().items()}
    for stale in set((ROOT / "docs/schema").glob("*.schema.json")) - set(made):
        stale.unlink()
    for path, said in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said, encoding="utf-8")


if __name__ == "__main__":
    main()

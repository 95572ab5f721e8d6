"""What is right in a configuration and of no use there: told by `tillwatch config check`, no error."""

from __future__ import annotations

from agent.config import Config


def notes(config: Config) -> list[str]:
    """A line for each, as `device[0].text: does nothing...`."""
    found = []
    for index, device in enumerate(config.devices):
        for key in device.options:
            why = ""
            if device.access == "passive":
                why = 'while access is "passive" (the default): the device is never opened then'
            elif key == "slots" and device.link.startswith("pcsc:"):
                why = "over pcsc:, where each slot is a reader of its own"
            if why:
                found.append(f"device[{index}].{key}: does nothing {why}")
    return found

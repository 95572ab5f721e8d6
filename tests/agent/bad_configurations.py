# ruff: noqa: E501  one case a line: it is a table
"""Every way a configuration can be wrong: what is written -> how its one error begins, `key: reason`."""

from __future__ import annotations

from agent.config.file import MAX_BYTES

TOP = 'config_version = 1\n[terminal]\nid = "T-0001"\n'
MQTT = '[mqtt]\nurl = "mqtt://broker.example"\n'
LAMP = '[[device]]\nid = "lamp"\ndriver = "lamp"\nlink = "tcp:192.0.2.7:9100"\n'
LEAST = TOP + MQTT

ID_FORM = "expected a letter or digit, then at most 62 letters, digits, dots, underscores or dashes"
URL_FORM = "expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]"
BAD: dict[str, tuple[str | bytes, str]] = {
    "version missing": (MQTT + '[terminal]\nid = "T"', "config_version: is missing; write config_version = 1 at the top"),
    "version other": ("config_version = 2\n[moon]", "config_version: this version of Tillwatch reads 1, not 2"),
    "version true": ("config_version = true", "config_version: this version of Tillwatch reads 1, not True"),
    "not toml": ('config_version = 1\nid = "T\n', "line 2: is not TOML: Illegal character '\\n'"),
    "cut short": ("config_version = [", "file: is not TOML: Invalid value (at end of document)"),
    "absurd number": ("config_version = " + "1" * 5000, "file: is not TOML: Exceeds the limit"),
    "absurd nesting": ("config_version = " + "[" * 9000, "file: is not TOML: "),
    "not utf-8": (b'config_version = 1\n[terminal]\nsite = "caf\xe9"\n', "line 3: is not UTF-8; save the file"),
    "too large": (b"#" * (MAX_BYTES + 1), f"file: is larger than {MAX_BYTES} bytes; is this the configuration?"),
    "top-level key": ("bas = 1\n" + LEAST, "bas: unknown key"),
    "table misspelt": (LEAST + "[agnet]\n", "agnet: unknown key; did you mean agent?"),
    "key with a line break": ('"a\\nb" = 1\n' + LEAST, "'a\\nb': unknown key"),
    "table is none": ('host = "here"\n' + LEAST, "host: expected a table [host], not a text in quotes"),
    "terminal missing": ("config_version = 1\n" + MQTT, "terminal.id: is missing"),
    "terminal id form": (f'config_version = 1\n{MQTT}[terminal]\nid = "T 1"', f"terminal.id: {ID_FORM}"),
    "terminal id length": (f'config_version = 1\n{MQTT}[terminal]\nid = "{"T" * 64}"', f"terminal.id: {ID_FORM}"),
    "terminal id type": (f"config_version = 1\n{MQTT}[terminal]\nid = 7", "terminal.id: expected a text in quotes, not a whole number"),
    "site too long": (f'{TOP}site = "{"s" * 65}"\n{MQTT}', "terminal.site: expected at most 64 characters, not 65"),
    "site of two lines": (f'{TOP}site = "a\\nb"\n{MQTT}', "terminal.site: expected one line of text"),
    "hours day": (f'{TOP}hours = "Mon 08:00-20:00"\n{MQTT}', 'terminal.hours: expected hours as in "Mo-Fr 08:00-20:00; Sa 10:00-16:00", not "Mon 08:00-20:00"'),
    "hours time": (f'{TOP}hours = "Mo 08:00-20:00; Su 9-25"\n{MQTT}', 'terminal.hours: expected hours as in "Mo-Fr 08:00-20:00; Sa 10:00-16:00", not "Su 9-25"'),
    "mqtt missing": (TOP, "mqtt.url: is missing"),
    "url scheme": (TOP + '[mqtt]\nurl = "http://broker"', f"mqtt.url: {URL_FORM}"),
    "url without scheme": (TOP + '[mqtt]\nurl = "broker:1883"', f"mqtt.url: {URL_FORM}"),
    "url host": (TOP + '[mqtt]\nurl = "mqtt://:1883"', f"mqtt.url: names no host; {URL_FORM}"),
    "url port": (TOP + '[mqtt]\nurl = "mqtt://broker:70000"', "mqtt.url: not a URL: Port out of range 0-65535"),
    "url port 0": (TOP + '[mqtt]\nurl = "mqtt://broker:0"', "mqtt.url: port 0 is none; expected 1 to 65535"),
    "url path": (TOP + '[mqtt]\nurl = "mqtt://broker/base"', "mqtt.url: ends with the port; the topics' beginning goes into base"),
    "url password": (TOP + '[mqtt]\nurl = "mqtt://till:secret@broker"', "mqtt.url: user and password do not belong into the URL; use username and password_file"),
    "keepalive 0": (LEAST + "keepalive_s = 0", "mqtt.keepalive_s: expected 1 to 65535, not 0"),
    "keepalive fraction": (LEAST + "keepalive_s = 1.5", "mqtt.keepalive_s: expected a whole number, not a number"),
    "keepalive bool": (LEAST + "keepalive_s = true", "mqtt.keepalive_s: expected a whole number, not true or false"),
    "password in the file": (LEAST + 'password = "x"', "mqtt.password: unknown key; did you mean password_file?"),
    "base wildcard": (LEAST + 'base = "tillwatch/#"', "mqtt.base: a wildcard (+ or #) cannot stand in a topic that is published to"),
    "base slash first": (LEAST + 'base = "/tillwatch"', "mqtt.base: expected levels with a single slash between them, and none at either end"),
    "base slash last": (LEAST + 'base = "tillwatch/"', "mqtt.base: expected levels with a single slash between them, and none at either end"),
    "base of the broker": (LEAST + 'base = "$SYS/till"', "mqtt.base: topics that begin with $ are the broker's own"),
    "ca without tls": (LEAST + 'ca_file = "/dev/../etc/passwd"', "mqtt.ca_file: is of use only with an mqtts:// url"),
    "ca not there": (TOP + '[mqtt]\nurl = "mqtts://broker"\nca_file = "/nowhere/ca.pem"', "mqtt.ca_file: there is no file /nowhere/ca.pem"),
    "key without cert": (TOP + '[mqtt]\nurl = "mqtts://broker"\nkey_file = "/etc/passwd"', "mqtt.key_file: needs cert_file beside it"),
    "cert without key": (TOP + '[mqtt]\nurl = "mqtts://broker"\ncert_file = "/etc/passwd"', "mqtt.cert_file: needs key_file beside it"),
    "password without user": (LEAST + 'password_file = "/etc/passwd"', "mqtt.password_file: needs username beside it"),
    "clock word": (LEAST + '[agent]\nclock = "maybe"', 'agent.clock: expected auto or trusted, not "maybe"'),
    "refresh not a number": (LEAST + "[agent]\nhealth_refresh_s = nan", "agent.health_refresh_s: expected 1 to 86400, not nan"),
    "refresh a date": (LEAST + "[agent]\nhealth_refresh_s = 2026-01-01", "agent.health_refresh_s: expected a number, not a date or time"),
    "metric a list": (LEAST + "[agent]\nmetric_s = [1]", "agent.metric_s: expected a number, not a list"),
    "vitals": (LEAST + '[host]\nvitals = "file:vitals.json"', "host.vitals: expected psutil, or file: with an absolute path"),
    "device single brackets": (LEAST + '[device]\nid = "lamp"', "device: expected tables [[device]], with double brackets"),
    "device id missing": (LEAST + LAMP.replace('id = "lamp"\n', ""), "device[0].id: is missing"),
    "device id reserved": (LEAST + LAMP.replace('id = "lamp"', 'id = "host"'), 'device[0].id: "host" is reserved; choose another'),
    "device id twice": (LEAST + LAMP + LAMP, 'device[1].id: "lamp" is the id of device[0] already'),
    "driver missing": (LEAST + '[[device]]\nid = "lamp"\nlink = "tcp:h:1"', "device[0].driver: is missing"),
    "driver unknown": (LEAST + LAMP.replace('driver = "lamp"', 'driver = "lump"'), "device[0].driver: there is no driver 'lump'; there are: lamp"),
    "link missing": (LEAST + '[[device]]\nid = "lamp"\ndriver = "lamp"', "device[0].link: is missing"),
    "link malformed": (LEAST + LAMP.replace(":9100", ""), "device[0].link: "),
    "link not the driver's": (LEAST + LAMP.replace("tcp:192.0.2.7:9100", "serial:/dev/ttyS0"), "device[0].link: driver lamp works over tcp, not over serial"),
    "access word": (LEAST + LAMP + 'access = "exclusiv"', 'device[0].access: expected passive or shared or exclusive, not "exclusiv"'),
    "access shared": (LEAST + LAMP + 'access = "shared"\ntill = "tty:/run/t"', "device[0].access: shared is not in this version; use passive or exclusive"),
    "till without shared": (LEAST + LAMP + 'till = "tty:/run/t"', 'device[0].till: goes with access = "shared" only'),
    "profile unknown": (LEAST + LAMP + 'profile = "dark"', 'device[0].profile: driver lamp has no profile "dark"; it has plain, bright'),
    "poll out of range": (LEAST + LAMP + "poll_s = 0", "device[0].poll_s: expected 0.1 to 3600, not 0"),
    "reply out of range": (LEAST + LAMP + "reply_s = -1.5", "device[0].reply_s: expected 0.02 to 30, not -1.5"),
    "option unknown": (LEAST + LAMP + 'color = "red"', "device[0].color: unknown key; did you mean colour?"),
    "option type": (LEAST + LAMP + "blinks = 1", "device[0].blinks: expected true or false, not a whole number"),
    "one link twice": (
        LEAST + LAMP + 'access = "exclusive"\n' + LAMP.replace('"lamp"\nd', '"lamp2"\nd') + 'access = "exclusive"',
        "device[1].link: is opened by device[0] already; two cannot own one device",
    ),
    "option word": (LEAST + LAMP + 'mood = "sad"', 'device[0].mood: expected calm or merry, not "sad"'),
    "option bool for whole": (LEAST + LAMP + "limit = true", "device[0].limit: expected a whole number, not true or false"),
    "option not a number": (LEAST + LAMP + 'factor = "2"', "device[0].factor: expected a number, not a text in quotes"),
    "option beyond a float": (LEAST + LAMP + "factor = 1" + "0" * 400, "device[0].factor: expected -1.79769e+308 to 1.79769e+308, not 1000"),
}  # fmt: skip

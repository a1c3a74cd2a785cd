"""What a plain scalar means in YAML 1.1, the version that the hosted platforms read. Pure.

Dates stay text on purpose: no key of the format is one, and JSON has none.
"""

from __future__ import annotations

import re

from deployd.project.yaml.nodes import Plain

_TRUE = {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}
_FALSE = {"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
_NULL = {"", "~", "null", "Null", "NULL"}
_INTEGER = re.compile(
    r"[-+]?(0b[0-1_]+|0[0-7_]+|(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)", re.ASCII
)
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    re.ASCII,
)
LONGEST_NUMBER = 60  # digits; a longer one stays text, as Python would spend quadratic time on it


def plain_value(text: str) -> Plain:
    """`Off` → False, `010` → 8, `1_000` → 1000, `1:30` → 90, `8.10` → 8.1, everything else the text itself."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text in _NULL:
        return None
    if text[0] in "+-.0123456789" and len(text) <= LONGEST_NUMBER:
        if _INTEGER.fullmatch(text):
            return _integer(text)
        if _FLOAT.fullmatch(text):
            return _float(text)
    return text


def _integer(text: str) -> Plain:
    sign, digits = _split_sign(text.replace("_", ""))
    try:
        if digits == "0":
            return 0
        if digits.startswith("0b"):
            return sign * int(digits[2:], 2)
        if digits.startswith("0x"):
            return sign * int(digits[2:], 16)
        if digits.startswith("0"):
            return sign * int(digits, 8)
        return sign * int(_base_60(digits)) if ":" in digits else sign * int(digits)
    except ValueError:  # `0b_`, `0_`: numbers by the rule, but without a digit
        return text


def _float(text: str) -> Plain:
    sign, digits = _split_sign(text.replace("_", "").lower())
    if digits in (".inf", ".nan"):
        return text  # JSON has neither
    try:
        return sign * (_base_60(digits) if ":" in digits else float(digits))
    except ValueError:
        return text


def _split_sign(text: str) -> tuple[int, str]:
    if text[0] in "+-":
        return (-1 if text[0] == "-" else 1), text[1:]
    return 1, text


def _base_60(digits: str) -> float:
    total = 0.0
    for part in digits.split(":"):
        total = total * 60 + float(part)
    return total

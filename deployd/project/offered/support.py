"""When the makers of runtimes and services stopped mending holes in a version. Values only.

The last month with security updates, as their makers announced it; what is not here is mended, or nobody says. Which
versions the hosted platforms keep is another matter (`Versions.retired`).
"""

from __future__ import annotations

from datetime import date

MONTHS_OF_A_YEAR = 12


def _months(text: str) -> dict[str, date]:
    """From `version year-month` words: {version: the first day after its last month}."""
    words = text.split()
    found = {}
    for version, month in zip(words[::2], words[1::2], strict=True):
        year, number = map(int, month.split("-"))
        found[version] = date(year + number // MONTHS_OF_A_YEAR, number % MONTHS_OF_A_YEAR + 1, 1)
    return found


_SUPPORT: dict[str, dict[str, date]] = {
    "dotnet": _months(
        "2.0 2018-10 2.1 2021-08 2.2 2019-12 3.1 2022-12 5.0 2022-05 6.0 2024-11 7.0 2024-05 8.0 2026-11 10.0 2028-11"
    ),
    "elixir": _months("1.9 2022-09 1.10 2023-06 1.11 2023-12 1.12 2024-06 1.13 2024-12 1.14 2025-10"),
    "golang": _months(
        "1.8 2018-02 1.9 2018-08 1.10 2019-02 1.11 2019-09 1.12 2020-02 1.13 2020-08 1.14 2021-02 1.15 2021-08"
        " 1.16 2022-03 1.17 2022-08 1.18 2023-02 1.19 2023-09 1.20 2024-02 1.21 2024-08 1.22 2025-02 1.23 2025-08"
        " 1.24 2026-02"
    ),
    "hhvm": _months("3.9 2016-06 3.12 2017-01 3.15 2017-07 3.18 2018-01"),
    "java": _months(
        "8 2030-12 11 2027-10 12 2019-09 13 2020-03 14 2020-09 17 2027-10 18 2022-09 19 2023-03 21 2029-12 25 2031-09"
    ),
    "nodejs": _months(
        "0.12 2016-12 4.2 2018-04 4.3 2018-04 4.4 2018-04 4.5 2018-04 4.6 2018-04 4.7 2018-04 4.8 2018-04 6 2019-04"
        " 6.1 2019-04 6.2 2019-04 6.3 2019-04 6.6 2019-04 6.8 2019-04 6.9 2019-04 6.10 2019-04 6.11 2019-04 8 2019-12"
        " 8.2 2019-12 8.9 2019-12 10 2021-04 12 2022-04 14 2023-04 16 2023-09 18 2025-04 20 2026-04 22 2027-04"
        " 24 2028-04 26 2029-04"
    ),
    "php": _months(
        "5.4 2015-09 5.5 2016-07 5.6 2018-12 7.0 2019-01 7.1 2019-12 7.2 2020-11 7.3 2021-12 7.4 2022-11 8.0 2023-11"
        " 8.1 2025-12 8.2 2026-12 8.3 2027-12 8.4 2028-12 8.5 2029-12"
    ),
    "python": _months(
        "2.7 2020-04 3.5 2020-09 3.6 2021-12 3.7 2023-06 3.8 2024-10 3.9 2025-10 3.10 2026-10 3.11 2027-10 3.12 2028-10"
        " 3.13 2029-10 3.14 2030-10"
    ),
    "ruby": _months(
        "2.3 2019-03 2.4 2020-04 2.5 2021-04 2.6 2022-04 2.7 2023-03 3.0 2024-04 3.1 2025-03 3.2 2026-03 3.3 2027-03"
        " 3.4 2028-03 4.0 2029-03"
    ),
    "rust": _months("1.93 2026-03"),
    "mariadb": _months(
        "5.5 2020-04 10.0 2019-03 10.1 2020-10 10.2 2022-05 10.3 2023-05 10.4 2024-06 10.5 2025-06 10.6 2026-07"
        " 10.11 2028-02 11.0 2024-06 11.2 2024-11 11.3 2024-05 11.4 2029-05 11.8 2028-06"
    ),
    "oracle-mysql": _months("5.7 2023-10 8.0 2026-04 8.4 2032-04"),
    "postgresql": _months(
        "9.3 2018-11 9.4 2020-02 9.5 2021-02 9.6 2021-11 10 2022-11 11 2023-11 12 2024-11 13 2025-11 14 2026-11 15"
        " 2027-11 16 2028-11 17 2029-11 18 2030-11"
    ),
    "redis": _months("2.8 2016-05 3.0 2017-07 3.2 2018-10 4.0 2020-04 5.0 2022-04 6.0 2022-04 7.0 2024-07"),
    "elasticsearch": _months(
        "0.90 2015-02 1.4 2016-05 1.7 2017-01 2.4 2018-02 5.2 2019-03 5.4 2019-03 5.6 2019-03 6.5 2022-02 6.8 2022-02"
        " 7.2 2026-01 7.5 2026-01 7.6 2026-01 7.7 2026-01 7.9 2026-01 7.10 2026-01 7.12 2026-01 7.17 2026-01"
    ),
    "rabbitmq": _months(
        "3.5 2016-10 3.6 2018-05 3.7 2020-09 3.8 2022-07 3.9 2023-01 3.10 2023-07 3.11 2023-12 3.12 2024-06 3.13"
        " 2024-09 4.0 2025-04 4.1 2025-10"
    ),
    "mongodb": _months("3.0 2018-02 3.2 2018-09 3.4 2020-01 3.6 2021-04 4.0 2022-04"),
    "mongodb-enterprise": _months("4.0 2022-04 4.2 2023-04 4.4 2024-02 5.0 2024-10 6.0 2025-07 7.0 2027-08"),
    "solr": _months(
        "3.6 2016-04 4.1 2016-04 4.10 2016-04 6.3 2019-03 6.6 2019-03 7.6 2022-05 7.7 2022-05 8.0 2024-10 8.4 2024-10"
        " 8.6 2024-10 8.11 2024-10"
    ),
    "varnish": _months(
        "5.1 2017-09 5.2 2018-03 5.6 2018-03 6.3 2020-03 6.4 2020-09 7.1 2023-03 7.2 2023-09 7.3 2024-03"
    ),
}


def support_ended(name: str, version: str, today: date) -> date | None:
    """The first day on which nobody mended a version any more, once it is over; None: it is mended, or nobody knows."""
    ended = _SUPPORT.get(name, {}).get(version)
    return ended if ended is not None and ended <= today else None


def known_ends() -> dict[str, tuple[str, ...]]:
    """{runtime or kind of service: versions of which an end is known}"""
    return {name: tuple(versions) for name, versions in _SUPPORT.items()}

"""Properties of a licence, read from its SPDX name."""


def forbids_commercial_use(license_name: str) -> bool:
    """Whether the licence forbids commercial use: Creative Commons marks these licences with NC."""
    return "NC" in license_name.upper().split("-")

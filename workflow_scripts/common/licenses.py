"""What the SPDX name of a licence says."""


def forbids_commercial_use(license_name: str) -> bool:
    """Whether a licence is non-commercial: Creative Commons marks those with NC."""
    return "NC" in license_name.upper().split("-")

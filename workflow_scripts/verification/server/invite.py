"""Make a reviewer's account, with an organisation of its own, of which the lead is the other member.

Run by Label Studio's Python, beside a running server or without one: Label Studio's API makes no organisations. Reads
{address, password, name, lead} as JSON from standard input, writes {account, organisation} to standard output. An account
that is there keeps its organisation, and gets the password.
"""

import json
import sys


def main() -> None:
    """Make the account and tell its numbers."""
    wanted = json.load(sys.stdin)
    from label_studio.server import _setup_env

    sys.stdout, told = sys.stderr, sys.stdout  # Label Studio prints while it starts
    _setup_env()
    from django.db import OperationalError, transaction

    try:
        with transaction.atomic():
            made = account(wanted)
    except OperationalError as error:
        sys.exit(f"error: Label Studio's database is not ready ({error}). Start it, and wait until it answers.")
    json.dump(made, told)


def account(wanted: dict[str, str]) -> dict[str, int]:
    """The numbers of the account and of its organisation."""
    from organizations.models import Organization
    from users.models import User

    lead = User.objects.filter(email=wanted["lead"]).first()
    if lead is None:
        sys.exit(f"error: Label Studio has no account {wanted['lead']} yet. Start it, and wait until it answers.")
    user = User.objects.filter(email=wanted["address"]).first()
    if user is None:
        user = User.objects.create_user(email=wanted["address"], password=wanted["password"])
        user.first_name = user.username = wanted["name"]
        # An organisation has an owner, who may remove its members: one that nobody can log in as.
        owner = User.objects.create_user(email=f"owner-of-{wanted['address']}", password=None, is_active=False)
        organisation = Organization.objects.create(title=f"Reviews of {wanted['name']}", created_by=owner)
        for member in (user, lead):
            organisation.add_user(member)
        organisation.jwt.legacy_api_tokens_enabled = True
        organisation.jwt.save()
        user.active_organization = organisation
    else:
        user.set_password(wanted["password"])
    user.save()
    return {"account": user.pk, "organisation": user.active_organization_id}


if __name__ == "__main__":
    main()

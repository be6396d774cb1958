"""Create a reviewer's account with its own organisation, in which the lead is the second member.

Run with Label Studio's Python, with or without a running server: Label Studio's API cannot create organisations. Reads
{address, password, name, lead} as JSON from standard input, writes {account, organisation} to standard output. An existing
account keeps its organisation and gets the new password.
"""

import json
import sys


def main() -> None:
    """Create the account and print its numbers."""
    request = json.load(sys.stdin)
    from label_studio.server import _setup_env

    sys.stdout, output = sys.stderr, sys.stdout  # Label Studio prints to standard output while it starts
    _setup_env()
    from django.db import OperationalError, transaction

    try:
        with transaction.atomic():
            numbers = account(request)
    except OperationalError as error:
        sys.exit(f"error: Label Studio's database is not ready ({error}). Start the server and wait until it responds.")
    json.dump(numbers, output)


def account(request: dict[str, str]) -> dict[str, int]:
    """The numbers of the account and of its organisation, created if missing."""
    from organizations.models import Organization
    from users.models import User

    lead = User.objects.filter(email=request["lead"]).first()
    if lead is None:
        sys.exit(f"error: Label Studio has no account {request['lead']}. Start the server and wait until it responds.")
    user = User.objects.filter(email=request["address"]).first()
    if user is None:
        user = User.objects.create_user(email=request["address"], password=request["password"])
        user.first_name = user.username = request["name"]
        # An organisation needs an owner, who may remove members: an account without a login.
        owner = User.objects.create_user(email=f"owner-of-{request['address']}", password=None, is_active=False)
        organisation = Organization.objects.create(title=f"Reviews of {request['name']}", created_by=owner)
        for member in (user, lead):
            organisation.add_user(member)
        organisation.jwt.legacy_api_tokens_enabled = True
        organisation.jwt.save()
        user.active_organization = organisation
    else:
        user.set_password(request["password"])
    user.save()
    return {"account": user.pk, "organisation": user.active_organization_id}


if __name__ == "__main__":
    main()

"""Label Studio's command line with one additional rule: users enter only organisations in which they are members.

Label Studio shows users the projects of their active organisation, and its API lets users switch to any organisation. With
this rule a reviewer stays in the reviewer's own organisation. Run with Label Studio's Python.
"""

from typing import Any

from label_studio import server


def refuse(sender: type, instance: Any, **options: Any) -> None:
    """Handle Django's `pre_save` of a user: PermissionDenied if the active organisation does not have the user as member."""
    from django.core.exceptions import PermissionDenied
    from organizations.models import OrganizationMember

    if instance.active_organization_id is None:
        return
    membership = {"organization_id": instance.active_organization_id, "deleted_at__isnull": True}
    if instance.pk is None or not OrganizationMember.objects.filter(user_id=instance.pk, **membership).exists():
        raise PermissionDenied


def main() -> None:
    """Run `label-studio`; the rule is connected as soon as Django's models are loaded."""
    set_up = server._setup_env

    def set_up_with_rule() -> None:
        set_up()
        from django.db.models.signals import pre_save
        from users.models import User

        pre_save.connect(refuse, sender=User, dispatch_uid="members only")

    server._setup_env = set_up_with_rule
    server.main()


if __name__ == "__main__":
    main()

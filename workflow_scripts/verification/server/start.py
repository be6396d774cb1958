"""Label Studio's own command line, with one rule more: nobody's organisation is one that he is not a member of.

Label Studio shows a user the projects of his active organisation, and its API lets him change which that is, to any. With
this rule a reviewer, who is a member of an organisation of his own, stays in it. Run by Label Studio's Python.
"""

from typing import Any

from label_studio import server


def refuse(sender: type, instance: Any, **more: Any) -> None:
    """Signal of a user about to be saved: PermissionDenied where it would enter another's organisation."""
    from django.core.exceptions import PermissionDenied
    from organizations.models import OrganizationMember

    if instance.active_organization_id is None:
        return
    of_this = {"organization_id": instance.active_organization_id, "deleted_at__isnull": True}
    if instance.pk is None or not OrganizationMember.objects.filter(user_id=instance.pk, **of_this).exists():
        raise PermissionDenied


def main() -> None:
    """Start as `label-studio` does, the rule set up as soon as its models are there."""
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

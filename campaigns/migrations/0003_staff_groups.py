"""The permission to change statuses, and three groups to give to staff: who may look, who may write, who may activate."""

from django.db import migrations

VIEW = {
    "view_campaign": ("campaign", "Can view campaign"),
    "view_campaignstep": ("campaignstep", "Can view campaign step"),
    "view_historyentry": ("historyentry", "Can view history entry"),
}
EDIT = {
    f"{verb}_{model}": (model, f"Can {verb} {name}")
    for model, name in (("campaign", "campaign"), ("campaignstep", "campaign step"))
    for verb in ("add", "change", "delete")
}
ACTIVATE = {"activate_campaign": ("campaign", "Can change a campaign's status")}
GROUPS = {
    "Campaign viewers": VIEW,
    "Campaign editors": VIEW | EDIT,
    "Campaign publishers": VIEW | EDIT | ACTIVATE,
}


def create_groups(apps, schema_editor):
    # Django makes permissions only after the last migration: those that the groups need are made here, by its names.
    using = schema_editor.connection.alias
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    ContentType = apps.get_model("contenttypes", "ContentType")
    for group_name, permissions in GROUPS.items():
        group, _ = Group.objects.using(using).get_or_create(name=group_name)
        for codename, (model, name) in permissions.items():
            content_type, _ = ContentType.objects.using(using).get_or_create(app_label="campaigns", model=model)
            permission, _ = Permission.objects.using(using).get_or_create(
                content_type=content_type, codename=codename, defaults={"name": name}
            )
            group.permissions.add(permission)


def delete_groups(apps, schema_editor):
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    groups.filter(name__in=GROUPS).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0002_seed_mark"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="campaign",
            options={
                "ordering": ("-id",),
                "permissions": (("activate_campaign", "Can change a campaign's status"),),
            },
        ),
        migrations.RunPython(create_groups, delete_groups),
    ]

from django.db import migrations

from campaigns.revisions import freeze_all


def freeze(apps, schema_editor):  # type: ignore[no-untyped-def]
    for _ in freeze_all():
        pass


class Migration(migrations.Migration):
    """Revision 1 of what was activated before there were revisions, in batches, each a transaction."""

    atomic = False
    dependencies = [
        ("campaigns", "0009_revisions"),
    ]

    operations = [
        migrations.RunPython(freeze, migrations.RunPython.noop),
    ]

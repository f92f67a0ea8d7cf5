from django.db import migrations

from campaigns.feed import number_all


class Migration(migrations.Migration):
    """Number what was written before there was a feed, in batches, each a transaction: nobody waits for it."""

    atomic = False
    dependencies = [
        ("campaigns", "0010_feed"),
    ]

    operations = [
        migrations.RunPython(lambda apps, schema_editor: number_all(), migrations.RunPython.noop),
    ]

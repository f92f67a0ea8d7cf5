from django.db import migrations, models


def without_write_ahead_log(apps, schema_editor):
    """Counts needn't outlive a crash, and each one would wait for the disk."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE messaging_api_throttlecounter SET UNLOGGED")


class Migration(migrations.Migration):
    dependencies = [
        ("messaging_api", "0001_idempotent_answer"),
    ]

    operations = [
        migrations.CreateModel(
            name="ThrottleCounter",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("resets_at", models.BigIntegerField()),
                ("calls", models.BigIntegerField()),
            ],
        ),
        migrations.RunPython(without_write_ahead_log, migrations.RunPython.noop),
    ]

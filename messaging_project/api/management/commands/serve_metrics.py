from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from prometheus_client import CollectorRegistry, start_wsgi_server

from messaging_project import commands
from messaging_project.metrics import LiveProcesses


class Command(commands.Command):
    help = "Serve what all processes have counted, for Prometheus, on METRICS_ADDRESS. Runs until it is stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.METRICS_DIRECTORY:
            raise CommandError("Set PROMETHEUS_MULTIPROC_DIR to a folder, here and for the service.")
        host, port = settings.METRICS_ADDRESS
        registry = CollectorRegistry()
        registry.register(LiveProcesses(Path(settings.METRICS_DIRECTORY)))
        try:
            _, thread = start_wsgi_server(port, host, registry)
        except OSError as error:
            raise CommandError(f"METRICS_ADDRESS {host}:{port} can't be served: {error.strerror}.") from error
        self.stdout.write(f"Metrics are on http://{host}:{port}/metrics")
        self.stdout.flush()
        thread.join()

"""Sentry and OpenTelemetry, each imported only where its own variable is set."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured

from messaging_project.environment import Environment


def start(env: Environment) -> None:
    """Raises ImproperlyConfigured where a variable is set and its package is missing."""
    if dsn := env.text("SENTRY_DSN"):
        with _needed_by("SENTRY_DSN"):
            _sentry(dsn)
    if env.text("OTEL_EXPORTER_OTLP_ENDPOINT"):
        with _needed_by("OTEL_EXPORTER_OTLP_ENDPOINT"):
            _opentelemetry()


@contextmanager
def _needed_by(variable: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ImproperlyConfigured(
            f"{variable} is set, and the package {error.name} is missing: "
            f"pip install -r requirements-optional.txt, or unset {variable}."
        ) from error


def _sentry(dsn: str) -> None:
    import sentry_sdk

    # Variables of a frame may be a step's or a token.
    sentry_sdk.init(dsn, send_default_pii=False, max_request_body_size="never", include_local_variables=False)


def _opentelemetry() -> None:
    """The exporter reads the endpoint and its other variables itself; Django's middleware is added to the settings."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument()

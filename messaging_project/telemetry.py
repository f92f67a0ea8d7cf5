"""Sentry and OpenTelemetry, each imported only where its own variable is set."""

from django.core.exceptions import ImproperlyConfigured

from messaging_project.environment import Environment


def start(env: Environment) -> None:
    """Raises ImproperlyConfigured where a variable is set and its package is missing."""
    for variable, begin in (("SENTRY_DSN", _sentry), ("OTEL_EXPORTER_OTLP_ENDPOINT", _opentelemetry)):
        if value := env.text(variable):
            try:
                begin(value)
            except ImportError as error:
                raise ImproperlyConfigured(
                    f"{variable} is set, and the package {error.name} is missing: "
                    f"pip install -r requirements-optional.txt, or unset {variable}."
                ) from error


def _sentry(dsn: str) -> None:
    import sentry_sdk

    # Variables of a frame may be a step's or a token.
    sentry_sdk.init(dsn, send_default_pii=False, max_request_body_size="never", include_local_variables=False)


def _opentelemetry(_: str) -> None:
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

"""Settings, all of them from the environment; docs/settings.md has the table.

Without DJANGO_SECRET_KEY the project runs *locally*: it takes random secrets from a git-ignored file, and answers only
hosts of this machine. With it, the defaults are those of production, and that file is not read.
"""

from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured

from messaging_project.api.throttle_settings import throttles
from messaging_project.api.token_settings import access_tokens, required_scopes
from messaging_project.environment import MAIL_PORTS, Environment, local_secrets

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# --- Secrets and hosts -----------------------------------------------------------------------------------------------
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
SECRET_KEY = env.text("DJANGO_SECRET_KEY")
LOCAL = not SECRET_KEY
DEBUG = env.flag("DJANGO_DEBUG", default=False)
ALLOWED_HOSTS = env.hosts("DJANGO_ALLOWED_HOSTS", LOOPBACK_HOSTS)
CSRF_TRUSTED_ORIGINS = env.origins("DJANGO_CSRF_TRUSTED_ORIGINS")
_local_token_key = ""
if LOCAL:
    if not set(ALLOWED_HOSTS) <= set(LOOPBACK_HOSTS):
        raise ImproperlyConfigured(
            "DJANGO_ALLOWED_HOSTS names hosts other than this machine: set DJANGO_SECRET_KEY too, "
            "to a random string of at least 50 characters."
        )
    _secrets = local_secrets(BASE_DIR / ".local" / "secrets.json")
    SECRET_KEY, _local_token_key = _secrets["secret_key"], _secrets["access_token_key"]
elif len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("DJANGO_SECRET_KEY is too short: set it to a random string of at least 50 characters.")

# --- Transport security: on wherever the project isn't local ---------------------------------------------------------
_https = env.flag("DJANGO_HTTPS", default=not LOCAL)
SECURE_SSL_REDIRECT = _https
# The API never redirects: clients would repeat a POST as a GET, or send their token twice.
SECURE_REDIRECT_EXEMPT = [r"^v1(?:/|$)"]
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
SECURE_HSTS_SECONDS = env.integer("DJANGO_HSTS_SECONDS", default=31_536_000) if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
if env.flag("DJANGO_TRUST_X_FORWARDED_PROTO", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
# Pages load nothing from other hosts, and run no inline script or style.
SECURE_CSP = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],  # Swagger UI's icons
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}

# --- Application -----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "messaging_project.apps.StaffConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "axes",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "messaging_project.api",
    "campaigns",
]
MIDDLEWARE = [
    "messaging_project.api.request_id.RequestIdMiddleware",
    "messaging_project.observe.observe",
    "messaging_project.health.health",
    "django.middleware.security.SecurityMiddleware",
    "messaging_project.content_security_policy.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "messaging_project.page_middleware.SessionMiddleware",
    "messaging_project.common_middleware.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "messaging_project.page_middleware.AuthenticationMiddleware",
    "messaging_project.page_middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "messaging_project.staff_time_zone.staff_time_zone",
]
ROOT_URLCONF = "messaging_project.urls"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"  # so that form fields can have templates in templates/
WSGI_APPLICATION = "messaging_project.wsgi.application"
# A page of 300 steps sends nine fields per step, and up to 2 MiB of variables, percent-encoded.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 4_000
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
APPEND_SLASH = False  # the API answers with and without one, never by redirect
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STAFF_SITE = "messaging_project.staff_site.StaffSite"
SESSION_COOKIE_AGE = 60 * env.integer("STAFF_SESSION_MINUTES", default=480, minimum=1)  # after the last page
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = [
    "messaging_project.login_guard.LoginGuardBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Guesses of passwords: never an account alone, or anyone could lock its owner out.
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", default=0)
AXES_HANDLER = "messaging_project.login_guard.LoginGuardHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_FAILURE_LIMIT = 10  # of the pair; LoginGuardHandler measures an address by it, too
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "messaging_project.login_guard.client_address"
AXES_USERNAME_CALLABLE = "messaging_project.login_guard.username_as_stored"
AXES_CLIENT_STR_CALLABLE = "messaging_project.login_guard.described"
AXES_LOCKOUT_CALLABLE = "messaging_project.login_guard.locked_out"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# --- E-mail: without a server, no password can be reset by one -------------------------------------------------------
if _mail_server := env.mail_server("EMAIL_URL"):
    EMAIL_HOST, EMAIL_PORT = _mail_server.hostname, _mail_server.port or MAIL_PORTS[_mail_server.scheme]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail_server.username or ""), unquote(_mail_server.password or "")
    EMAIL_USE_TLS, EMAIL_USE_SSL = _mail_server.scheme == "smtp+tls", _mail_server.scheme == "smtps"
    EMAIL_TIMEOUT = 10
    DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM")
    if "@" not in DEFAULT_FROM_EMAIL:
        raise ImproperlyConfigured("EMAIL_URL is set: set EMAIL_FROM to the address that mails come from.")
CAN_SEND_EMAIL = _mail_server is not None

# --- Language and time -----------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"  # of the API and the logs
STAFF_TIME_ZONE = env.time_zone("STAFF_TIME_ZONE", default=TIME_ZONE)
USE_TZ = True

# --- Static files ----------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.text("DJANGO_STATIC_ROOT") or None  # where collectstatic puts copies, if another server serves them
WHITENOISE_USE_FINDERS = True  # so that nothing need be collected before the first start
WHITENOISE_AUTOREFRESH = DEBUG

# --- Database --------------------------------------------------------------------------------------------------------
# A service or a command that lost its environment must not write to a file in the clone.
_database = env.database("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}" if LOCAL else "")
_options = _database.setdefault("OPTIONS", {})
DATABASE_TIMEOUTS_MS: dict[str, int] = {}  # of processes that serve; 0 leaves it to the server
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _database["ENGINE"] = "messaging_project.sqlite"
    # IMMEDIATE takes the write lock when a transaction starts. A DEFERRED one that writes later fails at once if
    # another writer came between, whatever the timeout.
    _options |= {
        "transaction_mode": "IMMEDIATE",
        "timeout": env.integer("DATABASE_BUSY_TIMEOUT_SECONDS", default=20, minimum=1),
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
elif _database["ENGINE"] == "django.db.backends.postgresql":
    _database["ENGINE"] = "messaging_project.postgresql"
    _pool = {
        "min_size": env.integer("DATABASE_POOL_MIN_SIZE", default=2),
        "max_size": env.integer("DATABASE_POOL_MAX_SIZE", default=10, minimum=1),
        "timeout": env.integer("DATABASE_POOL_TIMEOUT_SECONDS", default=5, minimum=1),
    }
    if _pool["min_size"] > _pool["max_size"]:
        raise ImproperlyConfigured(
            f"DATABASE_POOL_MIN_SIZE is {_pool['min_size']}, more than DATABASE_POOL_MAX_SIZE, which is "
            f"{_pool['max_size']}: set one of them."
        )
    # The pool waits longer and longer between attempts to connect; after this time it begins anew. Half the time that
    # a request waits ensures that the first request after an outage sees an attempt, with time to succeed.
    _options["pool"] = _pool | {"reconnect_timeout": _pool["timeout"] / 2}
    DATABASE_TIMEOUTS_MS = {
        # Above PostgreSQL's deadlock_timeout, 1 s, which starts at the same moment: whoever finds a deadlock is run
        # again, and whoever waited too long isn't.
        "lock_timeout": env.integer("DATABASE_LOCK_TIMEOUT_MS", default=1_200),
        "statement_timeout": env.integer("DATABASE_STATEMENT_TIMEOUT_MS", default=30_000),
    }
    _options.setdefault("connect_timeout", 5)
else:
    raise ImproperlyConfigured("DATABASE_URL names an unsupported database: use postgres:// or sqlite://.")
DATABASES = {"default": _database}
DATABASE_PREPARE = env.flag("DATABASE_PREPARE", default=True)
# Whether `manage.py load_demo` may write its campaigns and its account. Defaults to on only for the local SQLite file.
DEMO = env.flag("DEMO", default=LOCAL and not env.text("DATABASE_URL"))

# --- API -------------------------------------------------------------------------------------------------------------
# How often a caller may call an operation, e.g. "addStep=50/second,*=1000/minute". No limits by default.
API_THROTTLES = throttles(env.words("API_THROTTLES"))
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["messaging_project.api.tokens.AccessTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["messaging_project.api.tokens.HasRequiredScopes"],
    "DEFAULT_THROTTLE_CLASSES": ["messaging_project.api.throttles.OperationThrottle"] if API_THROTTLES else [],
    "DEFAULT_PARSER_CLASSES": ["messaging_project.api.json.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["messaging_project.api.json.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "messaging_project.api.negotiation.ContentNegotiation",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "messaging_project.api.errors.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "TEST_REQUEST_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.MultiPartRenderer",
    ],
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Messaging API",
    "VERSION": "1.0.0",
    "DESCRIPTION": (BASE_DIR / "messaging_project" / "api" / "openapi.md").read_text(),
    "TAGS": [
        {"name": "Campaigns", "description": "A campaign's name, description and status."},
        {"name": "Steps", "description": "A campaign's ordered messages."},
        {"name": "Insight", "description": "Whether a campaign can run, when it would send, and who changed it."},
        {
            "name": "Revisions",
            "description": "What a campaign's steps were when it was activated.",
        },
        {"name": "Events", "description": "What changed, of all campaigns, for programs that follow it."},
    ],
    "COMPONENT_SPLIT_REQUEST": True,  # answers always have every key, requests need not
    "ENUM_NAME_OVERRIDES": {
        "CampaignStatus": "campaigns.models.Campaign.Status",
        "HistoryAction": "campaigns.models.Action",
        "ActorType": "campaigns.models.ActorType",
        "ReadinessCode": "campaigns.readiness.Code",
        "BadStateReason": "campaigns.http.refusals.Reason",
        "SeededCampaignOutcome": "campaigns.openapi.shapes.SEEDED_CAMPAIGN_OUTCOMES",
    },
    "PREPROCESSING_HOOKS": ["messaging_project.api.openapi.without_trailing_slash"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "messaging_project.api.openapi.share_answers",
    ],
    "DISABLE_DOCSTRING_DESCRIPTIONS": True,  # docstrings are for readers of the code
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,  # "draft - Draft" says nothing new
    "SERVE_AUTHENTICATION": [],  # the document is public: a stale token must not keep anyone from reading it
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": True, "displayRequestDuration": True},
}

# --- Access tokens: either an identity provider's JWKS or one HS256 key; without both, no token is accepted ----------
ACCESS_TOKENS = access_tokens(env, local_key=_local_token_key)
# The scopes that an operation needs, e.g. "addStep=campaigns:write,*=campaigns:read". None are needed by default.
REQUIRED_SCOPES = env.words("API_REQUIRED_SCOPES")
required_scopes(REQUIRED_SCOPES)  # stops the start if they can't be parsed

# --- The template catalogue: what makes one; without it, template ids are opaque -------------------------------------
TEMPLATE_CATALOGUE = env.text("TEMPLATE_CATALOGUE")
TEMPLATE_CATALOGUE_STRICT = env.flag("TEMPLATE_CATALOGUE_STRICT", default=False)
TEMPLATE_CATALOGUE_TIMEOUT_MS = env.integer("TEMPLATE_CATALOGUE_TIMEOUT_MS", default=1_000, minimum=1)
TEMPLATE_CATALOGUE_URL = env.text("TEMPLATE_CATALOGUE_URL")  # of campaigns.catalogue.http.HTTPCatalogue
TEMPLATE_CATALOGUE_TOKEN = env.text("TEMPLATE_CATALOGUE_TOKEN")

# --- What operators see ----------------------------------------------------------------------------------------------
METRICS_DIRECTORY = env.text("PROMETHEUS_MULTIPROC_DIR")  # prometheus_client reads the variable, too
METRICS_ADDRESS = env.address("METRICS_ADDRESS", "127.0.0.1:9100")
if METRICS_DIRECTORY:
    try:
        Path(METRICS_DIRECTORY).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"PROMETHEUS_MULTIPROC_DIR is {METRICS_DIRECTORY!r}, which can't be made ({error.strerror}): "
            "set it to a folder that the service may write to."
        ) from error
LOG_FORMAT = env.choice("LOG_FORMAT", ("text", "json"), default="text")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "messaging_project.api.request_id.RequestIdFilter"}},
    "formatters": {
        "text": {
            "()": "messaging_project.log_lines.TextFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s",
        },
    },
    "handlers": {
        "text": {"class": "logging.StreamHandler", "filters": ["request_id"], "formatter": "text"},
        "json": {"class": "messaging_project.log_lines.JSONLines"},
    },
    "loggers": {
        "axes": {"level": "WARNING"},  # failed logins and locks, without each step on the way
        "django.request": {"level": "ERROR"},  # each request has its line already
    },
    "root": {
        "handlers": [LOG_FORMAT],
        "level": env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), default="INFO"),
    },
}

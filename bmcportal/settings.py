"""All settings. Values come from the environment (see .env.example); the rest is decided here."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from celery.schedules import crontab
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from apps.core.secrets import keys_parse
from bmcportal import environment as env
from bmcportal.database import database_from_url
from bmcportal.logs import logging_config
from bmcportal.oidc import oidc_from_environment, origin_of

BASE_DIR = Path(__file__).resolve().parent.parent
env.load_file(BASE_DIR / ".env")

# ---------------------------------------------------------------- what the site must say
SECRET_KEY = env.text("SECRET_KEY")
try:
    CREDENTIAL_KEYS = keys_parse(env.text("CREDENTIAL_KEYS"))
except ValueError as error:
    raise ImproperlyConfigured(str(error)) from error
if not CREDENTIAL_KEYS:
    raise ImproperlyConfigured("CREDENTIAL_KEYS is empty: BMC passwords could not be kept.")
if len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("SECRET_KEY expects at least 50 random characters.")

DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "var")))
DEBUG = env.flag("DEBUG", False)
# Health checks of this machine ask for 127.0.0.1, whatever the public name is.
ALLOWED_HOSTS = [*env.names("ALLOWED_HOSTS", "localhost,[::1]"), "127.0.0.1"]
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS", "")
HTTPS = env.flag("HTTPS", False)
FORWARDED_ALLOW_IPS = env.text("FORWARDED_ALLOW_IPS", "")
"""Proxies whose word is taken for the address of a client. uvicorn reads the same variable."""

# ---------------------------------------------------------------- BMCs
BMC_NETWORKS = env.networks("BMC_NETWORKS", "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7")
BMC_POOL_SIZE = env.number("BMC_POOL_SIZE", 50, 1, 1000)
BMC_MAX_SESSIONS = env.number("BMC_MAX_SESSIONS", 2000, 1, 20000)
BMC_SITE = env.text("BMC_SITE", "")
LEASE_SECONDS = env.number("LEASE_SECONDS", 60, 3, 600)
SWEEP_SECONDS = env.number("SWEEP_SECONDS", 15, 1, 300)
POLL_SECONDS = env.number("POLL_SECONDS", 60, 2, 120)
POLL_WATCHED_SECONDS = env.number("POLL_WATCHED_SECONDS", 5, 1, 60)
POWER_GRACE_SECONDS = env.number("POWER_GRACE_SECONDS", 5, 0, 60)

# ---------------------------------------------------------------- apps
INSTALLED_APPS = [
    "bmcportal.apps.PortalConfig",
    "apps.power.apps.PowerConfig",
    "apps.discovery.apps.DiscoveryConfig",
    "apps.jobs.apps.JobsConfig",
    "apps.inventory.apps.InventoryConfig",
    "apps.accounts.apps.AccountsConfig",
    "apps.clusters.apps.ClustersConfig",
    "apps.audit.apps.AuditConfig",
    "apps.core.apps.CoreConfig",
    "apps.simulator.apps.SimulatorConfig",
    "bmcportal.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "apps.core.staticfiles.PortalStaticFilesConfig",
    "channels",
    "django_htmx",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "axes",
    "csp",
    "django_structlog",
    "django_celery_beat",
]
MIDDLEWARE = [
    # First those that put headers on every answer: files and refused hosts too.
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "bmcportal.limits.BodyLimitMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.accounts.middleware.PersonalSettingsMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.accounts.last_seen.LastSeenMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.core.middleware.VaryOnHtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "apps.accounts.middleware.StandingMiddleware",
]
ROOT_URLCONF = "bmcportal.urls"
ASGI_APPLICATION = "bmcportal.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
            "builtins": ["apps.core.templatetags.portal"],
        },
    }
]

# ---------------------------------------------------------------- the record
DATABASES = {
    "default": database_from_url(env.text("DATABASE_URL", f"sqlite:///{DATA_DIR / 'portal.db'}"))
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ---------------------------------------------------------------- queue, cache, live push
REDIS_URL = env.url("REDIS_URL", "", ("redis", "rediss", "unix", "redis+socket"))
IS_EMBEDDED = not REDIS_URL
"""One process, no services: the queue, the cache and the channel layer live in memory."""

CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    # A message that nobody took in time is worth nothing: the next one does the same.
    "audit.seal": {"task": "audit.seal", "schedule": 5.0, "options": {"expires": 10}},
    "audit.head": {"task": "audit.head", "schedule": crontab(minute="7")},
    "accounts.sessions_forget": {
        "task": "accounts.sessions_forget",
        "schedule": crontab(minute="23"),
        "options": {"expires": 3600},
    },
}
CACHES: dict[str, dict[str, Any]]
CHANNEL_LAYERS: dict[str, dict[str, Any]]
if IS_EMBEDDED:
    CELERY_BROKER_URL = "memory://localhost/"
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {"polling_interval": 0.02}
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "apps.core.channel_layer.LoopSafeChannelLayer"}}
else:
    CELERY_BROKER_URL = REDIS_URL
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 3600,
        "socket_timeout": 5,
        "socket_connect_timeout": 3,
        "max_retries": 1,
    }
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    }
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            # The layer waits up to 5 s for a message; reading must be allowed to take longer.
            "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": 20}], "capacity": 1000},
        }
    }

# ---------------------------------------------------------------- people
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "apps.accounts.backends.GrantBackend",
]
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "inventory:server_list"
LOGOUT_REDIRECT_URL = "accounts:sign_in"
PASSWORD_RESET_TIMEOUT = 3 * 86400
"""How long a link lives with which a person sets a password."""
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
ACCOUNT_ADAPTER = "apps.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False  # axes counts, in the database
MFA_ADAPTER = "apps.accounts.adapters.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "BMC Portal"
MFA_TOTP_TOLERANCE = 1  # clocks differ; a code counts once (apps.accounts.services.factors)
SOCIALACCOUNT_ADAPTER = "apps.accounts.oidc.OidcAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
OIDC = oidc_from_environment()
OIDC_NAME = OIDC.get("name", "")
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [OIDC] if OIDC else []}}
AXES_HANDLER = "apps.accounts.tries.TriesHandler"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = ["username"]
# An address is forged or shared more easily than an account; `RATES` limits it beside.
SILENCED_SYSTEM_CHECKS = ["axes.W006"]
AXES_VERBOSE = False
# So many, within so many seconds: of one person, or of one address where nobody is signed in.
RATES = env.rates(
    "RATES",
    {
        "sign_in": (100, 300),
        "token": (100, 300),
        "invitation": (60, 300),
        "connection_test": (30, 60),
        "search": (240, 60),
        "export": (20, 60),
        "plan": (60, 60),
        "scan": (10, 60),
    },
)
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 12 * 3600
if HTTPS:
    # Browsers take these names only with Secure, for this very host, and for all of its paths: no
    # other host of the domain can put one there.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    LANGUAGE_COOKIE_NAME = "__Host-language"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
# Pages tell their scripts the token themselves.
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"

# ---------------------------------------------------------------- REST API
REST_FRAMEWORK = {
    # The first one names the challenge of a 401.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.TokenAuthentication",
        "apps.accounts.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.parsers.BodyParser"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.core.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105  the name of a model
REST_KNOX = {"TOKEN_TTL": dt.timedelta(days=30), "AUTO_REFRESH": False}
SPECTACULAR_SETTINGS = {
    "TITLE": "BMC Portal",
    "DESCRIPTION": "Servers, their power, and the jobs that change it; with the rights of pages.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "PowerState": "apps.inventory.choices.Power",
        "TargetState": "apps.jobs.choices.TargetState",
        "PrivilegeWord": "apps.inventory.choices.PRIVILEGE_WORD_CHOICES",
    },
    "PREPROCESSING_HOOKS": ["apps.core.api_docs.api_only"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.core.api_docs.problems_add",
    ],
}

# ---------------------------------------------------------------- browser
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "font-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "form-action": [SELF, origin_of(OIDC["settings"]["server_url"])] if OIDC else [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
# What browsers can do and the portal does not need is off. Security keys are for its own pages.
NOT_NEEDED = [  # and known to Chromium: it complains about others on every page
    "accelerometer", "autoplay", "browsing-topics", "camera", "clipboard-read", "display-capture",
    "encrypted-media", "fullscreen", "geolocation", "gyroscope", "hid", "identity-credentials-get",
    "idle-detection", "keyboard-map", "local-fonts", "magnetometer", "microphone", "midi",
    "otp-credentials", "payment", "picture-in-picture", "screen-wake-lock", "serial",
    "storage-access", "sync-xhr", "usb", "window-management", "xr-spatial-tracking",
]  # fmt: skip
PERMISSIONS_POLICY: dict[str, list[str]] = {
    **{feature: [] for feature in NOT_NEEDED},
    "clipboard-write": ["self"],
    "publickey-credentials-create": ["self"],
    "publickey-credentials-get": ["self"],
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$"]
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
# In one process the files are served from where they are: collecting and compressing them takes
# longer than everything else at the start.
WHITENOISE_USE_FINDERS = IS_EMBEDDED
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if IS_EMBEDDED
        else "apps.core.staticfiles.PortalStaticStorage"
    },
}

# ---------------------------------------------------------------- words, times, logs
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
DEFAULT_EXCEPTION_REPORTER_FILTER = "bmcportal.error_reports.ReportFilter"
LOGGING_CONFIG = None
LOGGING = logging_config(
    level=env.text("LOG_LEVEL", "INFO"), as_json=env.flag("LOG_JSON", not IS_EMBEDDED)
)

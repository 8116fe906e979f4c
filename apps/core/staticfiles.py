from __future__ import annotations

from django.contrib.staticfiles.apps import StaticFilesConfig
from django.contrib.staticfiles.storage import HashedFilesMixin
from whitenoise.storage import CompressedManifestStaticFilesStorage


class PortalStaticFilesConfig(StaticFilesConfig):
    """Collects what a page asks for. The rest of these packages is large, and takes a minute to
    compress."""

    ignore_patterns = [
        *StaticFilesConfig.ignore_patterns,
        "*.map",
        "rest_framework",
        "redoc",
        "oauth2-redirect.*",
    ]


class PortalStaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # no types
    """Hashed and compressed file names.

    Imports inside scripts are left as they are (the plain names exist too): rewriting them stops at
    a file of django-htmx that imports what only a bundler resolves. Source maps are not collected,
    so references to them are left too.
    """

    patterns = (("*.css", HashedFilesMixin.patterns[0][1][:2]),)

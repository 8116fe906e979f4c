from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class PortalStaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # no types
    """Hashed and compressed file names.

    Imports inside scripts are left as they are (the plain names exist too): rewriting them stops at
    a file of django-htmx that imports what only a bundler resolves.
    """

"""Settings of the test suite: embedded mode unless DATABASE_URL and REDIS_URL say otherwise."""

from __future__ import annotations

import atexit
import base64
import os
import shutil
import tempfile

os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 50)
os.environ.setdefault("CREDENTIAL_KEYS", "test:" + base64.b64encode(b"t" * 32).decode())
if "DATA_DIR" not in os.environ:
    # One folder a process, so that runs side by side do not share a database.
    os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="bmc-portal-test-")
    atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)
os.environ.setdefault("BMC_NETWORKS", "127.0.0.0/8,10.0.0.0/8")
os.environ.setdefault("ALLOWED_HOSTS", "localhost,127.0.0.1,testserver")
os.environ.setdefault("LOG_LEVEL", "WARNING")
# Tests that are about the grace period set it themselves.
os.environ.setdefault("POWER_GRACE_SECONDS", "0")

from bmcportal.settings import *  # noqa: E402, F403  every setting, then the differences below

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405  from settings
    # A file, as in embedded mode: threads of one process share it under WAL, which memory cannot.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.db")}  # noqa: F405  from settings
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {  # noqa: F405  from settings
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
WHITENOISE_USE_FINDERS = True
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405  WhiteNoise warns without it

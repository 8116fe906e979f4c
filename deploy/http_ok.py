"""Exit 0 when a URL of this machine answers 200; for container health checks.

usage: http_ok.py http://127.0.0.1:8000/healthz
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request


def main() -> int:
    url = sys.argv[1]
    if not url.startswith("http://127.0.0.1:"):
        return 2
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310  the scheme is checked above
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, OSError):
        return 1


if __name__ == "__main__":
    sys.exit(main())

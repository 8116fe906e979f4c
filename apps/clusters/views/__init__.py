"""Pages of clusters and sites: everybody sees those they reach, admins change them."""

from __future__ import annotations

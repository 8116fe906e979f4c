"""Pages about racks, sites, clusters, credential profiles and custom fields."""

from __future__ import annotations

from typing import Final

from bmcportal.tests.privileges.rows import Area, area

# Method, path, body, then the answers to: admin, operator, user, readonly, outsider, nobody.
RACKS: Final[Area] = area(
    "Racks",
    "Racks and sites are seen by who sees a server in them, and by every operator: they choose "
    "where a new server stands. Admins change them.",
    ("GET", "racks/", None, (200, 200, 200, 200, 200, 302)),
    ("GET", "racks/?site={site}", None, (200, 200, 200, 200, 200, 302)),
    ("GET", "racks/add", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "racks/add", "rack_form", (303, 403, 403, 403, 403, 302)),
    ("GET", "racks/{rack}/", None, (200, 200, 200, 200, 200, 302)),
    ("GET", "racks/{empty_rack}/", None, (200, 200, 404, 404, 200, 302)),
    ("GET", "racks/{rack}/edit", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "racks/{rack}/edit", "rack_form", (303, 403, 403, 403, 403, 302)),
    ("POST", "racks/{empty_rack}/edit", "rack_form", (303, 403, 404, 404, 403, 302)),
    ("GET", "racks/{rack}/delete", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "racks/{rack}/delete", "removed", (422, 403, 403, 403, 403, 302), "in use"),
    ("POST", "racks/{empty_rack}/delete", "removed", (303, 403, 404, 404, 403, 302)),
    ("GET", "racks/{rack}/history", None, (200, 200, 200, 200, 200, 302)),
)

SITES: Final[Area] = area(
    "Sites",
    "",
    ("GET", "sites/", None, (200, 200, 200, 200, 200, 302)),
    ("GET", "sites/add", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "sites/add", {"name": "new"}, (303, 403, 403, 403, 403, 302)),
    ("GET", "sites/{site}/", None, (200, 200, 200, 200, 200, 302)),
    ("GET", "sites/{empty_site}/", None, (200, 200, 404, 404, 200, 302)),
    ("GET", "sites/{site}/edit", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "sites/{site}/edit", "named", (303, 403, 403, 403, 403, 302)),
    ("POST", "sites/{empty_site}/edit", "named", (303, 403, 404, 404, 403, 302)),
    ("GET", "sites/{site}/delete", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "sites/{site}/delete", "removed", (422, 403, 403, 403, 403, 302), "in use"),
    ("POST", "sites/{empty_site}/delete", "removed", (303, 403, 404, 404, 403, 302)),
    ("GET", "sites/{site}/history", None, (200, 200, 200, 200, 200, 302)),
)

CLUSTERS: Final[Area] = area(
    "Clusters",
    "",
    ("GET", "clusters/", None, (200, 200, 200, 200, 200, 302)),
    ("GET", "clusters/add", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "clusters/add", {"name": "new"}, (303, 403, 403, 403, 403, 302)),
    ("GET", "clusters/{cluster}/edit", None, (200, 403, 403, 403, 404, 302)),
    ("POST", "clusters/{cluster}/edit", "named", (303, 403, 403, 403, 404, 302)),
    ("GET", "clusters/{cluster}/delete", None, (200, 403, 403, 403, 404, 302)),
    ("POST", "clusters/{cluster}/delete", "removed", (422, 403, 403, 403, 404, 302), "in use"),
    ("GET", "clusters/{cluster}/history", None, (200, 200, 200, 200, 404, 302)),
)

PROFILES: Final[Area] = area(
    "Credential profiles",
    "For admins. Operators use those opened to them and read none.",
    ("GET", "profiles/", None, (200, 403, 403, 403, 403, 302)),
    ("GET", "profiles/add", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "profiles/add", "profile_form", (303, 403, 403, 403, 403, 302)),
    ("GET", "profiles/{profile}/edit", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "profiles/{profile}/edit", "profile_form", (303, 403, 403, 403, 403, 302)),
    ("GET", "profiles/{profile}/delete", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "profiles/{profile}/delete", "removed", (303, 403, 403, 403, 403, 302)),
    ("GET", "profiles/{profile}/history", None, (200, 403, 403, 403, 403, 302)),
)

FIELDS: Final[Area] = area(
    "Custom fields",
    "For admins.",
    ("GET", "fields/", None, (200, 403, 403, 403, 403, 302)),
    ("GET", "fields/add", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "fields/add", "field_form", (303, 403, 403, 403, 403, 302)),
    ("GET", "fields/{field}/edit", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "fields/{field}/edit", "field_form", (303, 403, 403, 403, 403, 302)),
    ("GET", "fields/{field}/delete", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "fields/{field}/delete", "removed", (303, 403, 403, 403, 403, 302)),
    ("GET", "fields/{field}/history", None, (200, 403, 403, 403, 403, 302)),
)

AREAS: Final = (RACKS, SITES, CLUSTERS, PROFILES, FIELDS)

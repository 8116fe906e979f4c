from __future__ import annotations

import pytest

from apps.core.fields import natural_key
from apps.core.testing import make_server
from apps.inventory.models import Server


def test_numbers_sort_as_people_count() -> None:
    names = ["web-10", "web-2", "web-1", "Web-03", "web", "web-1a", "db-100", "db-99", "web-1-2"]
    assert sorted(names, key=natural_key) == [
        "db-99", "db-100", "web", "web-1", "web-1-2", "web-1a", "web-2", "Web-03", "web-10",
    ]  # fmt: skip


def test_addresses_sort_by_their_numbers() -> None:
    addresses = ["10.0.0.10", "10.0.0.9", "9.255.0.1", "10.0.0.100"]
    assert sorted(addresses, key=natural_key) == [
        "9.255.0.1", "10.0.0.9", "10.0.0.10", "10.0.0.100",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "0", "000", "9" * 300, "1a" * 126])
def test_every_text_has_a_key_that_fits(text: str) -> None:
    assert len(natural_key(text)) <= 600


@pytest.mark.django_db
def test_the_key_is_filled_whenever_the_row_is_saved() -> None:
    server = make_server(name="web-10", address="127.0.0.9")
    assert server.name_key == natural_key("web-10")
    assert server.bmc.address_key == natural_key("127.0.0.9")
    server.name = "web-2"
    server.save()
    assert Server.objects.get().name_key == natural_key("web-2")


@pytest.mark.django_db
def test_thousands_of_names_are_looked_up_as_one_parameter() -> None:
    for name in ("a", 'b"', "c,'", "d"):
        make_server(name=name)
    wanted = ["a", 'b"', "c,'", *(f"x{i}" for i in range(9000))]
    found = Server.objects.filter(name__among=wanted).values_list("name", flat=True)
    assert sorted(found) == ["a", 'b"', "c,'"]
    assert not Server.objects.filter(name__among=[]).exists()
    assert Server.objects.exclude(name__among=["a"]).count() == 3

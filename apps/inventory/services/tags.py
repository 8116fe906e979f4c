"""Tags come with the first server that has them and go with the last."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from apps.inventory.models import Server, Tag


def tags_set(server: Server, names: Iterable[str]) -> None:
    """Give a server these tags and no others."""
    tags = tags_make(names)
    before = set(server.tags.values_list("pk", flat=True))
    server.tags.set(tags)
    tags_sweep(before - {tag.pk for tag in tags})


def tags_make(names: Iterable[str]) -> list[Tag]:
    """Return the tags of these names, coined where there were none."""
    wanted = sorted(set(names))
    there = set(Tag.objects.filter(name__in=wanted).values_list("name", flat=True))
    missing = [Tag(name=name) for name in wanted if name not in there]
    Tag.objects.bulk_create(missing, ignore_conflicts=True)
    return list(Tag.objects.filter(name__in=wanted))


def tags_sweep(ids: Collection[int]) -> None:
    """Forget those of these tags that no server has any more."""
    if ids:
        Tag.objects.filter(pk__in=ids, servers__isnull=True).delete()

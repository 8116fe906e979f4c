"""What people may say about servers and what belongs to them. Rights are the services' business."""

from __future__ import annotations

from apps.inventory.forms.base import RemoveForm
from apps.inventory.forms.bulk import BulkEditForm, BulkRemoveForm
from apps.inventory.forms.custom_fields import CustomFieldForm
from apps.inventory.forms.profiles import ProfileForm
from apps.inventory.forms.racks import RackForm
from apps.inventory.forms.saved_views import SavedViewForm
from apps.inventory.forms.servers import ServerForm

__all__ = [
    "BulkEditForm",
    "BulkRemoveForm",
    "CustomFieldForm",
    "ProfileForm",
    "RackForm",
    "RemoveForm",
    "SavedViewForm",
    "ServerForm",
]

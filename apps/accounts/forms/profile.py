from __future__ import annotations

from django import forms


class ThemeForm(forms.Form):
    theme = forms.ChoiceField(choices=[("", ""), ("light", ""), ("dark", "")], required=False)

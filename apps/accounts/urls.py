from __future__ import annotations

from django.urls import path

from apps.accounts.views import profile, sign_in
from apps.audit.rates import by_address, is_sent, rated

# A whole office may come from one address; guesses at one account are counted by axes.
many_people = rated("sign_in", whose=by_address, when=is_sent)

app_name = "accounts"
urlpatterns = [
    # Sign-in and its second factor
    path("account/sign-in", many_people(sign_in.sign_in), name="sign_in"),
    path("account/second-factor", many_people(sign_in.second_factor), name="second_factor"),
    path("account/sign-out", sign_in.sign_out, name="sign_out"),
    # A person's own settings
    path("account/theme", profile.theme_set, name="theme_set"),
    # Sessions and tokens
    # People, for admins
]

#!/usr/bin/env python3
# Copyright 2026 The caddy-bolt Authors
# SPDX-License-Identifier: Apache-2.0
"""A Django project in one file. Caddy has found out who is asking."""

import os
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import re_path
from django.utils.functional import SimpleLazyObject

database = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    SECRET_KEY=(Path(__file__).parent / "secret.txt").read_text().strip(),
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    MIDDLEWARE=[__name__ + ".caddy_user"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": database.hostname,
            "PORT": database.port or 5432,
            "USER": unquote(database.username),
            "PASSWORD": unquote(database.password or ""),
            "NAME": database.path[1:],
        }
    },
)


def caddy_user(get_response):
    """request.user is whom Caddy names. No client can: Caddy removes the header."""

    def middleware(request):
        from django.contrib.auth.models import User

        request.user = SimpleLazyObject(lambda: User.objects.get(pk=request.headers["X-User-ID"]))
        return get_response(request)

    return middleware


def page(request):
    return HttpResponse(
        "Django: %s sees %s, mail from Caddy: %s\n"
        % (request.user.username, request.path, request.headers.get("X-User-Email", "none"))
    )


urlpatterns = [re_path("", page)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)

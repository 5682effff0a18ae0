# Copyright 2026 The caddy-bolt Authors
# SPDX-License-Identifier: Apache-2.0
"""Lets Django make its tables and some users, and prints what it knows of them.

The database is argument 1, a URL. The password of each user is "pw of" and the
name, but for the one who has none.
"""

import base64
import hashlib
import json
import sys
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings

url = urlsplit(sys.argv[1])
settings.configure(
    SECRET_KEY="not used",
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends." + ("mysql" if url.scheme == "mysql" else "postgresql"),
            "HOST": url.hostname,
            "PORT": url.port,
            "USER": unquote(url.username),
            "PASSWORD": unquote(url.password),
            "NAME": url.path[1:],
        }
    },
)
django.setup()

from django.contrib.auth import hashers  # noqa: E402
from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test.utils import override_settings  # noqa: E402
from django.utils import timezone  # noqa: E402


class PBKDF2(hashers.PBKDF2PasswordHasher):
    iterations = 5000


class PBKDF2SHA1(hashers.PBKDF2SHA1PasswordHasher):
    iterations = 5000


class BCryptSHA256(hashers.BCryptSHA256PasswordHasher):
    rounds = 5


class BCrypt(hashers.BCryptPasswordHasher):
    rounds = 5


class Scrypt(hashers.BasePasswordHasher):
    """That of Django 4, in the words of its documentation."""

    algorithm = "scrypt"
    block_size, parallelism, work_factor = 8, 1, 2**12

    def encode(self, password, salt):
        key = hashlib.scrypt(
            password.encode(), salt=salt.encode(), n=self.work_factor, r=self.block_size, p=self.parallelism,
            maxmem=0, dklen=64,
        )
        return "%s$%d$%s$%d$%d$%s" % (
            self.algorithm, self.work_factor, salt, self.block_size, self.parallelism, base64.b64encode(key).decode(),
        )

    def verify(self, password, encoded):
        return encoded == self.encode(password, encoded.split("$")[2])


def hasher(name):
    return override_settings(PASSWORD_HASHERS=[name])


def password(name):
    return "pw of " + name


def make(name, **fields):
    return User.objects.create_user(name, name + "@example.com", password(name), **fields)


call_command("migrate", verbosity=0)
make("default")  # with the hasher and the cost that Django has out of the box
for name, path in {
    "pbkdf2_sha256": "__main__.PBKDF2",
    "pbkdf2_sha1": "__main__.PBKDF2SHA1",
    "argon2": "django.contrib.auth.hashers.Argon2PasswordHasher",
    "bcrypt_sha256": "__main__.BCryptSHA256",
    "bcrypt": "__main__.BCrypt",
    "scrypt": "__main__.Scrypt",
    "md5": "django.contrib.auth.hashers.MD5PasswordHasher",
    "unsalted_md5": "django.contrib.auth.hashers.UnsaltedMD5PasswordHasher",
    "sha1": "django.contrib.auth.hashers.SHA1PasswordHasher",
}.items():
    with hasher(path):
        make(name)
with hasher("__main__.PBKDF2"):
    editors, readers = Group.objects.create(name="editors"), Group.objects.create(name="readers")
    editors.permissions.add(Permission.objects.get(codename="change_group"), Permission.objects.get(codename="view_user"))
    readers.permissions.add(Permission.objects.get(codename="view_user"))
    alice = make("alice", is_staff=True, first_name="Alice", last_name="Liddell", last_login=timezone.now())
    alice.groups.add(editors, readers)
    alice.user_permissions.add(Permission.objects.get(codename="add_user"))
    User.objects.create_superuser("root", "root@example.com", password("root"))
    make("inactive", is_active=False)
    make("grüße@köln.de")
    User.objects.create_user("unusable", "unusable@example.com")

with override_settings(PASSWORD_HASHERS=settings.PASSWORD_HASHERS + [
    "__main__.Scrypt", "django.contrib.auth.hashers.MD5PasswordHasher",
    "django.contrib.auth.hashers.BCryptPasswordHasher",
    "django.contrib.auth.hashers.UnsaltedMD5PasswordHasher", "django.contrib.auth.hashers.SHA1PasswordHasher",
]):
    known = [
        {
            "id": str(user.pk),
            "username": user.username,
            "password": password(user.username),
            "hash": user.password,
            # as ModelBackend does, but that it would hash the password anew
            "authenticated": user.is_active and hashers.check_password(password(user.username), user.password),
            "is_staff": user.is_staff,
            "is_superuser": user.is_superuser,
            "is_active": user.is_active,
            "permissions": sorted(user.get_all_permissions()),
            "email": user.email,
            "first_name": user.first_name,
            "last_login": user.last_login and int(user.last_login.timestamp() * 1000000),
        }
        for user in User.objects.order_by("pk")
    ]
json.dump(known, sys.stdout)

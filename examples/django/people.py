# Copyright 2026 The caddy-bolt Authors
# SPDX-License-Identifier: Apache-2.0
"""Makes a user with a group, for "manage.py shell"."""

from django.contrib.auth.models import Group, Permission, User

group, _ = Group.objects.get_or_create(name="reporters")
group.permissions.add(Permission.objects.get(codename="view_group"))
user = User.objects.create_user("alice", "alice@example.com", "wonderland-42", first_name="Alice")
user.groups.add(group)

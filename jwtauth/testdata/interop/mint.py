#!/usr/bin/env python3
# Copyright 2026 The caddy-bolt Authors
# SPDX-License-Identifier: Apache-2.0
"""Mints one token per algorithm with PyJWT.

Reads {"now": <seconds>, "keys": {<algorithm>: <secret or PEM>}} and writes
{<algorithm>: <token>}. The claims are those that a Django application puts into
a token for a user.
"""

import datetime
import json
import sys

import jwt


def main():
    order = json.load(sys.stdin)
    now = datetime.datetime.fromtimestamp(order["now"], datetime.timezone.utc)
    claims = {
        "sub": str(42),
        "exp": now + datetime.timedelta(hours=1),
        "iat": now,
        "is_staff": True,
        "is_superuser": False,
        "username": "älice",
        "permissions": ["reports.view", "reports.add"],
        "aud": ["my-app", "other"],
        "iss": "https://id.example.com",
    }
    tokens = {
        algorithm: jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "key-1"})
        for algorithm, key in order["keys"].items()
    }
    json.dump(tokens, sys.stdout)


if __name__ == "__main__":
    main()

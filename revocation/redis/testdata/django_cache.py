"""Uses Django's cache over Redis: django_cache.py <port> set|get <jti>."""
import sys

from django.conf import settings

settings.configure(
    CACHES={
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{sys.argv[1]}/0",
        }
    }
)
from django.core.cache import cache  # noqa: E402

key = f"revoked_tokens:{sys.argv[3]}"
if sys.argv[2] == "set":
    cache.set(key, True, timeout=3600)
else:
    print("revoked" if cache.get(key) else "valid")

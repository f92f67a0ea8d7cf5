"""django-ninja, with the same models and transaction as the peer built on Django REST Framework."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.peers.django_settings")
os.environ.setdefault("PEER_URLS", "bench.peers.ninja_urls")

from django.core.wsgi import get_wsgi_application

application: Any = get_wsgi_application()

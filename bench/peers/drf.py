"""Idiomatic Django REST Framework: viewsets, ModelSerializers, a transaction with select_for_update()."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.peers.django_settings")
os.environ.setdefault("PEER_URLS", "bench.peers.drf_urls")

from django.core.wsgi import get_wsgi_application

application: Any = get_wsgi_application()

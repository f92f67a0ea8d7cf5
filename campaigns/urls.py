"""The campaigns API's URLs, each with and without a trailing slash."""

from rest_framework.routers import SimpleRouter

from campaigns.views import CampaignViewSet, EventViewSet, RevisionViewSet, StepViewSet

router = SimpleRouter()
router.trailing_slash = "/?"  # the constructor takes only a switch, and would make one of the two a 404
router.register("campaigns", CampaignViewSet, basename="campaign")
router.register("campaigns/(?P<id>[^/]+)/steps", StepViewSet, basename="campaign-step")
router.register("campaigns/(?P<id>[^/]+)/revisions", RevisionViewSet, basename="campaign-revision")
router.register("events", EventViewSet, basename="event")
# Patterns are tried from the first on: those of steps come first, of which most calls are.
urlpatterns = sorted(router.urls, key=lambda url: "/steps" not in str(url.pattern))

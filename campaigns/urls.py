"""The campaigns API's URLs, each with and without a trailing slash."""

from rest_framework.routers import SimpleRouter

from campaigns.views import CampaignViewSet, StepViewSet

router = SimpleRouter()
router.trailing_slash = "/?"  # the constructor takes only a switch, and would make one of the two a 404
router.register("campaigns", CampaignViewSet, basename="campaign")
router.register("campaigns/(?P<id>[^/]+)/steps", StepViewSet, basename="campaign-step")
urlpatterns = router.urls

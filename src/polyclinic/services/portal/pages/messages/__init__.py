"""The pages on messages by address; /integration itself is the door of that service."""

from starlette.routing import Route

from polyclinic.services.portal.pages.messages import channels, desk, listing, one, waiting

BASE = "/messages"

message_routes = (
    Route(BASE, listing.get_messages, methods=["GET"]),
    Route(BASE, listing.post_messages, methods=["POST"]),
    Route(f"{BASE}/waiting", waiting.get_waiting),
    Route(f"{BASE}/waiting/{{message}}", waiting.get_question, methods=["GET"]),
    Route(f"{BASE}/waiting/{{message}}", waiting.post_question, methods=["POST"]),
    Route(f"{BASE}/stopped/{{message}}", desk.get_stopped, methods=["GET"]),
    Route(f"{BASE}/stopped/{{message}}", desk.post_stopped, methods=["POST"]),
    Route(f"{BASE}/channels", channels.get_channels),
    Route(f"{BASE}/channels/{{channel}}", channels.post_status, methods=["POST"]),
    Route(f"{BASE}/alerts/{{alert}}", channels.post_alert, methods=["POST"]),
    Route(f"{BASE}/{{message}}", one.get_message),
    Route(f"{BASE}/{{message}}/{{verb}}", one.post_message, methods=["POST"]),
)

"""An administrator sees in pictures how each service does, on a desk and on a phone."""

from browser_door import Seen


def test_each_service_has_its_pictures(seen: Seen):
    seen.sign_in("administrator").open("/admin")
    for _ in range(30):
        if seen.page.locator(".pulse").count() >= 36:
            break
        seen.page.wait_for_timeout(2_000)
        seen.open("/admin")
    assert seen.page.locator(".ward").count() == 9
    assert seen.page.locator(".pulse").count() == 36, "four lines for each service"
    assert seen.page.get_by_role("img", name="requests a second: now").count() == 9
    seen.check()

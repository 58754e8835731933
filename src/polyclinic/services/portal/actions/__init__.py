"""What the portal can do: hold sessions, and put together what a page shows."""

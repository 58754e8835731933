"""The ground floor: services, databases, sealing and HTTP, with no word of health care."""

"""A SMART client finds identity's doors through the FHIR base, from any origin, without a token."""


async def test_the_smart_configuration_names_the_doors_of_identity(assembled):
    async with assembled("identity", "records") as process:
        answer = await process.peers.client("records").get("/fhir/.well-known/smart-configuration")
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    told = answer.json()
    assert told["token_endpoint"].endswith("/identity/token")
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert "client_credentials" in told["grant_types_supported"]

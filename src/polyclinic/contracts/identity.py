"""What identity says about itself to clients (RFC 8414, OpenID Connect, SMART App Launch).

Identity serves it under its own address, records under `/fhir/.well-known/smart-configuration`.
Only what is really offered is named.
"""

from typing import Any


def server_metadata(issuer: str, base: str) -> dict[str, Any]:
    """The authorization server's metadata for the address `base` that people use."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{base}/identity/authorize",
        "token_endpoint": f"{base}/identity/token",
        "jwks_uri": f"{base}/identity/jwks",
        "introspection_endpoint": f"{base}/identity/introspect",
        "revocation_endpoint": f"{base}/identity/revoke",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["EdDSA", "ES384", "RS384"],
        "authorization_response_iss_parameter_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "scopes_supported": [
            "openid",
            "fhirUser",
            "offline_access",
            "patient/*.rs",
            "user/*.cruds",
            "system/*.cruds",
        ],
    }


def smart_configuration(issuer: str, base: str) -> dict[str, Any]:
    """The same as SMART clients read it, with the capabilities that are there."""
    return {
        **server_metadata(issuer, base),
        "capabilities": [
            "authorize-post",
            "client-confidential-asymmetric",
            "permission-patient",
            "permission-user",
            "permission-v1",
            "permission-v2",
        ],
    }

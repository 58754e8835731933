"""TLS of the MLLP door: 1.2 or newer, and only with a certificate of the authority that is set."""

import ssl


def server_context(certificate: str, key: str, client_authority: str) -> ssl.SSLContext:
    """Of the files of our certificate, its key, and the authority that signs senders'."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(client_authority)
    context.verify_mode = ssl.CERT_REQUIRED
    return context

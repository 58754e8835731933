"""Integration's settings, each with a sentence in `NOTES`."""

from polyclinic.foundation.settings import Settings


class IntegrationSettings(Settings, frozen=True, kw_only=True):
    """How messages are worked off and how long they are kept."""

    idempotency_hours: int = 72
    duplicate_days: int = 7
    workers: int = 4
    lease_seconds: int = 60
    retry_first_seconds: float = 2.0
    retry_longest_seconds: float = 900.0
    tries: int = 12
    question_hours: float = 24.0
    message_bytes: int = 20 * 1024 * 1024
    folders: str = ""
    keep_days_least: int = 30
    outward_allowed: str = ""
    delivery_days: int = 30
    mllp_port: int = 0
    mllp_host: str = "127.0.0.1"
    mllp_plain_from: str = "127.0.0.0/8, ::1/128"
    mllp_tls_certificate: str = ""
    mllp_tls_key: str = ""
    mllp_tls_client_authority: str = ""
    mllp_outward_authority: str = ""
    mllp_outward_certificate: str = ""
    mllp_outward_key: str = ""
    mllp_connections: int = 256
    mllp_connections_a_peer: int = 16
    mllp_idle_seconds: float = 600.0
    full_resource_clients: str = ""


NOTES = {
    "idempotency_hours": "How long a repeated request gets the answer of the first.",
    "duplicate_days": "How long a message with a known control id counts as the same one.",
    "workers": "How many messages each process works on at once; 0 leaves the queue to others.",
    "lease_seconds": "After how long a message whose worker went silent is taken up by another.",
    "retry_first_seconds": "How long a message waits after its first failure; each wait doubles.",
    "retry_longest_seconds": "The longest wait between two tries.",
    "tries": "How often a message is tried before it is parked for a person.",
    "question_hours": "After how many hours a message that waits for a person is called late.",
    "folders": "Where other systems drop files, a folder for each channel; empty: nowhere.",
    "message_bytes": "The longest message that is taken in.",
    "keep_days_least": "The legal minimum: no channel destroys what a message says before that.",
    "outward_allowed": "Receivers in the house or without TLS that may be called all the same, as "
    "`http://10.1.2.3:9000`, with commas between them.",
    "full_resource_clients": "Clients whose subscriptions may be sent whole resources, with commas "
    "between them; all others are told ids.",
    "delivery_days": "How long it is known what was sent to whom; 7 at least.",
    "mllp_port": "Where HL7 v2 messages come in by MLLP; 0 leaves that door shut.",
    "mllp_host": "The address of that door; other machines need it to be one of theirs to reach.",
    "mllp_plain_from": "Networks from which messages may come without TLS.",
    "mllp_tls_certificate": "The file of that door's certificate; with it, TLS alone is spoken.",
    "mllp_tls_key": "The file of its private key.",
    "mllp_tls_client_authority": "The file of the authority that signs the senders' certificates.",
    "mllp_outward_authority": "The file of the authorities that sign the certificates of systems "
    "which hear HL7 v2 from here; empty: those of the operating system.",
    "mllp_outward_certificate": "The file of the certificate that is shown to those systems.",
    "mllp_outward_key": "The file of its private key.",
    "mllp_connections": "How many connections there are at most.",
    "mllp_connections_a_peer": "How many of them one address may have.",
    "mllp_idle_seconds": "After how much silence a connection is let go.",
}

"""ASC X12 5010: lossless segments and envelopes, 837P claims, 835 remittances, acknowledgments."""

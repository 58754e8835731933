"""What audit does when others speak: two records that are one person's are shown together."""

from polyclinic.fhirserver import merged

reactions = merged.following(lambda running: running.state.server)

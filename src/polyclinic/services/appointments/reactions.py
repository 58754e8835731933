"""What appointments does when others speak: records of one person stand for each other."""

from polyclinic.fhirserver import merged

reactions = merged.following(lambda running: running.state.server)

"""What messages mean: HL7 v2 to FHIR and to what the owners are asked to do, by tables."""

from polyclinic.services.integration.domain.mapping.translating import translate

__all__ = ["translate"]

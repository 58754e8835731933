"""polyclinic: a healthcare platform made of small independent services."""

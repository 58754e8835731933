"""The services of polyclinic, one package each, all of the same inner shape."""

"""What is true of leaving an old system: frozen values and pure rules."""

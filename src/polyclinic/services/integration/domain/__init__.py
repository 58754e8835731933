"""What is true of messages: frozen values and pure rules."""

"""What a charge, an attempt and an outcome are, and every rule about them. No I/O."""

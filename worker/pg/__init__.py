"""What each payment gateway behind PortOne can do, and the parameters of its payment window. No I/O."""

"""The package beyond text: images of digits, of which a variational autoencoder loses the rare."""

"""Human text: what is rare in it (`reference`), and what models are looked at on (`panel`)."""

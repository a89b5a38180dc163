"""The Hugging Face Trainer's callbacks: translations between the Trainer and a session."""

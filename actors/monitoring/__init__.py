"""What a person sees: outcomes, transcripts, progress."""

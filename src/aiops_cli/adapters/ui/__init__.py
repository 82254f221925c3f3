"""What the person sees and is asked."""

"""synth-text: training data from text alone, after Unicorn (Yu et al., 2025)."""

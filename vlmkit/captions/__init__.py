"""recaption: what a model says of a sample's pictures, and how it stands beside what was said before."""

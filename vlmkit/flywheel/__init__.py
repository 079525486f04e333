"""The closed loop: what the model gets wrong decides what it is fed next, and a control decides whether that helped."""

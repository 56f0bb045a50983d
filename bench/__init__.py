"""Side-by-side measurements of the project itself, on the one-machine lab."""

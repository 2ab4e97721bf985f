"""The outside world, one package per system. Only adapters speak HTTP outward; systems do not know each other."""

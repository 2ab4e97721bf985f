"""Pictures of figures: PNG for artifacts and documents, SVG for pages that need nothing else."""

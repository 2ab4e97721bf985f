"""One flow per file: five steps and the duties around them. File name = flow name = deployment name."""

"""Orders from files: CSV and XLSX, read by a mapping that people write."""

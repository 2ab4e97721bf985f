"""What business people write in files, read into the domain's values. A mistake names its file and line."""

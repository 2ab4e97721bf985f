"""钉钉 group robot."""

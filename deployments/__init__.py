"""What runs where: deployments from prefect.yaml, the long-lived process, and a whole machine for one seller."""

"""A whole machine in a simulated world: the demo, and the chaos run that proves that nothing is lost or done twice."""

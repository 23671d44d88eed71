"""Many runs: declared once, planned into tasks, run here or on a cluster through submitit."""

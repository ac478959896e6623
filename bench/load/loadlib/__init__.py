"""What run_load is made of; run_load itself holds the table of cases."""

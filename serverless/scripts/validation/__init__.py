"""What is checked before anything is deployed. Each rule returns the sentences that say what is wrong."""

"""What is checked about the deployment before it is deployed. Each rule returns the sentences that say what is wrong."""

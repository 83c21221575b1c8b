"""What the data steward decides and sees: data sets, approvals, costs."""

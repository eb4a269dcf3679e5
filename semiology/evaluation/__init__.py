"""What a run says, without torch: statistics, agreement, leakage audit, report."""

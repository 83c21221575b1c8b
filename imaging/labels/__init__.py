"""What images show by another source than their headers: a hospital's table of labels."""

"""What every part may use. It knows no patient and no tensor."""

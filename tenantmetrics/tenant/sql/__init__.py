"""What the text of a statement says: text, template, parse, restrictions, plan."""

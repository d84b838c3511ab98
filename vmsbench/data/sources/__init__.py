"""Where data come from: what names mean, what lies in a folder, which column of a list, and the account of it all."""

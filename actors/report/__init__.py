"""The report of a quote: one page that tells all of it, and the record that the page is made of."""

"""Invoices as files that billing providers take: one provider's form a file.

Every amount has an identifier that is made of format, month, currency, tenant, customer, part and
revision, so a file that is made twice is the same to the byte, and a provider that has seen an
identifier takes it once.
"""

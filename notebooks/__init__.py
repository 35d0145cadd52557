"""The lab notebooks that ship with ebit; `ebit notebooks DIR` copies them."""

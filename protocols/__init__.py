"""ebit.protocols."""

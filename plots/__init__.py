"""ebit.plots."""

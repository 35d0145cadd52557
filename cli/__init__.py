"""ebit.cli."""

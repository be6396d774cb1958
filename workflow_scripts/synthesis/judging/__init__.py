"""Quality of whole conversations: offline measures, and a judge with a rubric."""
